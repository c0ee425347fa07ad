"""Metrics of a run, kept on the host: exact totals over rounds, and the values of evaluations."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxbyz.contracts.returned import TOTALS
from jaxbyz.divergence import diverged
from jaxbyz.simulation.sessions import Counted
from jaxbyz.storage import arrays


class RunMetrics:
    """Totals per seed as 64-bit integers, and one entry per evaluation.

    Args:
        seeds: S.
        honest: h; bits are those of the honest workers.

    >>> metrics = RunMetrics(seeds=1, honest=2)
    >>> words = np.zeros((1, 5, 3, 2), np.uint32)  # 5 rounds, 3 workers
    >>> words[..., 0] = 1  # 2^32 bits each
    >>> nobody = np.zeros((1, 5, 3), bool)
    >>> metrics.count(Counted(words, words, nobody, nobody))
    >>> metrics.note(5, {"loss": np.array([0.5])})
    >>> metrics.columns()["uplink_bits"].item() == 5 * 2**32
    True
    """

    def __init__(self, seeds: int, honest: int):
        self.honest = honest
        # [S, 4] the TOTALS; bits are those of all honest workers together
        self.totals = np.zeros((seeds, 4), np.int64)
        self.streaks = np.zeros((seeds, 1), np.int64)  # [S, n], rounds faulty on end (1 for n: 0)
        self.rounds: list[int] = []
        self.entries: dict[str, list[np.ndarray]] = {}

    def over(self, records: Counted, byzantine: int) -> np.ndarray:
        """In which of the rounds that come next a run has diverged, [S, T] bool."""
        rejected, faulty = np.asarray(records.rejected), np.asarray(records.faulty)
        return diverged(rejected, faulty, self.streaks, honest=self.honest, byzantine=byzantine)[0]

    def count(self, records: Counted) -> None:
        """Add rounds: records with leading axes [S, T]."""
        uplink, downlink, rejected, faulty = (np.asarray(part) for part in records)
        self.totals[:, 0] += _number(uplink[:, :, : self.honest]).sum(axis=(1, 2))
        self.totals[:, 1] += _number(downlink[:, :, : self.honest]).sum(axis=(1, 2))
        self.totals[:, 2] += rejected.sum(axis=(1, 2))
        self.totals[:, 3] += faulty.sum(axis=(1, 2))
        _, self.streaks = diverged(rejected, faulty, self.streaks, honest=self.honest, byzantine=0)

    def note(self, done: int, measured: Mapping[str, Any]) -> None:
        """Enter an evaluation after `done` rounds: every measure [S]."""
        uplink, downlink, rejected, faulty = self.totals.T.copy()
        totals = (uplink / self.honest, downlink / self.honest, rejected, faulty)
        for name, values in {**dict(zip(TOTALS, totals, strict=True)), **measured}.items():
            self.entries.setdefault(name, []).append(np.asarray(values))
        self.rounds.append(done)  # last: an interrupt before it leaves no half of an evaluation

    def columns(self) -> dict[str, np.ndarray]:
        """Every column as [S, E]."""
        count = len(self.rounds)
        return {name: np.stack(values[:count], axis=1) for name, values in self.entries.items()}

    def latest(self) -> dict[str, np.ndarray]:
        """Every column at the last evaluation, [S]: copies, which anybody may change."""
        last = len(self.rounds) - 1
        return {name: np.array(values[last]) for name, values in self.entries.items()}

    def pack(self) -> dict[str, np.ndarray]:
        """Everything, as arrays to be stored."""
        columns = arrays.from_columns(self.columns())
        books = {"totals": self.totals, "streaks": self.streaks, "rounds": np.array(self.rounds)}
        return books | columns

    def unpack(self, stored: Mapping[str, np.ndarray]) -> None:
        """Take over what `pack` gave."""
        self.totals = np.array(stored["totals"])
        self.streaks = np.array(stored["streaks"])
        self.rounds = stored["rounds"].tolist()
        columns = arrays.to_columns(stored)
        self.entries = {name: list(np.moveaxis(v, 1, 0)) for name, v in columns.items()}


def _number(words: np.ndarray) -> np.ndarray:
    """(high, low) words [..., 2] as 64-bit integers [...]."""
    wide = np.asarray(words).astype(np.int64)
    return (wide[..., 0] << 32) + wide[..., 1]
