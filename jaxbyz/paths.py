"""Paths that users give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["expanded", "made"]


def expanded(name: str, path: str | os.PathLike[str] | Any) -> Path:
    """A path with `~` replaced by the home folder.

    Raises:
        ValueError: it is no path, or names a home that does not exist.

    >>> expanded("folder", "~/runs") == Path.home() / "runs"
    True
    >>> expanded("folder", "")
    Traceback (most recent call last):
    ValueError: folder must be a path (text or pathlib.Path), got ''
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not text or not isinstance(text, str):
        raise ValueError(f"{name} must be a path (text or pathlib.Path), got {path!r}")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{name} = {str(path)!r}: {error}") from None


def made(name: str, path: str | os.PathLike[str] | Any) -> Path:
    """A folder, absolute, which is made if it is not there.

    Raises:
        ValueError: it cannot be made.
    """
    folder = expanded(name, path).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{name} must be a folder, and {folder} cannot be made: {error.strerror} "
            f"({error.filename})"
        ) from error
    return folder
