"""When a run is over: too many rows that are no numbers.

A Byzantine worker may send what it likes, and an honest one may have a bad round (see
`jaxbyz.bad_rounds`); neither stops a run. It has diverged in a round in which

    more rows are rejected than there are Byzantine workers,
    or more than half of the honest workers are faulty,
    or the rejected rows and the workers that have been faulty for PATIENCE rounds on end,
       together, are more than the Byzantine workers.

So nothing freezes unnoticed: once the model itself overflowed, all honest workers are faulty.
"""

from __future__ import annotations

import numpy as np

__all__ = ["PATIENCE", "diverged"]

PATIENCE = 10


def diverged(
    bad: np.ndarray, faulty: np.ndarray, streaks: np.ndarray, *, honest: int, byzantine: int
) -> tuple[np.ndarray, np.ndarray]:
    """In which of these rounds a run is over, [S, T] bool, and the streaks after them.

    Args:
        bad: [S, T, n] bool, rejected rows; faulty ones are not among them.
        faulty: [S, T, n] bool, of honest workers.
        streaks: [S, n], for how many rounds every worker has been faulty before these.
        honest: how many workers are.
        byzantine: how many workers are.

    >>> faulty = np.array([[[True, False, False], [True, True, False]]])
    >>> none = np.zeros((1, 3), int)
    >>> over, streaks = diverged(~faulty & False, faulty, none, honest=3, byzantine=0)
    >>> over.tolist(), streaks.tolist()
    ([[False, True]], [[2, 1, 0]])
    """
    rejected = bad.sum(axis=2)  # [S, T]
    lasting = np.zeros_like(rejected)
    for t in range(faulty.shape[1]) if faulty.any() or streaks.any() else ():
        streaks = np.where(faulty[:, t], streaks + 1, 0)
        lasting[:, t] = (streaks >= PATIENCE).sum(axis=1)
    over = (rejected + lasting > byzantine) | (2 * faulty.sum(axis=2) > honest)
    return over, streaks
