"""The largest of few numbers, for very many short vectors at once.

A processor does the same with sixteen numbers as fast as with one, if they lie side by side. Here
those are the numbers of different vectors, and all vectors go through the same tournament: the k
largest of each half, both in order, are merged into the k largest of the whole, by a fixed sequence
of minima and maxima.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.compressors.floats import magnitude_keys

__all__ = ["LEAST", "LONGEST", "MOST", "are_largest_in_lanes", "in_order", "largest_in_order"]

LEAST = 256  # vectors, fewer do not fill the lanes for long enough
LONGEST = 128  # coordinates; a tournament of more takes seconds to compile
MOST = 2**11  # d k, beyond which counting is faster than putting numbers in their places
TURN = 10  # coordinates in one turn of a loop: fewer ways through memory, more to compile


def are_largest_in_lanes(x: jax.Array, k: int) -> jax.Array:
    """Which are the k largest |x_j| of every vector of [B, ..., d], [B, ..., d] bool.

    Ties go to the lowest index; NaN counts as largest. For two vectors or more in each of the B
    lanes; beyond `LONGEST` the numbers are put in their places one after another, d k of them.

    Raises:
        ValueError: fewer vectors.

    >>> are_largest_in_lanes(jnp.array([[[1.0, -3.0, 2.0], [0.0, 0.0, 0.0]]]), 2).tolist()
    [[[False, True, True], [True, True, False]]]
    """
    # The outermost axis goes last; under `side_by_side` it already lies there.
    lanes = jnp.moveaxis(x, 0, -1)
    *shape, d, _ = lanes.shape
    vectors = lanes.reshape(-1, *lanes.shape[-2:])  # [V, d, B]
    if len(vectors) < 2:
        raise ValueError(f"x must have two vectors or more in each lane, got shape {x.shape}")
    short = d <= LONGEST
    edge, tied = (_edges_by_tournament if short else _edges_by_insertion)(vectors, k)  # [V, B]
    everywhere = jnp.full(edge.shape, d, jnp.int32)
    last = jax.lax.cond(
        tied, lambda: _last_at_edge(vectors, edge, k, d if short else TURN), lambda: everywhere
    )
    edge, last = (a.reshape(*shape, 1, -1) for a in (edge, last))
    keys, place = _keys(lanes), jnp.arange(d, dtype=jnp.int32)[:, None]
    return jnp.moveaxis((keys > edge) | ((keys == edge) & (place <= last)), -1, 0)


def _keys(numbers: jax.Array) -> jax.Array:
    return magnitude_keys(numbers, "int")  # signed, so that ~key is no key


def _edges_by_tournament(vectors: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """The k-th largest keys of vectors [V, d, B], [V, B], and whether more than k reach any, []."""

    def edge_of(vector: jax.Array) -> jax.Array:  # [d, B] -> [B]
        keys = [_keys(vector[j]) for j in range(len(vector))]
        edge = _kth_largest(keys, k)
        reached = sum((key >= edge).astype(jnp.int32) for key in keys)
        return jnp.where(reached == k, edge, ~edge)  # negative: more than k reach it

    # In a loop of two turns or more, none of them shorter: what comes out of a loop is computed
    # once, while elsewhere the compiler plays the tournament for every number compared to its end.
    turns = next(t for t in range(2, len(vectors) + 1) if len(vectors) % t == 0)
    found = jax.lax.map(edge_of, vectors, batch_size=len(vectors) // turns)
    return jnp.maximum(found, ~found), (found < 0).any()


def _edges_by_insertion(vectors: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """The same, coordinate after coordinate among the k largest so far."""

    def insert(j: jax.Array, best: list[jax.Array]) -> list[jax.Array]:
        key, found = _keys(jax.lax.dynamic_index_in_dim(vectors, j, 1, keepdims=False)), []
        for old in best:
            found.append(jnp.maximum(old, key))
            key = jnp.minimum(old, key)
        return found

    none = jnp.full_like(_keys(vectors[:, 0]), -1)
    *_, edge = jax.lax.fori_loop(0, vectors.shape[1], insert, [none] * k, unroll=TURN)
    reached = (_keys(vectors) >= edge[:, None]).sum(axis=1, dtype=jnp.int32)
    return edge, (reached > k).any()


def _last_at_edge(vectors: jax.Array, edge: jax.Array, k: int, turn: int) -> jax.Array:
    """Up to which index those at the edge are taken, [V, B]."""

    def over(step: Callable[[jax.Array, jax.Array, Any], Any], start: Any) -> Any:
        def at(j: jax.Array, so_far: Any) -> Any:
            key = _keys(jax.lax.dynamic_index_in_dim(vectors, j, 1, keepdims=False))
            return step(key, j, so_far)

        return jax.lax.fori_loop(0, vectors.shape[1], at, start, unroll=turn)

    none = jnp.zeros(edge.shape, jnp.int32)
    above = over(lambda key, j, count: count + (key > edge), none)

    def take(key: jax.Array, j: jax.Array, so_far: Any) -> Any:
        missing, last = so_far
        taken = (key == edge) & (missing > 0)
        return missing - taken, jnp.where(taken, j, last)

    return over(take, (k - above, none))[1]


def _kth_largest(keys: list[jax.Array], k: int) -> jax.Array:
    least, *others = largest_in_order(keys, k, ordered=False)
    for key in others:
        least = jnp.minimum(least, key)
    return least


def largest_in_order(keys: list[jax.Array], k: int, ordered: bool = True) -> list[jax.Array]:
    """The k largest of so many arrays, entry by entry; all of them if there are fewer.

    In increasing order, or if this is not asked for, so that they fall and then rise.

    >>> [key.tolist() for key in largest_in_order([jnp.array([3, 9]), jnp.array([5, 1])], 2)]
    [[3, 1], [5, 9]]
    """
    if len(keys) == 1:
        return keys
    half = len(keys) // 2
    rising = largest_in_order(keys[:half], k)
    falling = largest_in_order(keys[half:], k)[::-1]
    if len(rising) + len(falling) <= k:
        valley = falling + rising
    else:
        # One rises and the other falls over k places, with nothing at the first or the last ones:
        # the larger of both at every place are the k largest.
        low, high = k - len(rising), len(falling)
        both = map(jnp.maximum, falling[low:high], rising[: high - low])
        valley = falling[:low] + list(both) + rising[high - low :]
    return in_order(valley) if ordered else valley


def in_order(valley: list[jax.Array]) -> list[jax.Array]:
    """Arrays that fall and then rise, entry by entry, in increasing order (a bitonic merger).

    For any length: places are compared at the largest power of two below it as distance, the
    halves at smaller ones (Knuth, TAOCP 3, 5.3.4, where lengths are powers of two).

    >>> [key.item() for key in in_order([jnp.array(key) for key in (7, 2, 4)])]
    [2, 4, 7]
    """
    n = len(valley)
    if n == 1:
        return valley
    half = 1 << (n - 1).bit_length() - 1
    low, high = valley[: n - half], valley[half:]
    lower = [*map(jnp.minimum, low, high), *valley[n - half : half]]
    return in_order(lower) + in_order(list(map(jnp.maximum, low, high)))
