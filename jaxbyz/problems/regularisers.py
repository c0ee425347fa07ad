"""Penalties on the coordinates of the model, r(x) = Σ_j ρ(x_j), with exact bounds of ρ''."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks


class Regulariser(NamedTuple):
    """A penalty, with ρ'' in [least, most] and ρ''(0) = most; both bounds are attained."""

    value: Callable[[jax.Array], jax.Array]  # x [d] -> [], 0 at 0
    slope: Callable[[jax.Array], jax.Array]  # x [d] -> [d]
    least: float
    most: float


def ridge(weight: float) -> Regulariser:
    """The penalty (λ/2) ‖x‖²: ρ'' = λ.

    Raises:
        ValueError: weight λ negative or not finite.

    >>> float(ridge(0.5).value(jnp.array([2.0, 0.0])))
    1.0
    """
    weight = float(checks.interval("weight", weight, 0, float("inf"), closed="left"))
    return Regulariser(lambda x: weight / 2 * jnp.sum(x * x), lambda x: weight * x, weight, weight)


def nonconvex(weight: float) -> Regulariser:
    """The penalty λ Σ_j x_j² / (1 + x_j²), bounded by λ d.

    ρ'(t) = 2 λ t / (1 + t²)²,  ρ''(t) = 2 λ (1 - 3 t²) / (1 + t²)³: 2 λ at 0, -λ/2 at ±1.
    Some codes write λ/2 in front: theirs is `nonconvex(weight / 2)`.

    Raises:
        ValueError: weight λ negative or not finite.

    >>> round(float(nonconvex(0.5).value(jnp.array([1.0, 0.0]))), 6)
    0.25
    """
    weight = float(checks.interval("weight", weight, 0, float("inf"), closed="left"))

    def unit(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        # x / √(1 + x²) and √(1 + x²); no square of a large x is formed.
        length = jnp.hypot(1.0, x)
        return x / length, length

    def value(x: jax.Array) -> jax.Array:
        sine, _ = unit(x)
        return weight * jnp.sum(sine * sine)

    def slope(x: jax.Array) -> jax.Array:
        sine, length = unit(x)
        return 2 * weight * sine / length / length / length

    return Regulariser(value, slope, -weight / 2, 2 * weight)
