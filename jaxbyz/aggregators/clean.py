"""Rows as rules read them: bad ones replaced, scaled, without a copy of all rows.

A copy of the rows costs as much as the arithmetic of most rules. So what is wrong with them is
found in one pass, and put right wherever a block of columns is read.

Rules that need second moments of all rows also leave out *huge* ones, with an entry beyond
√(largest number)/(4 √(nd)) medians: their squares could not be summed, and beside them the others
would vanish. Such a row counts as a bad one, unless there are more than f of both kinds: then all
rows are measured by the largest entry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.distances import distances_of, square_bound
from jaxbyz.aggregators.rows import fill_for, no_state, power_of_two, widened
from jaxbyz.blocks import (
    UNROLLED_ROWS,
    in_order,
    largest_entries,
    over_columns,
    row_sums,
    sum_of_rows,
)
from jaxbyz.core import Aggregated, Aggregator, Key, Robustness, Tree

__all__ = [
    "Clean",
    "clean_distances",
    "cleaned",
    "detailed",
    "distances_from",
    "lengths",
    "mean_of",
    "weighted",
    "weighted_columns",
    "weighted_unit",
    "without_huge_rows",
]

SHORT = 1024  # so short rows are looked at with care at once, which is less to compile


class Clean(NamedTuple):
    """Rows, and what to do with them."""

    raw: jax.Array  # [n, d] as given, at least 32 bits
    bad: jax.Array  # [n] bool, not finite
    huge: jax.Array  # [n] bool, finite and huge; all False where nobody asked
    out: jax.Array  # [n] bool, rows to be replaced
    fill: jax.Array  # [d] by what
    size: jax.Array  # [n] a power of two m for every raw row, and
    length: jax.Array  # [n] √Σ (x/m)² of it, which is neither Inf nor inexact for a finite row
    scale: jax.Array  # [] a power of two next to the size of the median row's entries

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
        return self.in_unit(self.finite)

    def columns(self, start: jax.Array | int, width: int) -> jax.Array:
        """Some columns of `unit`, [n, width]."""
        return self.in_unit(self.finite_columns(start, width))

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
        return self.in_unit(jnp.where(self.out[:, None], self.fill[chosen], self.raw[:, chosen]))

    def in_unit(self, rows: jax.Array) -> jax.Array:
        """Entries / scale, cut where squares of differences could not be summed; any shape."""
        bound = square_bound(self.raw)
        return jnp.clip(rows * (1 / self.scale), -bound, bound)


def cleaned(rows: jax.Array) -> Clean:
    """What is wrong with rows [n, d], found in one pass.

    >>> clean = cleaned(jnp.array([[1.0], [jnp.inf], [3.0]]))
    >>> clean.finite.ravel().tolist(), clean.bad.tolist(), clean.scale.item()
    ([1.0, 2.0, 3.0], [False, True, False], 1.0)
    """
    raw = widened(rows)
    size, length = lengths(raw)
    bad = ~jnp.isfinite(length)
    # A little more, so that rows of one power of two have that scale in spite of roundings.
    typical = size * (length * (1.001 / max(raw.shape[1], 1) ** 0.5))
    scale = _median_size(jnp.minimum(typical, jnp.finfo(raw.dtype).max), bad)
    return Clean(raw, bad, jnp.zeros_like(bad), bad, fill_for(raw, bad), size, length, scale)


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
    size, length = _careful_lengths(raw, largest)
    return Clean(raw, bad, huge, out, fill_for(raw, out), size, length, scale)


def lengths(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """m [n], powers of two, and √Σ (x/m)² [n] of any rows; the latter is finite if the row is.

    For long rows m = 1 and one pass is all, unless some squares are too large or too small.
    """
    n, d = rows.shape
    if d < SHORT:
        return _careful_lengths(rows, largest_entries(rows))
    limits = jnp.finfo(rows.dtype)

    def squared(start: int, width: int) -> jax.Array:
        return jax.lax.slice_in_dim(rows, start, start + width, axis=1) ** 2

    squares = row_sums(squared, d)
    # At least so much that squares which vanished are less than one rounding of the sum.
    plain = jnp.isfinite(squares) & (squares >= d * float(limits.tiny) / float(limits.eps))
    return jax.lax.cond(
        plain.all(),
        lambda: (jnp.ones(n, rows.dtype), jnp.sqrt(squares)),
        lambda: _careful_lengths(rows, largest_entries(rows)),
    )


def _careful_lengths(rows: jax.Array, largest: jax.Array) -> tuple[jax.Array, jax.Array]:
    size = power_of_two(jnp.where(jnp.isfinite(largest), largest, 0))
    unit = rows * (1 / size)[:, None]
    return size, jnp.sqrt((unit * unit).sum(axis=1))


def _median_size(sizes: jax.Array, bad: jax.Array) -> jax.Array:
    """s = 2^⌊log₂ median of the sizes [n] of the good rows⌋, [] (1 if that is 0).

    Dividing by a power of two changes no selection, and keeps squares of the honest majority
    away from overflow and underflow.
    """
    good = (~bad).sum()
    # Good rows come first.
    middle = in_order(jnp.where(bad, jnp.inf, sizes), jnp.maximum(good - 1, 0) // 2)
    return power_of_two(jnp.where(good > 0, middle, 0))


def clean_distances(clean: Clean) -> jax.Array:
    """Squared distances between the rows in unit `scale`, [n, n]."""
    n, d = clean.raw.shape
    return distances_of(clean.columns, n, d, clean.raw.dtype)


def distances_from(clean: Clean, point: jax.Array) -> jax.Array:
    """‖x_i - z‖ in unit `scale`, for a point z [d] in that unit, [n]."""

    def squares(start: int, width: int) -> jax.Array:
        part = clean.finite_columns(start, width) * (1 / clean.scale)  # a huge one may become Inf
        return (part - point[start : start + width]) ** 2

    return jnp.sqrt(row_sums(squares, len(point)))


def weighted(weights: jax.Array, clean: Clean) -> jax.Array:
    """Σ w_i x_i over the finite rows: weights [n] -> [d], or [m, n] -> [m, d].

    All rows are finite, so that a weight of 0 does drop a row.

    >>> rows = cleaned(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> weighted(jnp.array([0.5, 0.5]), rows).tolist(), weighted(jnp.eye(2), rows).tolist()
    ([2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]])
    """
    n = clean.raw.shape[0]
    weights = weights.astype(clean.raw.dtype)
    if weights.ndim == 1 and n <= UNROLLED_ROWS:
        return sum_of_rows(weights, [clean.row(i) for i in range(n)])

    return over_columns(functools.partial(weighted_columns, weights, clean), clean.raw.shape[1])


def weighted_columns(
    weights: jax.Array, clean: Clean, start: jax.Array | int, width: int
) -> jax.Array:
    """The same by a product of matrices, of some columns: [width] or [m, width]."""
    # Full precision: the default of accelerators rounds the factors to far fewer digits.
    part = clean.finite_columns(start, width)
    return jnp.matmul(weights, part, precision=jax.lax.Precision.HIGHEST)


def weighted_unit(weights: jax.Array, clean: Clean, centre: jax.Array | float = 0) -> jax.Array:
    """Σ w_i (x_i - z) over the rows in unit `scale`, weights [n] -> [d]."""
    n = clean.raw.shape[0]
    if n <= UNROLLED_ROWS:
        rows = [clean.in_unit(clean.row(i)) - centre for i in range(n)]
        return sum_of_rows(weights, rows)
    return jnp.matmul(weights, clean.unit - centre, precision=jax.lax.Precision.HIGHEST)


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
