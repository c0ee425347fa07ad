"""When a run is over: too many rows that are no numbers.

A Byzantine worker may send what it likes, and an honest one may have a faulty round (see
`jaxbyz.faulty_rounds`); neither stops a run. It has diverged in a round in which

    more rows are rejected than there are Byzantine workers,
    or more than half of the honest workers are faulty,
    or the rejected rows and the workers that have been faulty for PATIENCE rounds on end,
       together, are more than the Byzantine workers.

So nothing freezes unnoticed: once the model itself overflowed, all honest workers are faulty.
"""

from __future__ import annotations

import numpy as np

from jaxbyz.history import History

__all__ = ["PATIENCE", "RunDiverged", "diverged"]

PATIENCE = 10


class RunDiverged(RuntimeError):
    """The run diverged: too many rows were no numbers.

    In one round more rows were rejected than there are Byzantine workers; or more than half of the
    honest workers were faulty (their own gradients were not finite); or the rejected rows and the
    workers that had been faulty for ten rounds on end were more than the Byzantine workers.

    `history` holds what was computed up to the last evaluation before that round.
    """

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def diverged(
    rejected: np.ndarray, faulty: np.ndarray, streaks: np.ndarray, *, honest: int, byzantine: int
) -> tuple[np.ndarray, np.ndarray]:
    """In which of these rounds a run is over, [S, T] bool, and the streaks after them.

    Args:
        rejected: [S, T, n] bool, rows; faulty ones are not among them.
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
    count = rejected.sum(axis=2)  # [S, T]
    lasting = np.zeros_like(count)
    for t in range(faulty.shape[1]) if faulty.any() or streaks.any() else ():
        streaks = np.where(faulty[:, t], streaks + 1, 0)
        lasting[:, t] = (streaks >= PATIENCE).sum(axis=1)
    over = (count + lasting > byzantine) | (2 * faulty.sum(axis=2) > honest)
    return over, streaks
