"""Who gets which samples: partitions of a labelled data set over workers.

The equal-size partitions give each of the K workers m = floor(N / K) of the N samples and return
the positions of the samples as an array [K, m]. The remainder, N - K m samples, is left out; it is
drawn uniformly without replacement, so each class loses its share of it on average. No position
occurs twice, each row is in random order, and the seed decides everything.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxbyz import checks
from jaxbyz.data import _labels

Indices = NDArray[np.int64]

_FLAT, _PEAKED = 1e100, 1e-100  # beyond these, Dirichlet shares are equal, or all on one worker
_DRAWS = 1000


def dirichlet(labels: ArrayLike, workers: int, alpha: float, seed: int) -> Indices:
    """Deals out equal numbers of samples [K, m], with Dirichlet shares of each class.

    Class by class, in the order of the labels: shares p ~ Dirichlet(alpha, ..., alpha) over the
    workers that still have room, an allotment ~ Multinomial(samples left, p), cut where a worker
    is full, and drawn again for what was cut. Early classes follow the Dirichlet law, the last
    ones fill the room that is left. Large alpha is nearly i.i.d., small alpha one-sided.

    Raises:
        ValueError: labels not integers [N], workers outside 1..N, alpha not finite and > 0, or
            seed not an integer >= 0.

    Source: the split of `dirichlet_unequal`, with equal sizes as in the experiments of RoSDHB,
    arXiv 2508.17129.

    >>> parts = dirichlet([0, 0, 0, 0, 1, 1, 1, 1, 1], workers=3, alpha=1.0, seed=0)
    >>> parts.shape, sorted(parts.ravel().tolist())
    ((3, 3), [0, 1, 2, 3, 4, 5, 6, 7, 8])
    """
    labels, workers, rng = _prepare(labels, workers, seed)
    alpha = float(checks.interval("alpha", alpha, 0, math.inf, closed="neither"))
    kept = _kept(rng, len(labels), workers)
    sizes, pools = _pools(labels, kept)
    counts = _equal_counts(rng, sizes, workers, alpha)
    return rng.permuted(np.stack(_deal(pools, counts)), axis=1)


def dirichlet_unequal(
    labels: ArrayLike, workers: int, alpha: float, seed: int
) -> tuple[Indices, ...]:
    """Deals out all samples with Dirichlet shares of each class: K arrays of different lengths.

    For each class independently: p ~ Dirichlet(alpha, ..., alpha) over all workers, then an
    allotment ~ Multinomial(size of the class, p). Every worker gets at least one sample: an
    outcome with an empty worker is drawn again as a whole, up to 1000 times.

    Raises:
        ValueError: as `dirichlet`; or each of the 1000 draws left a worker empty.

    Source: Yurochkin et al., "Bayesian nonparametric federated learning of neural networks",
    ICML 2019, arXiv 1905.12022 (its heterogeneous partition).

    >>> parts = dirichlet_unequal([0, 0, 0, 0, 1, 1, 1, 1], workers=2, alpha=1.0, seed=0)
    >>> sorted(int(i) for part in parts for i in part)
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    labels, workers, rng = _prepare(labels, workers, seed)
    alpha = float(checks.interval("alpha", alpha, 0, math.inf, closed="neither"))
    sizes, pools = _pools(labels, rng.permutation(len(labels)))
    for _ in range(_DRAWS):
        shares = [_shares(rng, workers, alpha) for _ in sizes]
        counts = np.stack([rng.multinomial(n, p) for n, p in zip(sizes, shares, strict=True)])
        if counts.sum(axis=0).min() > 0:
            return tuple(rng.permutation(part) for part in _deal(pools, counts))
    raise ValueError(
        f"alpha = {alpha} with workers = {workers} left a worker without samples in each of "
        f"{_DRAWS} draws: take a larger alpha, fewer workers, or dirichlet(), whose sizes are equal"
    )


