"""Checks of arrays and labels: each error names the argument or file, what came and is allowed."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Returns `value` as an array; objects that are all texts, or all numbers, become such.

    ValueError for lists whose parts have different lengths, for masked and for sparse arrays.
    """
    if isinstance(value, np.ma.MaskedArray) or hasattr(value, "toarray"):
        kind = type(value).__name__
        raise ValueError(f"{name} must be a plain array, got a {kind}: fill it or make it dense")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must be an array, got a {type(value).__name__} that is none: {error}"
        ) from None
    if array.dtype.kind not in "OT" or not array.size:
        return array
    entries = array.ravel().tolist()
    if all(isinstance(entry, str) for entry in entries):
        return array.astype("U")
    if all(isinstance(entry, int | float | np.generic) for entry in entries):
        return array.astype(float)
    return array


def label_vector(name: str, value: ArrayLike) -> NDArray[np.integer]:
    """Returns `value` as a non-empty integer array [N]."""
    array = as_array(name, value)
    if array.ndim != 1:
        raise ValueError(f"{name} must have rank 1, [N], got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one label, got none")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be integers, got dtype {array.dtype}")
    return array


def label_range(name: str, labels: NDArray[np.integer], classes: int) -> None:
    """Raises ValueError if one of `labels` [N] lies outside 0..classes-1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        value, where = labels[wrong[0]], wrong[0]
        raise ValueError(f"{name}: expected labels in 0..{classes - 1}, got {value} at {where}")
