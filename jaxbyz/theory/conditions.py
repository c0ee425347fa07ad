"""Margins of hypotheses: numbers that are ≥ 0 where a condition holds, relative to its terms."""

from typing import Any

import jax
import jax.numpy as jnp

LEAST = 1e-300  # added to denominators, which may be 0; far below every number that occurs
# Of equalities, beside the largest of their terms: some hundred operations on float64 numbers, of
# which the results may be a thousandth part of what was added.
ROUNDING = 1e-9


def positive(number: Any) -> jax.Array:
    """A margin of number > 0: 1 where it holds, else -1 (the number has no scale of its own).

    >>> positive(1e-30).item(), positive(0.0).item()
    (1.0, -1.0)
    """
    return jnp.where(jnp.asarray(number) > 0, 1.0, -1.0)


def at_most(measured: Any, allowed: Any) -> jax.Array:
    """The relative margin of measured ≤ allowed, []: at most 1 for numbers ≥ 0, and 0 for 0 ≤ 0.

    >>> with jax.enable_x64(True):
    ...     at_most(1.0, 2.0).item(), at_most(0.0, 0.0).item(), at_most(2.0, 1.0).item()
    (0.5, 0.0, -0.5)
    """
    measured, allowed = jnp.asarray(measured), jnp.asarray(allowed)
    return (allowed - measured) / (jnp.maximum(jnp.abs(allowed), jnp.abs(measured)) + LEAST)


def vanishes(number: Any, terms: Any) -> jax.Array:
    """A margin of number = 0, arrays too: `ROUNDING` less its size relative to its terms.

    >>> with jax.enable_x64(True):
    ...     vanishes(0.0, 0.0).item() > 0, vanishes(jnp.array([0.0, 1.0]), 2.0).item() < 0
    (True, True)
    """
    size = jnp.abs(jnp.asarray(terms)).max()
    return ROUNDING - jnp.abs(jnp.asarray(number)).max() / (size + LEAST)


def in_unit_interval(number: Any) -> jax.Array:
    """A margin of 0 < number ≤ 1.

    >>> in_unit_interval(0.75).item(), in_unit_interval(0.0).item(), in_unit_interval(1.5).item()
    (0.25, -1.0, -0.5)
    """
    return jnp.minimum(positive(number), 1 - jnp.asarray(number))
