"""CIFAR-10 from its binary files, or from its pickled ones."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxbyz.data import _labels, _unpickle
from jaxbyz.data._files import Place, Root, data_root, locate
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
    for the pickled one, of which arrays and plain containers are read and nothing else. root
    defaults to the environment variable JAXBYZ_DATA, then ./data. Pixels are (byte / 255 - mean)
    / std with mean (0.4914, 0.4822, 0.4465) and std (0.2470, 0.2435, 0.2616) per channel.

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
    under = data_root(root)
    places = [
        Place(under / "cifar-10-batches-bin", _BINARY),
        Place(under, _BINARY),
        Place(under / "cifar-10-batches-py", _PICKLED),
        Place(under, _PICKLED),
    ]
    source = "the CIFAR-10 page of Alex Krizhevsky (University of Toronto), binary version"
    position, paths = locate("CIFAR-10", places, source)
    read = _read_binary if places[position].names is _BINARY else _read_pickled
    batches = [read(path, records) for path in paths]
    return validate(Dataset("cifar10", *_join(batches[:-1]), *_join(batches[-1:]), _CLASSES))


def _read_binary(path: Path, records: int) -> Batch:
    size = records * (1 + _PIXELS)
    found = path.stat().st_size
    if found != size:
        raise ValueError(
            f"{path}: expected {size} bytes, {records} records of {1 + _PIXELS}, found {found}"
        )
    table = np.fromfile(path, np.uint8).reshape(records, 1 + _PIXELS)
    _labels.label_range(str(path), table[:, 0], _CLASSES)
    return table[:, 1:], table[:, 0]


def _read_pickled(path: Path, records: int) -> Batch:
    content = _unpickle.load_dictionary(path)
    pixels, labels = (_entry(path, content, key) for key in ("data", "labels"))
    if pixels.dtype != np.uint8 or pixels.shape != (records, _PIXELS):
        raise ValueError(
            f"{path}: expected data of uint8 [{records}, {_PIXELS}], found {pixels.dtype} "
            f"{list(pixels.shape)}"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (records,):
        raise ValueError(
            f"{path}: expected labels of integers [{records}], found {labels.dtype} "
            f"{list(labels.shape)}"
        )
    _labels.label_range(str(path), labels, _CLASSES)
    return pixels, labels.astype(np.uint8)


def _entry(path: Path, content: dict[object, Any], key: str) -> NDArray[Any]:
    # Keys are bytes as Python 2 wrote them, text in copies written by Python 3.
    value = content.get(key.encode(), content.get(key))
    if not isinstance(value, (list, np.ndarray)):
        raise ValueError(
            f"{path}: expected a list or an array under {key!r}, found {type(value).__name__}"
        )
    try:
        return np.asarray(value)
    except ValueError as error:  # a ragged list
        raise ValueError(f"{path}: expected an array under {key!r}, found: {error}") from error


def _join(batches: list[Batch]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    planes = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([labels for _, labels in batches]).astype(np.int32)
    return normalise(planes.transpose(0, 2, 3, 1), _MEAN, _STD), labels  # [., 32, 32, 3]
