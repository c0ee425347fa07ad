"""A data set by its name, for command lines and configuration files."""

import functools
from collections.abc import Callable
from typing import TypeVar

from jaxbyz.data._files import Root
from jaxbyz.data.binary import BinaryDataset
from jaxbyz.data.cifar import cifar10
from jaxbyz.data.dataset import Dataset
from jaxbyz.data.digits import digits
from jaxbyz.data.emnist import SPLITS, emnist
from jaxbyz.data.idx import fashion_mnist, mnist
from jaxbyz.data.libsvm import KNOWN, libsvm
from jaxbyz.data.small_binary import breast_cancer, synthetic_binary

Data = TypeVar("Data", Dataset, BinaryDataset)


def _without_files(name: str, root: Root, make: Callable[[], Data]) -> Data:
    if root is not None:
        raise ValueError(f"root must be None for {name!r}, which reads no files, got root={root!r}")
    return make()


_LOADERS: dict[str, Callable[[Root], Dataset]] = {
    "digits": lambda root: _without_files("digits", root, digits),
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    **{f"emnist_{split}": functools.partial(emnist, split) for split in SPLITS},
}
_BINARY: dict[str, Callable[[Root], BinaryDataset]] = {
    "synthetic": lambda root: _without_files(
        "synthetic", root, lambda: synthetic_binary(1200, 30, seed=0)
    ),
    "breast_cancer": lambda root: _without_files("breast_cancer", root, breast_cancer),
    **{name: functools.partial(libsvm, name) for name in KNOWN},
}


def load(name: str, root: Root = None) -> Dataset:
    """Returns the data set called "digits", "mnist", "fashion_mnist", "cifar10" or "emnist_...".

    The splits of EMNIST are "emnist_letters", "emnist_balanced" and so on, as `emnist` says.
    `root` is the folder that the loader of that name searches; digits come with scikit-learn and
    take none.

    Raises:
        ValueError: there is no such name; a root for data that are in no file.
        FileNotFoundError, ImportError, ValueError: as the loader.

    >>> load("digits").classes
    10
    """
    if not isinstance(name, str) or name not in _LOADERS:
        few = [known for known in _LOADERS if not known.startswith("emnist")]
        raise ValueError(
            f"name must be one of {', '.join(few)}, got {name!r}; or a split of EMNIST, "
            f"{', '.join(known for known in _LOADERS if known not in few)}"
        )
    return _LOADERS[name](root)


def load_binary(name: str, root: Root = None) -> BinaryDataset:
    """Returns the data set of two classes called "synthetic", "breast_cancer" or as in LIBSVM.

    The LIBSVM names are "a9a", "w8a", "phishing", "mushrooms" and "ijcnn1"; `root` is the folder
    that `libsvm` searches. "synthetic" are 1200 rows of 30 features by `synthetic_binary`,
    "breast_cancer" comes with scikit-learn; both take no root.

    Raises:
        ValueError: there is no such name; a root for data that are in no file.
        FileNotFoundError, ImportError, ValueError: as the loader.

    >>> load_binary("synthetic").features.shape
    (1200, 30)
    """
    if not isinstance(name, str) or name not in _BINARY:
        raise ValueError(f"name must be one of {', '.join(_BINARY)}, got {name!r}")
    return _BINARY[name](root)


def by_name(load: Callable[[str, Root], Data], data: str | Data, root: Root) -> Data:
    """Returns `load(data, root)` for a name, and other data as they are.

    Raises:
        ValueError: a root for data that are there already; as `load`.
    """
    if isinstance(data, str):
        return load(data, root)
    if root is not None:
        raise ValueError(
            f"root says where the files of data given by name lie, got root={root!r} with data of "
            f"type {type(data).__name__}"
        )
    return data
