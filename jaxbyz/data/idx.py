"""Data sets of grey images in the four IDX files of MNIST."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks
from jaxbyz.data import _labels
from jaxbyz.data._files import Place, Root, data_root, locate, under, with_unpacked
from jaxbyz.data._idx_format import Shape, read
from jaxbyz.data._scaling import Statistic, normalise
from jaxbyz.data.dataset import Dataset, validate

_DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
_SHAPES = (60_000, 28, 28), (10_000, 28, 28)  # shapes of training and test images
_ANY = ((None, None, None),) * 2
_FROM_ONE = "emnist-letters-"  # in these files the first label is 1

EMNIST_PAGE = "https://www.nist.gov/itl/products-and-services/emnist-dataset"


def idx_images(
    root: Root,
    name: str,
    mean: Statistic = 0.0,
    std: Statistic = 1.0,
    classes: int = 10,
    first_label: int | None = None,
) -> Dataset:
    """Returns any data set of grey images in MNIST's four files, of any size.

    Folders: root/`name`/raw, root/`name`, root (and root/archive, where copies from Kaggle
    unpack); for the root None, the environment variable JAXBYZ_DATA, then ./data. Images
    [N, H, W, 1] are (bytes / 255 - mean) / std.

    Names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and `t10k-` or `test-` instead of
    `train-`; `.idx3` for `-idx3`; compressed with the endings .gz, .bz2, .xz; in upper or lower
    case; in a folder of the same name; all four also with the prefix `name-`, as
    `emnist-letters-train-images-idx3-ubyte` for the name "emnist-letters".

    Labels in the files begin at `first_label`, which becomes 0; None: at 1 for files with the
    prefix `emnist-letters-`, else at 0.

    Raises:
        FileNotFoundError: no folder holds all four files.
        ValueError: a file is damaged, does not fit its partner, or has other labels than
            first_label .. first_label + classes - 1.

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
    if not isinstance(name, str) or not name:
        raise ValueError(f"name must be the name of the data set, got {name!r}")
    top = data_root(root)
    given = {"mean": mean, "std": std, "classes": classes, "first_label": first_label}
    usual = ("0.0", "1.0", "10", "None")
    said = "".join(
        f", {key}={value!r}"
        for (key, value), default in zip(given.items(), usual, strict=True)
        if repr(value) != default
    )
    call = (
        f"jb.problems.classification(jb.data.idx_images({str(top.absolute())!r}, "
        f"{name!r}{said}), honest=10)"
    )
    prefix = name.lower().replace("_", "-")
    page = EMNIST_PAGE if prefix.startswith("emnist") else "its home page"
    folders, prefixes = _folders(top, name), ("", f"{prefix}-")
    return load_images(
        Source(name, name, folders, page, call, mean, std, _ANY, classes, first_label, prefixes)
    )


def mnist(root: Root = None) -> Dataset:
    """Returns MNIST: 60 000 + 10 000 handwritten digits, [., 28, 28, 1].

    Folders: root/MNIST/raw, root/MNIST, root (and root/archive); root defaults to the environment
    variable JAXBYZ_DATA, then ./data. Names of files as for `idx_images`. Pixels are
    (byte / 255 - 0.1307) / 0.3081.

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
    page = (
        "http://yann.lecun.com/exdb/mnist/ (the MNIST home page of Yann LeCun), or one of its "
        "mirrors"
    )
    return load_images(known_source("mnist", "MNIST", "MNIST", root, page, 0.1307, 0.3081))


def fashion_mnist(root: Root = None) -> Dataset:
    """Returns Fashion-MNIST: 60 000 + 10 000 pictures of clothes, [., 28, 28, 1].

    Folders: root/FashionMNIST/raw, root/FashionMNIST, root (and root/archive), and the one of the
    Debian package dataset-fashion-mnist; root defaults to the environment variable JAXBYZ_DATA,
    then ./data. Names of files as for `idx_images`. Pixels are (byte / 255 - 0.2860) / 0.3530.
    The files have the names of MNIST's: do not put MNIST's flat into the same root.

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
    page = (
        "https://github.com/zalandoresearch/fashion-mnist (the Fashion-MNIST repository of "
        "Zalando Research), or install the Debian package dataset-fashion-mnist"
    )
    source = known_source(
        "fashion_mnist", "Fashion-MNIST", "FashionMNIST", root, page, 0.2860, 0.3530
    )
    return load_images(source._replace(folders=[*source.folders, _DEBIAN_FASHION]))


