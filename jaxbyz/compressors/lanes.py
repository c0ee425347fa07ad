"""The largest of few numbers, for very many short vectors at once.

A processor does the same with sixteen numbers as fast as with one, if they lie side by side. Here
those are the numbers of different vectors: coordinate after coordinate is put in its place among
the k best of its vector so far, for all vectors in the same steps.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["LEAST", "MOST", "largest_in_lanes"]

LEAST = 256  # vectors, fewer do not fill the lanes for long enough
MOST = 2**11  # d k, beyond which counting is faster
TURN = 10  # coordinates in one turn of the loop: fewer ways through memory, more to compile


def largest_in_lanes(x: jax.Array, k: int) -> jax.Array:
    """Where the k largest |x_j| of every vector of [..., d] are, the largest first, [..., k].

    d k comparisons for a vector. Ties go to the lowest index, which is seen first; NaN counts as
    largest.

    >>> largest_in_lanes(jnp.array([[1.0, -3.0, 2.0], [0.0, 0.0, 0.0]]), 2).tolist()
    [[1, 2], [0, 1]]
    """
    integer = jnp.dtype(f"int{8 * x.dtype.itemsize}")
    # The outermost axis goes last; under a `vmap` over last axes it already lies there.
    keys = jnp.moveaxis(jax.lax.bitcast_convert_type(jnp.abs(x), integer), 0, -1)
    lanes = (*keys.shape[:-2], keys.shape[-1])

    def insert(j: jax.Array, best: tuple[list[jax.Array], ...]) -> tuple[list[jax.Array], ...]:
        new = key = jax.lax.dynamic_index_in_dim(keys, j, -2, keepdims=False)
        place = jnp.full(lanes, j, jnp.int32)
        keys_found, places_found = [], []
        for old_key, old_place in zip(*best, strict=True):
            better = new > old_key  # and then than all that follow, which move on by one, ties too
            keys_found.append(jnp.where(better, key, old_key))
            places_found.append(jnp.where(better, place, old_place))
            key, place = jnp.where(better, old_key, key), jnp.where(better, old_place, place)
        return keys_found, places_found

    none = [jnp.full(lanes, -1, integer)] * k, [jnp.zeros(lanes, jnp.int32)] * k
    _, places = jax.lax.fori_loop(0, x.shape[-1], insert, none, unroll=TURN)
    return jnp.moveaxis(jnp.stack(places, axis=-2), -1, 0)
