"""Curves of one method under one attack, for every step size and seed, and their file."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from jaxbyz.storage import arrays


class Curves(NamedTuple):
    """One method under one attack: P step sizes, S seeds, E evaluations."""

    rounds: np.ndarray  # [E]
    columns: Mapping[str, np.ndarray]  # name -> [P, S, E]; NaN once a run is over
    seconds: float  # of compiling and running all of them

    def save(self, path: Path, mark: str) -> None:
        """Write to a file, whole or not at all."""
        parts = arrays.from_columns(self.columns)
        parts |= {"rounds": self.rounds, "seconds": np.array(self.seconds), "mark": np.array(mark)}
        arrays.write(path, parts)

    @classmethod
    def load(cls, path: Path, mark: str) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: it was another computation, or something else.
            Damaged: (a `ValueError`) it is not as it was written.
        """
        stored = arrays.read(path, "a stored run")
        missing = {"mark", "rounds", "seconds"} - set(stored)
        if missing:
            raise ValueError(
                f"{path} is not a stored run, it lacks {sorted(missing)}; give another folder"
            )
        if str(stored["mark"]) != mark:
            raise ValueError(
                f"{path} holds another computation (method, attack, step sizes, data, seeds or "
                "library version differ); give another folder"
            )
        columns = arrays.to_columns(stored)
        shapes = {values.shape[2:] for values in columns.values()}
        if stored["seconds"].shape or shapes - {stored["rounds"].shape}:
            raise arrays.Damaged(f"{path} is damaged: its arrays do not belong together")
        return cls(stored["rounds"], columns, float(stored["seconds"]))
