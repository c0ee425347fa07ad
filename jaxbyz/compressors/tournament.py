"""Top-k of very many short vectors at once: 2 to 3 times as fast as bit by bit (see `k_largest`).

Whole runs of Byz-DM21 with Top-k, 1000 seeds, n = 10 and d = 50 or 100, take half the time
(`tests/benchmarks/top_k.py`). It is used from `LEAST` vectors on, of at most `LONGEST` coordinates.

A processor does the same to sixteen neighbouring numbers as fast as to one. Here the neighbours are
numbers of different vectors, and all vectors go through the same tournament: the k largest of each
half of the coordinates, both sorted, are merged into the k largest of the whole, by a fixed
sequence of minima and maxima.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.compressors.floats import magnitude_keys

LEAST = 256  # vectors; with fewer there is nothing to gain
LONGEST = 128  # coordinates; a tournament of more takes seconds to compile


def are_largest_of_many(x: jax.Array, k: int) -> jax.Array:
    """Which are the k largest |x_j| of every vector of [B, ..., d], [B, ..., d] bool.

    Ties go to the lowest index; NaN counts as largest. The B vectors of one place lie side by side
    in memory while they are compared, and there must be two such places or more.

    Raises:
        ValueError: there is one such place.

    >>> are_largest_of_many(jnp.array([[[1.0, -3.0, 2.0], [0.0, 0.0, 0.0]]]), 2).tolist()
    [[[False, True, True], [True, True, False]]]
    """
    beside = jnp.moveaxis(x, 0, -1)
    *shape, d, _ = beside.shape
    vectors = beside.reshape(-1, *beside.shape[-2:])  # [V, d, B]
    if len(vectors) < 2:
        raise ValueError(f"x must have shape [B, V, d] with V >= 2 vectors, got {x.shape}")
    edge, tied = _edges(vectors, k)  # [V, B]
    everywhere = jnp.full(edge.shape, d, jnp.int32)
    last = jax.lax.cond(tied, lambda: _last_at_edge(vectors, edge, k), lambda: everywhere)
    edge, last = (a.reshape(*shape, 1, -1) for a in (edge, last))
    keys, place = _keys(beside), jnp.arange(d, dtype=jnp.int32)[:, None]
    return jnp.moveaxis((keys > edge) | ((keys == edge) & (place <= last)), -1, 0)


def _keys(numbers: jax.Array) -> jax.Array:
    return magnitude_keys(numbers, "int")  # signed, so that ~key is no key


def _edges(vectors: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """The k-th largest keys of vectors [V, d, B], [V, B], and whether more than k reach any, []."""

    def edge_of(vector: jax.Array) -> jax.Array:  # [d, B] -> [B]
        keys = [_keys(vector[j]) for j in range(len(vector))]
        edge = _kth_largest(keys, k)
        reached = sum((key >= edge).astype(jnp.int32) for key in keys)
        return jnp.where(reached == k, edge, ~edge)  # negative: more than k reach it

    # In a loop of two turns or more, none of them shorter: what comes out of a loop is computed
    # once, while elsewhere the compiler repeats the tournament for every number compared to its
    # result.
    turns = next(t for t in range(2, len(vectors) + 1) if len(vectors) % t == 0)
    found = jax.lax.map(edge_of, vectors, batch_size=len(vectors) // turns)
    return jnp.maximum(found, ~found), (found < 0).any()


def _last_at_edge(vectors: jax.Array, edge: jax.Array, k: int) -> jax.Array:
    """Up to which index those at the edge are taken, [V, B]."""

    def over(step: Callable[[jax.Array, jax.Array, Any], Any], start: Any) -> Any:
        def at(j: jax.Array, so_far: Any) -> Any:
            key = _keys(jax.lax.dynamic_index_in_dim(vectors, j, 1, keepdims=False))
            return step(key, j, so_far)

        return jax.lax.fori_loop(0, vectors.shape[1], at, start, unroll=vectors.shape[1])

    none = jnp.zeros(edge.shape, jnp.int32)
    above = over(lambda key, j, count: count + (key > edge), none)

    def take(key: jax.Array, j: jax.Array, so_far: Any) -> Any:
        missing, last = so_far
        taken = (key == edge) & (missing > 0)
        return missing - taken, jnp.where(taken, j, last)

    return over(take, (k - above, none))[1]


def _kth_largest(keys: list[jax.Array], k: int) -> jax.Array:
    least, *others = largest_sorted(keys, k, ordered=False)
    for key in others:
        least = jnp.minimum(least, key)
    return least


def largest_sorted(keys: list[jax.Array], k: int, ordered: bool = True) -> list[jax.Array]:
    """The k largest of so many arrays, entry by entry; all of them if there are fewer.

    Entries increase along the list; with `ordered` False they fall and then rise.

    >>> [key.tolist() for key in largest_sorted([jnp.array([3, 9]), jnp.array([5, 1])], 2)]
    [[3, 1], [5, 9]]
    """
    if len(keys) == 1:
        return keys
    half = len(keys) // 2
    rising = largest_sorted(keys[:half], k)
    falling = largest_sorted(keys[half:], k)[::-1]
    if len(rising) + len(falling) <= k:
        valley = falling + rising
    else:
        # One rises and the other falls over k places, with nothing at the first or the last ones:
        # the larger of both at every place are the k largest.
        low, high = k - len(rising), len(falling)
        both = map(jnp.maximum, falling[low:high], rising[: high - low])
        valley = falling[:low] + list(both) + rising[high - low :]
    return merge(valley) if ordered else valley


def merge(valley: list[jax.Array]) -> list[jax.Array]:
    """Arrays whose entries fall and then rise along the list, in increasing order (bitonic merge).

    For any length: places are compared at the largest power of two below it as distance, the
    halves at smaller ones (Knuth, TAOCP 3, 5.3.4, where lengths are powers of two).

    >>> [key.item() for key in merge([jnp.array(key) for key in (7, 2, 4)])]
    [2, 4, 7]
    """
    n = len(valley)
    if n == 1:
        return valley
    half = 1 << (n - 1).bit_length() - 1
    low, high = valley[: n - half], valley[half:]
    lower = [*map(jnp.minimum, low, high), *valley[n - half : half]]
    return merge(lower) + merge(list(map(jnp.maximum, low, high)))
