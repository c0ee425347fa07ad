import numpy as np
import pytest

from jaxbyz.data import Dataset, validate


def small(**changes):
    rng = np.random.default_rng(0)
    whole = Dataset(
        name="small",
        train_images=rng.random((4, 3, 2, 1), np.float32),
        train_labels=np.array([0, 1, 2, 1], np.int32),
        test_images=rng.random((2, 3, 2, 1), np.float32),
        test_labels=np.array([2, 0], np.int32),
        classes=3,
    )
    return whole._replace(**changes)


def test_a_sound_data_set_is_returned_as_it_is():
    dataset = small()
    assert validate(dataset) is dataset


def test_other_widths_of_numbers_are_accepted():
    wide = small(train_images=np.zeros((4, 3, 2, 1)), train_labels=np.zeros(4, np.uint8))
    assert validate(wide) is wide


def spoiled(value):
    images = np.zeros((4, 3, 2, 1), np.float32)
    images[2, 1, 0, 0] = value
    return images


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("train_images", np.zeros(4, np.float32), r"features \[N, ...\], got shape \(4,\)"),
        ("test_images", np.zeros((2, 6), np.float32), r"\(3, 2, 1\), got \(6,\)"),
        ("train_images", np.zeros((0, 3, 2, 1), np.float32), "must not be empty"),
        ("train_images", np.zeros((4, 3, 0, 1), np.float32), "must not be empty"),
        ("train_images", np.zeros((4, 3, 2, 1), np.uint8), "floats, got dtype uint8"),
        ("train_images", spoiled(np.nan), r"finite, got nan at \(2, 1, 0, 0\)"),
        ("train_images", spoiled(np.inf), r"finite, got inf at \(2, 1, 0, 0\)"),
        ("train_images", spoiled(-np.inf), r"finite, got -inf at \(2, 1, 0, 0\)"),
        ("test_images", np.zeros((2, 2, 3, 1), np.float32), r"\(3, 2, 1\), got \(2, 3, 1\)"),
        ("train_labels", np.zeros((4, 1), np.int32), r"rank 1, \[N\], got shape \(4, 1\)"),
        ("test_labels", np.zeros(0, np.int32), "at least one label"),
        ("train_labels", np.zeros(4), "integers, got dtype float64"),
        ("train_labels", np.zeros(4, bool), "integers, got dtype bool"),
        ("train_labels", np.zeros(3, np.int32), "one label per row of train_images, 4, got 3"),
        ("test_labels", np.zeros(3, np.int32), "one label per row of test_images, 2, got 3"),
        ("train_labels", np.array([0, 1, 3, 0]), r"expected labels in 0\.\.2, got 3 at 2"),
        ("test_labels", np.array([0, -1]), r"expected labels in 0\.\.2, got -1 at 1"),
        ("classes", 0, "an integer >= 1, got 0"),
        ("classes", True, "an integer >= 1, got True"),
        ("classes", 3.0, r"an integer >= 1, got 3\.0"),
    ],
)
def test_a_broken_field_is_named_with_what_was_found(field, value, says):
    with pytest.raises(ValueError, match=rf"^{field}.*{says}"):
        validate(small(**{field: value}))
