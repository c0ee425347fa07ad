"""Two classes without a download: a real data set, and one that is made."""

import numpy as np

from jaxbyz import checks
from jaxbyz.data.binary import BinaryDataset, validate_binary


def breast_cancer() -> BinaryDataset:
    """Returns the breast-cancer data of scikit-learn: 569 x 30, +1 benign (357), -1 malignant.

    Every feature is standardised over the whole set, to mean 0 and (population) variance 1.

    Raises:
        ImportError: scikit-learn is not installed.

    Source: UCI Machine Learning Repository, "Breast Cancer Wisconsin (Diagnostic)", in the copy
    that scikit-learn carries.

    >>> data = breast_cancer()
    >>> data.features.shape, int((data.labels == 1).sum())
    ((569, 30), 357)
    """
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError as error:
        raise ImportError(
            'breast_cancer() reads the copy inside scikit-learn: pip install "jaxbyz[data]"'
        ) from error
    bundle = load_breast_cancer()
    features = (bundle.data - bundle.data.mean(axis=0)) / bundle.data.std(axis=0)
    labels = np.where(bundle.target == 1, 1, -1).astype(np.int32)
    return validate_binary(BinaryDataset("breast_cancer", features, labels))


def synthetic_binary(
    samples: int, features: int, seed: int, *, density: float = 0.11, positive: float = 0.24
) -> BinaryDataset:
    """Returns rows of sparse zeros and ones, with labels that nearly follow a linear rule.

    Feature j is 1 with a probability p_j of its own, in every row independently; the p_j are
    uniform on [0, 2 density] (on [2 density - 1, 1] for density > 1/2), so their mean is
    `density`. Scores are aᵀw + noise with Gaussian w and logistic noise; of the N rows the
    round(positive N) with the largest scores are +1. The defaults are the shares of ones and of
    positive labels in a9a.

    Raises:
        ValueError: samples < 2, features < 1, density outside (0, 1], or a share of positive
            labels that leaves a class empty.

    >>> data = synthetic_binary(100, 8, seed=0)
    >>> data.features.shape, int((data.labels == 1).sum()), sorted(set(data.features.ravel()))
    ((100, 8), 24, [np.float64(0.0), np.float64(1.0)])
    """
    samples = checks.count("samples", samples, 2)
    features = checks.count("features", features, 1)
    density = float(checks.interval("density", density, 0, 1, closed="right"))
    positive = float(checks.interval("positive", positive, 0, 1, closed="neither"))
    ones = round(positive * samples)
    if not 0 < ones < samples:
        raise ValueError(
            f"positive must give both classes a sample, got {positive} of {samples} samples"
        )
    rng = np.random.default_rng(checks.count("seed", seed))
    half = min(density, 1 - density)
    shares = rng.uniform(density - half, density + half, features)  # [d]
    rows = (rng.random((samples, features)) < shares).astype(np.float64)  # [N, d]
    weights = rng.normal(size=features) / np.sqrt(density * features)  # [d]
    scores = rows @ weights + 0.1 * rng.logistic(size=samples)  # [N]
    labels = np.full(samples, -1, np.int32)
    labels[np.argsort(scores, kind="stable")[samples - ones :]] = 1
    return validate_binary(BinaryDataset("synthetic", rows, labels))
