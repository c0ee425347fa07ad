"""A classification data set: two splits of images and labels, as NumPy arrays on the host."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks
from jaxbyz.data import _labels


class Dataset(NamedTuple):
    """Images and labels of a training and a test split.

    Shapes: N training and M test samples of H x W pixels with C channels, channels last.
    The pixels are already normalised by the loader; labels lie in 0..classes-1.

    >>> pixel = np.zeros((1, 2, 2, 1), np.float32)
    >>> one = Dataset("one", pixel, np.array([0], np.int32), pixel, np.array([1], np.int32), 2)
    >>> one.train_images.shape, one.classes
    ((1, 2, 2, 1), 2)
    """

    name: str
    train_images: NDArray[np.float32]  # [N, H, W, C]
    train_labels: NDArray[np.int32]  # [N]
    test_images: NDArray[np.float32]  # [M, H, W, C]
    test_labels: NDArray[np.int32]  # [M]
    classes: int


def validate(dataset: Dataset) -> Dataset:
    """Returns `dataset` after checking that it keeps its contract; lists become arrays.

    Contract: images float [N, H, W, C], finite, none of the sizes zero, one [H, W, C] for both
    splits; labels integer [N] in 0..classes-1, one per image; classes >= 1. Other widths of
    floats and integers than the 32 bits of the loaders are accepted.

    Raises:
        ValueError: a part of the contract is broken; the message names the field.

    >>> pixel = np.zeros((1, 2, 2, 1), np.float32)
    >>> one = Dataset("one", pixel, np.array([0], np.int32), pixel, np.array([7], np.int32), 2)
    >>> validate(one)
    Traceback (most recent call last):
        ...
    ValueError: test_labels: expected labels in 0..1, got 7 at 0
    """
    classes = checks.count("classes", dataset.classes, 1)
    lists: dict[str, Any] = {
        name: _labels.as_array(name, value)
        for name, value in dataset._asdict().items()
        if name.endswith(("images", "labels")) and not isinstance(value, np.ndarray)
    }
    dataset = dataset._replace(**lists) if lists else dataset
    train = _check_images("train_images", dataset.train_images)
    test = _check_images("test_images", dataset.test_images)
    if train[1:] != test[1:]:
        raise ValueError(
            f"test_images must have the [H, W, C] of train_images, {train[1:]}, got {test[1:]}"
        )
    _check_labels("train", dataset.train_labels, train[0], classes)
    _check_labels("test", dataset.test_labels, test[0], classes)
    return dataset


def _check_images(name: str, images: NDArray[np.floating]) -> tuple[int, ...]:
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(f"{name} must have rank 4, [N, H, W, C], got shape {images.shape}")
    if images.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {images.shape}")
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"{name} must be floats, got dtype {images.dtype}")
    # Both extremes carry a NaN along, and need no temporary of the size of the images.
    if not (np.isfinite(images.min()) and np.isfinite(images.max())):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(images))[0])
        raise ValueError(f"{name} must be finite, got {images[where]} at {where}")
    return images.shape


def _check_labels(split: str, labels: NDArray[np.integer], count: int, classes: int) -> None:
    name = f"{split}_labels"
    labels = _labels.label_vector(name, labels)
    if len(labels) != count:
        raise ValueError(
            f"{name} must hold one label per row of {split}_images, {count}, got {len(labels)}"
        )
    _labels.label_range(name, labels, classes)
