"""`early_stopping`: a function for `train(on_evaluate=...)`, also found in `jaxbyz.callbacks`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jaxbyz import checks
from jaxbyz.history import History
from jaxbyz.stopping import OnEvaluate, StopTraining


def early_stopping(
    column: str, patience: int, *, largest: bool = False, least: float = 0.0
) -> OnEvaluate:
    """End a run when a column has not improved in any seed for some evaluations.

    A seed improves when its value is better than its best one before by more than `least`; NaN is
    better than nothing. A run that continues from a checkpoint ends where it would have ended
    without the interruption; one that was ended so ends at once when the same call is made again.

    Args:
        column: what is looked at.
        patience: evaluations without an improvement after which the run ends.
        largest: whether larger values are better.
        least: by how much a value must be better.

    Raises:
        ValueError: an argument outside its range; in the run: there is no such column.

    >>> stop = early_stopping("loss", patience=2)
    >>> for round, loss in enumerate([3.0, 2.0, 2.0, 2.5]):
    ...     stop(round, {"loss": np.array([loss])})
    Traceback (most recent call last):
    jaxbyz.stopping.StopTraining: loss has not improved for 2 evaluations
    """
    return _EarlyStopping(column, patience, largest, least)


class _EarlyStopping:
    """See `early_stopping`."""

    def __init__(self, column: str, patience: int, largest: bool, least: float):
        if not isinstance(column, str):
            raise ValueError(f"column must be a name, got {checks.said(column)}")
        checks.flag("largest", largest)
        self.column = column
        self.patience = checks.count("patience", patience, minimum=1)
        self.least = checks.interval("least", least, 0, np.inf, closed="left")
        self.sign = -1.0 if largest else 1.0
        self._forget()

    def _forget(self) -> None:
        self.best: np.ndarray | float = np.inf  # [S], of values times the sign
        self.waited = 0

    def _look(self, metrics: Mapping[str, np.ndarray]) -> None:
        if self.column not in metrics:
            known = list(metrics)
            raise ValueError(f"column must be one of {known}, got {checks.said(self.column)}")
        values = self.sign * np.asarray(metrics[self.column], float)
        better = values < self.best - self.least
        self.best = np.where(better, values, self.best)
        self.waited = 0 if better.any() else self.waited + 1

    def _judge(self) -> None:
        if self.waited >= self.patience:
            raise StopTraining(
                f"{self.column} has not improved for {self.patience} "
                f"evaluation{'' if self.patience == 1 else 's'}"
            )

    def begin(self, history: History) -> None:
        self._forget()
        for i in range(len(history.rounds)):
            self._look({name: values[:, i] for name, values in history.columns.items()})
        self._judge()

    def __call__(self, done: int, metrics: Mapping[str, np.ndarray]) -> None:
        self._look(metrics)
        self._judge()
