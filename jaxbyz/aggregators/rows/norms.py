"""Norms of rows, and shortening rows, without overflow or underflow.

A norm is  m √Σ (v/m)²  with m a power of two: 1, or next to the largest entry of the row.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.centring import shrink_for
from jaxbyz.aggregators.rows.finite import Clean, lengths

__all__ = ["row_norms", "shortened", "shortening"]


def _parts(clean: Clean) -> tuple[jax.Array, jax.Array]:
    """m [n] and √Σ (v/m)² [n] of the finite rows; the second is 0 or far from the smallest."""
    one = jnp.ones((1,), clean.raw.dtype)
    size, length = jax.lax.cond(
        clean.out.any(), lambda: lengths(clean.fill[None]), lambda: (one, one)
    )
    return jnp.where(clean.out, size, clean.size), jnp.where(clean.out, length, clean.length)


def row_norms(clean: Clean) -> tuple[jax.Array, jax.Array]:
    """‖x_i‖ s [n] and s, a power of two ≤ 1 with which no norm is too large a number.

    >>> from jaxbyz.aggregators.rows.finite import cleaned
    >>> norms, s = row_norms(cleaned(jnp.array([[3e38, -3e38], [0.0, 0.0], [4e30, 3e30]])))
    >>> (norms / s / 1e30).tolist()[1:], bool(jnp.isfinite(norms).all())
    ([0.0, 5.0], True)
    """
    size, length = _parts(clean)
    shrink = shrink_for(clean)
    return size * shrink * length, shrink


def shortening(
    clean: Clean, radius: jax.Array | float, unit: jax.Array | float
) -> tuple[jax.Array, jax.Array]:
    """Two factors [n] of min(1, radius · unit/‖x_i‖), whose product may be too small a number.

    unit is a power of two. A finite row is to be multiplied by one after the other.
    """
    size, length = _parts(clean)
    limit = jnp.asarray(radius, size.dtype) / jnp.where(length > 0, length, 1)
    limit = limit * unit  # what m may be
    long = size > limit
    return jnp.where(long, 1 / size, 1), jnp.where(long, limit, 1)


def shortened(clean: Clean, radius: jax.Array | float, unit: jax.Array | float) -> jax.Array:
    """x_i min(1, radius · unit/‖x_i‖) for all finite rows, [n, d]; unit is a power of two.

    >>> from jaxbyz.aggregators.rows.finite import cleaned
    >>> shortened(cleaned(jnp.array([[3e38, 0.0], [0.0, 0.5]])), 2.0, 1.0).tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """
    first, second = shortening(clean, radius, unit)
    return clean.finite * first[:, None] * second[:, None]
