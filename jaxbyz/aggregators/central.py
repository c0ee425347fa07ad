"""Rules that keep the rows nearest to one point: to 0, to a row, to what another rule returns."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import known_constants, only_for, reach
from jaxbyz.aggregators.coordinatewise import coordinate_median
from jaxbyz.aggregators.from_functions import (
    Details,
    aggregated,
    no_state,
    require_majority,
    with_details,
)
from jaxbyz.aggregators.rows import (
    FiniteRows,
    apply_to_scaled,
    finite_rows,
    mean_of,
    offsets,
    row_norms,
    shrink_for,
)
from jaxbyz.aggregators.selection import least
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Tree


@part
def cge(f: int | None = None) -> Aggregator:
    """Comparative gradient elimination: the mean of the n-f rows of least norm.

    R = (1/(n-f)) Σ of the n-f rows with the least ‖x_i‖, ties to the lower index (Gupta, Liu,
    Vaidya, 2021). For comparisons only: no finite κ exists, because from n-f equal rows v ≠ 0 and f
    zero rows the rule does not return v. ‖R‖ is at most the norm of the longest honest row. The
    rule is not translation equivariant. details: selected [n].

    Cost O(nd).

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> cge(f=1)(jnp.array([[1.0], [-2.0], [4.0], [-9.0]])).round(4).item()
    1.0
    """
    f = checks.count("f", f)

    def rule(rows: FiniteRows) -> tuple[jax.Array, Details]:
        n = rows.raw.shape[0]
        require_majority("cge", n, f)
        selected = least(row_norms(rows)[0], n - f)
        return mean_of(selected, rows), {"selected": selected}

    return with_details(rule)


@part
def nearest_mean(f: int | None, pivot: Aggregator) -> Aggregator:
    """The mean of the n-f rows nearest to what another rule returns.

    R = (1/(n-f)) Σ of the n-f rows with the least ‖x_i - pivot(X)‖, ties to the lower index.
    Key and state are those of the pivot rule. details: those of the pivot, selected [n].

    Cost O(nd) and the pivot's. No κ is known. If the pivot is never further than c diameters of
    the honest rows from their mean, this is never further than 2c + 1 (derived here).

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> nearest_mean(1, coordinate_median())(jnp.array([[0.0], [1.0], [2.0], [9.0]])).item()
    1.0
    """
    return _near_pivot("nearest_mean", f, pivot, lambda n, f: n - f)


@part
def aksel(f: int | None = None, mode: str = "mid") -> Aggregator:
    """The mean of the rows nearest to the coordinate-wise median.

    R = mean of the ⌈n/2⌉ (mode "mid") or n-f (mode "n-f") rows with the least
    ‖x_i - median(X)‖, ties to the lower index (Boussetta et al., 2021). details: selected [n].

    Cost O(nd). No κ is known. Never further than 1 + √(2κ) diameters of the honest rows from their
    mean, κ that of the median (derived here).

    Raises:
        ValueError: f negative or not an integer, another mode; at trace time n ≤ 2f.

    >>> aksel(f=1)(jnp.array([[0.0], [1.0], [2.0], [8.0], [9.0]])).item()
    1.0
    """
    if not checks.among(mode, ("mid", "n-f")):
        raise ValueError(f"mode must be 'mid' or 'n-f', got {mode!r}")
    keep = (lambda n, f: (n + 1) // 2) if mode == "mid" else (lambda n, f: n - f)
    return _near_pivot("aksel", f, coordinate_median(), keep)


@part
def monna(f: int | None, trusted: int) -> Aggregator:
    """The mean of the n-f rows nearest to one trusted row.

    R = (1/(n-f)) Σ of the n-f rows with the least ‖x_i - x_trusted‖, ties to the lower index
    (Farhadkhani et al., ICML 2023). In a decentralised setting the trusted row is a node's own;
    at a server the rule is as good as the trust. Permutation equivariant but for that index.
    details: selected [n].

    Cost O(nd). No κ is known. If the trusted row is honest, never further than 2 diameters of the
    honest rows from their mean (derived here); if it is not, anywhere.

    Raises:
        ValueError: f or trusted negative or not an integer; at trace time n ≤ 2f, trusted ≥ n.

    >>> monna(f=1, trusted=3)(jnp.array([[0.0], [1.0], [2.0], [9.0]])).item()
    4.0
    """
    trusted = checks.count("trusted", trusted)

    def row(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        n = rows.shape[0]
        if trusted >= n:
            raise ValueError(f"monna needs trusted < n rows, got n = {n} and trusted = {trusted}")
        return state, Aggregated(rows[trusted], jnp.zeros(n, bool), {})

    return _near_pivot("monna", f, Aggregator(no_state, row), lambda n, f: n - f)


def _near_pivot(
    name: str, f: int | None, pivot: Aggregator, keep: Callable[[int, int], int]
) -> Aggregator:
    f = checks.count("f", f)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        n = rows.shape[0]
        require_majority(name, n, f)
        finite = finite_rows(rows)
        state, centre = apply_to_scaled(pivot, key, state, finite)
        shrink = shrink_for(finite, centre.value)
        point = centre.value.astype(finite.raw.dtype) * shrink
        distance = offsets(finite, shrink, point, rank=keep(n, f) - 1).distance
        selected = least(distance, keep(n, f))
        details = {**centre.details, "selected": selected}
        rejected = finite.rejected | centre.rejected
        return state, aggregated(rows, mean_of(selected, finite), rejected, details)

    def bound(n: int, f: int) -> float | None:
        c = reach(pivot, n, f)
        return None if c is None or keep(n, f) > n - f else 2 * c + 1

    return Aggregator(pivot.init, apply, known_constants(reach=only_for(f, bound)))
