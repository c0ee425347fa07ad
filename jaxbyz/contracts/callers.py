"""Warnings that point at the line of the user's code that called the library."""

import contextlib
import sys
import types
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

# Whose frames lie between a user's line and what is said deep in the library.
LIBRARIES = ("jaxbyz", "jax", "contextlib", "functools", "concurrent", "threading")


_kept: ContextVar[list[str] | None] = ContextVar("kept", default=None)


@contextlib.contextmanager
def keeping(kept: list[str]) -> Iterator[None]:
    """Collect the warnings of this thread, and raise each of them once, at the caller's line.

    >>> kept = []
    >>> with keeping(kept):
    ...     warn("something was left out")
    >>> kept
    ['something was left out']
    """
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)


def warn(message: str) -> None:
    """Warn, and point at the line outside this library that called it, also while it is traced.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("something was left out")
    >>> str(caught[0].message), "jaxbyz/contracts/callers.py" in caught[0].filename
    ('something was left out', False)
    """
    kept = _kept.get()
    if kept is not None:
        kept.append(message)
        return
    frame: types.FrameType | None = sys._getframe(1)
    level = 2  # of the frame, as `warnings` counts
    while frame is not None and _of_library(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=2 if frame is None else level)


def _of_library(frame: types.FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] in LIBRARIES
