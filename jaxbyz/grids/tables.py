"""The file of a grid: its sections, and errors that name the place in it."""

import contextlib
import difflib
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxbyz import checks
from jaxbyz.storage.paths import expanded

MARK = " #"  # between the label of a method and the digest of its section, in stored runs
SECTIONS = ("problem", "methods", "rules", "attacks", "race")
LARGEST = 2**20  # bytes of a file that somebody has written


class GridError(ValueError):
    """A mistake in the file of a grid; one sentence that names its place."""


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The sections of a file.

    Raises:
        GridError: no such file; no TOML; a section that is missing, unknown or of another kind.
    """
    try:
        file = expanded("grid", path)
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise GridError(f"{Path(path)} cannot be read: {reason}") from error
    if len(content) > LARGEST:
        raise GridError(f"{file} must have at most {LARGEST} bytes")
    try:
        found = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GridError(f"{file} is no TOML: {error}") from error
    known("", found, SECTIONS, "sections")
    for section in SECTIONS:
        table = found.get(section)
        if not isinstance(table, dict) or not table:
            raise GridError(f"[{section}] must be a section with entries, got {_said(table)}")
    for section in ("methods", "rules", "attacks"):
        for label, table in found[section].items():
            if not isinstance(table, dict):
                raise GridError(
                    f"[{section}] must have sections [{section}.LABEL], got {label} = "
                    f"{_said(table)}: write [{section}.{label}] and below it name = ..."
                )
    return found


def known(where: str, names: Collection[str], allowed: Collection[str], what: str) -> None:
    """Raise unless all names are allowed; the error has the nearest of those.

    >>> known("[race]", ["round"], ["rounds", "seeds"], "entries")
    Traceback (most recent call last):
    jaxbyz.grids.tables.GridError: [race] has no 'round': did you mean 'rounds'? Its entries are \
rounds, seeds
    """
    for name in names:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), list(allowed), 1)
            hint = f": did you mean {near[0]!r}?" if near else "."
            place = where or "the file"
            raise GridError(f"{place} has no {name!r}{hint} Its {what} are {', '.join(allowed)}")


@contextlib.contextmanager
def at(where: str) -> Iterator[None]:
    """Errors of what is made here name the place in the file."""
    try:
        yield
    except GridError:
        raise
    except (ValueError, TypeError, FileNotFoundError, ImportError) as error:
        plain = isinstance(error, ValueError)
        said = " ".join(str(error).split()) if plain else checks.first_line(error)
        said = re.sub(rf"{MARK}[0-9a-f]{{8}}", "", said)
        raise GridError(f"{where}: {said}") from error


def label_of(section: str, label: str) -> str:
    """How the header of a section is written.

    >>> label_of("rules", "median"), label_of("rules", "my rule")
    ('[rules.median]', '[rules."my rule"]')
    """
    plain = label.replace("-", "").replace("_", "")
    return (
        f"[{section}.{label}]" if plain.isalnum() and label.isascii() else f'[{section}."{label}"]'
    )


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    return "an empty one" if isinstance(value, Mapping) and not value else repr(value)