class Source(NamedTuple):
    """Where the four files may be, what to say if they are not there, and what they hold."""

    name: str
    title: str
    folders: Sequence[Path]
    page: str  # where to get them
    call: str  # what reads them
    mean: Statistic
    std: Statistic
    shapes: Sequence[tuple[int | None, ...]]  # of training and test images; None: free
    classes: int = 10
    first_label: int | None = 0  # in the files
    prefixes: Sequence[str] = ("",)  # of the names of all four files


def known_source(
    name: str, title: str, folder: str, root: Root, page: str, mean: float, std: float
) -> Source:
    """The source of a data set that `load` knows by `name`, of the sizes of MNIST."""
    top = data_root(root)
    call = f"jb.problems.classification({name!r}, root={str(top.absolute())!r}, honest=10)"
    return Source(name, title, _folders(top, folder), page, call, mean, std, _SHAPES)


def _folders(top: Path, name: str) -> list[Path]:
    return [under(top, name, "raw"), under(top, name), *with_unpacked(top, "archive")]


def _names(prefix: str) -> list[list[str]]:
    return [
        [f"{prefix}{part}-{kind}{mark}idx{rank}-ubyte" for part in parts for mark in "-."]
        for parts in (("train",), ("t10k", "test"))
        for kind, rank in (("images", 3), ("labels", 1))
    ]


def load_images(source: Source) -> Dataset:
    """Returns the data set of `source`."""
    source = source._replace(classes=checks.count("classes", source.classes, 1))
    places = [
        Place(folder, _names(prefix)) for folder in source.folders for prefix in source.prefixes
    ]
    _, paths = locate(source.title, places, source.page, source.call)
    first = source.first_label
    if first is None:
        first = int(paths[1].name.lower().startswith(_FROM_ONE))
    first = checks.count("first_label", first)
    train = _split(source, 0, "train", paths[0], paths[1], first)
    test = _split(source, 1, "test", paths[2], paths[3], first)
    if train[0].shape[1:] != test[0].shape[1:]:
        raise ValueError(
            f"{paths[2]}: test_images must have the sizes of train_images in {paths[0]}, "
            f"{train[0].shape[1:3]}, found {test[0].shape[1:3]}"
        )
    return validate(Dataset(source.name, *train, *test, source.classes))


def _split(
    source: Source, position: int, part: str, images: Path, labels: Path, first_label: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    classes, wanted = source.classes, source.shapes[position]

    def fits(shape: Shape) -> None:
        same = len(shape) == 3 and all(
            size in (None, found) for size, found in zip(wanted, shape, strict=True)
        )
        if not same:
            known = wanted if any(wanted) else "[N, H, W]"
            raise ValueError(f"{images}: expected images of sizes {known}, found {shape}")
        if 0 in shape:
            raise ValueError(f"{images}: {part}_images must not be empty, found sizes {shape}")

    def one_each(shape: Shape) -> None:
        if shape != pixels.shape[:1]:
            raise ValueError(
                f"{labels}: expected {len(pixels)} labels, as many as images, found sizes {shape}"
            )

    pixels = read(images, fits)
    answers = read(labels, one_each).astype(np.int32) - first_label
    try:
        _labels.label_range(str(labels), answers, classes)
    except ValueError as error:
        raise ValueError(
            f"{error}, after first_label = {first_label} was subtracted"
            if first_label
            else f"{error}; give first_label=1 for labels 1..{classes}"
            if answers.min() >= 1 and answers.max() == classes
            else str(error)
        ) from None
    return normalise(pixels[..., None], source.mean, source.std), answers
