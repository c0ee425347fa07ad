"""Maps on rows that come before a rule, by function application: nnm(f, inner=rule).

The order is the reading order: nnm(f, trimmed_mean(f)) mixes first. Key, state and details are
those of the inner rule.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import known_constants, mixed, reach
from jaxbyz.aggregators.from_functions import aggregated, require_key, require_majority
from jaxbyz.aggregators.rows import (
    FiniteRows,
    apply_to_scaled,
    apply_to_weighted,
    centred_distances,
    finite_rows,
    nearest,
    row_norms,
    shortening,
)
from jaxbyz.column_passes import order_statistic
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Tree


@part
def nnm(f: int | None, inner: Aggregator) -> Aggregator:
    """Nearest-neighbour mixing: every row becomes the mean of the n-f rows nearest to it.

    y_i = (1/(n-f)) Σ_{j ∈ N(i)} x_j, N(i) the n-f rows nearest to x_i, itself included (ties: the
    lower index);  R = inner(y_1, …, y_n). A rejected row (with NaN or ±Inf) is a neighbour only if
    fewer than n-f rows are finite. It has no neighbours itself: y_i is the mean of all finite rows.

    Cost O(n²d). Published robustness κ ≤ 8f/(n-f) (κ_inner + 1) (Allouah et al., AISTATS 2023);
    for a rule that is optimal already, as the trimmed mean, that need not be an improvement.

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> from jaxbyz.aggregators import coordinate_median
    >>> rows = jnp.array([[0.0], [1.0], [2.0], [50.0]])
    >>> nnm(f=1, inner=coordinate_median())(rows).item()
    1.0
    """
    f = checks.count("f", f)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        n = rows.shape[0]
        require_majority("nnm", n, f)
        finite = finite_rows(rows)
        rejected = finite.rejected
        distances = centred_distances(finite, f)[1]
        chosen = nearest(jnp.where(rejected, jnp.inf, distances), n - f)  # [n, n-f]
        weights = jnp.zeros((n, n), finite.raw.dtype)
        weights = weights.at[jnp.arange(n)[:, None], chosen].set(1 / (n - f))
        over_finite = ~rejected / jnp.maximum((~rejected).sum(), 1).astype(weights.dtype)
        weights = jnp.where(rejected[:, None] & (~rejected).any(), over_finite, weights)
        return _of_both(finite, rows, apply_to_weighted(inner, key, state, finite, weights))

    return Aggregator(inner.init, apply, mixed(f, inner))


@part
def bucketing(s: int, inner: Aggregator) -> Aggregator:
    """The means of random groups of s rows, instead of the rows.

    π a uniform permutation, drawn by the key at every call; y_k = mean of x_{π(ks)} … x_{π(ks+s-1)}
    for k = 0 … N-1, N = ⌈n/s⌉; a short last group is divided by its own size.
    R = inner(y_1, …, y_N)  (Karimireddy, He, Jaggi, ICLR 2022).

    Up to f of the N means contain a Byzantine row. So the inner rule must declare the same f, and
    raises an error for N ≤ 2f. For N ≤ 2f, where there are guarantees in expectation only, give an
    inner rule that declares a smaller f, for instance coordinate_median().

    Cost O(nNd). No κ is given. If N > 2f and the inner rule, of N rows, is never further than c
    diameters of the honest rows from their mean, this is never further than c + 1: the means of
    honest rows lie between them (derived here). Permutation equivariant in law.

    Raises:
        ValueError: s < 1 or not an integer; called without a key.

    >>> from jaxbyz.aggregators import mean
    >>> rows = jnp.array([[0.0], [0.0], [0.0], [0.0], [10.0]])  # 10/2/3 or, if alone, 10/3
    >>> _, result = bucketing(2, mean()).apply(jax.random.key(0), None, rows)
    >>> round(result.value.item(), 2)
    1.67
    """
    s = checks.count("s", s, minimum=1)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        n = rows.shape[0]
        shuffle, inner_key = jax.random.split(require_key("bucketing", key))
        finite = finite_rows(rows)
        order = jax.random.permutation(shuffle, n)
        place = jnp.arange(n)
        size = jnp.minimum(s, n - place // s * s).astype(finite.raw.dtype)  # of its group
        weights = jnp.zeros((-(-n // s), n), finite.raw.dtype).at[place // s, order].set(1 / size)
        return _of_both(finite, rows, apply_to_weighted(inner, inner_key, state, finite, weights))

    def bound(n: int, f: int) -> float | None:
        groups = -(-n // s)
        c = reach(inner, groups, f) if groups > 2 * f else None
        return None if c is None else c + 1

    return Aggregator(inner.init, apply, known_constants(reach=bound))


@part
def clip(c: float | jax.Array, inner: Aggregator) -> Aggregator:
    """Every row longer than c is shortened to length c.

    y_i = x_i min(1, c/‖x_i‖);  R = inner(y_1, …, y_n).

    Cost O(nd). No κ is known; neither translation nor scale equivariant. What the inner rule sees
    is never longer than c. c may be traced.

    Raises:
        ValueError: c not a positive number.

    >>> from jaxbyz.aggregators import mean
    >>> clip(1.0, mean())(jnp.array([[3.0, 4.0], [0.6, 0.0]])).tolist()
    [0.6000000238418579, 0.4000000059604645]
    """
    c = checks.interval("c", c, 0, float("inf"), closed="neither")

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        finite = finite_rows(rows)
        factors = shortening(finite, c, 1.0)
        return _of_both(finite, rows, apply_to_scaled(inner, key, state, finite, factors))

    return Aggregator(inner.init, apply)


@part
def arc(f: int | None, inner: Aggregator) -> Aggregator:
    """Adaptive robust clipping: the longest rows are shortened to the next longest one.

    K = ⌊2f(n-f)/n⌋; the K rows of largest norm are shortened to the (K+1)-th largest norm c:
    y_i = x_i min(1, c/‖x_i‖);  R = inner(y_1, …, y_n)  (Allouah et al., 2024). f = 0: identity.

    Cost O(nd). No κ is given. What the inner rule sees is never longer than the longest honest row
    (derived here: K ≥ f for n > 2f). Not translation equivariant.

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> from jaxbyz.aggregators import mean
    >>> arc(1, mean())(jnp.array([[1.0], [2.0], [3.0], [90.0]])).item()
    2.25
    """
    f = checks.count("f", f)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        n = rows.shape[0]
        require_majority("arc", n, f)
        finite = finite_rows(rows)
        count = 2 * f * (n - f) // n
        factors: tuple[jax.Array, ...] = ()
        if count:
            norms, shrink = row_norms(finite)
            factors = shortening(finite, order_statistic(norms, n - count - 1), 1 / shrink)
        return _of_both(finite, rows, apply_to_scaled(inner, key, state, finite, factors))

    return Aggregator(inner.init, apply)


def _of_both(
    finite: FiniteRows, rows: jax.Array, outcome: tuple[Tree, Aggregated]
) -> tuple[Tree, Aggregated]:
    """The outcome of the inner rule as that of both: of the given kind, with all rejected rows."""
    state, result = outcome
    rejected = finite.rejected
    if result.rejected.shape == rejected.shape:
        rejected = rejected | result.rejected
    return state, aggregated(rows, result.value, rejected, result.details)
