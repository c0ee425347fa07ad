"""The k largest of d keys, exactly, without sorting.

The k-th largest key is found bit by bit: the answer has a bit if at least k keys are not below what
is known so far with this bit set. That is a fixed number of counting passes, one for each bit,
where a sort or a heap of k numbers walks through memory.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["indices_of", "kth_largest", "largest_keys", "largest_magnitudes"]

# Fewer than one key in so many: a heap of k is faster than the passes.
FEW = 64


def kth_largest(keys: jax.Array, k: jax.Array | int) -> jax.Array:
    """The k-th largest of unsigned keys [d], []; 1 ≤ k ≤ d."""
    bits = keys.dtype.itemsize * 8

    def look(i: jax.Array, known: jax.Array) -> jax.Array:
        with_bit = known | (jnp.ones((), keys.dtype) << jnp.asarray(bits - 1 - i, keys.dtype))
        return jnp.where((keys >= with_bit).sum() >= k, with_bit, known)

    return jax.lax.fori_loop(0, bits, look, jnp.zeros((), keys.dtype))


def largest_keys(keys: jax.Array, k: jax.Array | int) -> jax.Array:
    """Which are the k largest of unsigned keys [d], [d] bool; ties go to the lowest index.

    >>> largest_keys(jnp.array([3, 7, 7, 7], jnp.uint32), 2).tolist()
    [False, True, True, False]
    """
    edge = kth_largest(keys, k)
    above, at_edge = keys > edge, keys == edge
    return above | (at_edge & (jnp.cumsum(at_edge) <= k - above.sum()))


def indices_of(chosen: jax.Array, k: int) -> jax.Array:
    """The indices at which [d] bool is True, exactly k of them, in increasing order.

    >>> indices_of(jnp.array([False, True, False, True]), 2).tolist()
    [1, 3]
    """
    d = chosen.shape[0]
    place = jnp.where(chosen, jnp.cumsum(chosen) - 1, k)
    return jnp.zeros(k, jnp.int32).at[place].set(jnp.arange(d, dtype=jnp.int32), mode="drop")


def largest_magnitudes(x: jax.Array, k: int) -> jax.Array:
    """Where the k largest |x_j| are, [k]; ties go to the lowest index, NaN counts as largest.

    >>> sorted(largest_magnitudes(jnp.array([1.0, -3.0, 2.0]), 2).tolist())
    [1, 2]
    """
    if k * FEW <= x.shape[0]:
        return jax.lax.top_k(jnp.abs(x), k)[1]
    # Absolute values are ordered as their bits.
    keys = jax.lax.bitcast_convert_type(jnp.abs(x), jnp.dtype(f"uint{8 * x.dtype.itemsize}"))
    return indices_of(largest_keys(keys, k), k)
