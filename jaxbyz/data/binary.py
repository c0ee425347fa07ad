"""A data set of two classes: rows of features and labels -1 or +1, as NumPy arrays on the host."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxbyz.data import _labels

_CODES = ((-1, 1), (0, 1), (1, 2), (2, 4))  # how files write two classes: (negative, positive)


class BinaryDataset(NamedTuple):
    """N rows of d features, and their labels.

    Features are float64, so that constants and optima computed from them are accurate; what goes
    to a device takes the width of the run.

    >>> one = BinaryDataset("one", np.eye(2), np.array([-1, 1], np.int32))
    >>> one.features.shape
    (2, 2)
    """

    name: str
    features: NDArray[np.float64]  # [N, d]
    labels: NDArray[np.int32]  # [N], -1 or +1

    @classmethod
    def from_arrays(cls, features: Any, labels: Any, *, name: str = "own arrays") -> BinaryDataset:
        """Rows of numbers [N, d], and labels [N] of two values, of which the larger becomes +1.

        Raises:
            ValueError: arrays of other shapes or types, or not finite; other than two values.

        >>> BinaryDataset.from_arrays([[1.0], [2.0], [0.0]], [7, 3, 7]).labels.tolist()
        [1, -1, 1]
        """
        rows, written = _labels.as_array("features", features), _labels.as_array("labels", labels)
        if rows.dtype.kind not in "fiub":
            raise ValueError(f"features must be numbers [N, d], got dtype {rows.dtype}")
        if written.dtype.kind not in "iubfU":
            raise ValueError(f"labels must be numbers or texts, got dtype {written.dtype}")
        if written.dtype.kind == "f" and not np.isfinite(written).all():
            raise ValueError("labels must be finite, got NaN or Inf")
        values = np.unique(written)
        if len(values) != 2:
            raise ValueError(f"labels must have two values, got {values[:5].tolist()}")
        signs = np.where(written == values[1], 1, -1).astype(np.int32)
        return validate_binary(cls(name, rows.astype(np.float64), signs))


def validate_binary(dataset: BinaryDataset) -> BinaryDataset:
    """Returns `dataset` after checking that it keeps its contract; lists become arrays.

    Contract: features float [N, d], finite, neither size zero; labels integer [N], each -1 or +1.
    One class alone is legal (a worker may hold it).

    Raises:
        ValueError: a part of the contract is broken; the message names the field.

    >>> validate_binary(BinaryDataset("one", np.eye(2), np.array([0, 1])))
    Traceback (most recent call last):
        ...
    ValueError: labels must be -1 or +1, got 0 at 0
    """
    features = _labels.as_array("features", dataset.features)
    labels = _labels.as_array("labels", dataset.labels)
    if not (features is dataset.features and labels is dataset.labels):
        dataset = dataset._replace(features=features, labels=labels)
    if features.ndim != 2 or features.size == 0:
        raise ValueError(f"features must have shape [N >= 1, d >= 1], got {features.shape}")
    if not np.issubdtype(features.dtype, np.floating):
        raise ValueError(f"features must be floats, got dtype {features.dtype}")
    if not np.isfinite(features).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(features))[0])
        raise ValueError(f"features must be finite, got {features[where]} at {where}")
    if labels.shape != features.shape[:1]:
        raise ValueError(
            f"labels must hold one label per row of features, {len(features)}, got shape "
            f"{labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers, got dtype {labels.dtype}")
    wrong = np.flatnonzero(np.abs(labels) != 1)
    if wrong.size:
        raise ValueError(f"labels must be -1 or +1, got {labels[wrong[0]]} at {wrong[0]}")
    return dataset


def unit_rows(dataset: BinaryDataset) -> BinaryDataset:
    """Divides every row of features by its Euclidean norm; a row of zeros stays.

    >>> rows = BinaryDataset("two", np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([1, -1]))
    >>> unit_rows(rows).features.tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    features = dataset.features
    # By the largest entry first, so that no square overflows or vanishes.
    scale = np.abs(features).max(axis=1, keepdims=True)  # [N, 1]
    scaled = features / np.where(scale > 0, scale, 1)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)  # [N, 1], 0 or >= 1
    return dataset._replace(features=scaled / np.where(norms > 0, norms, 1))


def signs_of(name: str, written: ArrayLike) -> NDArray[np.int32]:
    """Returns labels -1 and +1 [N] for labels as files write them.

    The two values that occur must be {-1, 1}, {0, 1}, {1, 2} or {2, 4}; the larger one is +1.

    Raises:
        ValueError: other values occur, or one alone, which does not say what it means.

    >>> signs_of("labels", [2.0, 4.0, 2.0]).tolist()
    [-1, 1, -1]
    """
    values = np.asarray(written)
    found = tuple(np.unique(values).tolist())
    if found not in _CODES:
        allowed = ", ".join(f"{{{a}, {b}}}" for a, b in _CODES)
        shown = ", ".join(f"{value:g}" for value in found[:6]) + (", ..." if len(found) > 6 else "")
        raise ValueError(f"{name}: expected labels of two classes, {allowed}, found {{{shown}}}")
    return np.where(values == found[1], 1, -1).astype(np.int32)
