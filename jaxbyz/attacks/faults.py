"""Faults rather than strategies: noise, and numbers that no server should swallow."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.base import forged, from_view, own
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View

INFINITY = float("inf")


@part
def gaussian(mean: Any = 0.0, scale: Any = 1.0) -> Attack:
    """v_j ~ N(mean, scale²) in every coordinate, independent over rows and rounds.

    Raises:
        ValueError: mean not finite, scale not a finite number ≥ 0.

    >>> gaussian(scale=200.0).name
    'Gaussian'
    """
    checks.interval("mean", mean, -INFINITY, INFINITY, closed="neither")
    checks.interval("scale", scale, 0, INFINITY, closed="left")
    return from_view("Gaussian", lambda key, view: mean + scale * _normal(key, view))


@part
def noise(scale: Any) -> Attack:
    """v_j = (what worker j would honestly say) + N(0, scale²), independent over rows and rounds.

    Byzantine workers compute, on a copy of an honest worker's data.

    Raises:
        ValueError: scale not a finite number > 0.

    >>> noise(0.1).name
    'noise'
    """
    checks.interval("scale", scale, 0, INFINITY, closed="neither")

    def rows(key: Key, view: View) -> jax.Array:
        return own(view) + scale * _normal(key, view)

    return from_view("noise", rows, poison=lambda data: data)


@part
def huge(value: Any) -> Attack:
    """Every number is `value`: one that a float holds, but perhaps not its square.

    Raises:
        ValueError: value not finite.

    >>> huge(-1e30).name
    'huge'
    """
    checks.interval("value", value, -INFINITY, INFINITY, closed="neither")
    return _constant("huge", value)


@part
def infinite() -> Attack:
    """Every number is +∞.

    >>> infinite().name
    'infinite'
    """
    return _constant("infinite", INFINITY)


@part
def not_a_number() -> Attack:
    """Every number is NaN.

    >>> not_a_number().name
    'not a number'
    """
    return _constant("not a number", float("nan"))


def _constant(name: str, value: Any) -> Attack:
    return forged(name, lambda honest: jnp.full(honest.shape[1], value, honest.dtype))


def _normal(key: Key, view: View) -> jax.Array:
    """Standard normal numbers, [f, d]."""
    return jax.random.normal(key, (view.byzantine, view.honest.shape[1]), view.honest.dtype)
