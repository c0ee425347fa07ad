"""Which honest worker holds which samples: Dirichlet, i.i.d., or as the caller says."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxbyz import checks
from jaxbyz.data import dirichlet, iid
from jaxbyz.data.uneven import padded


def divide(
    labels: np.ndarray, honest: int, alpha: float | None, partition: Any | None, seed: int
) -> np.ndarray:
    """Positions of the samples of every honest worker, [h, m].

    If `partition` [h, m] is given, it is returned. Otherwise, samples with labels [N] are divided
    by the Dirichlet law with parameter alpha, or i.i.d. if alpha is None.

    Raises:
        ValueError: more honest workers than samples; a partition_seed that is no integer >= 0;
            both alpha and partition; a partition of another shape, not of integers or outside
            0..N-1; what the division refuses.

    >>> divide(np.array([0, 1, 0, 1]), 2, None, [[0, 1], [2, 3]], 0).tolist()
    [[0, 1], [2, 3]]
    """
    honest = checks.count("honest", honest, 1, len(labels))
    seed = checks.count("partition_seed", seed)
    if partition is None:
        return (
            iid(labels, honest, seed) if alpha is None else dirichlet(labels, honest, alpha, seed)
        )
    if alpha is not None:
        raise ValueError(f"give alpha or partition, not both, got alpha = {alpha!r}")
    given = partition
    try:
        partition = np.asarray(given)
    except ValueError:  # rows of different lengths
        partition = np.zeros(())
    if partition.ndim != 2 or partition.shape[0] != honest or partition.shape[1] == 0:
        came = partition.shape if partition.ndim else checks.said(given)
        raise ValueError(f"partition must have shape [honest, m] = [{honest}, m >= 1], got {came}")
    if not np.issubdtype(partition.dtype, np.integer):
        raise ValueError(f"partition must hold integers, got {partition.dtype}")
    if partition.min() < 0 or partition.max() >= len(labels):
        raise ValueError(
            f"partition must hold indices in 0..{len(labels) - 1}, got "
            f"{partition.min()}..{partition.max()}"
        )
    return partition


class Division(NamedTuple):
    """Positions of the samples of every honest worker, [h, m], and what a sample counts."""

    places: np.ndarray  # [h, m]; rows of fewer samples repeat one
    sizes: np.ndarray | None  # [h] samples of each; None: all m
    # [h, m] w_ij of f_i = (1/m) Σ_j w_ij loss_ij, 0 for what is repeated; None: all 1
    weights: np.ndarray | None


def divide_unevenly(
    labels: np.ndarray,
    honest: int,
    alpha: float | None,
    partition: Any | None,
    seed: int,
    weighting: str,
) -> Division:
    """As `divide`, but `partition` may be h lists of different lengths m_i.

    With the weighting "equal" every worker counts the same, f_i is the mean over its m_i samples.
    With "size" f_i is that mean times h m_i/Σ m_i, so that the honest objective (1/h) Σ f_i is the
    mean over all samples.

    Raises:
        ValueError: as `divide`; a list that is empty or of no integers; another weighting.

    >>> made = divide_unevenly(np.zeros(4, int), 2, None, [[0], [1, 2, 3]], 0, "equal")
    >>> made.places.tolist(), made.weights.tolist()
    ([[0, 0, 0], [1, 2, 3]], [[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    """
    if weighting not in ("equal", "size"):
        raise ValueError(f'weighting must be "equal" or "size", got {weighting!r}')
    parts = _parts(partition)
    if parts is None:
        return Division(divide(labels, honest, alpha, partition, seed), None, None)
    honest = checks.count("honest", honest, 1, len(labels))
    if len(parts) != honest:
        raise ValueError(f"partition must have {honest} lists, one a worker, got {len(parts)}")
    if alpha is not None:
        raise ValueError(f"give alpha or partition, not both, got alpha = {alpha!r}")
    places, sizes = padded(parts)
    if places.min() < 0 or places.max() >= len(labels):
        raise ValueError(
            f"partition must hold indices in 0..{len(labels) - 1}, got "
            f"{places.min()}..{places.max()}"
        )
    m = places.shape[1]
    valid = np.arange(m) < sizes[:, None]
    scale = m / sizes if weighting == "equal" else np.full(honest, m * honest / sizes.sum())
    return Division(places, sizes, valid * scale[:, None])


def _parts(partition: Any) -> list[np.ndarray] | None:
    """The lists of a partition, if it is of lists of different lengths."""
    if not isinstance(partition, Sequence) or isinstance(partition, str):
        return None
    parts = [np.asarray(part) for part in partition if np.ndim(part) == 1]
    if len(parts) < len(partition) or len({len(part) for part in parts}) < 2:
        return None
    for i, one in enumerate(parts):
        if not len(one) or not np.issubdtype(one.dtype, np.integer):
            raise ValueError(
                f"partition must be lists of integers, none of them empty, got {one.dtype} of "
                f"length {len(one)} at {i}"
            )
    return parts
