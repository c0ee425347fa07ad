"""Data sets as NumPy arrays on the host, and their partitions over workers."""

from jaxbyz.data.cifar import cifar10
from jaxbyz.data.dataset import Dataset, validate
from jaxbyz.data.digits import digits
from jaxbyz.data.idx import fashion_mnist, idx_images, mnist, read_idx
from jaxbyz.data.loading import load
from jaxbyz.data.partition import dirichlet, dirichlet_unequal, iid, label_sorted

__all__ = [
    "Dataset",
    "validate",
    "load",
    "digits",
    "mnist",
    "fashion_mnist",
    "idx_images",
    "read_idx",
    "cifar10",
    "dirichlet",
    "dirichlet_unequal",
    "iid",
    "label_sorted",
]
