"""Rows as rules read them: bad ones replaced, scaled, without a copy of all rows.

A copy of the rows costs as much as the arithmetic of most rules. So what is wrong with them is
found in one pass, and put right wherever a block of columns is read.

Rules that need second moments of all rows also leave out *huge* ones, with an entry beyond
√(largest number)/(4 √(nd)) medians: their squares could not be summed, and beside them the others
would vanish. Such a row counts as a bad one, unless there are more than f of both kinds: then all
rows are measured by the largest entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.distances import distances_of, square_bound
from jaxbyz.aggregators.rows import fill_for, no_state, power_of_two, widened
from jaxbyz.blocks import largest_entries
from jaxbyz.core import Aggregated, Aggregator, Key, Robustness, Tree

__all__ = [
    "Clean",
    "clean_distances",
    "cleaned",
    "detailed",
    "distances_from",
    "mean_of",
    "weighted",
    "weighted_unit",
    "without_huge_rows",
]

UNROLLED_ROWS = 64  # up to so many rows are summed one by one, in one pass over the data
BLOCK = 8192  # columns in a product of matrices


class Clean(NamedTuple):
    """Rows, and what to do with them."""

    raw: jax.Array  # [n, d] as given, at least 32 bits
    bad: jax.Array  # [n] bool, not finite
    huge: jax.Array  # [n] bool, finite and huge; all False where nobody asked
    out: jax.Array  # [n] bool, rows to be replaced
    fill: jax.Array  # [d] by what
    largest: jax.Array  # [n] the largest entry of a raw row
    scale: jax.Array  # [] a power of two next to the median row's largest entry

    @property
    def finite(self) -> jax.Array:
        """All rows, the replaced ones included, [n, d]."""
        return jnp.where(self.out[:, None], self.fill, self.raw)

    @property
    def unit(self) -> jax.Array:
        """Finite rows / scale, where squares of differences can be summed over all entries.

        A row beyond that bound is a huge row beside the median row; what it becomes is as
        legitimate as what it was, and distances to it stay the largest ones.
        """
        return self._in_unit(self.finite)

    def columns(self, start: jax.Array | int, width: int) -> jax.Array:
        """Some columns of `unit`, [n, width]."""
        return self._in_unit(self.finite_columns(start, width))

    def finite_columns(self, start: jax.Array | int, width: int) -> jax.Array:
        """Some columns of `finite`, [n, width]."""
        part = jax.lax.dynamic_slice_in_dim(self.raw, start, width, axis=1)
        fill = jax.lax.dynamic_slice_in_dim(self.fill, start, width)
        return jnp.where(self.out[:, None], fill, part)

    def row(self, i: int) -> jax.Array:
        """One row of `finite`, [d]; cut out of the whole array it would cost a copy of all."""
        return jnp.where(self.out[i], self.fill, self.raw[i])

    def inside_loop(self, changing: jax.Array) -> Clean:
        """The same, for the body of a loop in which something changes.

        Otherwise the compiler takes the cleaning out of the loop, and keeps a copy of all rows.
        """
        scale, out, _ = jax.lax.optimization_barrier((self.scale, self.out, changing))
        return self._replace(scale=scale, out=out)

    def at(self, chosen: jax.Array) -> jax.Array:
        """Columns [b] of `unit` by their indices, [n, b]."""
        return self._in_unit(jnp.where(self.out[:, None], self.fill[chosen], self.raw[:, chosen]))

    def _in_unit(self, rows: jax.Array) -> jax.Array:
        bound = square_bound(self.raw)
        return jnp.clip(rows * (1 / self.scale), -bound, bound)


def cleaned(rows: jax.Array) -> Clean:
    """What is wrong with rows [n, d], found in one pass.

    >>> clean = cleaned(jnp.array([[1.0], [jnp.inf], [3.0]]))
    >>> clean.finite.ravel().tolist(), clean.bad.tolist(), clean.scale.item()
    ([1.0, 2.0, 3.0], [False, True, False], 1.0)
    """
    raw = widened(rows)
    largest = largest_entries(raw)
    bad = ~jnp.isfinite(largest)
    scale = _median_size(largest, bad)
    return Clean(raw, bad, jnp.zeros_like(bad), bad, fill_for(raw, bad), largest, scale)


def without_huge_rows(rows: jax.Array, f: int) -> Clean:
    """The same, with huge rows replaced as well if there are at most f of both kinds.

    >>> clean = without_huge_rows(jnp.array([[1.0], [1e30], [3.0], [2.0]]), f=1)
    >>> clean.finite.ravel().tolist(), clean.huge.tolist()
    ([1.0, 2.0, 3.0, 2.0], [False, True, False, False])
    """
    raw = widened(rows)
    largest = largest_entries(raw)
    bad = ~jnp.isfinite(largest)
    scale = _median_size(largest, bad)
    huge = (largest / scale > square_bound(raw)) & ~bad
    few = (bad | huge).sum() <= f
    out = bad | (huge & few)
    scale = jnp.where(few, scale, power_of_two(jnp.where(bad, 0, largest).max()))
    return Clean(raw, bad, huge, out, fill_for(raw, out), largest, scale)


def _median_size(largest: jax.Array, bad: jax.Array) -> jax.Array:
    """s = 2^⌊log₂ median of max_j |x_ij| over the good rows⌋, [] (1 if that is 0).

    Dividing by a power of two changes no selection, and keeps squares of the honest majority
    away from overflow and underflow.
    """
    ordered = jnp.sort(jnp.where(bad, jnp.inf, largest))  # good rows first
    good = (~bad).sum()
    middle = ordered[jnp.maximum(good - 1, 0) // 2]
    return power_of_two(jnp.where(good > 0, middle, 0))


def clean_distances(clean: Clean) -> jax.Array:
    """Squared distances between the rows in unit `scale`, [n, n]."""
    n, d = clean.raw.shape
    return distances_of(clean.columns, n, d, clean.raw.dtype)


def distances_from(clean: Clean, point: jax.Array) -> jax.Array:
    """‖x_i - z‖ in unit `scale`, for a point z [d] in that unit, [n]."""

    def distance(rows: jax.Array) -> jax.Array:  # [..., d] -> [...]
        difference = rows * (1 / clean.scale) - point
        return jnp.sqrt((difference * difference).sum(axis=-1))

    # Not of `unit`: the sum over a row is four times as fast without a choice for every entry. A
    # huge row may have distance Inf.
    return jnp.where(clean.out, distance(clean.fill), distance(clean.raw))


def weighted(weights: jax.Array, clean: Clean) -> jax.Array:
    """Σ w_i x_i over the finite rows: weights [n] -> [d], or [m, n] -> [m, d].

    All rows are finite, so that a weight of 0 does drop a row.

    >>> rows = cleaned(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> weighted(jnp.array([0.5, 0.5]), rows).tolist(), weighted(jnp.eye(2), rows).tolist()
    ([2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]])
    """
    n, d = clean.raw.shape
    weights = weights.astype(clean.raw.dtype)
    if weights.ndim == 1 and n <= UNROLLED_ROWS:
        return _sum_of_rows(weights, [clean.row(i) for i in range(n)])

    # Full precision: the default of accelerators rounds the factors to far fewer digits.
    def product(part: jax.Array) -> jax.Array:
        return jnp.matmul(weights, part, precision=jax.lax.Precision.HIGHEST)

    if d <= BLOCK:
        return product(clean.finite)

    def add(i: jax.Array, found: jax.Array) -> jax.Array:
        start = jnp.minimum(i * BLOCK, d - BLOCK)  # the last block may overlap the one before
        part = product(clean.finite_columns(start, BLOCK))
        return jax.lax.dynamic_update_slice_in_dim(found, part, start, axis=-1)

    begin = jnp.zeros((*weights.shape[:-1], d), clean.raw.dtype)
    return jax.lax.fori_loop(0, -(-d // BLOCK), add, begin)


def weighted_unit(weights: jax.Array, clean: Clean, centre: jax.Array | float = 0) -> jax.Array:
    """Σ w_i (x_i - z) over the rows in unit `scale`, weights [n] -> [d]."""
    n = clean.raw.shape[0]
    if n <= UNROLLED_ROWS:
        rows = [clean._in_unit(clean.row(i)) - centre for i in range(n)]
        return _sum_of_rows(weights, rows)
    return jnp.matmul(weights, clean.unit - centre, precision=jax.lax.Precision.HIGHEST)


def _sum_of_rows(weights: jax.Array, rows: list[jax.Array]) -> jax.Array:
    """Σ w_i x_i row by row, which compiles to one pass and no copy."""
    total = weights[0] * rows[0]
    for i in range(1, len(rows)):
        total = total + weights[i] * rows[i]
    return total


def mean_of(chosen: jax.Array, clean: Clean) -> jax.Array:
    """Σ x_i (1/m) over the m chosen rows, [n] bool; this order cannot overflow."""
    count = jnp.maximum(chosen.sum(), 1).astype(clean.raw.dtype)
    return weighted(jnp.where(chosen, 1 / count, 0), clean)


def detailed(
    rule: Callable[[Clean], tuple[jax.Array, dict[str, jax.Array]]],
    robustness: Robustness | None = None,
) -> Aggregator:
    """An aggregator without state from a function of clean rows -> ([d], details)."""

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        clean = cleaned(rows)
        value, details = rule(clean)
        return state, Aggregated(value.astype(rows.dtype), clean.bad, details)

    return Aggregator(no_state, apply, robustness)
