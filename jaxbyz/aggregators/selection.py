"""Rules that select among the rows they are given: Krum."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.distances import scaled, squared_distances
from jaxbyz.aggregators.rows import power_of_two_scale, require_majority, stateless
from jaxbyz.core import Aggregator

__all__ = ["krum"]


def krum(f: int) -> Aggregator:
    """The row with the least sum of squared distances to its n-f-1 nearest other rows.

    s_i = Σ ‖x_i - x_j‖² over the n-f-1 rows j ≠ i nearest to i;  R = x_{argmin s}.

    Ties go to the lowest index, so the rule is permutation equivariant on tie-free rows only.
    Cost O(n²d). Published robustness κ ≤ 6 (1 + f/(n-2f)) for this number of neighbours
    (Allouah et al., AISTATS 2023); Blanchard et al. (NeurIPS 2017) take n-f-2 neighbours.
    For f = 0 this is the row of least total distance, not the mean.

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> krum(f=1)(jnp.array([[0.0], [0.1], [0.3], [9.0]])).item()
    0.10000000149011612
    """
    f = checks.count("f", f)

    def rule(rows: jax.Array) -> jax.Array:
        n = rows.shape[0]
        require_majority("krum", n, f)
        distances = squared_distances(scaled(rows, power_of_two_scale(rows)))
        # Sorted, a row's distance to itself comes first; it is 0 and adds nothing.
        scores = jnp.sort(distances, axis=1)[:, : n - f].sum(axis=1)
        return rows[jnp.argmin(scores)]

    return stateless(rule)
