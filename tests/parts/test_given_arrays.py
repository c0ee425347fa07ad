"""Arrays that users give as data: lists are arrays, and what a device cannot hold is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxbyz as jb
from jaxbyz.data import BinaryDataset, Dataset

IMAGES, LABELS = np.zeros((4, 2, 2, 1), np.float32), np.array([0, 1, 0, 1], np.int32)
ROWS, SIGNS = np.ones((4, 2)), np.array([1, -1, 1, -1])
DATA = Dataset("mine", IMAGES, LABELS, IMAGES, LABELS, 2)


def test_lists_are_arrays():
    lists = DATA._replace(train_images=IMAGES.tolist(), train_labels=LABELS.tolist())
    assert jb.problems.classification(lists, honest=2).data.images.shape == (2, 2, 2, 2, 1)
    lists = BinaryDataset("mine", ROWS.tolist(), SIGNS.tolist())
    assert jb.problems.logistic(lists, honest=2).data.features.shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("train_images", [[1.0], [2.0, 3.0]], "train_images must be an array, got a list"),
        ("test_labels", [[1], [2, 3]], "test_labels must be an array, got a list"),
        (
            "train_images",
            np.float64(IMAGES) + 1e300,
            r"train_images must lie in .*float32 holds, got 1e\+300",
        ),
        (
            "test_images",
            np.float64(IMAGES) - 1e39,
            r"test_images must lie in .*float32 holds, got -1e\+39",
        ),
    ],
)
def test_images(field, value, says):
    with pytest.raises(ValueError, match=says):
        jb.problems.classification(DATA._replace(**{field: value}), honest=2)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ([[1.0], [2.0, 3.0]], "features must be an array, got a list"),
        (ROWS * 1e300, r"features must lie in .*float32 holds, got 1e\+300"),
        (ROWS * -1e300, r"features must lie in .*float32 holds, got -1e\+300"),
    ],
)
def test_rows(features, says):
    with pytest.raises(ValueError, match=says):
        jb.problems.logistic(BinaryDataset("mine", features, SIGNS), honest=2)


def test_what_a_device_holds_is_kept():
    largest = float(jnp.finfo(jnp.float32).max)
    problem = jb.problems.logistic(BinaryDataset("mine", ROWS * largest, SIGNS), honest=2)
    assert float(problem.data.features.max()) == largest
