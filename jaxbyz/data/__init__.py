"""Data sets as NumPy arrays on the host, and their division over workers.

    dataset, binary   what a data set is, and what is checked of it. Start with `dataset`.
    loading           a data set by its name; own_arrays: of arrays that one has
    digits, idx, emnist, cifar, libsvm, small_binary   one format or source each
    partition         which samples belong to which worker: iid, Dirichlet, sorted by label
    uneven            the same: shards, a power law, natural owners
    _files, _reading  where files lie; reading them in bounded memory
    _unpickle         pickles, read without executing what they hold

Imported by `problems`, `testing` and users. It imports `checks` and `storage.paths`, and not JAX.
Nothing is downloaded.
"""

from jaxbyz.data._idx_format import read_idx
from jaxbyz.data.binary import BinaryDataset, unit_rows, validate_binary
from jaxbyz.data.cifar import cifar10
from jaxbyz.data.dataset import Dataset, validate
from jaxbyz.data.digits import digits
from jaxbyz.data.emnist import emnist
from jaxbyz.data.idx import fashion_mnist, idx_images, mnist
from jaxbyz.data.libsvm import libsvm, read_libsvm
from jaxbyz.data.loading import load, load_binary
from jaxbyz.data.partition import dirichlet, dirichlet_unequal, iid, label_sorted
from jaxbyz.data.small_binary import breast_cancer, synthetic_binary
from jaxbyz.data.uneven import by_owner, power_law, shards

__all__ = [
    "Dataset", "validate", "load", "digits", "mnist", "fashion_mnist", "emnist", "idx_images",
    "read_idx", "cifar10", "BinaryDataset", "validate_binary", "unit_rows", "load_binary",
    "libsvm", "read_libsvm", "breast_cancer", "synthetic_binary", "dirichlet",
    "dirichlet_unequal", "iid", "label_sorted", "shards", "power_law", "by_owner",
]  # fmt: skip
