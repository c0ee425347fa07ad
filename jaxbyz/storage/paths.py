"""Paths that users give."""

import errno
import os
from pathlib import Path
from typing import Any

LONGEST = 255  # bytes of one name in the usual file systems


def possible(name: str, path: Path) -> Path:
    """A path that a file system can hold.

    Raises:
        ValueError: a zero byte, half of a surrogate pair, or a name that is too long is in it.

    >>> possible("folder", Path("a" * 256))
    Traceback (most recent call last):
    ValueError: folder must be a path of names of at most 255 bytes, got one of 256
    """
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ValueError(
            f"{name} must be a path without zero bytes and half characters, got {str(path)[:60]!r}"
        )
    longest = max(len(os.fsencode(part)) for part in (*path.parts, ""))
    if longest > LONGEST:
        raise ValueError(
            f"{name} must be a path of names of at most {LONGEST} bytes, got one of {longest}"
        )
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError(
                f"{name} must be a shorter path, got one of {len(encoded)} bytes"
            ) from error
    return path


def expanded(name: str, path: str | os.PathLike[str] | Any) -> Path:
    """A path with `~` replaced by the home folder.

    Raises:
        ValueError: it is no path, one that no file system can hold, or names a home that does not
            exist.

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
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{name} = {str(path)!r}: {error}") from None
    return possible(name, path)


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
