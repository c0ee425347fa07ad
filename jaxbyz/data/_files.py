"""Where data sets lie on disk, and what to say when they do not."""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

Root = str | os.PathLike[str] | None

VARIABLE = "JAXBYZ_DATA"

_UNPACK: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    ".gz": ("gzip", gzip.decompress),
    ".bz2": ("bzip2", bz2.decompress),
    ".xz": ("xz", lzma.decompress),
}


class Place(NamedTuple):
    """A folder, and for each file wanted there the names it may have, best first."""

    folder: Path
    names: Sequence[Sequence[str]]


def data_root(root: Root) -> Path:
    """Returns `root`, else the environment variable JAXBYZ_DATA, else ./data."""
    if root is None:
        root = os.environ.get(VARIABLE) or "data"
    return Path(root).expanduser()


def locate(title: str, places: Sequence[Place], source: str) -> tuple[int, list[Path]]:
    """Returns the first place that holds all its files: its position, and one path per file.

    Files are never mixed from two folders, since equal names there may be different data sets.

    Raises:
        FileNotFoundError: no place is complete; lists the folders, what each lacks, the names
            expected, and `source`, where to get the data set.
    """
    lacks = []
    for position, place in enumerate(places):
        found = [_first(place.folder, names) for names in place.names]
        if all(found):
            return position, [path for path in found if path is not None]
        missing = [names[0] for names, path in zip(place.names, found, strict=True) if not path]
        state = f"lacks {', '.join(missing)}" if place.folder.is_dir() else "no such folder"
        lacks.append(f"  {place.folder.absolute()}: {state}")
    expected = dict.fromkeys(
        "  " + ", ".join(" or ".join(names) for names in place.names) for place in places
    )
    raise FileNotFoundError(
        "\n".join(
            [
                f"{title} was not found. Folders tried:",
                *lacks,
                "Files expected, together in one of them:",
                *expected,
                f"Nothing is downloaded; get it from {source}, and pass the folder as root "
                f"or name it in the environment variable {VARIABLE}.",
            ]
        )
    )


def read_content(path: Path) -> bytes:
    """Returns the bytes of a file, unpacked where its ending is .gz, .bz2 or .xz.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: what is packed is damaged or cut off.
    """
    content = path.read_bytes()
    if path.suffix not in _UNPACK:
        return content
    kind, unpack = _UNPACK[path.suffix]
    try:
        return unpack(content)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"{path}: expected a whole {kind} file, found: {error}") from error


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)
