"""The embedded default: 1797 handwritten digits of 8 x 8 pixels, with no download."""

import numpy as np

from jaxbyz.data.dataset import Dataset, validate

_TEST = 297
_SPLIT_SEED = 0  # fixed: everybody's test set is the same


def digits() -> Dataset:
    """Returns the optical digits of scikit-learn, split 1500 / 297 by a fixed key.

    Shapes [1500, 8, 8, 1] and [297, 8, 8, 1]; the values 0..16 are divided by 16, so pixels lie
    in [0, 1]. The split is stratified: both parts have the class shares of the whole.

    Raises:
        ImportError: scikit-learn is not installed.

    Source: UCI Machine Learning Repository, "Optical Recognition of Handwritten Digits" (test
    part), in the copy that scikit-learn carries.

    >>> data = digits()
    >>> data.train_images.shape, data.test_images.shape, float(data.train_images.max())
    ((1500, 8, 8, 1), (297, 8, 8, 1), 1.0)
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError(
            'digits() reads the copy inside scikit-learn: pip install "jaxbyz[data]"'
        ) from error
    bundle = load_digits()
    images = (bundle.images[..., None] / 16).astype(np.float32)  # [1797, 8, 8, 1], exact
    labels = bundle.target.astype(np.int32)  # [1797]
    train, test = train_test_split(
        np.arange(len(labels)), test_size=_TEST, stratify=labels, random_state=_SPLIT_SEED
    )
    return validate(Dataset("digits", images[train], labels[train], images[test], labels[test], 10))
