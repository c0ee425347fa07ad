"""Compressors that say less about every coordinate: signs, random dithering, powers of two.

Each random one is a deterministic map given its coins (round up or down, one per coordinate), and
the law of the coins. Shapes: x [d].
"""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.column_passes import largest_entries
from jaxbyz.compressors.floats import coins, join, power_near, split
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Compressor, Key
from jaxbyz.messages import Exponents, Levels, ScaledSigns, Signs

MOST_LEVELS = 2**15 - 1  # 16 bits a coordinate; with more, one would send half-precision floats


def _positive(x: jax.Array) -> jax.Array:
    return ~(x < 0)  # sgn(0) = +1, and so has NaN


def _magnitudes(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(|x| c, c) with c a power of two such that the largest |x_j| c lies in [1, 4).

    So sums and squares neither overflow nor underflow, and what is divided by c is unharmed.
    """
    chex.assert_rank(x, 1)
    size = jnp.abs(x)
    power = power_near(_largest(x))
    return size * power, power


def _largest(x: jax.Array) -> jax.Array:
    """max |x_j|, []; NaN if there is one, so that the server rejects its message."""
    return largest_entries(x[None])[0]


# ---- signs -------------------------------------------------------------------------------------


@part
def sign() -> Compressor:
    """C(x) = sgn(x) with sgn(0) = +1: d bits.

    Neither unbiased nor contractive: what is sent does not shrink with x, and even x = 0 is sent
    as ones. An algorithm that needs ω or α refuses it.

    >>> compressor = sign()
    >>> message = compressor.compress(jax.random.key(0), jnp.array([0.3, -2.0, 0.0]))
    >>> compressor.decompress(message).tolist(), message.bits()
    ([1.0, -1.0, 1.0], 3)
    """

    def compress(key: Key, x: jax.Array) -> Signs:
        del key
        return Signs(_positive(x), dtype=x.dtype)

    def decompress(message: Signs) -> jax.Array:
        return jnp.where(message.positive, 1, -1).astype(message.dtype)

    return Compressor(compress, decompress, compress, None, None)


@part
def scaled_sign() -> Compressor:
    """Contractive C(x) = (‖x‖₁/d) sgn(x): b + d bits.

    Karimireddy, Rebjock, Stich, Jaggi, "Error feedback fixes SignSGD", ICML 2019.
    ‖C(x) - x‖² = ‖x‖² - ‖x‖₁²/d, hence α = 1/d, attained by vectors with one entry.

    C(x) is the nearest of all scaled sign vectors, so `encode` is `compress`.

    >>> compressor = scaled_sign()
    >>> message = compressor.compress(jax.random.key(0), jnp.array([3.0, -1.0, 0.0, 0.0]))
    >>> compressor.decompress(message).tolist(), message.bits()
    ([1.0, -1.0, 1.0, 1.0], 36)
    """

    def compress(key: Key, x: jax.Array) -> ScaledSigns:
        del key
        size, power = _magnitudes(x)
        return ScaledSigns(size.mean() / power, _positive(x))

    def decompress(message: ScaledSigns) -> jax.Array:
        return jnp.where(message.positive, message.scale, -message.scale)

    return Compressor(compress, decompress, compress, None, lambda d: 1 / d)


# ---- random dithering --------------------------------------------------------------------------


@part
def qsgd(levels: int) -> Compressor:
    """Unbiased QSGD with s levels: C(x)_j = ‖x‖ sgn(x_j) ξ_j, b + d (1 + ⌈log₂(s+1)⌉) bits.

    Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD", NeurIPS 2017. Of y_j = s |x_j|/‖x‖ the whole
    part l is rounded up to l + 1 with probability p_j = y_j - l, and ξ_j is the result over s.
    Then E‖C(x) - x‖² = (‖x‖²/s²) Σ p_j (1 - p_j), and

        ω = √d/s - 1 if d ≥ 4 s² or s = 1 (attained by constant vectors), else d/(4 s²).

    Proof: p(1 - p) ≤ 1/4 gives the second. For any λ ≥ 0 the largest p(1 - p) - λ y² lies at l = 0
    and is 1/(4(1 + λ)); since Σ y² = s², Σ p(1 - p) ≤ d/(4(1 + λ)) + λ s², and 1 + λ = √d/(2s)
    gives s√d - s². For s = 1 always l = 0, and Σ p(1 - p) = Σ y - 1. (Published: min(d/s², √d/s).)

    `encode` finds the nearest vector of the form t l with levels l, which sorts d s numbers. If ‖x‖
    is too large for its dtype, the message has an infinite number and the server rejects it.

    Args:
        levels: s in 1..32767.

    Raises:
        ValueError: levels outside its range.

    >>> compressor = qsgd(levels=2)
    >>> message = compressor.compress(jax.random.key(0), jnp.array([3.0, 0.0, -3.0, 3.0, 3.0]))
    >>> message.scale.item(), message.bits(), compressor.omega(16), compressor.omega(64)
    (6.0, 47, 1.0, 3.0)
    """
    s = checks.count("levels", levels, minimum=1, maximum=MOST_LEVELS)

    def compress(key: Key, x: jax.Array) -> Levels:
        size, power = _magnitudes(x)
        norm = jnp.sqrt((size**2).sum())
        return _dithered(key, x, size, norm, power, s)

    def omega(d: int) -> float:
        return d**0.5 / s - 1 if s == 1 or d >= 4 * s**2 else d / (4 * s**2)

    return Compressor(compress, _levelled, lambda key, w: _nearest(w, s), omega, None)


@part
def ternary() -> Compressor:
    """Unbiased ternary dithering: C(x)_j = ‖x‖_∞ sgn(x_j) with probability |x_j|/‖x‖_∞, else 0.

    Wen et al., "TernGrad", NeurIPS 2017. b + 2 d bits. E‖C(x)‖² = ‖x‖_∞ ‖x‖₁, hence
    ω = (√d - 1)/2, attained by one entry 1 and all others 1/(1 + √d).

    >>> compressor = ternary()
    >>> message = compressor.compress(jax.random.key(0), jnp.array([2.0, 0.0, -2.0]))
    >>> compressor.decompress(message).tolist(), message.bits(), compressor.omega(9)
    ([2.0, 0.0, -2.0], 38, 1.0)
    """

    def compress(key: Key, x: jax.Array) -> Levels:
        size, power = _magnitudes(x)
        return _dithered(key, x, size, _largest(size), power, 1)

    return Compressor(
        compress, _levelled, lambda key, w: _nearest(w, 1), lambda d: (d**0.5 - 1) / 2, None
    )


def _dithered(
    key: Key, x: jax.Array, size: jax.Array, norm: jax.Array, power: jax.Array, s: int
) -> Levels:
    """Round s |x|/norm to one of its two whole neighbours, unbiased. Zero stays zero.

    `size` [d] and `norm` [] are |x| and its norm, both times `power`.
    """
    usable = jnp.isfinite(norm) & (norm > 0)
    place = jnp.where(usable, s * (size / jnp.where(usable, norm, 1)), 0)  # [d]
    place = jnp.minimum(place, s)  # rounding may have gone beyond
    below = jnp.floor(place)
    level = below + coins(key, place - below)
    return _levels(x, level, norm / power, s)


def _levels(x: jax.Array, level: jax.Array, scale: jax.Array, s: int) -> Levels:
    """A message with the signs of x."""
    signed = jnp.where(x < 0, -level, level)
    return Levels(scale, signed.astype(jnp.int8 if s < 2**7 else jnp.int16), most=s)


def _levelled(message: Levels) -> jax.Array:
    return message.scale * (message.levels.astype(message.scale.dtype) / message.most)


def _nearest(wanted: jax.Array, s: int) -> Levels:
    """The nearest message t l, with any step t ≥ 0 and levels l in -s..s.

    With a = |wanted|, the nearest levels for a step t are a/t rounded and cut at s. As t falls from
    infinity, level k of coordinate j is reached at t = a_j/(k - ½). Along these d s events the
    best step for the levels so far is t = ⟨a, l⟩/‖l‖², which takes ⟨a, l⟩²/‖l‖² off the error; the
    event where this is largest is the optimum. Of equally good ones (t l and 2t · l/2 are one
    vector) the last is taken, so that the transmitted s t is not needlessly large.
    """
    d = wanted.shape[0]
    size, power = _magnitudes(wanted)
    finite = jnp.isfinite(size).all()
    a = jnp.where(finite, size, 0)
    reached = jnp.arange(1, s + 1, dtype=a.dtype)  # [s] levels
    steps = (a[:, None] / (reached - 0.5)).ravel()  # [d s]
    order = jnp.argsort(-steps)
    inner = jnp.cumsum(jnp.repeat(a, s)[order])
    square = jnp.cumsum(jnp.tile(2 * reached - 1, d)[order])
    gain = jnp.where(steps[order] > 0, inner**2 / square, 0)
    equal = gain >= gain.max() * (1 - 32 * jnp.finfo(a.dtype).eps)  # up to rounding of the sums
    last = jnp.max(jnp.where(equal, jnp.arange(d * s), 0))
    rank = jnp.zeros(d * s, order.dtype).at[order].set(jnp.arange(d * s, dtype=order.dtype))
    level = (rank <= last).reshape(d, s).sum(axis=1).astype(a.dtype)  # [d]
    step = (a * level).sum() / (level**2).sum()
    scale = jnp.where(finite, step * s / power, _largest(size))
    return _levels(wanted, level, scale, s)


# ---- powers of two -----------------------------------------------------------------------------


@part
def natural() -> Compressor:
    """Unbiased natural compression: |x_j| becomes one of the two powers of two around it.

    Horváth, Ho, Horváth, Sahu, Canini, Richtárik, "Natural compression for distributed deep
    learning", MSML 2022. |x| = 2^e (1 + u) goes up to 2^(e+1) with probability u: exactly the bits
    behind the exponent, so there is no rounding anywhere. 9 d bits from float32, 12 d from float64.
    ω = 1/8, attained at 4/3; since ω < 1 it is contractive as it is, α = 1 - ω = 7/8 (scaled by
    1/(1+ω): 8/9).

    At the ends of the range: what would go up beyond the largest power of two stays there (biased
    downwards), and a subnormal number goes to 0 or to the smallest normal one, unbiased but with an
    error that is not small beside it. Infinite and NaN are sent as infinite.

    >>> compressor = natural()
    >>> message = compressor.compress(jax.random.key(0), jnp.array([2.0, -0.5, 0.0]))
    >>> compressor.decompress(message).tolist(), message.bits()
    ([2.0, -0.5, 0.0], 27)
    """

    def compress(key: Key, x: jax.Array) -> Exponents:
        return _rounded(x, coins(key, split(x).fraction))

    def encode(key: Key, wanted: jax.Array) -> Exponents:
        del key
        return _rounded(wanted, split(wanted).fraction > 0.5)

    return Compressor(
        compress, lambda message: message.values, encode, lambda d: 1 / 8, lambda d: 7 / 8
    )


def _rounded(x: jax.Array, up: Any) -> Exponents:
    """Keep sign and exponent, one higher where `up` [d] says so."""
    parts = split(x)
    infinite = 2 ** jnp.finfo(x.dtype).nexp - 1
    higher = jnp.minimum(parts.exponent + up.astype(parts.exponent.dtype), infinite - 1)
    exponent = jnp.where(parts.exponent == infinite, parts.exponent, higher)
    return Exponents(join(parts.sign, exponent, x.dtype))
