"""Compressors made of compressors: scaled to be contractive, and one per block of coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.contracts import parts
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Compressor, Key
from jaxbyz.messages import Blocks


@part
def scaled(compressor: Compressor) -> Compressor:
    """The contractive C/(1+ω) of an unbiased C, with α = 1/(1+ω) and the same messages.

    E‖C/(1+ω) - x‖² = E‖C‖²/(1+ω)² - 2‖x‖²/(1+ω) + ‖x‖² and E‖C‖² ≤ (1+ω)‖x‖². The factor is
    applied by the receiver, and `encode` sends what decodes to the wanted vector with it.

    Raises:
        ValueError: the compressor has no ω.

    >>> from jaxbyz.compressors import rand_k
    >>> compressor = scaled(rand_k(k=2))
    >>> message = compressor.compress(jax.random.key(0), jnp.ones(4))
    >>> compressor.decompress(message).sum().item(), compressor.alpha(4)
    (2.0, 0.5)
    """
    omega = compressor.omega
    if omega is None:
        raise ValueError("compressor must be unbiased with a known omega, got one without")

    def decompress(message: Any) -> jax.Array:
        value = compressor.decompress(message)
        return value / (1 + omega(value.shape[0]))

    def encode(key: Key, wanted: jax.Array) -> Any:
        return compressor.encode(key, wanted * (1 + omega(wanted.shape[0])))

    return Compressor(compressor.compress, decompress, encode, None, lambda d: 1 / (1 + omega(d)))


@part
def blockwise(sizes: Sequence[int], make: Callable[[int], Compressor]) -> Compressor:
    """Compress every block of consecutive coordinates by itself, as layers of a model.

    Blocks are independent and each has its own k and its own norm. ω is the largest and α the
    smallest of the blocks', where all have one: the errors and ‖x‖² are both sums over blocks.

    Args:
        sizes: of the blocks; together d.
        make: size of a block -> its compressor.

    Raises:
        ValueError: no block, a size < 1; when d is known, sizes that do not sum to it.

    >>> from jaxbyz.compressors import top_k
    >>> compressor = blockwise([6, 3], lambda size: top_k(k=max(1, size // 3)))
    >>> message = compressor.compress(jax.random.key(0), jnp.arange(9.0))
    >>> compressor.decompress(message).tolist()
    [0.0, 0.0, 0.0, 0.0, 4.0, 5.0, 0.0, 0.0, 8.0]
    >>> message.bits(), round(compressor.alpha(9), 3)
    (104, 0.333)
    """
    lengths = [checks.count(f"sizes[{i}]", size, minimum=1) for i, size in enumerate(sizes)]
    if not lengths:
        raise ValueError(f"sizes must name at least one block, got {sizes!r}")
    compressors = [parts.require("Compressor", f"make({n})", make(n)) for n in lengths]
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    total = sum(lengths)

    def require(d: int) -> None:
        if d != total:
            raise ValueError(f"sizes must sum to d = {d}, got {lengths} with sum {total}")

    def each(key: Key, x: jax.Array, act: Callable[[Compressor], Callable[..., Any]]) -> Blocks:
        require(x.shape[0])
        keys = jax.random.split(key, len(lengths))
        return Blocks(
            tuple(
                act(compressor)(keys[i], x[start : start + length])
                for i, (compressor, start, length) in enumerate(
                    zip(compressors, starts, lengths, strict=True)
                )
            )
        )

    def compress(key: Key, x: jax.Array) -> Blocks:
        return each(key, x, lambda compressor: compressor.compress)

    def decompress(message: Blocks) -> jax.Array:
        pairs = zip(compressors, message.parts, strict=True)
        return jnp.concatenate([compressor.decompress(part) for compressor, part in pairs])

    def encode(key: Key, wanted: jax.Array) -> Blocks:
        return each(key, wanted, lambda compressor: compressor.encode)

    def over_blocks(constants: list[Any], worst: Callable[..., float]) -> Any:
        if any(constant is None for constant in constants):
            return None

        def constant(d: int) -> float:
            require(d)
            return worst(one(length) for one, length in zip(constants, lengths, strict=True))

        return constant

    return Compressor(
        compress,
        decompress,
        encode,
        over_blocks([compressor.omega for compressor in compressors], max),
        over_blocks([compressor.alpha for compressor in compressors], min),
    )
