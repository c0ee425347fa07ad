"""A run of `train` that is under way: what it has found so far, on the host."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxbyz.divergence import RunDiverged
from jaxbyz.history import History
from jaxbyz.metrics import RunMetrics
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation.sessions import Counted


class UnfinishedRun:
    """What a run has found so far, from which its history is made at any time.

    Args:
        problem: of the run.
        seeds: of the run.
        about: what made it.
        began: when, on the clock of `time.perf_counter`.
    """

    def __init__(self, problem: Problem, seeds: Sequence[int], about: dict[str, Any], began: float):
        self.problem, self.seeds, self.began = problem, seeds, began
        self.about = about | {"stopped_at": None, "stop_reason": None}
        self.metrics = RunMetrics(len(seeds), problem.honest)
        self.resumed_at = 0
        # Rounds done -> parameters: of the last evaluation, and of one under way. One entry of the
        # metrics decides which of them count, so an interrupt never leaves half of an evaluation.
        self.reached: dict[int, jax.Array] = {}

    def resume(self, done: int, parameters: Any, stored: Mapping[str, np.ndarray]) -> None:
        """Take over what a checkpoint holds, with the models [S, d] there."""
        self.resumed_at = done
        self.metrics.unpack(stored)
        self.reached[done] = parameters

    def count(self, first: int, records: Counted) -> None:
        """Count rounds from `first` on, [S, T, ...], unless the run diverged in one of them."""
        over = np.argwhere(self.metrics.over(records, self.problem.byzantine))  # of [S, T]
        if len(over):
            seed, late = min(over.tolist(), key=lambda pair: pair[1])
            rejected, faulty = np.asarray(records.rejected), np.asarray(records.faulty)
            workers = np.flatnonzero((rejected | faulty)[seed, late]).tolist()
            raise RunDiverged(
                f"round {first + late} of seed {self.seeds[seed]}: {len(workers)} of "
                f"{rejected.shape[2]} rows were not finite (workers {workers}, "
                f"{int(faulty[seed, late].sum())} of them honest with gradients that are no "
                f"numbers), more than is allowed with honest = {self.problem.honest}, byzantine = "
                f"{self.problem.byzantine}; the run diverged. The exception's `history` holds the "
                "rounds before",
                self.history(),
            )
        self.metrics.count(records)

    def note(self, done: int, parameters: Any, measured: Mapping[str, Any]) -> None:
        """Enter an evaluation after `done` rounds, of the models [S, d]."""
        self.reached[done] = parameters
        self.metrics.note(done, measured)
        self.reached = {done: parameters}

    def stop(self, done: int, reason: str | None) -> None:
        """Note that the user ended the run after so many rounds."""
        self.about |= {"stopped_at": done, "stop_reason": reason}

    def history(self) -> History:
        """Everything up to the last evaluation."""
        rounds = self.metrics.rounds
        parameters = jax.numpy.asarray(self.reached[rounds[-1] if rounds else 0])
        about = self.about | {
            "resumed_at": self.resumed_at,
            "seconds": time.perf_counter() - self.began,
            "device": min(parameters.devices(), key=lambda device: device.id).device_kind,
        }
        columns = self.metrics.columns()
        seeds = np.array(self.seeds)
        found = np.asarray(parameters)
        unravel = self.problem.unravel
        return History(np.array(rounds), columns, found, seeds, about, unravel=unravel)
