"""Norms of rows, and factors that shorten rows, without overflow or underflow.

A norm is  m √Σ (v/m)²  with m a power of two: 1, or next to the largest entry of the row.
"""

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.centring import shrink_for
from jaxbyz.aggregators.rows.finite import FiniteRows
from jaxbyz.aggregators.rows.numbers import lengths
from jaxbyz.aggregators.rows.twice import unless


def _parts(finite: FiniteRows) -> tuple[jax.Array, jax.Array]:
    """m [n] and √Σ (v/m)² [n] of the finite rows; the second is 0 or far from the smallest."""
    one = jnp.ones((1,), finite.raw.dtype)
    replaced = finite.replaced
    size, length = unless(~replaced.any(), (one, one), finite.replacement[None], lengths)
    return jnp.where(replaced, size, finite.size), jnp.where(replaced, length, finite.length)


def row_norms(finite: FiniteRows) -> tuple[jax.Array, jax.Array]:
    """‖x_i‖ s [n] and s, a power of two ≤ 1 with which no norm is too large a number.

    >>> from jaxbyz.aggregators.rows.finite import finite_rows
    >>> norms, s = row_norms(finite_rows(jnp.array([[3e38, -3e38], [0.0, 0.0], [4e30, 3e30]])))
    >>> (norms / s / 1e30).tolist()[1:], bool(jnp.isfinite(norms).all())
    ([0.0, 5.0], True)
    """
    size, length = _parts(finite)
    shrink = shrink_for(finite)
    return size * shrink * length, shrink


def shortening(
    finite: FiniteRows, radius: jax.Array | float, unit: jax.Array | float
) -> tuple[jax.Array, jax.Array]:
    """Two factors [n] of min(1, radius · unit/‖x_i‖), whose product may be too small a number.

    unit is a power of two. A finite row is to be multiplied by one after the other.
    """
    size, length = _parts(finite)
    limit = jnp.asarray(radius, size.dtype) / jnp.where(length > 0, length, 1)
    limit = limit * unit  # what m may be
    long = size > limit
    return jnp.where(long, 1 / size, 1), jnp.where(long, limit, 1)
