"""Checks of hyper-parameters at construction: one line per argument, one wording everywhere.

Values that are traced (a sweep is a `vmap` over hyper-parameters) have no number yet and pass;
concrete values are checked.
"""

from __future__ import annotations

import operator
from typing import Any

import jax

__all__ = ["count", "interval", "is_traced"]


def is_traced(value: Any) -> bool:
    """Whether a value is known only inside a transformation.

    >>> is_traced(0.5)
    False
    """
    return isinstance(value, jax.core.Tracer)


def count(name: str, value: Any, minimum: int = 0, maximum: int | None = None) -> int:
    """An integer of any integer type (a bool is not one), from `minimum` to `maximum`.

    Raises:
        ValueError: naming the argument, its value and what is allowed.

    >>> count("f", 3)
    3
    >>> count("f", -1)
    Traceback (most recent call last):
    ValueError: f must be an integer >= 0, got -1
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum or (maximum is not None and number > maximum):
        allowed = f">= {minimum}" if maximum is None else f"in {minimum}..{maximum}"
        raise ValueError(f"{name} must be an integer {allowed}, got {value!r}")
    return number


def interval(
    name: str,
    value: Any,
    low: float,
    high: float,
    *,
    closed: str = "both",
) -> Any:
    """A real number (no bool, no text) in an interval.

    `closed` is "both", "left", "right" or "neither".

    Raises:
        ValueError: naming the argument, its value and the interval.

    >>> interval("momentum", 1.0, 0, 1, closed="left")
    Traceback (most recent call last):
    ValueError: momentum must lie in [0, 1), got 1.0
    """
    if is_traced(value):
        return value
    left, right = closed in ("both", "left"), closed in ("both", "right")
    allowed = f"{'[' if left else '('}{low}, {high}{']' if right else ')'}"
    try:
        if isinstance(value, bool | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number in {allowed}, got {value!r}") from None
    above = number >= low if left else number > low
    below = number <= high if right else number < high
    if not (above and below):
        raise ValueError(f"{name} must lie in {allowed}, got {value!r}")
    return value
