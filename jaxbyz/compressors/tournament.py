"""The largest of few numbers, for very many short vectors at once.

A processor does the same with sixteen numbers as fast as with one, if they lie side by side. Here
those are the numbers of different vectors, and all vectors go through the same tournament: the k
largest of each half, both in order, are merged into the k largest of the whole, by a fixed sequence
of minima and maxima.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["LEAST", "LONGEST", "are_largest_in_lanes", "in_order", "largest_in_order"]

LEAST = 64  # numbers side by side; fewer do not fill the lanes for long enough
LONGEST = 128  # coordinates; a tournament of more takes seconds to compile


def are_largest_in_lanes(x: jax.Array, k: int) -> jax.Array:
    """Which are the k largest |x_j| of every vector of [B, ..., d], [B, ..., d] bool.

    Ties go to the lowest index; NaN counts as largest. For two vectors or more in each of the B
    lanes.

    Raises:
        ValueError: fewer.

    >>> are_largest_in_lanes(jnp.array([[[1.0, -3.0, 2.0], [0.0, 0.0, 0.0]]]), 2).tolist()
    [[[False, True, True], [True, True, False]]]
    """
    integer = jnp.dtype(f"int{8 * x.dtype.itemsize}")
    # The outermost axis goes last; under `side_by_side` it already lies there.
    lanes = jnp.moveaxis(x, 0, -1)
    *shape, d, _ = lanes.shape
    vectors = lanes.reshape(-1, *lanes.shape[-2:])  # [V, d, B]

    def keys_of(numbers: jax.Array) -> jax.Array:
        return jax.lax.bitcast_convert_type(jnp.abs(numbers), integer)  # in the same order, >= 0

    def edge_of(vector: jax.Array) -> jax.Array:  # [d, B] -> [B]
        keys = [keys_of(vector[j]) for j in range(d)]
        edge = _kth_largest(keys, k)
        reached = sum((key >= edge).astype(jnp.int32) for key in keys)
        return jnp.where(reached == k, edge, ~edge)  # negative: more than k reach it

    # In a loop of two turns or more, none of them shorter: what comes out of a loop is computed
    # once, while elsewhere the compiler plays the tournament for every number compared to its end.
    if len(vectors) < 2:
        raise ValueError(f"x must have two vectors or more in each lane, got shape {x.shape}")
    turns = next(t for t in range(2, len(vectors) + 1) if len(vectors) % t == 0)
    found = jax.lax.map(edge_of, vectors, batch_size=len(vectors) // turns)  # [V, B]
    edge = jnp.maximum(found, ~found)

    def last_at_edge() -> jax.Array:  # [V, B], up to which index those at the edge are taken
        keys = [keys_of(vectors[:, j]) for j in range(d)]
        missing = k - sum((key > edge).astype(jnp.int32) for key in keys)
        last = jnp.zeros_like(missing)
        for j, key in enumerate(keys):
            at_edge = key == edge
            last = jnp.where(at_edge & (missing > 0), j, last)
            missing = missing - at_edge
        return last

    everywhere = jnp.full(edge.shape, d, jnp.int32)
    last = jax.lax.cond((found < 0).any(), last_at_edge, lambda: everywhere)
    edge, last = (a.reshape(*shape, 1, -1) for a in (edge, last))
    keys, place = keys_of(lanes), jnp.arange(d, dtype=jnp.int32)[:, None]
    return jnp.moveaxis((keys > edge) | ((keys == edge) & (place <= last)), -1, 0)


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
