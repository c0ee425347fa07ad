"""Which honest worker holds which samples: Dirichlet, i.i.d., or as the caller says."""

from typing import Any

import numpy as np

from jaxbyz import checks
from jaxbyz.data import dirichlet, iid


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
