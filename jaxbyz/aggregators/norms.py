"""Norms of rows, and shortening rows, without overflow or underflow.

A norm is  m √Σ (v/m)²  with m a power of two next to the largest entry of the row.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows import power_of_two

__all__ = ["row_norms", "shortened"]


def _unit_parts(rows: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """m [n, 1], v/m [n, d] and √Σ (v/m)² [n, 1], which is 0 or in [1, 4 √d)."""
    size = power_of_two(jnp.abs(rows).max(axis=1, keepdims=True))
    unit = rows / size
    return size, unit, jnp.sqrt((unit * unit).sum(axis=1, keepdims=True))


def row_norms(rows: jax.Array) -> jax.Array:
    """‖x_i‖ for all rows [n, d], [n]; +Inf only where the norm itself is no number of this kind.

    >>> row_norms(jnp.array([[3e30, -4e30], [0.0, 0.0]])) / 1e30
    Array([5., 0.], dtype=float32)
    """
    size, _, length = _unit_parts(rows)
    return (size * length)[:, 0]


def shortened(rows: jax.Array, radius: jax.Array | float) -> jax.Array:
    """x_i min(1, radius/‖x_i‖) for all finite rows [n, d].

    >>> shortened(jnp.array([[3e38, 0.0], [0.0, 0.5]]), 2.0).tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """
    size, unit, length = _unit_parts(rows)
    limit = jnp.asarray(radius, rows.dtype) / jnp.where(
        length > 0, length, 1
    )  # [n, 1] what m may be
    return jnp.where(size > limit, unit * limit, rows)
