"""Attacks that treat some coordinates differently from others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.base import forged
from jaxbyz.attacks.directions import honest_deviation, honest_mean
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack

INFINITY = float("inf")


@part
def one_coordinate(index: int, strength: Any) -> Attack:
    """v = μ + t e_j: all the harm in one coordinate, against rules that judge whole vectors.

    Raises:
        ValueError: index negative or not an integer, strength not finite; at trace time index ≥ d.

    >>> one_coordinate(0, 10.0).name
    'one coordinate'
    """
    index = checks.count("index", index)
    checks.interval("strength", strength, -INFINITY, INFINITY, closed="neither")

    def vector(honest: jax.Array) -> jax.Array:
        d = honest.shape[1]
        if index >= d:
            raise ValueError(f"index must be one of the d = {d} coordinates, got {index}")
        return honest_mean(honest).at[index].add(strength)

    return forged("one coordinate", vector)


def most_varied(honest: jax.Array, fraction: float, among: jax.Array | None = None) -> jax.Array:
    """The ⌈fraction · m⌉ coordinates of largest honest variance, [d] bool (ties: lowest index).

    Args:
        honest: rows [h, d].
        fraction: in (0, 1].
        among: [d] bool, the m coordinates to choose from; None: all.

    >>> most_varied(jnp.array([[0.0, 1.0, 2.0], [0.0, 3.0, 9.0]]), 0.5).tolist()
    [False, True, True]
    """
    among = jnp.ones(honest.shape[1], bool) if among is None else among
    spread = jnp.where(among, honest_deviation(honest, ddof=0), -1)
    rank = jnp.argsort(jnp.argsort(-spread))  # [d], 0 for the largest
    # The guard is for products such as 0.07 · 100, which is 7.000…1 in floating point.
    count = jnp.ceil(fraction * among.sum() * (1 - 1e-6))
    return among & (rank < count)


@part
def sparse(mask: Callable[[jax.Array], jax.Array], big: Any, z: Any) -> Attack:
    """v = μ - σ ∘ (big on the mask, z off it).

    After Özfatura, Özfatura, Küpçü, Gündüz (2022 and later): large where the mask allows, small
    enough elsewhere to pass as one of the honest vectors.

    Args:
        mask: honest vectors [h, d] -> [d] bool, e.g. `lambda honest: most_varied(honest, 0.1)`.
        big: number of standard deviations on the mask.
        z: number of standard deviations off the mask.

    Raises:
        ValueError: big or z not finite.

    >>> sparse(lambda honest: most_varied(honest, 0.1), big=10.0, z=0.3).name
    'sparse'
    """
    checks.interval("big", big, -INFINITY, INFINITY, closed="neither")
    checks.interval("z", z, -INFINITY, INFINITY, closed="neither")

    def vector(honest: jax.Array) -> jax.Array:
        return honest_mean(honest) - honest_deviation(honest) * jnp.where(mask(honest), big, z)

    return forged("sparse", vector)
