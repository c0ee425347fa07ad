"""Files in the IDX format of MNIST, and the data sets distributed in it."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks
from jaxbyz.data import _labels
from jaxbyz.data._files import Place, Root, data_root, locate, read_content
from jaxbyz.data._scaling import Statistic, normalise
from jaxbyz.data.dataset import Dataset, validate

_DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
_SHAPES = (60_000, 28, 28), (10_000, 28, 28)  # training and test images of both MNISTs
_STEMS = ("train-images", 3), ("train-labels", 1), ("t10k-images", 3), ("t10k-labels", 1)
_NAMES = [
    [f"{stem}{mark}idx{rank}-ubyte{end}" for end in ("", ".gz") for mark in "-."]
    for stem, rank in _STEMS
]

Shapes = Sequence[tuple[int, ...] | None]


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """Reads one IDX file of unsigned bytes, plain or (by the ending .gz) compressed.

    Format: two zero bytes, the type 0x08, the rank r, then r sizes as big-endian 32-bit numbers,
    then the entries, last axis fastest. The array has these sizes and is read-only.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not IDX, another type of entries, too short, or bytes left over.

    Source: the description of the format on the home page of MNIST (LeCun, Cortes, Burges).

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "three-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1] + [0, 0, 0, 3] + [7, 8, 9]))
    ...     read_idx(path)
    array([7, 8, 9], dtype=uint8)
    """
    content = read_content(Path(path))
    if len(content) < 4 or content[:3] != b"\x00\x00\x08" or not 1 <= content[3] <= 32:
        raise ValueError(
            f"{path}: expected an IDX file of unsigned bytes, which starts with the bytes "
            f"00 00 08 and a rank in 1..32, found {content[:4].hex(' ') or 'an empty file'}"
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path}: expected a header of {start} bytes, found {len(content)}")
    shape = [int(size) for size in np.frombuffer(content, ">u4", content[3], 4)]
    if len(content) != start + math.prod(shape):
        raise ValueError(
            f"{path}: expected {start + math.prod(shape)} bytes (header, and entries of sizes "
            f"{shape}), found {len(content)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def idx_images(
    root: Root, name: str, mean: Statistic = 0.0, std: Statistic = 1.0, classes: int = 10
) -> Dataset:
    """Returns any data set of grey images in MNIST's four files, of any size.

    Folders: root/`name`/raw, root/`name`, root; for the root None, the environment variable
    JAXBYZ_DATA, then ./data. Images [N, H, W, 1] are (bytes / 255 - mean) / std.

    Raises:
        FileNotFoundError: no folder holds all four files.
        ValueError: a file is damaged, does not fit its partner, or has labels >= classes.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part in ("train", "t10k"):
    ...         images, labels = (pathlib.Path(folder, f"{part}-{kind}-ubyte")
    ...                           for kind in ("images-idx3", "labels-idx1"))
    ...         _ = images.write_bytes(bytes([0, 0, 8, 3, *[0, 0, 0, 1] * 3, 255]))
    ...         _ = labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 3]))
    ...     idx_images(folder, "dots").train_images
    array([[[[1.]]]], dtype=float32)
    """
    under = data_root(root)
    folders = [under / name / "raw", under / name, under]
    return _load(name, name, folders, "its home page", mean, std, classes)


def mnist(root: Root = None) -> Dataset:
    """Returns MNIST: 60 000 + 10 000 handwritten digits, [., 28, 28, 1].

    Folders: root/MNIST/raw, root; root defaults to the environment variable JAXBYZ_DATA, then
    ./data. Pixels are (byte / 255 - 0.1307) / 0.3081.

    Raises:
        FileNotFoundError: no folder holds all four files.
        ValueError: a file is damaged or has not the sizes of MNIST.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86(11), 1998.

    >>> mnist("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: MNIST was not found. Folders tried:...
    """
    under = data_root(root)
    folders = [under / "MNIST" / "raw", under]
    source = "the MNIST home page of Yann LeCun, or one of its mirrors"
    return _load("mnist", "MNIST", folders, source, 0.1307, 0.3081, 10, _SHAPES)


def fashion_mnist(root: Root = None) -> Dataset:
    """Returns Fashion-MNIST: 60 000 + 10 000 pictures of clothes, [., 28, 28, 1].

    Folders: root/FashionMNIST/raw, root, and the one of the Debian package
    dataset-fashion-mnist; root defaults to the environment variable JAXBYZ_DATA, then ./data.
    Pixels are (byte / 255 - 0.2860) / 0.3530. The files have the names of MNIST's: do not put
    MNIST's flat into the same root.

    Raises:
        FileNotFoundError: no folder holds all four files.
        ValueError: a file is damaged or has not the sizes of Fashion-MNIST.

    Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv 1708.07747.

    >>> try:
    ...     shape = fashion_mnist().test_images.shape
    ... except FileNotFoundError:  # the message says where to get it
    ...     shape = (10000, 28, 28, 1)
    >>> shape
    (10000, 28, 28, 1)
    """
    under = data_root(root)
    folders = [under / "FashionMNIST" / "raw", under, _DEBIAN_FASHION]
    source = (
        "the Fashion-MNIST repository of Zalando Research on GitHub, or install the Debian "
        "package dataset-fashion-mnist"
    )
    return _load("fashion_mnist", "Fashion-MNIST", folders, source, 0.2860, 0.3530, 10, _SHAPES)


def _load(
    name: str,
    title: str,
    folders: Sequence[Path],
    source: str,
    mean: Statistic,
    std: Statistic,
    classes: int,
    shapes: Shapes = (None, None),
) -> Dataset:
    classes = checks.count("classes", classes, 1)
    _, paths = locate(title, [Place(folder, _NAMES) for folder in folders], source)
    train, test = (
        _split(paths[2 * i], paths[2 * i + 1], mean, std, classes, shapes[i]) for i in (0, 1)
    )
    return validate(Dataset(name, *train, *test, classes))


def _split(
    images: Path,
    labels: Path,
    mean: Statistic,
    std: Statistic,
    classes: int,
    shape: tuple[int, ...] | None,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    pixels, answers = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or shape not in (None, pixels.shape):
        raise ValueError(
            f"{images}: expected images of sizes {shape or '[N, H, W]'}, found {pixels.shape}"
        )
    if answers.shape != pixels.shape[:1]:
        raise ValueError(
            f"{labels}: expected {len(pixels)} labels, as many as images, found sizes "
            f"{answers.shape}"
        )
    _labels.label_range(str(labels), answers, classes)
    return normalise(pixels[..., None], mean, std), answers.astype(np.int32)
