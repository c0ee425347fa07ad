"""Rules that treat every coordinate on its own: mean, trimmed mean, median.

Order-based rules need no look at whole rows: an entry that is NaN or ±Inf stands at an end of the
order of its coordinate and is trimmed there with at most f - 1 others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.rows import bad_rows, require_majority, stateless, widened
from jaxbyz.aggregators.sorting import select_ranks
from jaxbyz.core import Aggregated, Aggregator, Key, Tree

__all__ = ["coordinate_median", "mean", "trimmed_mean"]


def average(rows: Sequence[jax.Array]) -> jax.Array:
    """Σ x_i (1/m), summed over whole rows; this order cannot overflow and is one pass."""
    total = rows[0] * (1 / len(rows))
    for row in rows[1:]:
        total = total + row * (1 / len(rows))
    return total


def mean() -> Aggregator:
    """The plain average (1/n) Σ x_i: no robustness, the reference for everything else.

    Cost O(nd). κ = 0 for f = 0 and none for f > 0. Bad rows are replaced as in every rule.

    >>> mean()(jnp.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [2.0, 3.0]
    """
    return stateless(lambda rows: average([rows[i] for i in range(rows.shape[0])]))


def trimmed_mean(f: int, trim: int | None = None) -> Aggregator:
    """Coordinate-wise trimmed mean: drop the `trim` smallest and largest values, average the rest.

    y_(1) ≤ … ≤ y_(n) per coordinate;  R = (1/(n-2b)) Σ_{b<j≤n-b} y_(j),  b = trim ≥ f (default f).

    Cost: one pass over [n, d] through a selection network. Exact robustness κ = b/(n-f-b), hence
    f/(n-2f) for b = f, the smallest possible for any rule (derived here); published bound
    6f/(n-2f) (1 + f/(n-2f)) (Allouah et al., AISTATS 2023).

    Raises:
        ValueError: f negative or not an integer, trim < f; at trace time n ≤ 2 trim.

    >>> trimmed_mean(f=1)(jnp.array([[0.0], [1.0], [2.0], [jnp.nan]])).item()
    1.5
    """
    f = checks.count("f", f)
    trim = f if trim is None else checks.count("trim", trim, minimum=f)

    def rule(rows: jax.Array) -> jax.Array:
        n = rows.shape[0]
        if n <= 2 * trim:
            raise ValueError(
                f"trimmed_mean needs n > 2 trim rows, got n = {n}, f = {f} and trim = {trim}"
            )
        return average(select_ranks(rows, trim, n - trim))

    return _by_entries(rule)


def coordinate_median(f: int = 0) -> Aggregator:
    """Coordinate-wise median; for even n the average of the two middle values.

    Cost: one pass over [n, d] through a selection network. The rule does not use f, which only
    states for how many Byzantine rows it is trusted. Exact robustness
    κ = (n-f)/(⌊n/2⌋+1-f) - 1 (derived here); published bound 4(1 + f/(n-2f))²
    (Allouah et al., AISTATS 2023).

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> coordinate_median()(jnp.array([[0.0], [1.0], [5.0], [jnp.inf]])).item()
    3.0
    """
    f = checks.count("f", f)

    def rule(rows: jax.Array) -> jax.Array:
        n = rows.shape[0]
        require_majority("coordinate_median", n, f)
        return average(select_ranks(rows, (n - 1) // 2, n // 2 + 1))

    return _by_entries(rule)


def _by_entries(rule: Callable[[jax.Array], jax.Array]) -> Aggregator:
    """An aggregator from an order-based rule on rows, where NaN counts as +Inf.

    With more than f bad rows a kept value may not be finite: then that coordinate is 0.
    """

    def init(d: int) -> None:
        del d

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        value = rule(widened(rows))
        value = jnp.where(jnp.isfinite(value), value, 0).astype(rows.dtype)
        return state, Aggregated(value, bad_rows(rows), {})

    return Aggregator(init, apply)
