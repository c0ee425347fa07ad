"""Uniform random k-subsets of d coordinates, and k from a number or from the ratio k/d.

There are two ways to draw. Of short vectors, or where k/d is not small, d random numbers are drawn,
and the places of the k largest are kept. Of long ones, about k random places are drawn, and the
first k different ones are kept.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.random import threefry_2x32

from jaxbyz import checks
from jaxbyz.compressors.batch_aware import mapped, sees_its_batch
from jaxbyz.compressors.k_largest import (
    in_words,
    indices_in_words,
    indices_of,
    kth_largest,
    largest_keys,
)
from jaxbyz.core import Key
from jaxbyz.partitioned import undivided

# From this length on, and up to this share of it, drawing places was faster on CPU: 8 times at
# d = 2¹³, k/d = 0.01, and not at all at d = 10⁶, k/d = 0.2. `rosdhb` chooses between its servers at
# the same border: the one that works on drawn coordinates alone was there 1.4 to 2.4 times as fast
# as the other (same masks), and slower at k/d = 1/4.
LENGTH = 2**13
SHARE = 10  # k ≤ d/10
WORDS = 2**32  # how many words of 32 bits there are


def random_subset(key: Key, d: int, k: int) -> jax.Array:
    """A uniform k-subset of 0..d-1 in increasing order, [k].

    For d < 8192 or k > d/10 the places of the k largest of d random numbers of 64 bits: the numbers
    of 32 bits tie often enough at large d to favour low indices, so ties among these are decided
    by 32 bits more. Else the first k different of random places (`first_different`): O(k) random
    numbers, and d integers that are filled with one constant.

    >>> random_subset(jax.random.key(0), 10, 3).shape
    (3,)
    """
    drawn = _places if d >= LENGTH and SHARE * k <= d else _largest
    # On several devices each draws all of it: d numbers are few beside the n d of the server.
    return undivided(drawn(d, k))(jax.random.key_data(key))


def first_different(
    words: jax.Array, d: int, k: int, count: int = WORDS
) -> tuple[jax.Array, jax.Array]:
    """The first k different places that random words name: in increasing order [k]; enough? [].

    A word w names the place w mod d. The last `count` mod d words would favour low places, and name
    none. So every place is as likely as every other, in every word, and the law of the first k
    different ones is the same for all k-subsets. This holds also given that there are so many,
    because whether there are does not change if the places are permuted.

    Args:
        words: [N] unsigned integers, independent and uniform on 0..count-1.
        d: how many places there are, ≤ count.
        k: how many of them are wanted.
        count: how many words there are.

    >>> first_different(jnp.array([7, 2, 12, 9, 0], jnp.uint32), d=5, k=3)[0].tolist()
    [0, 2, 4]
    """
    size = words.shape[0]
    named = (words % jnp.uint32(d)).astype(jnp.int32)
    if count % d:
        named = jnp.where(words < jnp.uint32(count - count % d), named, d)
    turn = jnp.arange(size, dtype=jnp.int32)
    # Where every place is named first; what is out of range is not written, and read as -1.
    first = jnp.full(d, size, jnp.int32).at[named].min(turn, mode="drop")
    fresh = first.at[named].get(mode="fill", fill_value=-1) == turn
    subset = named[indices_of(fresh, k)]
    # In increasing order: few are sorted, many looked up in the words of all places.
    ordered = jnp.sort(subset) if 32 * k <= d else indices_in_words(in_words(subset, d), k)
    return ordered, fresh.sum() >= k


def _words_for(d: int, k: int) -> int:
    """A number of words among which k different places are missing about never: by 8 deviations."""
    useful = (WORDS - WORDS % d) / WORDS  # of a word, that it names a place
    needed = -d * math.log1p(-k / d) / useful
    variance = k * k / d + needed * (1 - useful)
    return math.ceil(needed + 8 * math.sqrt(variance) + 16)


@functools.cache
def _places(d: int, k: int) -> Callable[[jax.Array], jax.Array]:
    size = _words_for(d, k)

    def draw(keys: jax.Array) -> jax.Array:  # key data [..., 2] -> [..., k]
        return mapped(one, keys, keys.ndim - 1, d)

    def one(data: jax.Array) -> jax.Array:
        key = jax.random.wrap_key_data(data, impl="threefry2x32")

        def again(drawn: tuple[Key, jax.Array, jax.Array]) -> tuple[Key, jax.Array, jax.Array]:
            following, used = jax.random.split(drawn[0])
            words = threefry_2x32(jax.random.key_data(used), jnp.arange(size, dtype=jnp.uint32))
            return following, *first_different(words, d, k)

        start = key, jnp.zeros(k, jnp.int32), jnp.array(False)
        return jax.lax.while_loop(lambda drawn: ~drawn[2], again, start)[1]

    return sees_its_batch(draw)


@functools.cache
def _largest(d: int, k: int) -> Callable[[jax.Array], jax.Array]:
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
