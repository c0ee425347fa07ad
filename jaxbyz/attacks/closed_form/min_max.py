"""Min-max and min-sum: as far out as distances between honest vectors allow, in closed form.

Shejwalkar, Houmansadr, "Manipulating the Byzantine", NDSS 2021. v = μ - γ p with a direction p
(`honest_deviation`, `mean_sign`, `mean_unit`, or any function of the honest vectors) and the
largest γ that a distance-based rule should not notice. The public codes halve their way to a γ
below a fixed cap; the solution is a formula (derived here).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz.attacks.base import forged
from jaxbyz.attacks.directions import divide_or_zero, honest_deviation, honest_mean
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack

Direction = Callable[[jax.Array], jax.Array]


def min_max_factor(honest: jax.Array, p: jax.Array) -> jax.Array:
    """The largest γ with max_i ‖μ - γp - x_i‖ ≤ D = max_{i,j} ‖x_i - x_j‖, [] (0 where p is 0).

    γ = min_i [a_i + √(a_i² + ‖p‖² (D² - ‖μ-x_i‖²))] / ‖p‖²,  a_i = ⟨p, μ-x_i⟩.

    >>> min_max_factor(jnp.array([[-1.0], [1.0]]), jnp.ones(1)).item()
    1.0
    """
    apart = honest_mean(honest) - honest  # [h, d]
    diameter = jax.lax.map(lambda x: ((honest - x) ** 2).sum(axis=1).max(), honest).max()  # D²
    along = apart @ p  # [h] a_i
    square = p @ p
    room = jnp.maximum(diameter - (apart**2).sum(axis=1), 0)  # ≥ 0 but for rounding
    return divide_or_zero((along + jnp.sqrt(along**2 + square * room)).min(), square)


@part
def min_max(direction: Direction = honest_deviation) -> Attack:
    """v = μ - γ p, no farther from any honest vector than these are from each other.

    Raises:
        ValueError: what `direction` raises at trace time.

    >>> min_max().name
    'min-max'
    """

    def vector(honest: jax.Array) -> jax.Array:
        p = direction(honest)
        return honest_mean(honest) - min_max_factor(honest, p) * p

    return forged("min-max", vector)


def min_sum_factor(
    honest: jax.Array, p: jax.Array, bound: Callable[[jax.Array], jax.Array] = jnp.max
) -> jax.Array:
    """The largest γ with Σ_i ‖μ - γp - x_i‖² ≤ bound_i Σ_j ‖x_i - x_j‖², [] (0 where p is 0).

    Both sides hold Σ_j ‖x_j - μ‖² and cross terms vanish, so γ = √(bound_i ‖x_i - μ‖²)/‖p‖.

    >>> min_sum_factor(jnp.array([[-3.0], [1.0], [2.0]]), jnp.ones(1)).item()
    3.0
    """
    squares = ((honest - honest_mean(honest)) ** 2).sum(axis=1)  # [h]
    return divide_or_zero(jnp.sqrt(bound(squares)), jnp.linalg.norm(p))


@part
def min_sum(
    direction: Direction = honest_deviation, bound: Callable[[jax.Array], jax.Array] = jnp.max
) -> Attack:
    """v = μ - γ p, with squared distances to honest vectors of no larger sum than theirs.

    Args:
        direction: p, a function of the honest vectors [h, d] -> [d].
        bound: which honest sum to stay below: `jnp.max` (the paper) or `jnp.min` (public codes).

    Raises:
        ValueError: what `direction` raises at trace time.

    >>> min_sum(bound=jnp.min).name
    'min-sum'
    """

    def vector(honest: jax.Array) -> jax.Array:
        p = direction(honest)
        return honest_mean(honest) - min_sum_factor(honest, p, bound) * p

    return forged("min-sum", vector)
