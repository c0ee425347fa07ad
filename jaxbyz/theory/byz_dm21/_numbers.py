"""Smallest and largest of numbers, of which some may be arrays."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def least(*values: Any) -> Any:
    """The smallest; a plain number if all are.

    >>> least(3, 1.0, 2)
    1.0
    """
    if any(isinstance(value, jax.Array) for value in values):
        return functools.reduce(jnp.minimum, values)
    if any(isinstance(value, np.ndarray) for value in values):
        return functools.reduce(np.minimum, values)
    return min(values)


def largest(*values: Any) -> Any:
    """The largest; a plain number if all are.

    >>> largest(3, 1.0, 2)
    3
    """
    if any(isinstance(value, jax.Array) for value in values):
        return functools.reduce(jnp.maximum, values)
    if any(isinstance(value, np.ndarray) for value in values):
        return functools.reduce(np.maximum, values)
    return max(values)
