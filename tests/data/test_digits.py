import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxbyz.data
from jaxbyz.data import digits


def test_sizes_types_and_range():
    data = digits()
    assert data.name == "digits"
    assert data.classes == 10
    assert data.train_images.shape == (1500, 8, 8, 1)
    assert data.test_images.shape == (297, 8, 8, 1)
    for images, labels in (data[1:3], data[3:5]):
        assert (images.dtype, labels.dtype) == (np.float32, np.int32)
        assert images.min() == 0
        assert images.max() == 1
        np.testing.assert_array_equal(images * 16, np.round(images * 16))


def test_the_split_is_a_partition_of_the_bundle():
    from sklearn.datasets import load_digits

    def rows(images, labels):
        return sorted(map(tuple, np.column_stack([images.reshape(len(labels), -1), labels])))

    data, bundle = digits(), load_digits()
    images = np.concatenate([data.train_images, data.test_images]) * 16
    labels = np.concatenate([data.train_labels, data.test_labels])
    assert rows(images, labels) == rows(bundle.images, bundle.target)


def test_the_split_is_stratified_and_fixed():
    first, second = digits(), digits()
    # The bundle has 174 to 183 images of each class; a share of 1500 / 1797 rounds to one of two.
    train, test = (np.bincount(labels) for labels in (first.train_labels, first.test_labels))
    assert np.abs(train - (train + test) * 1500 / 1797).max() < 1
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_labels, second.test_labels)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    for name in ("sklearn", "sklearn.datasets", "sklearn.model_selection"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "jaxbyz\[data\]"'):
        digits()


def test_scikit_learn_is_imported_only_when_asked_for():
    for path in Path(jaxbyz.data.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            assert "sklearn" not in ast.unparse(node) or isinstance(node, ast.FunctionDef)
