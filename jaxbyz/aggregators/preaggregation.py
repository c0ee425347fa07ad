"""Maps on rows that come before a rule, by function application: nnm(f, inner=rule)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.distances import nearest, scaled, squared_distances
from jaxbyz.aggregators.rows import neutralize, power_of_two_scale, require_majority, widened
from jaxbyz.core import Aggregated, Aggregator, Key, Tree

__all__ = ["nnm"]


def nnm(f: int, inner: Aggregator) -> Aggregator:
    """Nearest-neighbour mixing: every row becomes the mean of the n-f rows nearest to it.

    y_i = (1/(n-f)) Σ_{j ∈ N(i)} x_j, N(i) the n-f rows nearest to x_i, itself included (ties: the
    lower index);  R = inner(y_1, …, y_n).

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
        finite, bad = neutralize(widened(rows))
        distances = squared_distances(scaled(finite, power_of_two_scale(finite)))
        chosen = nearest(distances, n - f)  # [n, n-f]
        weights = jnp.zeros((n, n), finite.dtype)
        weights = weights.at[jnp.arange(n)[:, None], chosen].set(1 / (n - f))
        # All rows are finite here, so that a weight of 0 does drop a row. Full precision: the
        # default of accelerators rounds the factors to far fewer digits.
        mixed = jnp.matmul(weights, finite, precision=jax.lax.Precision.HIGHEST)
        state, result = inner.apply(key, state, mixed)
        value = result.value.astype(rows.dtype)
        return state, Aggregated(value, bad | result.bad, result.details)

    return Aggregator(inner.init, apply)
