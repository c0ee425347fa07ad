"""Finite rows: which rows are rejected, and rows in which those are replaced.

A row is rejected by the law of `jaxbyz.sanitize`: if and only if one of its numbers is NaN or
±Inf. A rejected row counts as Byzantine. Any finite row may take its place without harm to an
(f, κ) guarantee, because it was one of the at most f Byzantine rows. Here the coordinate-wise
median of the other rows takes it: that row is central, and it moves with the others.

The replacement is by `where`, never by a product with a 0/1 mask, since 0 · NaN differs between
eager and compiled code. A copy of the rows costs as much as the arithmetic of most rules. So the
rejected rows are found in one pass, and replaced wherever some columns of the rows are read.

`jax.jit` is here for tracing alone: every rule begins with these functions, which are then traced
once for a shape instead of once a rule. In the program of a caller they are inlined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.numbers import lengths, reciprocal, weighted_sum, widened
from jaxbyz.aggregators.rows.sorting import rows_of_ranks
from jaxbyz.aggregators.rows.twice import unless
from jaxbyz.column_passes import UNROLLED_ROWS, largest_entries, over_columns, row_sums


@jax.jit
def rejected_rows(rows: jax.Array) -> jax.Array:
    """Which rows of [n, d] hold a number that is not finite, [n] bool.

    >>> rejected_rows(jnp.array([[0.0, 1.0], [jnp.nan, 0.0]])).tolist()
    [False, True]
    """
    return ~jnp.isfinite(largest_entries(rows))


@jax.jit
def replace_rejected(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Rows [n, d] with rejected ones replaced by the coordinate-wise median of the others.

    If every row is rejected, zeros take their places. The median is computed only when there is a
    rejected row.

    Returns:
        Rows [n, d], all finite, and which of them were replaced, [n] bool.

    >>> rows, rejected = replace_rejected(jnp.array([[1.0], [jnp.inf], [3.0]]))
    >>> rows.ravel().tolist(), rejected.tolist()
    ([1.0, 2.0, 3.0], [False, True, False])
    """
    rejected = rejected_rows(rows)
    return jnp.where(rejected[:, None], _median_of_others(rows, rejected), rows), rejected


