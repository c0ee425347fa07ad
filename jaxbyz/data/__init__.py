"""Data sets as NumPy arrays on the host, and their partitions over workers."""

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

__all__ = [
    "Dataset",
    "validate",
    "load",
    "digits",
    "mnist",
    "fashion_mnist",
    "emnist",
    "idx_images",
    "read_idx",
    "cifar10",
    "BinaryDataset",
    "validate_binary",
    "unit_rows",
    "load_binary",
    "libsvm",
    "read_libsvm",
    "breast_cancer",
    "synthetic_binary",
    "dirichlet",
    "dirichlet_unequal",
    "iid",
    "label_sorted",
]
