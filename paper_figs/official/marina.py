"""Byz-VR-MARINA (Gorbunov, Horváth, Richtárik, Gidel, ICLR 2023): the authors' code.

Source: github SamuelHorvath/VR_Byzantine. What it does, and what stands here for it:

1. Random sparsification zeroes ⌈0.1 d⌉ coordinates, keeps the other nine tenths and multiplies by
   d/⌈0.1 d⌉, so that E C(x) is about 9 x: `keeps_the_rest`.
2. It works in place: the stored gradient is masked and rescaled again whenever it is read, by every
   attacker and by the server. Not implemented: with five attackers that read, the factor is 10 to
   the sixth, and no step size of the grid remains.
3. The generator is set back for every worker: `common.same_masks`.
4. Full gradients in the first round of every epoch only: `common.coin_by_clock`.
5. In setting B ("full data set") every vector is multiplied by 1/(n-f): `corrected_step`.
6. Krum scores with the fourth power of distances. Not implemented: its scripts do not use Krum.
7. n = 20, f = 5 and buckets of two: up to five of ten buckets may hold a Byzantine row, outside
   what the median guarantees. This is the setting itself, and it is kept everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.compressors import random_subset
from jaxbyz.core import Compressor, Key
from jaxbyz.messages import Masked


def keeps_the_rest(ratio: float) -> Compressor:
    """⌈ratio d⌉ random coordinates become 0, the others are multiplied by d/⌈ratio d⌉.

    E C(x) = (d/m - 1) x with m = ⌈ratio d⌉: 9 x for ratio 0.1. The declared ω is that of Rand-m,
    d/m - 1, though the map is biased. The numbers that are kept are charged, with the indices of
    those (see `Masked`).

    Raises:
        ValueError: ratio outside (0, 1].

    >>> compressor = keeps_the_rest(0.25)
    >>> message = compressor.compress(jax.random.key(0), jnp.ones(4))
    >>> sorted(compressor.decompress(message).tolist())
    [0.0, 4.0, 4.0, 4.0]
    """
    checks.interval("ratio", ratio, 0, 1, closed="right")

    def left_out(d: int) -> int:
        return math.ceil(ratio * d * (1 - 1e-12))

    def kept(key: Key, d: int) -> jax.Array:
        return jnp.ones(d, bool).at[random_subset(key, d, left_out(d))].set(False)

    def compress(key: Key, x: jax.Array) -> Masked:
        d = x.shape[0]
        stays = kept(key, d)
        return Masked(jnp.where(stays, x * (d / left_out(d)), 0), stays)

    def encode(key: Key, wanted: jax.Array) -> Masked:
        stays = kept(key, wanted.shape[0])
        return Masked(jnp.where(stays, wanted, 0), stays)

    return Compressor(
        compress, lambda message: message.values, encode, lambda d: d / left_out(d) - 1, None
    )


def corrected_step(step: Any, honest: int) -> Any:
    """The step size that has the effect of vectors multiplied by 1/(n-f).

    >>> corrected_step(0.5, honest=4)
    0.125
    """
    return step / honest
