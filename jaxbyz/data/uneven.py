"""Divisions with few classes a worker, or of unequal sizes: shards, a power law, natural owners."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxbyz import checks
from jaxbyz.data import _labels

Indices = NDArray[np.int64]


def shards(labels: ArrayLike, workers: int, per_worker: int, seed: int) -> Indices:
    """Deals out equal numbers of samples [K, m], as a few slices of the samples sorted by label.

    The samples are sorted by label and cut into K · per_worker slices of one size, and every worker
    gets per_worker slices at random. So a worker has at most about per_worker + 1 classes. What
    does not fit into slices of one size, fewer than K · per_worker samples, is left out at random.

    Raises:
        ValueError: labels not integers [N], fewer samples than slices, workers or per_worker < 1,
            or seed not an integer >= 0.

    Source: McMahan, Moore, Ramage, Hampson, Agüera y Arcas, "Communication-efficient learning of
    deep networks from decentralized data", AISTATS 2017 (its pathological partition).

    >>> labels = np.repeat([0, 1, 2, 3], 6)
    >>> sorted({len(set(labels[row])) for row in shards(labels, workers=4, per_worker=1, seed=0)})
    [1]
    """
    labels = _labels.label_vector("labels", labels)
    workers = checks.count("workers", workers, 1)
    pieces = workers * checks.count("per_worker", per_worker, 1)
    if pieces > len(labels):
        raise ValueError(f"workers × per_worker must be <= {len(labels)} samples, got {pieces}")
    rng = np.random.default_rng(checks.count("seed", seed, 0))
    size = len(labels) // pieces
    kept = rng.permutation(len(labels))[: pieces * size]  # in random order within a label
    ordered = kept[np.argsort(labels[kept], kind="stable")].reshape(pieces, size)
    dealt = rng.permutation(ordered).reshape(workers, -1)
    return rng.permuted(dealt, axis=1)


def power_law(count: int, workers: int, exponent: float, seed: int) -> tuple[Indices, ...]:
    """Deals out all samples at random, in numbers that fall like a power: K arrays.

    Worker k = 1, …, K gets a share proportional to k^(-exponent) of the samples, rounded so that
    sums of shares are, and at least one, which is taken from the largest; which worker is which is
    drawn. exponent 0 is equal sizes up to one.

    Raises:
        ValueError: count < workers, workers < 1, exponent not finite and ≥ 0, or seed not an
            integer >= 0.

    Source: derived here.

    >>> sorted(len(part) for part in power_law(100, workers=4, exponent=1.0, seed=0))
    [12, 16, 24, 48]
    """
    workers = checks.count("workers", workers, 1)
    count = checks.count("count", count, workers)
    exponent = float(checks.interval("exponent", exponent, 0, math.inf, closed="left"))
    if math.isinf(exponent):
        raise ValueError(f"exponent must be finite, got {exponent}")
    rng = np.random.default_rng(checks.count("seed", seed, 0))
    # In logarithms: a large power of a large k is no float.
    weights = np.exp(-exponent * np.log(np.arange(1, workers + 1)))
    ends = np.round(np.cumsum(weights) / weights.sum() * count).astype(np.int64)
    sizes = np.maximum(np.diff(ends, prepend=0), 1)
    for _ in range(sizes.sum() - count):
        sizes[np.argmax(sizes)] -= 1
    order = rng.permutation(count)
    parts = np.split(order, np.cumsum(sizes)[:-1])
    return tuple(parts[k] for k in rng.permutation(workers))


def by_owner(owners: ArrayLike, workers: int | None = None) -> tuple[Indices, ...]:
    """The samples of every natural owner (a writer, a hospital): K arrays of any lengths.

    Args:
        owners: who owns each sample, [N] integers or texts.
        workers: K; None: one for each owner. With fewer workers than owners, the owners are dealt
            in the order of their values, one after another.

    Raises:
        ValueError: owners of another shape, or fewer owners than workers.

    >>> [part.tolist() for part in by_owner(["b", "a", "b", "c"])]
    [[1], [0, 2], [3]]
    >>> [part.tolist() for part in by_owner(["b", "a", "b", "c"], workers=2)]
    [[1, 3], [0, 2]]
    """
    names = _labels.as_array("owners", owners)
    if names.ndim != 1 or not names.size or names.dtype.kind not in "iubU":
        raise ValueError(
            f"owners must be integers or texts [N], got {names.dtype} of shape {names.shape}"
        )
    values, codes = np.unique(names, return_inverse=True)
    workers = len(values) if workers is None else checks.count("workers", workers, 1, len(values))
    return tuple(np.flatnonzero(codes % workers == k) for k in range(workers))


def padded(parts: Sequence[Any]) -> tuple[Indices, Indices]:
    """Lists of positions as one array [K, m], and their lengths [K]; short rows repeat an entry.

    >>> rows, lengths = padded([[4], [1, 2, 3]])
    >>> rows.tolist(), lengths.tolist()
    ([[4, 4, 4], [1, 2, 3]], [1, 3])
    """
    lengths = np.array([len(part) for part in parts])
    most = lengths.max()
    rows = [np.concatenate([part, np.full(most - len(part), part[0])]) for part in parts]
    return np.stack(rows).astype(np.int64), lengths
