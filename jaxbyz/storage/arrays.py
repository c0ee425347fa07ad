"""Named arrays in one .npz file with a digest, written completely or not at all."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

DIGEST, TYPES = "digest", "types"  # entries that are ours
COLUMN = "column/"  # how the names of stored columns begin


class Damaged(ValueError):
    """A file whose content is not what was written."""


def digest_of(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, shapes, types and bytes of arrays.

    >>> digest_of({"a": np.zeros(2)}) == digest_of({"a": np.zeros((2, 1))})
    False
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name!r} {array.shape} {array.dtype} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_whole(path: Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Let `fill` write a new file beside the old one, and rename it when it is complete.

    If the path is a link, the file that it points at is replaced, and the link stays.

    Raises:
        ValueError: the path is a folder, a device or a pipe, or lies where nothing can be written.
    """
    # A name of its own: another process may write the same file.
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a folder: give the name of a file in it")
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is no ordinary file: a new one would take its place")
        target.parent.mkdir(parents=True, exist_ok=True)
        opened = partial.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"{path} cannot be written: {error.filename} is not a folder") from None
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written: {error.strerror} ({error.filename})"
        ) from error
    try:
        with opened as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def write(path: Path, arrays: Mapping[str, np.ndarray], compressed: bool = False) -> Path:
    """Write arrays and their digest to one .npz file, whole or not at all.

    Raises:
        ValueError: as `write_whole`; an array of objects.
    """
    plain = {name: np.asarray(values) for name, values in arrays.items()}
    objects = [name for name, values in plain.items() if values.dtype.kind == "O"]
    if objects:
        raise ValueError(f"only numbers and text can be written, got objects in {objects}")
    stored = dict(plain)
    types = {}
    for name, values in plain.items():
        if values.dtype.kind == "V":  # bfloat16 and its like, of which .npz files know nothing
            types[name] = values.dtype.name
            stored[name] = values.view(f"u{values.dtype.itemsize}")
    if types:
        stored[TYPES] = np.array(json.dumps(types))
    stored[DIGEST] = np.array(digest_of(plain))
    save = np.savez_compressed if compressed else np.savez
    return write_whole(path, lambda file: save(file, allow_pickle=False, **stored))


def read(path: Path, what: str) -> dict[str, np.ndarray]:
    """The arrays that `write` wrote (or numpy, without a digest).

    Args:
        path: of the file.
        what: the kind of file, for error messages.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no file, or may not be read.
        Damaged: (a `ValueError`) it is damaged, or no .npz file of plain arrays.
    """
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a folder, not {what}")
        if path.exists() and not path.is_file():  # reading from a pipe waits for a writer
            raise ValueError(f"{path} is no ordinary file, not {what}")
        opened = path.open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    with opened as file:
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            types = json.loads(str(arrays.pop(TYPES, "{}")))
            for name, kind in types.items():
                arrays[name] = arrays[name].view(kind)
        except Exception as error:  # numpy, zipfile, zlib and json have a dozen kinds
            reason = f"{type(error).__name__}: {error}"
            raise Damaged(f"{path} is not {what}, or damaged ({reason})") from error
    digest = arrays.pop(DIGEST, None)
    if digest is not None and str(digest) != digest_of(arrays):
        raise Damaged(f"{path} is damaged: its contents do not have the digest stored with them")
    return arrays


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder, so that it is not read again, and return the new name."""
    aside, count = path.with_name(f"{path.name}.damaged"), 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.damaged-{count}")
    path.rename(aside)
    return aside


def from_columns(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns under names that no other stored array has; `to_columns` finds them again.

    >>> to_columns(from_columns({"loss": np.zeros(2)}) | {"rounds": np.arange(2)})
    {'loss': array([0., 0.])}
    """
    return {f"{COLUMN}{name}": values for name, values in columns.items()}


def to_columns(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns among stored arrays."""
    return {
        name.removeprefix(COLUMN): values
        for name, values in stored.items()
        if name.startswith(COLUMN)
    }
