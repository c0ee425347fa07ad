"""Uniform random k-subsets of d coordinates, and k from a number or from the ratio k/d."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.random import threefry_2x32

from jaxbyz import checks
from jaxbyz.compressors.batch_aware import mapped, sees_its_batch
from jaxbyz.compressors.k_largest import indices_of, kth_largest, largest_keys
from jaxbyz.core import Key
from jaxbyz.partitioned import undivided


def random_subset(key: Key, d: int, k: int) -> jax.Array:
    """A uniform k-subset of 0..d-1 in increasing order, [k].

    Those with the k largest of d random numbers of 64 bits: the numbers of 32 bits tie often
    enough at large d to favour low indices, so ties among these are decided by 32 bits more.

    >>> random_subset(jax.random.key(0), 10, 3).shape
    (3,)
    """
    # On several devices each draws all of it: what is sent names it, and d numbers are few.
    return undivided(_drawn(d, k))(jax.random.key_data(key))


@functools.cache
def _drawn(d: int, k: int) -> Callable[[jax.Array], jax.Array]:
    def draw(keys: jax.Array) -> jax.Array:  # key data [..., 2] -> [..., k]
        return mapped(one, keys, keys.ndim - 1, d)

    def one(data: jax.Array) -> jax.Array:
        high_key, low_key = jax.random.split(jax.random.wrap_key_data(data, impl="threefry2x32"))
        high_data, low_data = jax.random.key_data(high_key), jax.random.key_data(low_key)
        count = jnp.arange(d, dtype=jnp.uint32)
        # Both words of every hash; `jax.random.bits` keeps one of them.
        high = threefry_2x32(high_data, count)
        edge = kth_largest(high, k)
        above, at_edge = high > edge, high == edge
        missing = k - above.sum()

        def by_lower_bits() -> jax.Array:
            low = jnp.where(at_edge, threefry_2x32(low_data, count) | 1, 0)
            return above | (at_edge & largest_keys(low, missing))

        decided = at_edge.sum() == missing
        return indices_of(jax.lax.cond(decided, lambda: above | at_edge, by_lower_bits), k)

    return sees_its_batch(draw)


def keep_count(k: Any = None, ratio: Any = None) -> Callable[[int], int]:
    """How many of d coordinates are kept, from exactly one of k and ratio: d -> k.

    k = max(1, ⌊ratio d⌋), where the product is guarded by 1e-9 (0.29 · 100 is 28.999… in floating
    point).

    Raises:
        ValueError: both or none given, k < 1, ratio outside (0, 1]; when d is known, k > d.

    >>> keep_count(ratio=0.29)(100), keep_count(ratio=0.1)(11_830), keep_count(k=3)(5)
    (29, 1183, 3)
    """
    if (k is None) == (ratio is None):
        raise ValueError(f"give exactly one of k and ratio, got k = {k!r} and ratio = {ratio!r}")
    if k is not None:
        fixed = checks.count("k", k, minimum=1)

        def count(d: int) -> int:
            if fixed > d:
                raise ValueError(f"k must lie in 1..d, got k = {fixed} with d = {d}")
            return fixed

        return count
    fraction = float(checks.interval("ratio", ratio, 0, 1, closed="right"))
    return lambda d: max(1, int(fraction * d + 1e-9))
