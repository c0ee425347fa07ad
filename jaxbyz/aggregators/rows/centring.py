"""Rows around a centre, in a unit of their own spread: what rules that measure distances look at.

    c     the coordinate-wise median of the rows
    r_i   ‖x_i - c‖
    q     the (n-f)-th smallest r_i, of the finite rows while there are as many
    y_i   (x_i - c)/q̂, q̂ = 2^⌊log₂ q⌋; a row with r_i > B q becomes one of length B in its direction

Numbers in this unit neither overflow nor vanish, wherever the rows are, and however far the f
Byzantine ones; nobody can move the unit beyond what κ allows. Derived here, with h = n-f > f:

1. c lies, in every coordinate, between values of every set S of h rows. So r_i² is at most the sum
   of the squared ranges of S, which is at most 2h Var_S, for every i in S; and one of them has
   r_i ≥ q. Hence Var_S ≥ q²/(2h): no S is so narrow that a part of it vanishes in the unit q.
2. h finite rows have r_i ≤ q, so rejected and shortened rows are at most f together. An S without
   shortened rows is as it was, and what was done to the others is within what they may do.
   An S with a shortened row has Var_S of order B²q² at least; with k ≤ f of its
   rows beyond q, ‖x̄_S - c‖² ≤ (k/(h-k)) Var_S up to terms of relative size h/B, and k/(h-k) ≤
   f/(n-2f), the least κ of any rule. So the bound of an (f, κ)-robust rule holds for that S too, as
   long as what it returns is within its bound of the h rows near c.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.distances import distances_of, median_of_some
from jaxbyz.aggregators.rows.finite import FiniteRows
from jaxbyz.aggregators.rows.numbers import least_squares, lengths_of, power_of_two, weighted_sum
from jaxbyz.aggregators.rows.sorting import select_ranks
from jaxbyz.column_passes import order_statistic, over_columns

FAR = 2.0**20  # B


class Offsets(NamedTuple):
    """Distances of the rows from a point z: ‖x_i - z‖ s = size_i length_i, which is finite."""

    size: jax.Array  # [n] powers of two
    length: jax.Array  # [n]

    @property
    def distance(self) -> jax.Array:
        """‖x_i - z‖ s, [n]."""
        return self.size * self.length


class Centred(NamedTuple):
    """Rows y_i = (x_i s - c s) first_i second_i, of which no array is made."""

    finite: FiniteRows
    shrink: jax.Array  # [] a power of two s ≤ 1, so that no difference of rows overflows
    centre: jax.Array  # [d] c s
    offsets: Offsets  # of the rows from c
    q: jax.Array  # [] q s
    unit: jax.Array  # [] q̂ s
    first: jax.Array  # [n] two factors of every row, whose product may not be a number
    second: jax.Array  # [n]
    far: jax.Array  # [n] bool, rows that are shortened or replaced

    def shortened_beyond(self, far: float) -> Centred:
        """The same with another B."""
        long = self.offsets.distance > far * self.q
        first = jnp.where(long, 1 / self.offsets.size, 1 / self.unit)
        second = jnp.where(long, far / jnp.where(long, self.offsets.length, 1), 1)
        return self._replace(first=first, second=second, far=long)

    def replaced_beyond(self, far: float) -> Centred:
        """The same with rows beyond B q replaced, as rejected ones are, by one near the centre."""
        long = self.offsets.distance > far * self.q
        first = jnp.broadcast_to(1 / self.unit, long.shape)
        return self._replace(
            finite=self.finite.replacing(long), first=first, second=jnp.ones_like(first), far=long
        )

    def columns(self, start: jax.Array | int, width: int) -> jax.Array:
        """Some columns of all y_i, [n, width]."""
        centre = jax.lax.dynamic_slice_in_dim(self.centre, start, width)
        return self._scaled(self.finite.columns(start, width) * self.shrink - centre)

    def at(self, chosen: jax.Array) -> jax.Array:
        """Columns [b] of all y_i by their indices, [n, b]."""
        return self._scaled(self.finite.at(chosen) * self.shrink - self.centre[chosen])

    def row(self, i: int) -> jax.Array:
        """One y_i, [d]."""
        part = self.finite.row(i) * self.shrink - self.centre
        return part * self.first[i] * self.second[i]

    def inside_loop(self, changing: jax.Array) -> Centred:
        """The same, for the body of a loop in which something changes.

        Otherwise the compiler takes the reading of the rows out of the loop, and keeps a copy.
        """
        return self._replace(finite=self.finite.inside_loop(changing))

    def to_original(self, point: jax.Array) -> jax.Array:
        """c + q̂ z of a point z [d] among the y_i."""
        largest = jnp.finfo(point.dtype).max
        return jnp.clip((self.centre + point * self.unit) / self.shrink, -largest, largest)

    def _scaled(self, part: jax.Array) -> jax.Array:
        return part * self.first[:, None] * self.second[:, None]


def shrink_for(finite: FiniteRows, *points: jax.Array) -> jax.Array:
    """A power of two s ≤ 1 with which no ‖x_i - z‖ s overflows, z one of the points [d] or 0; [].

    It is 1 unless some entry is near the largest number; then numbers near the smallest one vanish.
    """
    limits = jnp.finfo(finite.raw.dtype)
    bits = 4 + math.ceil(math.log2(max(finite.raw.shape[1], 1)) / 2)
    largest = jnp.where(finite.replaced, 0, finite.size).max()
    for point in points:
        largest = jnp.maximum(largest, power_of_two(jnp.abs(point).max()))
    small = largest <= float(limits.max) / 2.0**bits
    return jnp.where(small, 1, 2.0**-bits).astype(finite.raw.dtype)


def offsets(
    finite: FiniteRows,
    shrink: jax.Array,
    point: jax.Array,
    rank: int | None = None,
    least: jax.Array | float = 0.0,
) -> Offsets:
    """Distances of the rows from z, given as z s [d].

    They need not be exact where they are small beside `least`, or beside the one of this `rank`
    (see `_ranked`).
    """
    n, d = finite.raw.shape
    enough = least_squares(d, finite.raw.dtype)

    def moved(part: jax.Array, shrink: jax.Array, point: jax.Array, start: int) -> jax.Array:
        return part * shrink - point[start : start + part.shape[1]]

    def columns(given: tuple[FiniteRows, Any, Any], start: int, width: int) -> jax.Array:
        finite, shrink, point = given
        return moved(finite.columns(start, width), shrink, point, start)

    def squares() -> jax.Array:
        return finite.sums(lambda part, start: moved(part, shrink, point, start) ** 2)

    def asked(squares: jax.Array) -> jax.Array:
        if rank is None:
            return jnp.asarray(least) ** 2 >= enough
        return _ranked(finite, jnp.where(jnp.isfinite(squares), squares, jnp.inf), rank) >= enough

    given = finite, shrink, point
    return Offsets(*lengths_of(given, columns, squares, n, d, finite.raw.dtype, asked))


def plain_offsets(finite: FiniteRows, point: jax.Array) -> Offsets:
    """The same in one pass, s = 1, where squares may overflow or vanish."""

    def squares_of(part: jax.Array, start: int) -> jax.Array:
        return (part - point[start : start + part.shape[1]]) ** 2

    squares = finite.sums(squares_of)
    return Offsets(jnp.ones_like(squares), jnp.sqrt(squares))


def _ranked(finite: FiniteRows, values: jax.Array, rank: int) -> jax.Array:
    """The value of this rank among those of finite rows, if they are so many, else of all; []."""
    enough = (~finite.rejected).sum() > rank
    return order_statistic(jnp.where(finite.rejected & enough, jnp.inf, values), rank)


def weighted_offsets(
    finite: FiniteRows, shrink: jax.Array, point: jax.Array, first: jax.Array, second: jax.Array
) -> jax.Array:
    """Σ_i (x_i s - z s) first_i second_i over the finite rows, [d]; z s [d] is given."""

    def row(i: int) -> jax.Array:
        return (finite.row(i) * shrink - point) * first[i]

    def columns(start: jax.Array | int, width: int) -> jax.Array:
        here = jax.lax.dynamic_slice_in_dim(point, start, width)
        return (finite.columns(start, width) * shrink - here) * first[:, None]

    return weighted_sum(second, row, columns, *finite.raw.shape)


def centred_at_median(finite: FiniteRows, f: int) -> Centred:
    """The finite rows around their coordinate-wise median, in the unit q̂, with B = 2^20.

    If n-f rows are equal, q = 0, and all others are as far as a row can be.

    >>> from jaxbyz.aggregators.rows.finite import finite_rows
    >>> rows = finite_rows(jnp.array([[1e6], [1e6 + 8], [1e6 + 16], [3e38]]))
    >>> seen = centred_at_median(rows, f=1)
    >>> seen.columns(0, 1).ravel().tolist(), seen.far.tolist()
    ([-1.5, -0.5, 0.5, 1048576.0], [False, False, False, True])
    >>> seen.to_original(jnp.ones(1)).tolist()
    [1000020.0]
    """
    n, d = finite.raw.shape
    shrink = shrink_for(finite)
    halved = shrink / 2

    def middle(start: jax.Array | int, width: int) -> jax.Array:
        # The mean of the two middle values, which are the same one for odd n.
        values = select_ranks(finite.columns(start, width), (n - 1) // 2, n // 2 + 1)
        return values[0] * halved + values[-1] * halved

    centre = over_columns(middle, d)
    found = offsets(finite, shrink, centre, rank=n - f - 1)
    q = _ranked(finite, found.distance, n - f - 1)
    one = jnp.ones_like(found.size)
    rows = Centred(finite, shrink, centre, found, q, power_of_two(q), one, one, finite.rejected)
    return rows.shortened_beyond(FAR)


def centred_at_some_rows(finite: FiniteRows, f: int, far: float) -> tuple[Centred, jax.Array]:
    """The finite rows around the median of eleven of them, and whether that is safe, [].

    It takes one pass over the rows. It is not safe where a squared distance from there overflows,
    q² nearly vanishes, a row is beyond `far` q, or more than f rows were rejected. It does not say
    how far away the centre is.

    >>> from jaxbyz.aggregators.rows.finite import finite_rows
    >>> rows = finite_rows(jnp.arange(16.0)[:, None])
    >>> seen, safe = centred_at_some_rows(rows, f=1, far=4.0)
    >>> seen.centre.tolist(), seen.q.item(), safe.item()
    ([7.0], 7.0, True)
    """
    n = finite.raw.shape[0]
    centre = median_of_some(n, lambda chosen: [finite.row(i) for i in chosen])

    def squares_of(part: jax.Array, start: int) -> jax.Array:
        return (part - centre[start : start + part.shape[1]]) ** 2

    squares = finite.sums(squares_of)
    square = _ranked(finite, jnp.where(jnp.isfinite(squares), squares, jnp.inf), n - f - 1)
    return as_they_are(finite, centre, squares, square, f, far)


def as_they_are(
    finite: FiniteRows,
    centre: jax.Array,
    squares: jax.Array,
    square: jax.Array,
    f: int,
    far: float,
) -> tuple[Centred, jax.Array]:
    """The rows around a point [d], from their squared distances [n] and q² [], none shortened.

    Returns:
        These, and whether that is safe, [].
    """
    safe = (
        (finite.rejected.sum() <= f)
        & jnp.isfinite(squares).all()
        # What vanishes is then far below a rounding of q.
        & (square >= float(jnp.finfo(squares.dtype).tiny) ** 0.5)
        & (squares <= far**2 * square).all()
    )
    q = jnp.sqrt(jnp.where(safe, square, 1))
    unit = power_of_two(q)
    one = jnp.ones(squares.shape, squares.dtype)
    found = Offsets(one, jnp.sqrt(squares))
    shrink = jnp.ones((), squares.dtype)
    none = jnp.zeros(squares.shape, bool)
    return Centred(finite, shrink, centre, found, q, unit, one / unit, one, none), safe


def squared_distances_of(seen: Centred) -> jax.Array:
    """‖y_i - y_j‖², [n, n]."""
    n, d = seen.finite.raw.shape
    return distances_of(seen.columns, n, d, seen.finite.raw.dtype)


def distances_from(seen: Centred, point: jax.Array) -> jax.Array:
    """‖y_i - z‖ for a point z [d], [n]."""

    def squares(part: jax.Array, start: int, first: jax.Array, second: jax.Array) -> jax.Array:
        end = start + part.shape[1]
        offset = (part * seen.shrink - seen.centre[start:end]) * first * second
        return (offset - point[start:end]) ** 2

    return jnp.sqrt(seen.finite.sums(squares, seen.first, seen.second))


def weighted_from(weights: jax.Array, seen: Centred, point: jax.Array) -> jax.Array:
    """Σ w_i (y_i - z) for a point z [d], weights [n] -> [d]."""

    def columns(start: jax.Array | int, width: int) -> jax.Array:
        return seen.columns(start, width) - jax.lax.dynamic_slice_in_dim(point, start, width)

    return weighted_sum(weights, lambda i: seen.row(i) - point, columns, *seen.finite.raw.shape)
