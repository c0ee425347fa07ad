"""Whose line a warning points at."""

from __future__ import annotations

import sys
import types
import warnings

__all__ = ["warn"]

# Whose frames lie between a user's line and what is said deep in the library.
LIBRARIES = ("jaxbyz", "jax", "contextlib", "functools", "concurrent", "threading")


def warn(message: str) -> None:
    """Warn, and point at the line outside this library that called it, also while it is traced.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("something was left out")
    >>> str(caught[0].message), "jaxbyz/callers.py" in caught[0].filename
    ('something was left out', False)
    """
    frame: types.FrameType | None = sys._getframe(1)
    level = 2  # of the frame, as `warnings` counts
    while frame is not None and _of_library(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=2 if frame is None else level)


def _of_library(frame: types.FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] in LIBRARIES
