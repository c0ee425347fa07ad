"""The IDX format of MNIST: arrays of unsigned bytes."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaxbyz.data._reading import is_packed, length, take, unpacked
from jaxbyz.storage.paths import expanded

_LARGEST = 2**31  # bytes that a compressed file may unpack to

Shape = tuple[int, ...]


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """Reads one IDX file of unsigned bytes, plain or (by the ending .gz, .bz2, .xz) compressed.

    Format: two zero bytes, the type 0x08, the rank r, then r sizes as big-endian 32-bit numbers,
    then the entries, last axis fastest. The array has these sizes and is read-only. Memory is
    bounded by the bytes that are there and by those that the header states.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not IDX, another type of entries, too short, bytes left over, or a compressed
            file that states more than 2 GiB.

    Source: the description of the format on the home page of MNIST (LeCun, Cortes, Burges).

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "three-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1] + [0, 0, 0, 3] + [7, 8, 9]))
    ...     read_idx(path)
    array([7, 8, 9], dtype=uint8)
    """
    return read(expanded("path", path), lambda shape: None)


def read(path: Path, accept: Callable[[Shape], None]) -> NDArray[np.uint8]:
    """As `read_idx`; `accept` raises ValueError for wrong sizes, before the entries are read."""
    with unpacked(path) as stream:
        head = bytes(take(stream, 4))
        if len(head) < 4 or head[:3] != b"\x00\x00\x08" or not 1 <= head[3] <= 32:
            raise ValueError(
                f"{path}: expected an IDX file of unsigned bytes, which starts with the bytes "
                f"00 00 08 and a rank in 1..32, found {head.hex(' ') or 'an empty file'}"
            )
        sizes = take(stream, 4 * head[3])
        start = 4 + 4 * head[3]
        if len(sizes) < 4 * head[3]:
            raise ValueError(f"{path}: expected a header of {start} bytes, found {4 + len(sizes)}")
        shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
        accept(shape)
        count = math.prod(shape)
        if is_packed(path) and count > _LARGEST:
            raise ValueError(
                f"{path}: expected at most {_LARGEST} entries in a compressed file, found {start} "
                f"bytes of header that state {_shown(count)}, sizes {list(shape)}; unpack it first"
            )
        content = take(stream, count + 1)
        if len(content) != count:
            found = length(path, start + len(content), over=len(content) > count)
            raise ValueError(
                f"{path}: expected {_shown(start + count)} bytes (header, and entries of sizes "
                f"{list(shape)}), found {found}"
            )
    try:
        return np.frombuffer(bytes(content), np.uint8).reshape(shape)
    except ValueError as error:  # no entries, and sizes beyond what an array may have
        raise ValueError(f"{path}: expected sizes of an array, found {shape}: {error}") from None


def _shown(count: int) -> str:
    return str(count) if count < 2**63 else "2^63 or more"
