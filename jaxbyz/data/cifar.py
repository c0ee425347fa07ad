"""CIFAR-10 from its binary files, or from its pickled ones."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxbyz.data import _labels, _unpickle
from jaxbyz.data._files import Place, Root, data_root, locate, under, with_unpacked
from jaxbyz.data._reading import read_size
from jaxbyz.data._scaling import normalise
from jaxbyz.data.dataset import Dataset, validate

_MEAN = (0.4914, 0.4822, 0.4465)  # red, green, blue
_STD = (0.2470, 0.2435, 0.2616)
_CLASSES = 10
_PIXELS = 3 * 32 * 32
_RECORDS = 10_000  # per file
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
_BINARY = [[f"{batch}.bin"] for batch in _BATCHES]
_PICKLED = [[batch] for batch in _BATCHES]

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # pixels [m, 3072] and labels [m]


def cifar10(root: Root = None) -> Dataset:
    """Returns CIFAR-10: 50 000 + 10 000 colour images, [., 32, 32, 3], 10 classes.

    Folders, best first: root/cifar-10-batches-bin and root for the binary version (records of
    1 label byte and 3072 pixel bytes, 30 730 000 bytes a file), root/cifar-10-batches-py and root
    for the pickled one (protocols 0 to 5), of which arrays and plain containers are read and
    nothing else; then the same in root/archive and root/cifar-10-python, where copies from Kaggle
    unpack. root defaults to the environment variable JAXBYZ_DATA, then ./data. Files may be
    compressed (.gz, .bz2, .xz). Pixels are (byte / 255 - mean) / std with mean
    (0.4914, 0.4822, 0.4465) and std (0.2470, 0.2435, 0.2616) per channel.

    Raises:
        FileNotFoundError: no folder holds all six files of a version.
        ValueError: a file is damaged, has not the size or labels of CIFAR-10, or is a pickle that
            asks for more than arrays.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    >>> cifar10("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: CIFAR-10 was not found. Folders tried:...
    """
    return _load(root, _RECORDS)


def _load(root: Root, records: int) -> Dataset:
    top = data_root(root)
    places = [
        Place(folder, names)
        for base in with_unpacked(top, "archive", "cifar-10-python")
        for version, names in (("bin", _BINARY), ("py", _PICKLED))
        for folder in (under(base, f"cifar-10-batches-{version}"), base)
    ]
    source = (
        "https://www.cs.toronto.edu/~kriz/cifar.html (the CIFAR-10 page of Alex Krizhevsky, "
        "University of Toronto), binary version"
    )
    call = f"jb.problems.classification('cifar10', root={str(top.absolute())!r}, honest=10)"
    position, paths = locate("CIFAR-10", places, source, call)
    read = _read_binary if places[position].names is _BINARY else _read_pickled
    batches = [read(path, records) for path in paths]
    return validate(Dataset("cifar10", *_join(batches[:-1]), *_join(batches[-1:]), _CLASSES))


def _read_binary(path: Path, records: int) -> Batch:
    size = 1 + _PIXELS
    content = read_size(path, records * size, f"{records} records of {size}")
    table = np.frombuffer(content, np.uint8).reshape(records, size)
    _labels.label_range(str(path), table[:, 0], _CLASSES)
    return table[:, 1:], table[:, 0]


def _read_pickled(path: Path, records: int) -> Batch:
    content = _unpickle.load_dictionary(path)
    pixels, labels = (_entry(path, content, key) for key in ("data", "labels"))
    for array, kind, shape, what in (
        (pixels, np.uint8, [records, _PIXELS], "data of uint8"),
        (labels, np.integer, [records], "labels of integers"),
    ):
        found = list(array.shape)
        if not np.issubdtype(array.dtype, kind) or found != shape:
            raise ValueError(f"{path}: expected {what} {shape}, found {array.dtype} {found}")
    _labels.label_range(str(path), labels, _CLASSES)
    return pixels, labels.astype(np.uint8)


def _entry(path: Path, content: dict[object, Any], key: str) -> NDArray[Any]:
    # Keys are bytes as Python 2 wrote them, text in copies written by Python 3.
    value = content.get(key.encode(), content.get(key))
    if not isinstance(value, (list, np.ndarray)):
        raise ValueError(
            f"{path}: expected a list or an array under {key!r}, found {type(value).__name__}"
        )
    if isinstance(value, list):  # one that contains itself must not reach NumPy
        for position, entry in enumerate(value):
            if not isinstance(entry, int | float | np.generic):
                raise ValueError(
                    f"{path}: expected an array under {key!r}, found a list with a "
                    f"{type(entry).__name__} at {position}"
                )
    return np.asarray(value)


def _join(batches: list[Batch]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    planes = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([labels for _, labels in batches]).astype(np.int32)
    return normalise(planes.transpose(0, 2, 3, 1), _MEAN, _STD), labels  # [., 32, 32, 3]
