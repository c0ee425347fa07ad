"""Rows as rules read them: the rejected ones replaced, without a copy of all rows.

A copy of the rows costs as much as the arithmetic of most rules. So what is wrong with them is
found in one pass, and put right wherever a block of columns is read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.numbers import fill_for, no_state, power_of_two, said_as, widened
from jaxbyz.column_passes import UNROLLED_ROWS, largest_of, over_columns, row_sums, sum_of_rows
from jaxbyz.core import Aggregated, Aggregator, Key, Robustness, Tree

__all__ = [
    "Clean",
    "cleaned",
    "detailed",
    "lengths",
    "lengths_of",
    "mean_of",
    "weighted",
    "weighted_columns",
    "without",
]

SHORT = 1024  # so short rows are looked at with care at once, which is less to compile


class Clean(NamedTuple):
    """Rows, and what to do with them."""

    raw: jax.Array  # [n, d] as given, in floats of at least 32 bits
    rejected: jax.Array  # [n] bool, not finite
    out: jax.Array  # [n] bool, rows to be replaced
    fill: jax.Array  # [d] by what
    size: jax.Array  # [n] a power of two m for every raw row, and
    length: jax.Array  # [n] √Σ (x/m)² of it, which is neither Inf nor inexact for a finite row

    @property
    def finite(self) -> jax.Array:
        """All rows, the replaced ones included, [n, d]."""
        return jnp.where(self.out[:, None], self.fill, self.raw)

    def columns(self, start: jax.Array | int, width: int) -> jax.Array:
        """Some columns of `finite`, [n, width]."""
        part = jax.lax.dynamic_slice_in_dim(self.raw, start, width, axis=1)
        fill = jax.lax.dynamic_slice_in_dim(self.fill, start, width)
        return jnp.where(self.out[:, None], fill, part)

    def at(self, chosen: jax.Array) -> jax.Array:
        """Columns [b] of `finite` by their indices, [n, b]."""
        return jnp.where(self.out[:, None], self.fill[chosen], self.raw[:, chosen])

    def row(self, i: int) -> jax.Array:
        """One row of `finite`, [d]; cut out of the whole array it would cost a copy of all."""
        return jnp.where(self.out[i], self.fill, self.raw[i])

    def inside_loop(self, changing: jax.Array) -> Clean:
        """The same, for the body of a loop in which something changes.

        Otherwise the compiler takes the reading of the rows out of the loop, and keeps a copy.
        """
        out, _ = jax.lax.optimization_barrier((self.out, changing))
        return self._replace(out=out)


def cleaned(rows: jax.Array) -> Clean:
    """What is wrong with rows [n, d], found in one pass.

    >>> clean = cleaned(jnp.array([[1.0], [jnp.inf], [3.0]]))
    >>> clean.finite.ravel().tolist(), clean.rejected.tolist()
    ([1.0, 2.0, 3.0], [False, True, False])
    """
    raw = widened(rows)
    size, length = lengths(raw)
    rejected = ~jnp.isfinite(length)
    return Clean(raw, rejected, rejected, fill_for(raw, rejected), size, length)


def without(clean: Clean, others: jax.Array) -> Clean:
    """The same, with other rows [n] bool replaced as well.

    >>> clean = without(cleaned(jnp.array([[1.0], [9.0], [3.0]])), jnp.array([False, True, False]))
    >>> clean.finite.ravel().tolist(), clean.rejected.tolist()
    ([1.0, 2.0, 3.0], [False, False, False])
    """
    out = clean.rejected | others
    return clean._replace(out=out, fill=fill_for(clean.raw, out))


def lengths(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """m [n], powers of two, and √Σ (x/m)² [n] of any rows; the latter is finite if the row is.

    For long rows m = 1 and one pass is all, unless some squares are too large or too small.
    """

    def columns(start: int, width: int) -> jax.Array:
        return jax.lax.slice_in_dim(rows, start, start + width, axis=1)

    n, d = rows.shape
    limits = jnp.finfo(rows.dtype)
    # At least so much that squares which vanished are less than one rounding of the sum.
    least = d * float(limits.tiny) / float(limits.eps)
    return lengths_of(columns, n, d, rows.dtype, lambda squares: (squares >= least).all())


def lengths_of(
    columns: Callable[[int, int], jax.Array],
    n: int,
    d: int,
    dtype: Any,
    enough: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """The same of rows that are given by their columns (start, width) -> [n, width].

    `enough(squares)`, of Σ x² [n], tells whether none is too small to be used as it is.
    """

    def squares_in(size: jax.Array) -> jax.Array:
        reciprocal = (1 / size)[:, None]
        return row_sums(lambda start, width: (columns(start, width) * reciprocal) ** 2, d)

    def carefully() -> tuple[jax.Array, jax.Array]:
        largest = largest_of(columns, n, d, dtype)
        size = power_of_two(jnp.where(jnp.isfinite(largest), largest, 0))
        return size, jnp.sqrt(squares_in(size))

    if d < SHORT:
        return carefully()
    squares = row_sums(lambda start, width: columns(start, width) ** 2, d)
    plain = jnp.isfinite(squares).all() & enough(squares)
    return jax.lax.cond(plain, lambda: (jnp.ones(n, dtype), jnp.sqrt(squares)), carefully)


def weighted(weights: jax.Array, clean: Clean) -> jax.Array:
    """Σ w_i x_i over the finite rows: weights [n] -> [d], or [m, n] -> [m, d].

    All rows are finite, so that a weight of 0 does drop a row. A mean of the largest numbers is
    not rounded to Inf.

    >>> rows = cleaned(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> weighted(jnp.array([0.5, 0.5]), rows).tolist(), weighted(jnp.eye(2), rows).tolist()
    ([2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]])
    """
    n, d = clean.raw.shape
    weights = weights.astype(clean.raw.dtype)
    if weights.ndim == 1 and n <= UNROLLED_ROWS:
        found = sum_of_rows(weights, [clean.row(i) for i in range(n)])
    else:
        found = over_columns(functools.partial(weighted_columns, weights, clean), d)
    largest = jnp.finfo(clean.raw.dtype).max
    return jnp.clip(found, -largest, largest)


def weighted_columns(
    weights: jax.Array, clean: Clean, start: jax.Array | int, width: int
) -> jax.Array:
    """The same by a product of matrices, of some columns: [width] or [m, width]."""
    # Full precision: the default of accelerators rounds the factors to far fewer digits.
    part = clean.columns(start, width)
    return jnp.matmul(weights, part, precision=jax.lax.Precision.HIGHEST)


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
        return state, Aggregated(said_as(rows, value), clean.rejected, details)

    return Aggregator(no_state, apply, robustness)
