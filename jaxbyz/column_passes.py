"""Fast reductions of rows [n, d] on CPU, for large d: in blocks of columns, and by folding.

A new array [n, d] is slow, because the system allocates its memory at every call. So whatever needs
such an array is computed for a block of columns at a time.

XLA sums a long row on one core. So where rows are few, the columns are cut into FOLDS strips,
and the strips are added entry by entry, which uses vector instructions on all cores. The result is
a sixteenth as wide. It is folded again, until some hundred columns are left to be summed.

Where a program is divided over devices (`jaxbyz.partitioned`), a block of columns would belong to
some of them, and the others would wait. There all columns are taken at once, and folded on every
device.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.partitioned import in_shards, shards

BLOCK = 8192
MULTIPLE = 64  # widths of blocks are multiples of it: no vector of numbers is cut in two
FOLDS = 16
NARROW = 1024  # fewer columns are not folded
UNROLLED_ROWS = 64  # up to so many rows are treated one by one, in one pass over the data
SUMMED_ROWS = 128  # and up to so many are added in that way
PAIRED = 256  # so many numbers are ordered by comparing all pairs


def over_columns(
    function: Callable[[jax.Array | int, int], jax.Array], d: int, block: int = BLOCK
) -> jax.Array:
    """A function (start, width) -> [..., width] of all d columns, some at a time: [..., d].

    >>> over_columns(lambda start, width: start + jnp.arange(width), 5, block=2).tolist()
    [0, 1, 2, 3, 4]
    """
    if d <= block or shards() > 1:
        return function(0, d)
    blocks = -(-d // block)
    # As many blocks, of equal width: the last one overlaps the one before by little.
    width = min(block, -(-d // (blocks * MULTIPLE)) * MULTIPLE)

    def add(i: jax.Array, found: jax.Array) -> jax.Array:
        start = jnp.minimum(i * width, d - width)
        part = function(start, width)
        return jax.lax.dynamic_update_slice_in_dim(found, part, start, axis=-1)

    part = jax.eval_shape(lambda: function(0, width))
    begin = jnp.zeros((*part.shape[:-1], d), part.dtype)
    return jax.lax.fori_loop(0, blocks, add, begin)


def sum_of_rows(weights: jax.Array, rows: Sequence[jax.Array] | jax.Array) -> jax.Array:
    """Σ w_i x_i row by row, weights [n], which compiles to one pass and no copy: [d].

    >>> sum_of_rows(jnp.array([0.5, 2.0]), jnp.array([[2.0, 4.0], [1.0, 1.0]])).tolist()
    [3.0, 4.0]
    """
    total = weights[0] * rows[0]
    for i in range(1, len(rows)):
        total = total + weights[i] * rows[i]
    return total


def row_sums(columns: Callable[[int, int], jax.Array], d: int) -> jax.Array:
    """Σ_j x_ij of rows given by their columns (start, width) -> [n, width], [n].

    What the function does to the columns becomes a part of the one pass: no array [n, d] is made.

    >>> rows = jnp.ones((2, 5000))
    >>> row_sums(lambda start, width: rows[:, start : start + width] ** 2, 5000).tolist()
    [5000.0, 5000.0]
    """
    if shards() == 1 and jax.eval_shape(lambda: columns(0, 1)).shape[0] > UNROLLED_ROWS:
        return columns(0, d).sum(axis=1)  # the cores share the rows
    left = _narrow(columns, d, jnp.add)
    total = left[0].sum(axis=-1)
    for part in left[1:]:
        total = total + part.sum(axis=-1)
    return total if total.ndim == 1 else total.sum(axis=-1)


def largest_entries(rows: jax.Array) -> jax.Array:
    """max_j |x_ij| of rows [n, d], [n]; NaN for a row that has one.

    >>> largest_entries(jnp.array([[-3.0, 1.0], [jnp.nan, jnp.inf], [-jnp.inf, 0.0]])).tolist()
    [3.0, nan, inf]
    """

    def columns(start: int, width: int) -> jax.Array:
        return jax.lax.slice_in_dim(rows, start, start + width, axis=1)

    n, d = rows.shape
    return largest_of(columns, n, d, rows.dtype)


def largest_of(columns: Callable[[int, int], jax.Array], n: int, d: int, dtype: Any) -> jax.Array:
    """The same of rows that are given by their columns (start, width) -> [n, width].

    Compared as integers, in which order NaN stands above Inf: a maximum of floats over a long axis
    loses NaN on CPU, whatever its documentation says.

    >>> rows = jnp.array([[-3.0, 1.0], [0.0, 0.5]])
    >>> doubled = lambda start, width: 2 * rows[:, start : start + width]
    >>> largest_of(doubled, 2, 2, "float32").tolist()
    [6.0, 1.0]
    """
    integer = jnp.dtype(f"int{8 * jnp.dtype(dtype).itemsize}")

    def magnitudes(start: int, width: int) -> jax.Array:
        part = columns(start, width)
        return jax.lax.bitcast_convert_type(part, integer) & jnp.iinfo(integer).max

    most = jnp.zeros(n, integer)
    for part in _narrow(magnitudes, d, jnp.maximum):
        most = jnp.maximum(most, part.reshape(n, -1).max(axis=1, initial=0))
    return jax.lax.bitcast_convert_type(most, dtype)


def order_statistic(values: jax.Array, rank: jax.Array | int) -> jax.Array:
    """The number of values [n] that has `rank` smaller ones before it, []; Inf may be, NaN not.

    By comparing all pairs, which for as many numbers as there are workers is faster than sorting
    them, and compiles faster.

    >>> order_statistic(jnp.array([3.0, 1.0, jnp.inf, 1.0]), 2).item()
    3.0
    """
    n = len(values)
    if n > PAIRED:
        return jnp.sort(values)[rank]
    place = jnp.arange(n)
    before = (values < values[:, None]) | ((values == values[:, None]) & (place < place[:, None]))
    return jnp.where(before.sum(axis=1) == rank, values, 0).sum()


def smallest_of_lines(values: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """The sum of the `count` smallest numbers ≥ 0 of each line, and the largest of them: [n], [n].

    The lines [n, m] may hold Inf, but neither NaN nor -0. Long lines are not sorted: the largest
    number is built bit by bit, as a bit pattern, since these have the order of the numbers ≥ 0.

    >>> total, last = smallest_of_lines(jnp.array([[3.0, 1.0, jnp.inf, 1.0]]), 3)
    >>> total.item(), last.item()
    (5.0, 3.0)
    """
    if values.shape[1] <= UNROLLED_ROWS:
        near = jnp.sort(values, axis=1)[:, :count]
        return near.sum(axis=1), near[:, -1]
    width = 8 * values.dtype.itemsize
    integer = jnp.dtype(f"uint{width}")
    patterns = jax.lax.bitcast_convert_type(values, integer)

    def look(i: jax.Array, found: jax.Array) -> jax.Array:
        bit = jnp.ones((), integer) << (width - 1 - i).astype(integer)
        below = (patterns < (found | bit)[:, None]).sum(axis=1)
        return jnp.where(below < count, found | bit, found)

    # The highest bit is the sign.
    found = jax.lax.fori_loop(1, width, look, jnp.zeros(values.shape[0], integer))
    last = jax.lax.bitcast_convert_type(found, values.dtype)
    below = patterns < found[:, None]
    rest = (count - below.sum(axis=1)).astype(values.dtype)  # at least 1
    return jnp.where(below, values, 0).sum(axis=1) + rest * last, last


def _narrow(
    columns: Callable[[int, int], jax.Array],
    d: int,
    join: Callable[[jax.Array, jax.Array], jax.Array],
) -> list[jax.Array]:
    """Narrow arrays [n, *], on several devices [n, devices, *], that hold the columns joined.

    There the columns are filled up by zeros, which no sum and no maximum of magnitudes notices.
    """
    if shards() == 1:
        return _folded(columns, d, join)
    held = in_shards(columns(0, d))
    return _folded(lambda start, width: held[..., start : start + width], held.shape[-1], join)


def _folded(
    columns: Callable[[int, int], jax.Array],
    d: int,
    join: Callable[[jax.Array, jax.Array], jax.Array],
) -> list[jax.Array]:
    """Narrow arrays [..., *] that hold the columns joined entry by entry, every column once."""
    if d < NARROW:
        return [columns(0, d)]
    width = d // FOLDS
    joined = columns(0, width)
    for start in range(width, FOLDS * width, width):
        joined = join(joined, columns(start, width))
    rest = [columns(FOLDS * width, d % FOLDS)] if d % FOLDS else []
    return _folded(lambda a, b: joined[..., a : a + b], width, join) + rest
