"""A classification data set: two splits of features and labels, as NumPy arrays on the host."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks
from jaxbyz.data import _labels


class Dataset(NamedTuple):
    """Features and labels of a training and a test split; most data sets here are of images.

    Shapes: N training and M test samples of H x W pixels with C channels, channels last; or of
    features of any other shape [N, ...]. Pixels are already normalised by the loader; labels lie in
    0..classes-1.

    >>> pixel = np.zeros((1, 2, 2, 1), np.float32)
    >>> one = Dataset("one", pixel, np.array([0], np.int32), pixel, np.array([1], np.int32), 2)
    >>> one.train_images.shape, one.classes
    ((1, 2, 2, 1), 2)
    """

    name: str
    train_images: NDArray[np.float32]  # [N, H, W, C], or other features [N, ...]
    train_labels: NDArray[np.int32]  # [N]
    test_images: NDArray[np.float32]  # [M, H, W, C], or other features [M, ...]
    test_labels: NDArray[np.int32]  # [M]
    classes: int
    label_values: NDArray[Any] | None = None  # [classes] what the labels were; None: the same

    @classmethod
    def from_arrays(
        cls,
        train: tuple[Any, Any],
        test: tuple[Any, Any] | None = None,
        *,
        test_share: float = 0.2,
        seed: int = 0,
        name: str = "own arrays",
    ) -> Dataset:
        """Features of any shape, and labels of any integers or texts.

        Labels become 0..classes-1 in the order of their values, which `label_values` keeps.
        Features are taken as they are: normalise them before. Whole numbers become float32.

        Args:
            train: features [N, ...] and labels [N].
            test: the same of the test split; None: `test_share` of `train`, drawn by `seed`.
            test_share: in (0, 1).
            seed: of that draw.
            name: of the data set.

        Raises:
            ValueError: arrays of other shapes or types, or not finite; an argument out of range.

        >>> features = np.arange(20.0).reshape(10, 2)
        >>> own = Dataset.from_arrays((features, [3, 7] * 5))
        >>> own.train_images.shape, own.test_images.shape, own.label_values.tolist()
        ((8, 2), (2, 2), [3, 7])
        """
        from jaxbyz.data.own_arrays import dataset_from_arrays

        return dataset_from_arrays(train, test, test_share, seed, name)

    @classmethod
    def from_torch(
        cls, train: Any, test: Any = None, *, channels_first: bool = False, **options: Any
    ) -> Dataset:
        """Anything with a length whose items are (features, label), as PyTorch's data sets.

        Args:
            train: the training split.
            test: the test split, or None as in `from_arrays`.
            channels_first: the features are images [C, H, W], and become [H, W, C].
            options: as for `from_arrays`.

        Raises:
            ValueError: items of other forms or of different shapes; as `from_arrays`.

        >>> Dataset.from_torch([([0.0, 1.0], 0), ([1.0, 0.0], 1)] * 5).train_images.shape
        (8, 2)
        """
        from jaxbyz.data.own_arrays import pair_from_items

        first = pair_from_items("train", train, channels_first)
        second = None if test is None else pair_from_items("test", test, channels_first)
        return cls.from_arrays(first, second, **options)

    @classmethod
    def from_huggingface(
        cls,
        train: Any,
        test: Any = None,
        *,
        features: str = "image",
        labels: str = "label",
        **options: Any,
    ) -> Dataset:
        """A table that is indexed by the names of its columns, as the data sets of Hugging Face.

        Args:
            train: the training split.
            test: the test split, or None as in `from_arrays`.
            features: the name of the column of features: arrays, lists or images of one shape.
            labels: that of the labels.
            options: as for `from_arrays`.

        Raises:
            ValueError: there is no such column; as `from_arrays`.

        >>> table = {"pixels": [[0.0], [1.0]] * 5, "label": [0, 1] * 5}
        >>> Dataset.from_huggingface(table, features="pixels").classes
        2
        """
        from jaxbyz.data.own_arrays import pair_from_columns

        first = pair_from_columns("train", train, features, labels)
        second = None if test is None else pair_from_columns("test", test, features, labels)
        return cls.from_arrays(first, second, **options)


def validate(dataset: Dataset) -> Dataset:
    """Returns `dataset` after checking that it keeps its contract; lists become arrays.

    Contract: features float [N, ...], finite, none of the sizes zero, one shape for both splits;
    labels integer [N] in 0..classes-1, one per image; classes >= 1. Other widths of
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
            f"test_images must have the shape of train_images, {train[1:]}, got {test[1:]}"
        )
    _check_labels("train", dataset.train_labels, train[0], classes)
    _check_labels("test", dataset.test_labels, test[0], classes)
    return dataset


def _check_images(name: str, images: NDArray[np.floating]) -> tuple[int, ...]:
    images = np.asarray(images)
    if images.ndim < 2:
        raise ValueError(f"{name} must be features [N, ...], got shape {images.shape}")
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
