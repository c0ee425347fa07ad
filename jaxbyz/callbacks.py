"""Functions for `train(on_evaluate=...)`: files, loggers, early stopping, several at once.

A function of your own needs no more than `(round, metrics)`. If it is an object with a method
`begin`, that is called first, with the `History` so far: without evaluations in a run that begins,
with those of the checkpoint in one that continues. What is here uses it to learn the seeds, and to
be, in a run that was killed and continues, what it would have been without that.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxbyz import checks
from jaxbyz.early_stopping import early_stopping
from jaxbyz.history import History
from jaxbyz.stopping import OnEvaluate, StopTraining, wants_stop
from jaxbyz.storage.arrays import write_whole
from jaxbyz.storage.paths import expanded

__all__ = ["csv_file", "early_stopping", "in_turn", "tensorboard", "weights_and_biases"]


def csv_file(path: str | os.PathLike[str]) -> OnEvaluate:
    """Write a file with a line for every seed and evaluation: seed, round, all columns.

    After every evaluation the file is complete. A new run replaces the file; a run that continues
    from a checkpoint begins with the lines of the rounds before. Numbers are written so that
    reading them as 64-bit floats gives the same numbers.

    Args:
        path: of the file; folders are made where they are missing, and `~` is the home folder.

    Raises:
        ValueError: the path is a folder, or none that a file system can hold; in the run: nothing
            can be written there.
    """
    return _CsvFile(path)


def tensorboard(writer: Any) -> OnEvaluate:
    """Hand all columns to TensorBoard: `writer.add_scalar(name, value, round)`.

    The name is that of the column, the value its mean over seeds. With several seeds each has a
    value of its own, too, under "column/seed 7".

    Args:
        writer: anything with such a method, for instance `torch.utils.tensorboard.SummaryWriter()`
            or `tensorboardX.SummaryWriter()`.

    Raises:
        ValueError: it has none.
    """
    _require_method("writer", writer, "add_scalar", "torch.utils.tensorboard.SummaryWriter()")

    def log(scalars: dict[str, float], step: int) -> None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, step)

    return _Logger(log)


def weights_and_biases(run: Any) -> OnEvaluate:
    """Hand all columns to Weights & Biases: `run.log({name: value}, step=round)`.

    Names and values are those of `tensorboard`.

    Args:
        run: anything with such a method, for instance `wandb.init()`.

    Raises:
        ValueError: it has none.
    """
    _require_method("run", run, "log", "wandb.init()")
    return _Logger(lambda scalars, step: run.log(scalars, step=step))


def in_turn(*callbacks: OnEvaluate) -> OnEvaluate:
    """Call several functions one after another; the run ends if any of them says so.

    All of them are called, also after one that ends the run.

    Args:
        callbacks: functions of (round, metrics).

    Raises:
        ValueError: one of them is something else.

    >>> seen = []
    >>> both = in_turn(lambda round, metrics: round > 3, lambda round, metrics: seen.append(round))
    >>> both(0, {}), both(4, {}), seen
    (False, True, [0, 4])
    """
    for i, callback in enumerate(callbacks):
        checks.function(f"callbacks[{i}]", callback, "round, metrics")
    return _InTurn(callbacks)


def _require_method(name: str, value: Any, method: str, example: str) -> None:
    if not callable(getattr(value, method, None)):
        raise ValueError(
            f"{name} must have a method {method}, as {example} has, got {checks.said(value)}"
        )


class _CsvFile:
    """See `csv_file`."""

    def __init__(self, path: Any):
        self.path = expanded("path", path)
        if self.path.is_dir():
            raise ValueError(f"path must be that of a file, got {self.path}, which is a folder")
        self.seeds: Sequence[int] = ()
        self.names: list[str] = []  # of columns, once the file is there

    def begin(self, history: History) -> None:
        self.seeds, self.names = history.seeds.tolist(), []
        for i, done in enumerate(history.rounds.tolist()):
            self(done, {name: values[:, i] for name, values in history.columns.items()})

    def __call__(self, done: int, metrics: Mapping[str, np.ndarray]) -> None:
        count = len(next(iter(metrics.values())))
        seeds = self.seeds or range(count)
        if not self.names:
            self.names = list(metrics)
            head = _csv_text([["seed", "round", *self.names]])
            write_whole(self.path, lambda file: file.write(head))
        lines = [
            [seed, done, *(metrics[name][i].item() for name in self.names)]
            for i, seed in enumerate(seeds)
        ]
        with self.path.open("ab") as file:
            file.write(_csv_text(lines))


def _csv_text(lines: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


class _Logger:
    """Columns as single numbers with names, for a function (scalars, round)."""

    def __init__(self, log: Any):
        self.log = log
        self.seeds: Sequence[int] = ()

    def begin(self, history: History) -> None:
        self.seeds = history.seeds.tolist()

    def __call__(self, done: int, metrics: Mapping[str, np.ndarray]) -> None:
        self.log(dict(self._scalars(metrics)), done)

    def _scalars(self, metrics: Mapping[str, np.ndarray]) -> Iterator[tuple[str, float]]:
        for name, values in metrics.items():
            numbers = np.asarray(values, float)
            with np.errstate(all="ignore"):  # infinite values of both signs have no mean
                yield name, float(numbers.mean(dtype=float))
            if len(numbers) > 1:
                for seed, value in zip(self.seeds or range(len(numbers)), numbers, strict=True):
                    yield f"{name}/seed {seed}", float(value)


class _InTurn:
    """See `in_turn`."""

    def __init__(self, callbacks: Sequence[OnEvaluate]):
        self.callbacks = callbacks

    def begin(self, history: History) -> bool:
        begins = [getattr(each, "begin", None) for each in self.callbacks]
        return self._any([begin for begin in begins if callable(begin)], history)

    def __call__(self, done: int, metrics: Mapping[str, np.ndarray]) -> bool:
        return self._any(self.callbacks, done, metrics)

    @staticmethod
    def _any(functions: Sequence[Any], *arguments: Any) -> bool:
        """Whether one of them ends the run; a reason that is given is passed on."""
        end, told = False, None
        for function in functions:
            try:
                end |= wants_stop(function(*arguments))
            except StopTraining as stop:
                told = told or stop
        if told is not None:
            raise told
        return end
