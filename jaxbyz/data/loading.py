"""A data set by its name, for command lines and configuration files."""

from collections.abc import Callable

from jaxbyz.data._files import Root
from jaxbyz.data.cifar import cifar10
from jaxbyz.data.dataset import Dataset
from jaxbyz.data.digits import digits
from jaxbyz.data.idx import fashion_mnist, mnist

_LOADERS: dict[str, Callable[[Root], Dataset]] = {
    "digits": lambda root: digits(),
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
}


def load(name: str, root: Root = None) -> Dataset:
    """Returns the data set called "digits", "mnist", "fashion_mnist" or "cifar10".

    `root` is the folder that the loader of that name searches; digits come with scikit-learn and
    need none.

    Raises:
        ValueError: there is no such name.
        FileNotFoundError, ImportError, ValueError: as the loader.

    >>> load("digits").classes
    10
    """
    if name not in _LOADERS:
        raise ValueError(f"name must be one of {', '.join(_LOADERS)}, got {name!r}")
    return _LOADERS[name](root)
