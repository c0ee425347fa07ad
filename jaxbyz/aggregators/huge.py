"""Rows for rules that need second moments of all of them: huge rows count as bad ones.

A row with an entry beyond √(largest number)/(4 √(nd)) medians is *huge*: its squares could not be
summed, and beside it the others would vanish. It is replaced as a row that is not finite, unless
there are more than f of both kinds: then all rows are measured by the largest entry.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.distances import square_bound
from jaxbyz.aggregators.rows import (
    neutralize,
    power_of_two,
    power_of_two_scale,
    replaced,
    widened,
)

__all__ = ["Clean", "without_huge_rows"]


class Clean(NamedTuple):
    """Rows whose products can be formed."""

    rows: jax.Array  # [n, d], finite, at least 32 bits
    scale: jax.Array  # [], a power of two to divide them by
    bad: jax.Array  # [n] bool, not finite
    huge: jax.Array  # [n] bool, finite and huge


def without_huge_rows(rows: jax.Array, f: int) -> Clean:
    """Replace bad rows, and huge ones if there are at most f of both.

    >>> clean = without_huge_rows(jnp.array([[1.0], [1e30], [3.0], [2.0]]), f=1)
    >>> clean.rows.ravel().tolist(), clean.huge.tolist()
    ([1.0, 2.0, 3.0, 2.0], [False, True, False, False])
    """
    wide = widened(rows)
    finite, bad = neutralize(wide)
    largest = jnp.abs(finite).max(axis=1)
    scale = power_of_two_scale(finite)
    huge = (largest / scale > square_bound(finite)) & ~bad
    few = (bad | huge).sum() <= f
    kept = replaced(jnp.where(bad[:, None], 0, wide), bad | (huge & few))
    return Clean(kept, jnp.where(few, scale, power_of_two(largest.max())), bad, huge)
