"""Seeds of runs, and the random keys that are made from them."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxbyz import checks


def seed_list(
    seeds: int | Sequence[int] | np.ndarray | jax.Array, name: str = "seeds"
) -> list[int]:
    """The list of seeds: 0, …, m-1 for a number m; a given list as it is.

    Raises:
        ValueError: no seeds, one twice, or one that is not in 0..2**32-1.

    >>> seed_list(3), seed_list([7, 5])
    ([0, 1, 2], [7, 5])
    """
    if isinstance(seeds, Sequence) or (isinstance(seeds, np.ndarray | jax.Array) and seeds.ndim):
        chosen = [checks.count(f"each of {name}", seed) for seed in seeds]
    else:
        chosen = list(range(checks.count(name, seeds, minimum=1)))
    if not chosen or len(set(chosen)) < len(chosen) or max(chosen) >= 2**32:
        raise ValueError(f"{name} must be distinct numbers in 0..2**32-1, got {seeds!r}")
    return chosen


def is_key(leaf: Any) -> bool:
    """Whether an array, or a number, holds random keys; these are no numbers to compute with.

    >>> is_key(jax.random.key(0)), is_key(np.zeros(2)), is_key(1.0)
    (True, False, False)
    """
    dtype = leaf.dtype if hasattr(leaf, "dtype") else jax.typeof(leaf).dtype
    return bool(jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key))


def streams(seeds: Sequence[int]) -> list[jax.Array]:
    """One stream of keys per seed and purpose: initial model, round 0, rounds; each [S]."""
    return list(_streams(np.asarray(seeds, np.uint32)))


@jax.jit
def _streams(seeds: jax.Array) -> jax.Array:
    def of_one(seed: jax.Array) -> jax.Array:
        return jax.random.split(jax.random.key(seed, impl="threefry2x32"), 3)

    return jax.vmap(of_one, out_axes=1)(seeds)
