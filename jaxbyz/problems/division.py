"""Which honest worker holds which samples: Dirichlet, i.i.d., or as the caller says."""

from typing import Any, NamedTuple

import numpy as np

from jaxbyz import checks
from jaxbyz.data import dirichlet, iid
from jaxbyz.data.uneven import padded


class Division(NamedTuple):
    """Positions of the samples of every honest worker, and what a worker counts."""

    places: np.ndarray  # [h, m], m the largest size; rows of fewer samples repeat one at their end
    sizes: np.ndarray  # [h] m_i
    shares: np.ndarray  # [h] c_i of f_i = (c_i/m_i) Σ_j loss_ij; their mean is 1

    @property
    def weights(self) -> np.ndarray | None:
        """What each sample counts, [h, m]: c_i, or 0 for what is repeated; None: all 1."""
        most = self.places.shape[1]
        if (self.sizes == most).all():
            return None
        weights: np.ndarray = (np.arange(most) < self.sizes[:, None]) * self.shares[:, None]
        return weights

    def batch(self, batch: int | None, *, replace: bool = False) -> int | None:
        """The size of a draw.

        Raises:
            ValueError: no integer >= 1; without replacement, more than a worker has.

        >>> divide(4, 2, None, [[0], [1, 2, 3]], 0, "equal").batch(2)
        Traceback (most recent call last):
        ValueError: batch must be <= 1 local samples, got 2
        """
        if batch is None:
            return None
        batch = checks.count("batch", batch, minimum=1)
        if not replace and batch > self.sizes.min():
            raise ValueError(f"batch must be <= {self.sizes.min()} local samples, got {batch}")
        return batch


def divide(
    labels: Any, honest: int, alpha: float | None, partition: Any, seed: int, weighting: str
) -> Division:
    """Divide samples among honest workers.

    Without `partition`, samples are divided equally: by the Dirichlet law with parameter alpha, or
    i.i.d. if alpha is None. A partition is an array of positions [h, m], or h lists of positions,
    of any lengths m_i. With the weighting "equal" every worker counts the same: f_i is the mean
    over its samples. With "size" it is that mean times h m_i/Σ m_i, so that the honest objective
    (1/h) Σ f_i is the mean over all samples.

    Args:
        labels: of the samples, [N]; or their number N.
        honest: h.
        alpha: see above; needs labels.
        partition: see above.
        seed: of the division, where there is no partition.
        weighting: "equal" or "size".

    Raises:
        ValueError: more honest workers than samples; a partition_seed that is no integer >= 0;
            another weighting; both alpha and partition; a partition of another shape, with an
            empty list, not of integers or outside 0..N-1; what the division refuses.

    >>> made = divide(4, 2, None, [[0], [1, 2, 3]], 0, "size")
    >>> made.places.tolist(), made.sizes.tolist(), made.shares.tolist()
    ([[0, 0, 0], [1, 2, 3]], [1, 3], [0.5, 1.5])
    """
    count = len(labels) if np.ndim(labels) else int(labels)
    honest = checks.count("honest", honest, 1, count)
    seed = checks.count("partition_seed", seed)
    if weighting not in ("equal", "size"):
        raise ValueError(f'weighting must be "equal" or "size", got {weighting!r}')
    if partition is None:
        places = (
            iid(count, honest, seed) if alpha is None else dirichlet(labels, honest, alpha, seed)
        )
        sizes = np.full(honest, places.shape[1])
    else:
        if alpha is not None:
            raise ValueError(f"give alpha or partition, not both, got alpha = {alpha!r}")
        places, sizes = padded(_lists(partition, honest))
        if places.min() < 0 or places.max() >= count:
            raise ValueError(
                f"partition must hold indices in 0..{count - 1}, got {places.min()}..{places.max()}"
            )
    shares = np.ones(honest) if weighting == "equal" else honest * sizes / sizes.sum()
    return Division(places, sizes, shares)


def _lists(partition: Any, honest: int) -> Any:
    """The positions of every worker, h arrays of integers, none of them empty."""
    shape = f"partition must have shape [honest, m] = [{honest}, m >= 1] or be {honest} lists"
    try:
        rows = np.asarray(partition)
    except ValueError:  # of different lengths
        rows = None
    if rows is not None:
        if rows.ndim != 2 or len(rows) != honest or not rows.shape[1]:
            came = rows.shape if rows.ndim else checks.said(partition)
            raise ValueError(f"{shape}, got {came}")
        if not np.issubdtype(rows.dtype, np.integer):
            raise ValueError(f"partition must hold integers, got {rows.dtype}")
        return rows
    try:
        parts = [np.asarray(part) for part in partition]
    except ValueError:  # lists of lists of different lengths
        parts = [np.zeros(())]
    if any(part.ndim != 1 for part in parts):
        raise ValueError(f"{shape}, got {checks.said(partition)}")
    for i, part in enumerate(parts):
        if not len(part) or not np.issubdtype(part.dtype, np.integer):
            raise ValueError(
                f"partition must be lists of integers, none of them empty, got {part.dtype} of "
                f"length {len(part)} at {i}"
            )
    if len(parts) != honest:
        raise ValueError(f"partition must have {honest} lists, one a worker, got {len(parts)}")
    return parts
