"""When a run has diverged: too many rows or gradients are not finite.

A Byzantine worker may send NaN, and an honest worker may have a faulty round, one in which its own
gradient is not finite (see `jaxbyz.faulty_rounds`). Neither alone stops a run. A run has diverged
in a round in which one of these holds:

    more rows are rejected than there are Byzantine workers;
    more than half of the honest workers are faulty;
    rejected rows, and workers that have been faulty in PATIENCE rounds in a row, are together more
       than the Byzantine workers.

If the model itself overflows, all honest workers become faulty, so the run stops at once.
"""

import numpy as np

from jaxbyz.history import History

PATIENCE = 10


class RunDiverged(RuntimeError):
    """The run diverged: too many rows or gradients were not finite (NaN or ±Inf).

    In one round, more rows were rejected than there are Byzantine workers; or more than half of the
    honest workers were faulty (their own gradients were not finite); or rejected rows, and workers
    faulty in ten rounds in a row, were together more than the Byzantine workers.

    `history` holds what was computed up to the last evaluation before that round.
    """

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def diverged(
    rejected: np.ndarray, faulty: np.ndarray, streaks: np.ndarray, *, honest: int, byzantine: int
) -> tuple[np.ndarray, np.ndarray]:
    """In which of these rounds a run has diverged, [S, T] bool, and the streaks after them.

    A streak is the number of rounds in a row in which a worker has been faulty.

    Args:
        rejected: [S, T, n] bool, rows; faulty ones are not among them.
        faulty: [S, T, n] bool, of honest workers.
        streaks: [S, n], before these rounds.
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
