"""Checks of arguments: each names the argument, the value it got and the values allowed."""

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray


def integer(name: str, value: object, low: int, high: int | None = None) -> int:
    """Returns `value` as an int in low..high; a bool is not an integer, a NumPy integer is."""
    allowed = f"an integer >= {low}" if high is None else f"an integer in {low}..{high}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be {allowed}, got {value}")
    return int(value)


def number(name: str, value: object, allowed: str = "a finite number") -> float:
    """Returns `value` as a finite float; `allowed` describes the range the caller accepts."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def positive(name: str, value: object) -> float:
    """Returns `value` as a finite float above 0."""
    allowed = "a finite number > 0"
    result = number(name, value, allowed)
    if result <= 0:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return result


def unit(name: str, value: object) -> float:
    """Returns `value` as a float in [0, 1]."""
    allowed = "a number in [0, 1]"
    result = number(name, value, allowed)
    if not 0 <= result <= 1:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return result


def label_vector(name: str, value: ArrayLike) -> NDArray[np.integer]:
    """Returns `value` as a non-empty integer array [N]."""
    array = np.asarray(value)
    if array.ndim != 1:
        raise ValueError(f"{name} must have rank 1, [N], got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one label, got none")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be integers, got dtype {array.dtype}")
    return array


def label_range(name: str, labels: NDArray[np.integer], classes: int) -> None:
    """Raises ValueError if one of `labels` [N] lies outside 0..classes-1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        value, where = labels[wrong[0]], wrong[0]
        raise ValueError(f"{name}: expected labels in 0..{classes - 1}, got {value} at {where}")
