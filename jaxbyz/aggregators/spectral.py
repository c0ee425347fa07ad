"""Rules that drop rows along the direction in which the rows vary most: CAF, DnC.

The direction is an eigenvector of the n×n matrix of centred products, found exactly; that matrix
comes from the squared distances, so that nothing cancels against a far mean.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import known_constants, only_for
from jaxbyz.aggregators.coordinatewise import median
from jaxbyz.aggregators.from_functions import (
    Details,
    aggregated,
    no_state,
    require_key,
    require_majority,
    with_details,
)
from jaxbyz.aggregators.rows import (
    Centred,
    FiniteRows,
    centred_at_median,
    centred_distances,
    centred_products,
    finite_rows,
    mean_of,
    squared_distances,
    weighted_from,
)
from jaxbyz.aggregators.selection import least
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Tree

HUGE = 2.0**10  # of the (n-f)-th distance from the median; DnC drops rows beyond first


class _Filtered(NamedTuple):
    weights: jax.Array  # [n] c
    best: jax.Array  # [n] c of the μ_c to return
    eigenvalue: jax.Array  # [] its λ
    passes: jax.Array  # []
    going: jax.Array  # [] bool


@part
def caf(f: int | None = None) -> Aggregator:
    """Covariance-bound-agnostic filter: weights are lowered along the top direction of variance.

    c = 1; while Σ c > n-2f:  μ_c = Σ c_i x_i/Σ c,  Σ_c = Σ c_i (x_i-μ_c)(x_i-μ_c)ᵀ/Σ c with top
    eigenpair (λ, v),  τ_i = ⟨x_i-μ_c, v⟩²,  c_i ← c_i (1 - τ_i/max{τ_j : c_j > 0}).
    R = the μ_c of least λ among all passes (Allouah et al., 2025). Every pass sets the weight of a
    row to 0, so there are at most n passes; a pass in which all τ are 0 is the last. details:
    passes, eigenvalue (in units of `scale`²), scale, weights [n], huge_rows [n].

    Cost O(n²d) and O(n³) per pass. No κ is known. For f = 0 and for identical rows it is the mean.
    In the tests R is never further than √(2n) diameters of the honest rows from their mean (not
    proved). Let q be the (n-f)-th smallest distance of a row from the coordinate-wise median: a
    row further from it than 2^20 q counts as a row at that distance (huge_rows).

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> round(caf(f=1)(jnp.array([[0.0], [9.0], [1.0], [2.0]])).item(), 4)
    1.0851
    """
    f = checks.count("f", f)

    def rule(rows: FiniteRows) -> tuple[jax.Array, Details]:
        require_majority("caf", rows.raw.shape[0], f)
        seen, distances = centred_distances(rows, f)
        end = _filtered(distances, f)
        details = {
            "passes": end.passes,
            "eigenvalue": end.eigenvalue,
            "scale": seen.unit / seen.shrink,
            "weights": end.best,
            "huge_rows": seen.far,
        }
        value = seen.to_original(weighted_from(end.best, seen, jnp.zeros_like(seen.centre)))
        return value, details

    return with_details(rule, known_constants(reach=only_for(f, lambda n, f: (2 * n) ** 0.5)))


def _filtered(distances: jax.Array, f: int) -> _Filtered:
    """The weights of CAF, from the squared distances of the rows [n, n]."""
    n = distances.shape[0]

    def step(now: _Filtered) -> _Filtered:
        weights = now.weights / now.weights.sum()
        eigenvalue, scores = _top_direction(distances, weights)
        better = eigenvalue < now.eigenvalue
        highest = jnp.where(weights > 0, scores, 0).max()
        factor = 1 - scores / jnp.where(highest > 0, highest, 1)
        factor = jnp.where(scores >= highest, 0, factor)
        lower = jnp.where(highest > 0, now.weights * factor, now.weights)
        return _Filtered(
            jnp.where(now.weights > 0, lower, 0),
            jnp.where(better, weights, now.best),
            jnp.where(better, eigenvalue, now.eigenvalue),
            now.passes + 1,
            highest > 0,
        )

    def going(now: _Filtered) -> jax.Array:
        return now.going & (now.weights.sum() > n - 2 * f) & (now.passes < n)

    ones = jnp.ones(n, distances.dtype)
    infinite = jnp.full((), jnp.inf, distances.dtype)
    start = _Filtered(ones, ones / n, infinite, jnp.zeros((), int), jnp.array(True))
    return jax.lax.while_loop(going, step, start)


@part
def dnc(
    f: int | None = None, dims: int = 10_000, iterations: int = 1, fraction: float = 1.0
) -> Aggregator:
    """Divide and conquer: drop the rows that lie farthest along the top direction of variance.

    `iterations` times: b = min(dims, d) coordinates are drawn, v is the top right singular vector
    of the rows there, centred at their mean μ, and the n-⌊c f⌋ rows (c = `fraction`) with the
    least ⟨x_i-μ, v⟩² are kept. R = mean of the rows kept every time, over all coordinates
    (Shejwalkar, Houmansadr, NDSS 2021). If no row is kept every time an eager call raises; a
    compiled one returns the coordinate-wise median, and details["empty"] says so.
    details: selected [n], empty, huge_rows [n].

    One direction does not reveal Byzantine rows that lie in several directions: some of them would
    be kept, however large they are, and the error would have no bound. So rows far from the
    coordinate-wise median are dropped first: those further than 1024 q, where q is the (n-f)-th
    smallest distance from it (huge_rows; at most f). The direction is that of the other rows. Then
    R is at most 1026 √(n-f) diameters of the honest rows from their mean (derived here).

    Needs a key if dims < d. Cost O(iterations n²b + nd). No κ is known. Permutation equivariant in
    law. For f = 0 it is the mean.

    Raises:
        ValueError: an argument out of range; at trace time n ≤ 2f, n - ⌊c f⌋ < 1, no key where one
            is needed; in an eager call an empty selection.

    >>> dnc(f=1)(jnp.array([[0.0], [9.0], [1.0], [2.0]])).item()
    1.0
    """
    f = checks.count("f", f)
    dims = checks.count("dims", dims, minimum=1)
    iterations = checks.count("iterations", iterations, minimum=1)
    checks.interval("fraction", fraction, 0, float("inf"), closed="neither")
    drop = math.floor(fraction * f + 1e-9)  # 0.29 · 100 is 28.999… in floating point

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        n, d = rows.shape
        require_majority("dnc", n, f)
        if n - drop < 1:
            raise ValueError(
                f"dnc needs n > fraction f rows, got n = {n}, f = {f} and fraction = {fraction}"
            )
        finite = finite_rows(rows)
        if dims >= d:
            seen, distances = centred_distances(finite, f, HUGE, Centred.replaced_beyond)
        else:
            seen = centred_at_median(finite, f).replaced_beyond(HUGE)
        finite = seen.finite

        def kept_by(distances: jax.Array) -> jax.Array:
            uniform = jnp.full(n, 1 / n, distances.dtype)
            scores = _top_direction(distances, uniform)[1]
            return least(jnp.where(seen.far, jnp.inf, scores), n - drop)

        if dims >= d:
            selected = kept_by(distances)  # the same every time
        else:
            keys = jax.random.split(require_key("dnc", key), iterations)

            def draw(key: Key) -> jax.Array:
                columns = jax.random.permutation(key, d)[:dims]
                return kept_by(squared_distances(seen.at(columns)))

            selected = jax.lax.map(draw, keys).all(axis=0)
        empty = ~selected.any()
        if iterations > 1 and not checks.is_traced(empty) and empty:
            raise ValueError(
                f"dnc with n = {n}, f = {f}, iterations = {iterations} and fraction = {fraction} "
                "kept no row every time"
            )
        value = jax.lax.cond(empty, lambda: median(finite.array), lambda: mean_of(selected, finite))
        details = {"selected": selected, "empty": empty, "huge_rows": seen.far}
        return state, aggregated(rows, value, finite.rejected, details)

    # The median is within √(n-f) of the mean of S, and q at most that.
    bound = known_constants(
        reach=only_for(f, lambda n, f: (HUGE + 2) * (n - f) ** 0.5 if f else 1.0)
    )
    return Aggregator(no_state, apply, bound)


def _top_direction(distances: jax.Array, weights: jax.Array) -> tuple[Any, jax.Array]:
    """λ [] of the weighted covariance, and the squares ⟨x_i - μ, v⟩² [n], from the distances."""
    products = centred_products(distances, weights)
    root = jnp.sqrt(weights)
    # Rows of weight 0 may have products of any size; they have no part in the matrix.
    inside = weights > 0
    products = jnp.where(inside[:, None] & inside[None, :], products, 0)
    values, vectors = jnp.linalg.eigh(root[:, None] * products * root[None, :])
    value, vector = values[-1], vectors[:, -1]
    along = jnp.matmul(products, root * vector, precision=jax.lax.Precision.HIGHEST)
    positive = value > 0
    return value, jnp.where(positive, along**2 / jnp.where(positive, value, 1), 0)