def iid(labels_or_count: ArrayLike, workers: int, seed: int) -> Indices:
    """Deals out equal numbers of samples [K, m], uniformly at random.

    The first argument is the number N of samples, or their labels [N], which are only counted.

    Raises:
        ValueError: labels not integers [N] or N < 1, workers outside 1..N, or seed not an
            integer >= 0.

    >>> iid(7, workers=3, seed=0).shape
    (3, 2)
    """
    if np.ndim(labels_or_count) == 0:
        count = checks.count("labels_or_count", labels_or_count, 1)
    else:
        count = len(_labels.label_vector("labels_or_count", labels_or_count))
    workers = checks.count("workers", workers, 1, count)
    return _kept(_generator(seed), count, workers).reshape(workers, -1)


def label_sorted(labels: ArrayLike, workers: int, fraction: float, seed: int) -> Indices:
    """Deals out equal numbers of samples [K, m], a fraction of them in the order of the labels.

    Of each worker's m samples, s = round(fraction m) come from a random subset of K s samples of
    the whole data set, thus of all classes, that is sorted by label and cut into K consecutive
    slices; the other m - s are dealt at random. fraction 0 is i.i.d., fraction 1 the most
    one-sided split of equal sizes. fraction = 1 - γ is γ-similarity: a share γ of the data is dealt
    at random, as in Karimireddy et al., "SCAFFOLD", ICML 2020.

    Raises:
        ValueError: labels not integers [N], workers outside 1..N, fraction outside [0, 1], or
            seed not an integer >= 0.

    Source: Hsieh, Phanishayee, Mutlu, Gibbons, "The non-IID data quagmire of decentralized
    machine learning", ICML 2020 (its degree of skewness).

    >>> labels = np.array([1, 0, 1, 0])
    >>> labels[label_sorted(labels, workers=2, fraction=1.0, seed=0)]
    array([[0, 0],
           [1, 1]])
    """
    labels, workers, rng = _prepare(labels, workers, seed)
    fraction = float(checks.interval("fraction", fraction, 0, 1))
    kept = _kept(rng, len(labels), workers)
    ordered = round(fraction * (len(kept) // workers))
    first, rest = np.split(kept, [workers * ordered])
    first = first[np.argsort(labels[first], kind="stable")]
    rows = [first.reshape(workers, ordered), rest.reshape(workers, -1)]
    return rng.permuted(np.concatenate(rows, axis=1), axis=1)


def _prepare(
    labels: ArrayLike, workers: object, seed: object
) -> tuple[NDArray[np.integer], int, np.random.Generator]:
    vector = _labels.label_vector("labels", labels)
    return vector, checks.count("workers", workers, 1, len(vector)), _generator(seed)


def _generator(seed: object) -> np.random.Generator:
    return np.random.default_rng(checks.count("seed", seed, 0))


def _kept(rng: np.random.Generator, count: int, workers: int) -> Indices:
    return rng.permutation(count)[: workers * (count // workers)]


def _pools(labels: NDArray[np.integer], indices: Indices) -> tuple[Indices, list[Indices]]:
    classes, sizes = np.unique(labels[indices], return_counts=True)
    return sizes, [indices[labels[indices] == label] for label in classes]  # [classes] each


def _shares(rng: np.random.Generator, workers: int, alpha: float) -> NDArray[np.float64]:
    return rng.dirichlet(np.full(workers, min(max(alpha, _PEAKED), _FLAT)))


def _equal_counts(rng: np.random.Generator, sizes: Indices, workers: int, alpha: float) -> Indices:
    room = np.full(workers, sizes.sum() // workers)  # [workers]
    counts = np.zeros((len(sizes), workers), np.int64)  # [classes, workers]
    for row, size in zip(counts, sizes, strict=True):
        while (left := size - row.sum()) > 0:
            # Each turn ends the class or fills a worker, so there are at most K of them.
            open_ = np.flatnonzero(room)
            allotment = rng.multinomial(left, _shares(rng, len(open_), alpha))
            given = np.minimum(allotment, room[open_])
            row[open_] += given
            room[open_] -= given
    return counts


def _deal(pools: list[Indices], counts: Indices) -> list[Indices]:
    cuts = [np.split(pool, np.cumsum(row)[:-1]) for pool, row in zip(pools, counts, strict=True)]
    return [np.concatenate(hand) for hand in zip(*cuts, strict=True)]
