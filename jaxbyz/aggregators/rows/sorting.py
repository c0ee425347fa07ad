"""Order statistics over rows by sorting networks.

Sorting n values along the short axis of [n, d] is, for every coordinate, the same fixed sequence
of compare-and-exchange steps. Written over whole rows it compiles to one pass over the data, where
a library sort walks with a stride: two orders of magnitude on CPU. A step is written with
compare and select, which is several times faster than `minimum`/`maximum` (those must look for
NaN); hence NaN is first put in the place of +Inf. That is done row by row: over the whole array it
would be a pass of its own, and break the fusion.

The network is Batcher's merge exchange (Knuth, TAOCP 3, 5.2.2, algorithm M). When only the *set*
of rows with ranks lo..hi-1 is wanted, steps between two wires of the same class (below, wanted,
above) change nothing and are dropped.

With more rows the program text would be too long. Then the steps of a network that can be done at
once (Knuth, TAOCP 3, 5.3.4: the bitonic sorter) are one turn of a loop over blocks of columns:
every row is compared with its partner of that turn. That is still ten times as fast as a library
sort.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.column_passes import over_columns

NETWORK_ROWS = 64  # up to so many rows a network is written out
LOOP_COLUMNS = 128  # with more rows so many columns are sorted at once, inside a core's cache


@functools.cache
def merge_exchange(n: int) -> tuple[tuple[int, int], ...]:
    """Batcher's network for n wires: pairs (i, j), i < j, to be put in order one after another.

    >>> merge_exchange(3)
    ((0, 2), (0, 1), (1, 2))
    """
    steps: list[tuple[int, int]] = []
    top = 1 << max((n - 1).bit_length() - 1, 0)
    p = top if n > 1 else 0
    while p:
        q, r, distance = top, 0, p
        while distance:
            steps += [(i, i + distance) for i in range(n - distance) if i & p == r]
            distance, q, r = q - p, q // 2, p
        p //= 2
    return tuple(steps)


@functools.cache
def partition_network(classes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """The steps of `merge_exchange` needed to bring every rank among the wires of its class.

    Rank r belongs on a wire w with classes[w] = classes[r]; within a class the order is free.

    >>> len(merge_exchange(11)), len(partition_network((0,) * 3 + (1,) * 5 + (2,) * 3))
    (37, 32)
    """
    wires: list[object] = list(classes)
    steps: list[tuple[int, int]] = []
    for i, j in reversed(merge_exchange(len(classes))):
        if wires[i] != wires[j]:  # the order of the two matters from here on
            steps.append((i, j))
            wires[i], wires[j] = object(), object()
    return tuple(reversed(steps))


def _exchange(wires: Sequence[jax.Array], steps: Sequence[tuple[int, int]]) -> list[jax.Array]:
    wires = list(wires)
    for i, j in steps:
        a, b = wires[i], wires[j]
        swap = b < a
        wires[i], wires[j] = jnp.where(swap, b, a), jnp.where(swap, a, b)
    return wires


@functools.cache
def bitonic_partners(n: int) -> np.ndarray:
    """With which wire each of n = 2^k wires is put in order, turn by turn: [k(k+1)/2, n].

    >>> bitonic_partners(4).tolist()
    [[1, 0, 3, 2], [3, 2, 1, 0], [1, 0, 3, 2]]
    """
    turns = []
    for log in range(1, n.bit_length()):
        turns.append(np.arange(n) ^ ((1 << log) - 1))  # sorted halves, one of them upside down
        turns += [np.arange(n) ^ (1 << k) for k in reversed(range(log - 1))]
    return np.array(turns, np.int32).reshape(-1, n)


def _sorted_by_turns(rows: jax.Array) -> jax.Array:
    """Every column of [n, d] in increasing order; NaN counts as +Inf."""
    n, d = rows.shape
    wires = 1 << (n - 1).bit_length()
    partners = jnp.asarray(bitonic_partners(wires))

    def turn(k: jax.Array, part: jax.Array) -> jax.Array:
        partner = partners[k]
        other = part.at[partner].get(mode="promise_in_bounds", wrap_negative_indices=False)
        lower = jnp.where(other < part, other, part)
        upper = jnp.where(part < other, other, part)
        return jnp.where((jnp.arange(wires) < partner)[:, None], lower, upper)

    def ordered(start: jax.Array | int, width: int) -> jax.Array:
        part = ordered_entries(jax.lax.dynamic_slice_in_dim(rows, start, width, axis=1))
        part = jnp.pad(part, ((0, wires - n), (0, 0)), constant_values=jnp.inf)
        return jax.lax.fori_loop(0, len(partners), turn, part)[:n]

    return over_columns(ordered, d, LOOP_COLUMNS)


def ordered_entries(rows: jax.Array) -> jax.Array:
    """Rows with NaN replaced by +Inf, so that every entry has a place in the order."""
    return jnp.where(jnp.isnan(rows), jnp.inf, rows)


def select_ranks(rows: Sequence[jax.Array] | jax.Array, low: int, high: int) -> list[jax.Array]:
    """The entries of ranks low..high-1 of every column of [n, d], in no order; NaN counts as +Inf.

    Returns:
        A list of high - low arrays [d].

    >>> rows = jnp.array([[3.0, 9.0], [1.0, 8.0], [2.0, 7.0]])
    >>> [row.tolist() for row in select_ranks(rows, 1, 2)]
    [[2.0, 8.0]]
    """
    return partly_sorted(rows, [low, high])[low:high]


def partly_sorted(rows: Sequence[jax.Array] | jax.Array, cuts: Sequence[int]) -> list[jax.Array]:
    """Every column of [n, d] in increasing order, but between two neighbouring cuts in any order.

    >>> rows = jnp.array([[3.0], [9.0], [1.0], [2.0]])
    >>> [row.item() for row in partly_sorted(rows, [1, 2])][:2]
    [1.0, 2.0]
    """
    n = len(rows)
    if n > NETWORK_ROWS:
        return list(_sorted_by_turns(jnp.asarray(rows)))
    classes = tuple(sum(cut <= rank for cut in cuts) for rank in range(n))
    return _through_network(rows, classes)


@functools.partial(jax.jit, static_argnums=1)  # a network of many steps, traced once a shape
def _through_network(
    rows: Sequence[jax.Array] | jax.Array, classes: tuple[int, ...]
) -> list[jax.Array]:
    wires = [ordered_entries(rows[i]) for i in range(len(rows))]
    return _exchange(wires, partition_network(classes))


def sorted_rows(rows: Sequence[jax.Array] | jax.Array) -> list[jax.Array]:
    """Every column of [n, d] in increasing order, as a list of n arrays [d]; NaN counts as +Inf."""
    return partly_sorted(rows, range(len(rows)))


def rows_of_ranks(rows: jax.Array, *ranks: jax.Array) -> list[jax.Array]:
    """The entries [d] of some ranks [] of every column of [n, d]; NaN counts as +Inf.

    >>> rows = jnp.array([[3.0, 9.0], [1.0, 8.0], [2.0, 7.0]])
    >>> [row.tolist() for row in rows_of_ranks(rows, jnp.array(0), jnp.array(2))]
    [[1.0, 7.0], [3.0, 9.0]]
    """
    if len(rows) > NETWORK_ROWS:
        ordered = _sorted_by_turns(rows)
        return [ordered[rank] for rank in ranks]
    # Taken by comparing, not by indexing: for that, an array of all rows would be written.
    wires = sorted_rows(rows)
    found = [wires[0]] * len(ranks)
    for i, row in enumerate(wires):
        found = [jnp.where(rank == i, row, old) for rank, old in zip(ranks, found, strict=True)]
    return found
