"""Where data sets lie on disk, and what to say when they do not."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxbyz.data._reading import ENDS
from jaxbyz.storage.paths import possible

Root = str | os.PathLike[str] | None

VARIABLE = "JAXBYZ_DATA"

_ARCHIVES = (".zip", ".7z", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


class Place(NamedTuple):
    """A folder, and for each file wanted there the names it may have unpacked, best first."""

    folder: Path
    names: Sequence[Sequence[str]]


def data_root(root: Root) -> Path:
    """Returns `root`, else the environment variable JAXBYZ_DATA, else ./data; `~` is home.

    Raises:
        ValueError: root is neither a path nor None, one that no file system can hold, names
            nobody's home, or is a file.
    """
    name = "root"
    if root is None:
        name = VARIABLE if os.environ.get(VARIABLE) else name
        root = os.environ.get(VARIABLE) or "data"
    try:
        path = Path(root).expanduser()
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"{name} must be the path of a folder, got {root!r}: {error}") from None
    possible(name, path)
    if path.is_file():
        raise ValueError(f"{name} must be a folder that holds the files, got the file {path}")
    return path


def under(root: Path, *steps: str) -> Path:
    """Returns root/steps..., each folder as it is spelled there: `FashionMNIST`, `fashion-mnist`.

    Upper and lower case and what is neither letter nor digit make no difference; an exact name
    comes first.
    """
    for step in steps:
        exact = root / step
        others = () if exact.is_dir() else _listing(root)
        root = next(
            (
                root / name
                for name in others
                if _bare(name) == _bare(step) and (root / name).is_dir()
            ),
            exact,
        )
    return root


def with_unpacked(folder: Path, *names: str) -> list[Path]:
    """Returns `folder`, and those of the folders `names` in it that exist, from archives."""
    inside = [under(folder, name) for name in names]
    return [folder, *(path for path in inside if path.is_dir())]


def locate(title: str, places: Sequence[Place], source: str, call: str) -> tuple[int, list[Path]]:
    """Returns the first place that holds all its files: its position, and one path per file.

    A file may be compressed, spelled in upper or lower case, and lie in a folder of its own name.
    Files are never mixed from two folders, since equal names there may be different data sets.

    Raises:
        FileNotFoundError: no place is complete; lists the folders, what each lacks, the names
            expected, `source`, where to get the data set, and `call`, which then reads it.
    """
    lacks = []
    archives: list[str] = []
    for position, place in enumerate(places):
        found = [_first(place.folder, names) for names in place.names]
        if all(found):
            return position, [path for path in found if path is not None]
        missing = [names[0] for names, path in zip(place.names, found, strict=True) if not path]
        state = f"lacks {', '.join(missing)}" if place.folder.is_dir() else "no such folder"
        lacks.append(f"  {place.folder.absolute()}: {state}")
        archives += [
            f"  {place.folder.absolute() / name}"
            for name in _listing(place.folder)
            if name.lower().endswith(_ARCHIVES)
        ]
    expected = dict.fromkeys(
        "  " + ", ".join(" or ".join(_packed(names)) for names in place.names) for place in places
    )
    raise FileNotFoundError(
        "\n".join(
            [
                f"{title} was not found. Folders tried:",
                *dict.fromkeys(lacks),
                *(["Archives there, to be unpacked first:"] if archives else []),
                *dict.fromkeys(archives),
                "Files expected, together in one of them, in upper or lower case:",
                *expected,
                f"Nothing is downloaded; get it from {source}, and pass the folder as root "
                f"or name it in the environment variable {VARIABLE}. With the files in place "
                "(import jaxbyz as jb):",
                f"  {call}",
            ]
        )
    )


def _packed(names: Iterable[str]) -> list[str]:
    return [name + end for end in ENDS for name in names]


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    if not folder.is_dir():
        return None
    there = _listing(folder)
    spellings: dict[str, list[str]] = {}
    for entry in there:
        spellings.setdefault(entry.lower(), []).append(entry)
    for name in _packed(names):
        for entry in sorted(spellings.get(name.lower(), []), key=lambda entry: entry != name):
            path = folder / entry
            if path.is_file():
                return path
            inside = [path / name for name in _listing(path)]  # as Kaggle unpacks its archives
            for file in inside:
                if file.name.lower() in map(str.lower, _packed(names)) and file.is_file():
                    return file
    return None


def _listing(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:  # absent, no folder, or closed to us: nothing to be found there
        return []


def _bare(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
