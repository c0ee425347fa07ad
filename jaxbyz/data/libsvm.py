"""Files of LIBSVM text, and the data sets of two classes distributed in it.

One sample a line: `label index:value index:value ...`, indices from 1 upwards and increasing,
what is absent is 0; `#` begins a comment, and empty lines count for nothing.
"""

import math
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks
from jaxbyz.data._files import Place, Root, data_root, locate, under, with_unpacked
from jaxbyz.data._reading import text_lines
from jaxbyz.data.binary import BinaryDataset, signs_of, validate_binary
from jaxbyz.storage.paths import expanded

_SOURCE = (
    "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html (the page 'LIBSVM Data: "
    "Classification (Binary Class)' of Chang and Lin)"
)
_MOST = 2**31  # bytes of the dense table
_BLOCK = 2**20  # entries that go into the table at a time
_DIGITS = 18  # of an index: all such fit into 64 bits
_FIELD = re.compile(rb"\S+")


class _Known(NamedTuple):
    features: int | None  # d: the last features may occur in no line
    samples: int | None  # N; None: files of several sizes have this name


KNOWN = {
    "a9a": _Known(123, 32_561),
    "w8a": _Known(300, 49_749),
    "phishing": _Known(68, 11_055),
    "mushrooms": _Known(112, 8_124),
    "ijcnn1": _Known(22, None),
}


def read_libsvm(
    path: str | Path, features: int | None = None, *, most_bytes: int = _MOST
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Reads one file, plain or (by the ending .gz, .bz2, .xz) compressed.

    Returns the features [N, d], dense, and the labels [N] as they are written. d is `features`,
    or the largest index that occurs. The table takes 8 N d bytes, of which `most_bytes` (2 GiB)
    are allowed; reading takes up to three times as much beside it, for a file without zeros. Lines
    end as on any system, and a byte order mark (UTF-8, UTF-16, UTF-32) is understood.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not of this format (file and line are named), no sample, an index
            above `features`, a table above `most_bytes` (named with the line at which it is), or
            a damaged compressed file.

    Source: Chang and Lin, "LIBSVM: a library for support vector machines", ACM Transactions on
    Intelligent Systems and Technology 2(3), 2011.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "two")
    ...     _ = path.write_text("+1 1:0.5 3:2  # a comment\n-1 2:1\n")
    ...     read_libsvm(path)
    (array([[0.5, 0. , 2. ],
           [0. , 1. , 0. ]]), array([ 1., -1.]))
    """
    path = expanded("path", path)
    limit = None if features is None else checks.count("features", features, 1)
    most = checks.count("most_bytes", most_bytes, 1) // 8  # entries
    labels, values = array("d"), array("d")
    rows, columns = array("q"), array("q")
    width = limit or 1
    for number, line in text_lines(path):
        fields = _FIELD.finditer(line.partition(b"#")[0])
        first = next(fields, None)
        if first is None:
            continue
        try:
            labels.append(_number(first[0], "a label"))
            most_here = most // len(labels)
            if width > most_here:
                raise ValueError(_too_large(len(labels), width, most))
            for index, value in _entries(fields, limit):
                if index > width:
                    if index > most_here:
                        raise ValueError(_too_large(len(labels), index, most))
                    width = index
                rows.append(len(labels) - 1)
                columns.append(index - 1)
                values.append(value)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    if not labels:
        raise ValueError(f"{path}: expected at least one line 'label index:value ...', found none")
    if limit is None and not columns:
        raise ValueError(f"{path}: expected at least one index:value, found none; give features")
    dense = np.zeros((len(labels), width))
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        dense[np.asarray(rows)[part], np.asarray(columns)[part]] = np.asarray(values)[part]
    return dense, np.array(labels)


def libsvm(name: str, root: Root = None, features: int | None = None) -> BinaryDataset:
    """Returns a data set of two classes from the file `name`, also with .txt, .gz, .bz2 or .xz.

    Folders: root/`name`, root (and root/archive); for the root None, the environment variable
    JAXBYZ_DATA, then ./data. Labels {-1, 1}, {0, 1}, {1, 2} and {2, 4} become -1 and +1, the
    larger one +1. Features and, where it is one, their number of samples are known for a9a
    (123, 32 561), w8a (300, 49 749), phishing (68, 11 055), mushrooms (112, 8 124) and ijcnn1
    (22), so a file that was cut off is noticed. Rows are as in the file: see `unit_rows`.

    Raises:
        FileNotFoundError: no folder holds the file.
        ValueError: the file is damaged (file and line are named), has not the sizes of the data
            set of its name, or other labels.

    >>> libsvm("a9a", "/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: a9a was not found. Folders tried:...
    """
    if not isinstance(name, str) or not name.strip("./"):
        raise ValueError(f"name must be the name of a file, got {name!r}")
    known = KNOWN.get(name, _Known(None, None))
    top = data_root(root)
    names = [[name, f"{name}.txt"]]
    places = [
        Place(under(top, name), names),
        *(Place(f, names) for f in with_unpacked(top, "archive")),
    ]
    folder = repr(str(top.absolute()))
    said = "" if features is None else f", features={features!r}"
    call = (
        f"jb.problems.logistic({name!r}, root={folder}, honest=10)"
        if name in KNOWN and not said
        else f"jb.problems.logistic(jb.data.libsvm({name!r}, {folder}{said}), honest=10)"
    )
    _, (path,) = locate(name, places, _SOURCE, call)
    try:
        rows, written = read_libsvm(path, known.features if features is None else features)
        if known.samples is not None and len(rows) != known.samples:
            raise ValueError(f"{path}: expected {known.samples} samples, found {len(rows)}")
        signs = signs_of(str(path), written)
    except ValueError as error:
        raise ValueError(f"{error}. A whole file is to be had from {_SOURCE}") from error
    return validate_binary(BinaryDataset(name, rows, signs))


def _entries(fields: Iterator[re.Match[bytes]], limit: int | None) -> Iterator[tuple[int, float]]:
    """The indices and values of one line; ValueError: what is wrong."""
    last = 0
    for match in fields:
        left, colon, right = match[0].partition(b":")
        if not colon or not left.isdigit():
            raise ValueError(f"expected index:value, found {_shown(match[0])}")
        if len(left) > _DIGITS:
            left = left.lstrip(b"0") or b"0"
            if len(left) > _DIGITS:
                allowed = (
                    "indices below 10^18" if limit is None else f"indices up to {limit} features"
                )
                raise ValueError(f"expected {allowed}, found {_shown(left)}, of {len(left)} digits")
        index = int(left)
        if index <= last:
            raise ValueError(f"expected indices from 1 that increase, found {index} after {last}")
        if limit is not None and index > limit:
            raise ValueError(f"expected indices up to {limit} features, found {index}")
        yield index, _number(right, f"a value of index {index}")
        last = index


def _too_large(rows: int, width: int, most: int) -> str:
    return (
        f"expected a dense table of at most {8 * most} bytes, found {rows} samples of {width} "
        f"features, which take {8 * rows * width}: give more most_bytes to read_libsvm, or "
        f"mend the index"
    )


def _number(text: bytes, what: str) -> float:
    try:
        number = math.nan if b"_" in text else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected {what}, a finite number, found {_shown(text)}")
    return number


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("latin1"))
