"""Compressors that keep some coordinates: Rand-k (two ways), Top-k, shared mask, Bernoulli.

Each is a deterministic map given the subset, and a law of the subset. Shapes: x [d], subset [k].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.compressors.floats import coins
from jaxbyz.compressors.k_largest import MOST, are_largest, largest_magnitudes
from jaxbyz.compressors.random_subsets import keep_count, random_subset
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Compressor, Key
from jaxbyz.messages import Masked, Seeded, SharedSupport, Sparse, SparseInPlace


def scatter(values: jax.Array, subset: jax.Array, d: int) -> jax.Array:
    """Put values [k] at distinct places [k] of a zero vector [d]."""
    chex.assert_rank([values, subset], 1)
    chex.assert_equal_shape([values, subset])
    if len(values) * d <= MOST:  # then comparing is faster than walking
        vector = jnp.zeros(d, values.dtype)
        for i in range(len(values)):
            vector = jnp.where(subset[i] == jnp.arange(d), values[i], vector)
        return vector
    return jnp.zeros(d, values.dtype).at[subset].set(values, unique_indices=True)


def _decompress(message: Sparse | Seeded) -> jax.Array:
    return scatter(message.values, message.indices, message.size)


@part
def rand_k(k: int | None = None, *, ratio: float | None = None) -> Compressor:
    """Unbiased Rand-k with explicit indices: C(x) = (d/k) x on a uniform k-subset, 0 elsewhere.

    k (b + ⌈log₂ d⌉) bits; ω = d/k - 1 exactly. A Byzantine worker chooses its indices.

    Raises:
        ValueError: not exactly one of k, ratio; k outside 1..d; ratio outside (0, 1].

    >>> message = rand_k(k=2).compress(jax.random.key(0), jnp.ones(4))
    >>> message.values.tolist(), message.bits()
    ([2.0, 2.0], 68)
    """
    keep = keep_count(k, ratio)

    def compress(key: Key, x: jax.Array) -> Sparse:
        d = x.shape[0]
        subset = random_subset(key, d, keep(d))
        return Sparse(x[subset] * (d / keep(d)), subset, size=d)

    def encode(key: Key, wanted: jax.Array) -> Sparse:
        del key
        subset = largest_magnitudes(wanted, keep(wanted.shape[0]))
        return Sparse(wanted[subset], subset, size=wanted.shape[0])

    return Compressor(compress, _decompress, encode, lambda d: d / keep(d) - 1, None)


@part
def seeded_rand_k(k: int | None = None, *, ratio: float | None = None) -> Compressor:
    """Unbiased Rand-k on a subset that both ends draw from a seed: k b bits, no indices.

    C(x) = (d/k) x on a uniform k-subset, 0 elsewhere; ω = d/k - 1 exactly. The subset is a
    function of the worker's key, which a Byzantine worker cannot choose.

    Raises:
        ValueError: not exactly one of k, ratio; k outside 1..d; ratio outside (0, 1].

    >>> seeded_rand_k(ratio=0.5).compress(jax.random.key(0), jnp.ones(4)).bits()
    64
    """
    keep = keep_count(k, ratio)

    def compress(key: Key, x: jax.Array) -> Seeded:
        d = x.shape[0]
        subset = random_subset(key, d, keep(d))
        return Seeded(x[subset] * (d / keep(d)), subset, size=d)

    def encode(key: Key, wanted: jax.Array) -> Seeded:
        d = wanted.shape[0]
        subset = random_subset(key, d, keep(d))
        return Seeded(wanted[subset], subset, size=d)

    return Compressor(compress, _decompress, encode, lambda d: d / keep(d) - 1, None)


@part
def top_k(k: int | None = None, *, ratio: float | None = None) -> Compressor:
    """Contractive Top-k: the k largest |x_j| as they are, exactly k (ties: the lowest index).

    k (b + ⌈log₂ d⌉) bits; ‖C(x) - x‖² ≤ (1 - k/d) ‖x‖², with equality for equal magnitudes. The
    message is held in place (`SparseInPlace`) where d k ≤ 2048, else as `Sparse`.

    Raises:
        ValueError: not exactly one of k, ratio; k outside 1..d; ratio outside (0, 1].

    >>> compressor = top_k(k=1)
    >>> message = compressor.compress(jax.random.key(0), jnp.array([1.0, -3.0, 2.0]))
    >>> compressor.decompress(message).tolist()
    [0.0, -3.0, 0.0]
    """
    keep = keep_count(k, ratio)

    def compress(key: Key, x: jax.Array) -> Sparse | SparseInPlace:
        del key
        d, k = x.shape[0], keep(x.shape[0])
        if d * k <= MOST:  # then a whole vector is faster than gathering, and putting in place
            return SparseInPlace(jnp.where(are_largest(x, k), x, 0), kept=k)
        subset = largest_magnitudes(x, k)
        return Sparse(x[subset], subset, size=d)

    def decompress(message: Sparse | SparseInPlace) -> jax.Array:
        return message.values if isinstance(message, SparseInPlace) else _decompress(message)

    return Compressor(compress, decompress, compress, None, lambda d: keep(d) / d)


@part
def bernoulli(probability: Any) -> Compressor:
    """Unbiased Bernoulli sparsification: x_j/p with probability p, else 0, each by its own coin.

    c b + min(d, c ⌈log₂ d⌉) bits with c numbers kept, a random length; ω = 1/p - 1 exactly. A
    Byzantine worker chooses what it keeps, and is charged for it.

    Args:
        probability: p in (0, 1].

    Raises:
        ValueError: probability outside its range.

    >>> compressor = bernoulli(probability=0.25)
    >>> message = compressor.compress(jax.random.key(0), jnp.ones(8))
    >>> message.values.tolist() == (4.0 * message.kept).tolist(), compressor.omega(8)
    (True, 3.0)
    """
    checks.interval("probability", probability, 0, 1, closed="right")

    def compress(key: Key, x: jax.Array) -> Masked:
        p = jnp.asarray(probability, x.dtype)
        kept = coins(key, jnp.broadcast_to(p, x.shape))
        return Masked(jnp.where(kept, x / p, 0), kept)

    def encode(key: Key, wanted: jax.Array) -> Masked:
        del key
        kept = wanted != 0
        return Masked(jnp.where(kept, wanted, 0), kept)

    return Compressor(
        compress, lambda message: message.values, encode, lambda d: 1 / probability - 1, None
    )


class SharedMask(NamedTuple):
    """One subset for all workers and the server: what RoSDHB compresses with."""

    keep: Any  # d -> k
    draw: Any  # (key, d) -> subset [k]

    def restrict(self, x: jax.Array, subset: jax.Array) -> SharedSupport:
        """The message x[subset]: k b bits."""
        return SharedSupport(x[subset])

    def extend(self, message: SharedSupport, subset: jax.Array, d: int) -> jax.Array:
        """(d/k) · scatter, [d]: with a uniform subset E = x and E‖· - x‖² = (d/k - 1) ‖x‖²."""
        return scatter(message.values * (d / self.keep(d)), subset, d)

    def omega(self, d: int) -> float:
        """d/k - 1, exact; the noise is the same for all workers."""
        return d / self.keep(d) - 1


def shared_mask(k: int | None = None, *, ratio: float | None = None) -> SharedMask:
    """A uniform k-subset that the server draws afresh each round and broadcasts as a 64-bit seed.

    Raises:
        ValueError: not exactly one of k, ratio; k outside 1..d; ratio outside (0, 1].

    >>> mask = shared_mask(k=2)
    >>> subset = mask.draw(jax.random.key(0), 4)
    >>> mask.extend(mask.restrict(jnp.ones(4), subset), subset, 4).sum().item()
    4.0
    """
    keep = keep_count(k, ratio)
    return SharedMask(keep, lambda key, d: random_subset(key, d, keep(d)))
