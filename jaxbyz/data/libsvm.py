"""Files of LIBSVM text, and the data sets of two classes distributed in it.

One sample a line: `label index:value index:value ...`, indices from 1 upwards and increasing,
what is absent is 0; `#` begins a comment, and empty lines count for nothing.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks
from jaxbyz.data._files import Place, Root, data_root, locate, read_content
from jaxbyz.data.binary import BinaryDataset, signs_of, validate_binary

_ENDS = [text + packed for text in ("", ".txt") for packed in ("", ".gz", ".bz2", ".xz")]
_SOURCE = "the page 'LIBSVM Data: Classification (Binary Class)' of Chang and Lin"


class _Known(NamedTuple):
    features: int | None  # d: the last features may occur in no line
    samples: int | None  # N; None: files of several sizes have this name


_KNOWN = {
    "a9a": _Known(123, 32_561),
    "w8a": _Known(300, 49_749),
    "phishing": _Known(68, 11_055),
    "mushrooms": _Known(112, 8_124),
    "ijcnn1": _Known(22, None),
}


def read_libsvm(
    path: str | Path, features: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Reads one file, plain or (by the ending .gz, .bz2, .xz) compressed.

    Returns the features [N, d], dense, and the labels [N] as they are written. d is `features`,
    or the largest index that occurs.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not of this format (file and line are named), no sample, an index
            above `features`, or a damaged compressed file.

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
    path = Path(path)
    limit = None if features is None else checks.count("features", features, 1)
    labels: list[float] = []
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for number, line in enumerate(read_content(path).split(b"\n"), start=1):
        fields = line.partition(b"#")[0].split()
        if not fields:
            continue
        try:
            label, indices, entries = _sample(fields, limit)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        rows += [len(labels)] * len(indices)
        labels.append(label)
        columns += indices
        values += entries
    if not labels:
        raise ValueError(f"{path}: expected at least one line 'label index:value ...', found none")
    if limit is None and not columns:
        raise ValueError(f"{path}: expected at least one index:value, found none; give features")
    dense = np.zeros((len(labels), max(columns) + 1 if limit is None else limit))
    dense[rows, columns] = values
    return dense, np.array(labels)


def libsvm(name: str, root: Root = None, features: int | None = None) -> BinaryDataset:
    """Returns a data set of two classes from the file `name`, also with .txt, .gz, .bz2 or .xz.

    Folders: root/`name`, root; for the root None, the environment variable JAXBYZ_DATA, then
    ./data. Labels {-1, 1}, {0, 1}, {1, 2} and {2, 4} become -1 and +1, the larger one +1.
    Features and, where it is one, their number of samples are known for a9a (123, 32 561), w8a
    (300, 49 749), phishing (68, 11 055), mushrooms (112, 8 124) and ijcnn1 (22), so a file that
    was cut off is noticed. Rows are as in the file: see `unit_rows`.

    Raises:
        FileNotFoundError: no folder holds the file.
        ValueError: the file is damaged (file and line are named), has not the sizes of the data
            set of its name, or other labels.

    >>> libsvm("a9a", "/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: a9a was not found. Folders tried:...
    """
    known = _KNOWN.get(name, _Known(None, None))
    under = data_root(root)
    names = [[name + end for end in _ENDS]]
    _, (path,) = locate(name, [Place(under / name, names), Place(under, names)], _SOURCE)
    try:
        rows, written = read_libsvm(path, known.features if features is None else features)
        if known.samples is not None and len(rows) != known.samples:
            raise ValueError(f"{path}: expected {known.samples} samples, found {len(rows)}")
        signs = signs_of(str(path), written)
    except ValueError as error:
        raise ValueError(f"{error}. A whole file is to be had from {_SOURCE}") from error
    return validate_binary(BinaryDataset(name, rows, signs))


def _sample(fields: list[bytes], limit: int | None) -> tuple[float, list[int], list[float]]:
    """The label, the indices from 0 and the values of one line; ValueError: what is wrong."""
    label = _number(fields[0], "a label")
    indices: list[int] = []
    entries: list[float] = []
    last = 0
    for field in fields[1:]:
        left, colon, right = field.partition(b":")
        if not colon or not left.isdigit():
            raise ValueError(f"expected index:value, found {_shown(field)}")
        index = int(left)
        if index <= last:
            raise ValueError(f"expected indices from 1 that increase, found {index} after {last}")
        if limit is not None and index > limit:
            raise ValueError(f"expected indices up to {limit} features, found {index}")
        indices.append(index - 1)
        entries.append(_number(right, f"a value of index {index}"))
        last = index
    return label, indices, entries


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
