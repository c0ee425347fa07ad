"""Floating-point numbers as sign, exponent and fraction, as sortable keys, and exact random coins.

This is what quantizers and Top-k need of the bits of numbers. Everything here is a bit operation or
a product with a power of two. So nothing is rounded, and numbers near the ends of the range neither
overflow nor vanish.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.core import Key

PATTERNS = {2: jnp.uint16, 4: jnp.uint32, 8: jnp.uint64}


class Parts(NamedTuple):
    """A normal number is ± 2^(exponent - bias) (1 + fraction), a subnormal one ± tiny · fraction.

    Exponent 0 marks zero and subnormal numbers, the largest exponent Inf and NaN. In both cases
    fraction is the distance from |x| to the power of two (or 0) below it, in units of the distance
    between this one and the next.
    """

    sign: jax.Array  # the sign bit, in its place
    exponent: jax.Array  # biased, unsigned integer
    fraction: jax.Array  # in [0, 1), float


def split(x: jax.Array) -> Parts:
    """The parts of every number.

    >>> [part.tolist() for part in split(jnp.array([-1.5, 4.0]))][1:]
    [[127, 129], [0.5, 0.0]]
    """
    limits = jnp.finfo(x.dtype)
    bits = jax.lax.bitcast_convert_type(x, PATTERNS[x.dtype.itemsize])
    one = jnp.ones((), bits.dtype)
    sign = bits & (one << (limits.bits - 1))
    exponent = (bits >> limits.nmant) & ((one << limits.nexp) - 1)
    mantissa = bits & ((one << limits.nmant) - 1)
    return Parts(sign, exponent, mantissa.astype(x.dtype) * 0.5**limits.nmant)


def join(sign: jax.Array, exponent: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """The number with this sign and exponent, and nothing behind them."""
    return jax.lax.bitcast_convert_type(sign | (exponent << jnp.finfo(dtype).nmant), dtype)


def power_near(largest: jax.Array) -> jax.Array:
    """A power of two with which `largest`, if it is finite and normal, comes to lie in [1, 4).

    The power and its inverse are both normal numbers, so products and quotients with it are exact
    (unless they are subnormal).

    >>> power_near(jnp.array([5.0, 3e38, 1.2e-38])).tolist() == [0.25, 2.0**-126, 2.0**126]
    True
    """
    parts = split(largest)
    bias = 2 ** (jnp.finfo(largest.dtype).nexp - 1) - 1
    exponent = 2 * bias - jnp.clip(parts.exponent, 1, 2 * bias - 1)
    return join(jnp.zeros_like(parts.sign), exponent, largest.dtype)


def coins(key: Key, probabilities: jax.Array) -> jax.Array:
    """Independent coins, each True with its probability in [0, 1], [d] bool.

    Compared with 64 random bits, so that the law is exact to 2⁻⁶⁴: a coordinate with a tiny
    probability is not drawn more often, as it would be from the 23 bits of a float32.

    >>> coins(jax.random.key(0), jnp.array([0.0, 1.0, 0.0, 1.0])).tolist()
    [False, True, False, True]
    """
    p = probabilities.astype(jnp.promote_types(probabilities.dtype, jnp.float32))
    first, second = jax.random.bits(key, (2, *p.shape), jnp.uint32)
    scaled = jnp.where(p < 1, p, 0) * 2.0**32
    high = jnp.floor(scaled)
    low = jnp.floor((scaled - high) * 2.0**32)
    high, low = high.astype(jnp.uint32), low.astype(jnp.uint32)
    return (p >= 1) | (first < high) | ((first == high) & (second < low))


def magnitude_keys(x: jax.Array, kind: str = "uint") -> jax.Array:
    """|x| as integers ("uint", or "int", never negative) in the same order; NaN is the largest.

    >>> keys = magnitude_keys(jnp.array([-2.0, 1.0, jnp.nan, jnp.inf]))
    >>> keys.argsort().tolist()
    [1, 0, 3, 2]
    """
    return jax.lax.bitcast_convert_type(jnp.abs(x), jnp.dtype(f"{kind}{8 * x.dtype.itemsize}"))
