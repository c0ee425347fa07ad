"""Norms of rows, and shortening rows, without overflow or underflow.

A norm is  m √Σ (v/m)²  with m a power of two next to the largest entry of the row.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.clean import Clean
from jaxbyz.aggregators.rows import power_of_two

__all__ = ["row_norms", "shortened"]


def _parts(clean: Clean) -> tuple[jax.Array, jax.Array]:
    """m [n] and √Σ (v/m)² [n] of the finite rows; the second is 0 or in [1, 4 √d)."""

    def length(rows: jax.Array, size: jax.Array) -> jax.Array:  # [..., d], [...] -> [...]
        unit = rows * (1 / size)[..., None]
        return jnp.sqrt((unit * unit).sum(axis=-1))

    of_fill = power_of_two(jnp.abs(clean.fill).max())
    of_raw = power_of_two(jnp.where(clean.out, 0, clean.largest))
    lengths = jnp.where(clean.out, length(clean.fill, of_fill), length(clean.raw, of_raw))
    return jnp.where(clean.out, of_fill, of_raw), lengths


def row_norms(clean: Clean) -> jax.Array:
    """‖x_i‖ in unit `scale`, [n]; +Inf only where that is no number of this kind.

    >>> from jaxbyz.aggregators.clean import cleaned
    >>> clean = cleaned(jnp.array([[3e30, -4e30], [0.0, 0.0], [4e30, 3e30]]))
    >>> (row_norms(clean) * clean.scale / 1e30).tolist()
    [5.0, 0.0, 5.0]
    """
    size, length = _parts(clean)
    return size / clean.scale * length


def shortened(clean: Clean, radius: jax.Array | float, unit: jax.Array | float) -> jax.Array:
    """x_i min(1, radius · unit/‖x_i‖) for all finite rows, [n, d]; unit is a power of two.

    >>> from jaxbyz.aggregators.clean import cleaned
    >>> shortened(cleaned(jnp.array([[3e38, 0.0], [0.0, 0.5]])), 2.0, 1.0).tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """
    size, length = _parts(clean)
    limit = jnp.asarray(radius, size.dtype) / jnp.where(length > 0, length, 1)
    limit = limit * unit  # what m may be
    long = size > limit
    # Two factors: their product may be too small for a number.
    first, second = jnp.where(long, 1 / size, 1), jnp.where(long, limit, 1)
    return clean.finite * first[:, None] * second[:, None]
