"""Data that somebody has already: arrays, or what can be indexed, as a `Dataset`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxbyz import checks
from jaxbyz.data import _labels
from jaxbyz.data.dataset import Dataset, validate

Pair = tuple[Any, Any]  # features [N, ...], labels [N]


def dataset_from_arrays(
    train: Pair, test: Pair | None, test_share: float, seed: int, name: str
) -> Dataset:
    """See `Dataset.from_arrays`."""
    features, labels = _pair("train", train)
    if test is None:
        share = float(checks.interval("test_share", test_share, 0, 1, closed="neither"))
        order = np.random.default_rng(checks.count("seed", seed)).permutation(len(features))
        size = max(1, round(share * len(features)))
        if size >= len(features):
            raise ValueError(
                f"test_share must leave samples of train, got {share} of {len(features)} samples"
            )
        held, kept = order[:size], order[size:]
        test_features, test_labels = features[held], labels[held]
        features, labels = features[kept], labels[kept]
    else:
        test_features, test_labels = _pair("test", test)
    if (labels.dtype.kind == "U") != (test_labels.dtype.kind == "U"):
        raise ValueError(
            f"labels of train and test must be of one type, got {labels.dtype} and "
            f"{test_labels.dtype}"
        )
    # Without a common type of numbers, which of int64 and uint64 would be a float.
    known = sorted({*labels.tolist(), *test_labels.tolist()})
    place = {value: i for i, value in enumerate(known)}
    codes = [np.array([place[x] for x in one.tolist()], np.int32) for one in (labels, test_labels)]
    values = np.array(known)
    return validate(
        Dataset(name, features, codes[0], test_features, codes[1], len(values), label_values=values)
    )


def _pair(name: str, given: Any) -> tuple[NDArray[np.floating], NDArray[Any]]:
    """Features as floats and labels as they are, of one length."""
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise ValueError(f"{name} must be a pair (features, labels), got {checks.said(given)}")
    features = _labels.as_array(f"features of {name}", given[0])
    labels = _labels.as_array(f"labels of {name}", given[1])
    if features.dtype.kind not in "fiub" or features.ndim < 2:
        raise ValueError(
            f"features of {name} must be numbers [N, ...], got {features.dtype} of shape "
            f"{features.shape}"
        )
    if labels.dtype.kind not in "iubU" or labels.ndim != 1:
        raise ValueError(
            f"labels of {name} must be integers or texts [N], got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    if len(features) != len(labels):
        raise ValueError(
            f"labels of {name} must be one for each of {len(features)} samples, got {len(labels)}"
        )
    if features.dtype.kind != "f":
        features = features.astype(np.float32)
    elif features.dtype.itemsize > 8:
        features = features.astype(np.float64)
    return features, labels


def pair_from_items(name: str, items: Any, channels_first: bool) -> Pair:
    """(features, labels) of anything with a length whose items are pairs, as PyTorch's data sets.

    >>> features, labels = pair_from_items("train", [([1.0, 2.0], 0), ([3.0, 4.0], 5)], False)
    >>> features.tolist(), labels.tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [0, 5])
    """
    if not (hasattr(items, "__len__") and hasattr(items, "__getitem__")) or not len(items):
        raise ValueError(
            f"{name} must have a length > 0 and items (features, label), got {checks.said(items)}"
        )
    try:
        rows = [items[i] for i in range(len(items))]
        features = np.stack([np.asarray(row[0]) for row in rows])
        labels = np.array([np.asarray(row[1]).item() for row in rows])
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f"{name} must have items (features, label), all of one shape: {error}"
        ) from error
    if channels_first:
        if features.ndim != 4:
            raise ValueError(
                f"channels_first needs images [C, H, W], got features of shape {features.shape[1:]}"
            )
        features = features.transpose(0, 2, 3, 1)
    return features, labels


def pair_from_columns(name: str, table: Any, features: str, labels: str) -> Pair:
    """(features, labels) of a table that is indexed by the names of its columns.

    >>> rows, labels = pair_from_columns("train", {"x": [[1.0], [2.0]], "y": [3, 4]}, "x", "y")
    >>> rows.shape, labels.tolist()
    ((2, 1), [3, 4])
    """
    found = []
    for column in (features, labels):
        try:
            found.append(table[column])
        except (KeyError, TypeError, IndexError) as error:
            known = getattr(table, "column_names", None)
            raise ValueError(
                f"{name} must have a column {column!r}"
                + (f", got {list(known)}" if known is not None else f": {error}")
            ) from error
    try:
        rows = np.stack([np.asarray(row) for row in found[0]])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"column {features!r} of {name} must have features of one shape: {error}"
        ) from error
    if rows.ndim == 3 and rows.dtype == np.uint8:  # grey images, as image libraries give them
        rows = rows[..., None]
    return rows, np.asarray(found[1])
