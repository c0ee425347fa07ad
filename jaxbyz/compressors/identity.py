"""No compression."""

from __future__ import annotations

import jax

from jaxbyz.contracts.constructors import part
from jaxbyz.core import Compressor, Key
from jaxbyz.messages import Dense


@part
def identity() -> Compressor:
    """C(x) = x: d b bits, ω = 0, α = 1.

    >>> import jax.numpy as jnp
    >>> identity().compress(jax.random.key(0), jnp.zeros(10)).bits()
    320
    """

    def compress(key: Key, x: jax.Array) -> Dense:
        del key
        return Dense(x)

    return Compressor(
        compress, lambda message: message.values, compress, lambda d: 0.0, lambda d: 1.0
    )
