"""What a training run leaves behind: curves, exact bits, final parameters, and what made them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["History"]


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """Curves of one `train` call, over S seeds and E evaluations.

    Columns, all [S, E] and cumulative where they count:

    | column        | meaning                                                           |
    |---------------|-------------------------------------------------------------------|
    | uplink_bits   | bits sent so far by one worker, mean over the honest ones, exact  |
    | downlink_bits | bits sent so far to one worker, exact                             |
    | rejected_rows | rows so far that were not finite or huge and never reached x      |
    | the rest      | what the problem's evaluators measure at x                        |

    Numbers of bits are whole and exact below 2^53.

    >>> history = History(np.array([0, 1]), {"loss": np.array([[2.0, 1.0]])},
    ...                   np.zeros((1, 3)), np.array([7]), {"algorithm": "none"})
    >>> history["loss"].tolist(), history.final("loss")
    ([[2.0, 1.0]], 1.0)
    """

    rounds: np.ndarray  # [E] rounds done at each evaluation
    columns: Mapping[str, np.ndarray]  # name -> [S, E]
    parameters: np.ndarray  # [S, d] at the end
    seeds: np.ndarray  # [S]
    about: Mapping[str, Any]  # names, numbers of workers, versions, seconds

    def __getitem__(self, name: str) -> np.ndarray:
        """One column, [S, E] ("round": [E])."""
        if name in ("round", "rounds"):
            return self.rounds
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {sorted(['round', *self.columns])}")
        return self.columns[name]

    def final(self, name: str) -> float:
        """Mean over seeds of the last value of a column."""
        return float(self[name][:, -1].mean())

    def to_dict(self) -> dict[str, Any]:
        """Rounds, columns, parameters, seeds as arrays, and `about`, in one plain dictionary."""
        return {
            "rounds": self.rounds,
            **self.columns,
            "parameters": self.parameters,
            "seeds": self.seeds,
            "about": dict(self.about),
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to one .npz file; an interrupted write leaves the old file as it was."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"column/{name}": values for name, values in self.columns.items()}
        arrays |= {"rounds": self.rounds, "parameters": self.parameters, "seeds": self.seeds}
        arrays["about"] = np.array(json.dumps(dict(self.about)))
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        partial.replace(path)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is not a saved history.
        """
        with np.load(path, allow_pickle=False) as stored:
            missing = {"rounds", "parameters", "seeds", "about"} - set(stored.files)
            if missing:
                raise ValueError(f"{path} is not a saved history: it lacks {sorted(missing)}")
            columns = {
                name.removeprefix("column/"): stored[name]
                for name in stored.files
                if name.startswith("column/")
            }
            about = json.loads(str(stored["about"]))
            return cls(stored["rounds"], columns, stored["parameters"], stored["seeds"], about)

    def plot(self, y: str, x: str = "round", **options: Any) -> Any:
        """Draw one column against another; see `jaxbyz.plotting.plot`. Needs matplotlib."""
        from jaxbyz import plotting

        return plotting.plot(self, y, x, **options)
