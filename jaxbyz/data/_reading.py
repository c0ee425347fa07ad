"""Reading files in bounded memory, plain or compressed: what a file claims is never believed.

A compressed file may unpack to a thousand times its size or more, so nothing is unpacked as a
whole: a reader says how many bytes it wants, or takes one line after another.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

_CHUNK = 2**20
_LINE = 2**25  # bytes of one line of text
_IDLE = 10**6  # lines in a row without any content
_GROWTH, _SLACK = 100, 2**24  # compressed text may unpack to 100 times its size, or 16 MiB more


class _Packing(NamedTuple):
    kind: str
    open: Callable[[Path], object]


_PACKINGS = {
    ".gz": _Packing("gzip", gzip.GzipFile),
    ".bz2": _Packing("bzip2", bz2.BZ2File),
    ".xz": _Packing("xz", lzma.LZMAFile),
}
ENDS = ("", *_PACKINGS)

_MARKS = {  # the longer first: UTF-16's mark begins UTF-32's
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}


def is_packed(path: Path) -> bool:
    """Whether the ending says that a file is compressed; upper or lower case."""
    return path.suffix.lower() in _PACKINGS


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for reading, unpacked where its ending is .gz, .bz2 or .xz.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: what is packed is damaged or cut off, found when that part is read.
    """
    packing = _PACKINGS.get(path.suffix.lower())
    if packing is None:
        with path.open("rb") as plain:
            yield plain
        return
    with cast(BinaryIO, packing.open(path)) as stream:
        try:
            yield stream
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise ValueError(f"{path}: expected a whole {packing.kind} file, found: {error}") from (
                error
            )


def take(stream: BinaryIO, count: int) -> bytearray:
    """Returns the next `count` bytes, fewer at the end; never holds more than there are."""
    content = bytearray()
    while len(content) < count and (part := stream.read(min(count - len(content), _CHUNK))):
        content += part
    return content


def read_size(path: Path, size: int, what: str) -> bytearray:
    """Returns the content of a file that must have `size` bytes unpacked.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has another size, in the words of `what`, or is damaged.
    """
    with unpacked(path) as stream:
        content = take(stream, size + 1)
        if len(content) != size:
            found = length(path, len(content), over=len(content) > size)
            raise ValueError(f"{path}: expected {size} bytes, {what}, found {found}")
    return content


def length(path: Path, read: int, over: bool) -> str:
    """How many bytes a file has of which `read` were read; `over`: there may be more of them."""
    if over and not is_packed(path) and path.is_file():
        return str(path.stat().st_size)
    return f"{read} or more" if over else str(read)


def text_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Yields the lines of a text file with their numbers from 1, without their ends.

    Lines end with \n, \r\n or \r. A byte order mark is taken for what it says and dropped; what
    comes from UTF-16 or UTF-32 is returned as UTF-8.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line of more than 32 MiB, a million empty lines in a row, bytes that are not
            of the encoding marked, a compressed file that is damaged or unpacks to more than 100
            times its size (and 16 MiB); each with file and line.
    """
    number, idle, total = 0, 0, 0
    limit = _SLACK + _GROWTH * path.stat().st_size if is_packed(path) else None
    with unpacked(path) as stream:
        head = stream.read(4)
        stream.seek(0)
        encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "latin-1")
        back = "latin-1" if encoding == "latin-1" else "utf-8"
        text = io.TextIOWrapper(stream, encoding, newline=None)
        while True:
            number += 1
            try:
                line = text.readline(_LINE + 1)
            except UnicodeError as error:
                raise ValueError(
                    f"{path}, line {number} or after: expected {encoding.removesuffix('-sig')} "
                    f"text, as its byte order mark says, found: {error}"
                ) from None
            if not line:
                return
            if len(line) > _LINE:
                raise ValueError(f"{path}, line {number}: expected a line of at most {_LINE} bytes")
            total += len(line)
            if limit is not None and total > limit:
                raise ValueError(
                    f"{path}, line {number}: expected a text at most {_GROWTH} times the size of "
                    f"the compressed file, found more than {limit} bytes; unpack it first"
                )
            idle = 0 if line.strip() else idle + 1
            if idle > _IDLE:
                raise ValueError(f"{path}, line {number}: found {idle} empty lines in a row")
            yield number, line.rstrip("\n").encode(back)