@jax.jit
def _median_of_others(rows: jax.Array, replaced: jax.Array) -> jax.Array:
    """Coordinate-wise median of the rows that are not to be replaced [n] bool, [d].

    It is 0 if no row is left, and, because then nobody asks for it, if no row is to be replaced.
    """
    left = (~replaced).sum()
    half = reciprocal(2, rows.dtype)

    def median(given: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        rows, replaced, left = given

        def middle(start: jax.Array | int, width: int) -> jax.Array:
            part = jax.lax.dynamic_slice_in_dim(rows, start, width, axis=1)
            part = jnp.where(replaced[:, None], jnp.inf, part)  # these come last
            ranks = jnp.maximum(left - 1, 0) // 2, left // 2
            lower, upper = rows_of_ranks(part, *ranks)
            return jnp.where(left > 0, lower * half + upper * half, 0).astype(rows.dtype)

        return over_columns(middle, d)

    d = rows.shape[1]
    return unless(~replaced.any(), jnp.zeros(d, rows.dtype), (rows, replaced, left), median)


class FiniteRows(NamedTuple):
    """Rows x_i as rules read them; the array of them is made only where a rule asks for it."""

    raw: jax.Array  # [n, d] as given, in floats of at least 32 bits
    rejected: jax.Array  # [n] bool, not finite
    replaced: jax.Array  # [n] bool, the rejected rows, and others that a rule wants replaced
    replacement: jax.Array  # [d] what is in their place
    size: jax.Array  # [n] a power of two m for every raw row, and
    length: jax.Array  # [n] √Σ (x/m)² of it, which is neither Inf nor inexact for a finite row

    @property
    def array(self) -> jax.Array:
        """All x_i, [n, d]."""
        return jnp.where(self.replaced[:, None], self.replacement, self.raw)

    def columns(self, start: jax.Array | int, width: int) -> jax.Array:
        """Some columns of all x_i, [n, width]."""
        part = jax.lax.dynamic_slice_in_dim(self.raw, start, width, axis=1)
        fill = jax.lax.dynamic_slice_in_dim(self.replacement, start, width)
        return jnp.where(self.replaced[:, None], fill, part)

    def at(self, chosen: jax.Array) -> jax.Array:
        """Columns [b] of all x_i by their indices, [n, b]."""
        return jnp.where(self.replaced[:, None], self.replacement[chosen], self.raw[:, chosen])

    def row(self, i: jax.Array | int) -> jax.Array:
        """One x_i, [d]; cut out of the whole array it would cost a copy of all."""
        return jnp.where(self.replaced[i], self.replacement, self.raw[i])

    def sums(self, function: Callable[..., jax.Array], *factors: jax.Array) -> jax.Array:
        """Σ_j f(x_i)_j of all x_i, [n].

        f maps columns [m, width] from `start`, and factors [m, 1] of their rows, to as many
        numbers. The factors [n] of rows that are replaced are all the same.

        Among many rows a `where` would have an array of all of them made before they are summed. So
        the replacement has a sum of its own.

        >>> rows = finite_rows(jnp.array([[1.0, 2.0], [jnp.nan, 0.0], [3.0, 4.0]]))
        >>> rows.sums(lambda part, start, a: part * a, jnp.array([1.0, 2.0, 3.0])).tolist()
        [3.0, 10.0, 21.0]
        """
        n, d = self.raw.shape
        all_of = [factor[:, None] for factor in factors]
        if n <= UNROLLED_ROWS:
            return row_sums(
                lambda start, width: function(self.columns(start, width), start, *all_of), d
            )

        def sums_of(rows: jax.Array, factors: list[jax.Array]) -> jax.Array:
            def some(start: int, width: int) -> jax.Array:
                part = jax.lax.slice_in_dim(rows, start, start + width, axis=1)
                return function(part, start, *factors)

            return row_sums(some, d)

        one = jnp.argmax(self.replaced)
        replacement = sums_of(self.replacement[None], [each[one][None] for each in all_of])
        return jnp.where(self.replaced, replacement, sums_of(self.raw, all_of))

    def replacing(self, others: jax.Array) -> FiniteRows:
        """The same, with other rows [n] bool replaced as well.

        >>> rows = finite_rows(jnp.array([[1.0], [9.0], [3.0]]))
        >>> rows = rows.replacing(jnp.array([False, True, False]))
        >>> rows.array.ravel().tolist(), rows.rejected.tolist()
        ([1.0, 2.0, 3.0], [False, False, False])
        """
        replaced = self.rejected | others
        return self._replace(replaced=replaced, replacement=_median_of_others(self.raw, replaced))

    def inside_loop(self, changing: jax.Array) -> FiniteRows:
        """The same, for the body of a loop in which something changes.

        Otherwise the compiler takes the reading of the rows out of the loop, and keeps a copy.

        >>> point = jnp.ones(2)
        >>> finite_rows(jnp.eye(2)).inside_loop(point).array.tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        return self._replace(raw=_beside(self.raw, changing))


@jax.custom_jvp
def _beside(value: jax.Array, changing: jax.Array) -> jax.Array:
    return jax.lax.optimization_barrier((value, changing))[0]


@_beside.defjvp
def _beside_differentiated(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    # Without a barrier: that of JAX 0.12 cannot be transposed where one of the two is constant.
    return _beside(*primals), tangents[0]


@jax.jit
def finite_rows(rows: jax.Array) -> FiniteRows:
    """Rows [n, d] with the rejected ones replaced; one pass over them finds which those are.

    >>> rows = finite_rows(jnp.array([[1.0], [jnp.inf], [3.0]]))
    >>> rows.array.ravel().tolist(), rows.rejected.tolist()
    ([1.0, 2.0, 3.0], [False, True, False])
    """
    chex.assert_rank(rows, 2)
    raw = widened(rows)
    size, length = lengths(raw)
    rejected = ~jnp.isfinite(length)
    return FiniteRows(raw, rejected, rejected, _median_of_others(raw, rejected), size, length)


def rows_as_they_are(rows: jax.Array) -> FiniteRows:
    """Rows [n, d] of which none is replaced, before it is known whether they are finite.

    >>> rows_as_they_are(jnp.array([[1.0], [jnp.inf]])).array.ravel().tolist()
    [1.0, inf]
    """
    raw = widened(rows)
    n, d = raw.shape
    none, ones = jnp.zeros(n, bool), jnp.ones(n, raw.dtype)
    return FiniteRows(raw, none, none, jnp.zeros(d, raw.dtype), ones, ones)


def weighted(weights: jax.Array, rows: FiniteRows) -> jax.Array:
    """Σ w_i x_i: weights [n] -> [d], or [m, n] -> [m, d].

    All x_i are finite, so that a weight of 0 does drop a row. A mean of the largest numbers is
    not rounded to Inf.

    >>> rows = finite_rows(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> weighted(jnp.array([0.5, 0.5]), rows).tolist(), weighted(jnp.eye(2), rows).tolist()
    ([2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]])
    """
    weights = weights.astype(rows.raw.dtype)
    found = weighted_sum(weights, rows.row, rows.columns, *rows.raw.shape)
    largest = jnp.finfo(rows.raw.dtype).max
    return jnp.clip(found, -largest, largest)


def mean_of(chosen: jax.Array, rows: FiniteRows) -> jax.Array:
    """Σ x_i (1/m) over the m chosen rows, [n] bool; this order cannot overflow."""
    count = jnp.maximum(chosen.sum(), 1).astype(rows.raw.dtype)
    return weighted(jnp.where(chosen, 1 / count, 0), rows)
