"""A fast pass over all rows of an array on CPU: blocks of columns, in lanes side by side.

A block of columns [n, STEPS · LANES] is read as [n, STEPS, LANES]; what is summed or compared runs
over the steps, side by side in all lanes, and over the lanes at the end.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["LANES", "STEPS", "largest_entries"]

LANES = 128
STEPS = 16


def largest_entries(rows: jax.Array) -> jax.Array:
    """max_j |x_ij| of rows [n, d], [n]; NaN for a row that has one.

    Compared as integers, in which order NaN stands above Inf: a maximum of floats over a long axis
    loses NaN on CPU, whatever its documentation says.

    >>> largest_entries(jnp.array([[-3.0, 1.0], [jnp.nan, jnp.inf], [-jnp.inf, 0.0]])).tolist()
    [3.0, nan, inf]
    """
    n, d = rows.shape
    integer = jnp.dtype(f"int{8 * rows.dtype.itemsize}")
    block = LANES * STEPS
    whole = d // block

    def magnitudes(part: jax.Array) -> jax.Array:
        return jax.lax.bitcast_convert_type(part, integer) & jnp.iinfo(integer).max

    def look(i: jax.Array, top: jax.Array) -> jax.Array:  # [n, LANES]
        part = jax.lax.dynamic_slice_in_dim(rows, i * block, block, axis=1)
        part = magnitudes(part).reshape(n, STEPS, LANES)
        for step in range(STEPS):
            top = jnp.maximum(top, part[:, step])
        return top

    most = magnitudes(rows[:, whole * block :]).max(axis=1, initial=0)
    if whole:
        lanes = jax.lax.fori_loop(0, whole, look, jnp.zeros((n, LANES), integer))
        most = jnp.maximum(most, lanes.max(axis=1))
    return jax.lax.bitcast_convert_type(most, rows.dtype)
