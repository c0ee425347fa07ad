"""Whose line a warning points at."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

__all__ = ["warn"]

HERE = str(Path(__file__).parent)


def warn(message: str) -> None:
    """Warn, and point at the line outside this library that called it.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("something was left out")
    >>> str(caught[0].message), "jaxbyz/callers.py" in caught[0].filename
    ('something was left out', False)
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
