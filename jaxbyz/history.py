"""The result of a training run: curves, exact bits, final parameters, and what made the run."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxbyz import checks, frames
from jaxbyz.contracts.returned import TOTALS
from jaxbyz.storage import arrays
from jaxbyz.storage.paths import expanded
from jaxbyz.tables import html_table, spread

WHAT = "a saved history"
SHOWN = 4  # columns in the text of a history


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """Curves of one `train` call, over S seeds and E evaluations.

    All columns have shape [S, E]. Those that count something count from the start of the run:

    | column        | meaning                                                           |
    |---------------|-------------------------------------------------------------------|
    | uplink_bits   | bits sent so far by one worker, mean over the honest ones, exact  |
    | downlink_bits | bits sent so far to one worker, mean over the honest ones, exact  |
    | rejected_rows | rows so far that were not finite, and that the server did not use |
    | faulty_rows   | rounds so far that an honest worker sat out: its gradient was not finite |
    | the rest      | what the problem's evaluators measure at x                        |

    Numbers of bits are whole and exact below 2^53.

    >>> history = History(np.array([0, 1]), {"loss": np.array([[2.0, 1.0]])},
    ...                   np.zeros((1, 3)), np.array([7]), {"algorithm": "none"})
    >>> history["loss"].tolist(), history.final("loss")
    ([[2.0, 1.0]], 1.0)
    >>> history
    History(none, attack ?, problem ?: 1 seed, 2 evaluations of rounds 0 to 1; loss 1)
    """

    rounds: np.ndarray  # [E] rounds done at each evaluation
    columns: Mapping[str, np.ndarray]  # name -> [S, E]
    parameters: np.ndarray  # [S, d] at the end
    seeds: np.ndarray  # [S]
    about: Mapping[str, Any]  # names, numbers of workers, versions, seconds
    # x [d] -> the model's variables, where the problem has a model; not saved
    unravel: Callable[[Any], Any] | None = dataclasses.field(default=None, kw_only=True, repr=False)

    def __getitem__(self, name: str) -> np.ndarray:
        """One column, [S, E] ("round": [E])."""
        if not isinstance(name, str):
            raise ValueError(
                f"a column must be asked for by its name, a text, got {checks.said(name)}"
            )
        if name in ("round", "rounds"):
            return self.rounds
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {sorted(['round', *self.columns])}")
        return self.columns[name]

    def final(self, name: str) -> float:
        """Mean over seeds of the last value of a column."""
        return float(self[name][..., -1].mean(dtype=float))  # "round" has no seeds

    def model(self, seed: int | None = None, problem: Any = None) -> Any:
        """The trained model: what its `apply` takes, ready for `flax.serialization`.

        Args:
            seed: one of `seeds`; None: the first.
            problem: the problem that was trained; needed of a history that was loaded.

        Raises:
            ValueError: there was no such seed; the problem has no model, or is not known here.

        >>> import jaxbyz as jb, optax
        >>> problem = jb.problems.classification("digits", honest=2,
        ...                                      model=jb.problems.models.Linear(10))
        >>> sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())
        >>> history = jb.train(sgd, problem, rounds=1, progress=False)
        >>> history.model()["params"]["Dense_0"]["bias"].shape
        (10,)
        """
        unravel = self.unravel if problem is None else problem.unravel
        if unravel is None:
            came = "a history without its problem" if problem is None else checks.said(problem)
            raise ValueError(
                "problem must be one with a model, for instance of problems.classification; of a "
                f"history that was loaded give it: history.model(problem=...), got {came}"
            )
        seeds = self.seeds.tolist()
        if seed is not None and seed not in seeds:
            raise ValueError(f"seed must be one of {seeds}, got {seed!r}")
        d = None if problem is None else problem.dimension
        width = self.parameters.shape[1] if self.parameters.ndim == 2 else 0
        if not width or d not in (None, width):
            raise ValueError(
                f"problem must have the {width} parameters of the history (comparisons keep none), "
                f"got {d}"
            )
        place = 0 if seed is None else seeds.index(seed)
        return unravel(jax.numpy.asarray(self.parameters[place]))

    def to_dict(self) -> dict[str, Any]:
        """Rounds, columns, parameters, seeds as arrays, and `about`, in one plain dictionary."""
        return {
            "rounds": self.rounds,
            **self.columns,
            "parameters": self.parameters,
            "seeds": self.seeds,
            "about": dict(self.about),
        }

    def to_frame(self) -> Any:
        """A pandas data frame with one line for every seed and evaluation.

        Its columns are seed, round, and all columns of the history, with their exact numbers.

        Raises:
            ImportError: pandas is not installed.
            ValueError: a column of the history is called "seed" or "round".
        """
        return frames.of_history(self)

    def __repr__(self) -> str:
        names = [name for name in self.columns if name not in TOTALS][:SHOWN]
        ends = [f"{name} {spread(self[name][:, -1], 4)[0]}" for name in names if len(self.rounds)]
        return f"History({self._said()}{'; ' if ends else ''}{', '.join(ends)})"

    def _repr_html_(self) -> str:
        """A small table for notebooks: where each column ends."""
        ends = {name: values[:, -1] for name, values in self.columns.items() if len(self.rounds)}
        lines = [[name, *spread(last)] for name, last in ends.items()]
        return html_table(self._said(), ["at the end", "mean", "lowest", "highest"], lines)

    def _said(self) -> str:
        """What was run, in one line."""
        told = {what: self.about.get(what, "?") for what in ("algorithm", "attack", "problem")}
        seeds, count = len(self.seeds), len(self.rounds)
        evaluations = f"{count} evaluation{'' if count == 1 else 's'}"
        if count:
            evaluations += f" of rounds {self.rounds[0]} to {self.rounds[-1]}"
        if self.about.get("stopped_at") is not None:
            evaluations += f", stopped at round {self.about['stopped_at']}"
        return (
            f"{told['algorithm']}, attack {told['attack']}, problem {told['problem']}: "
            f"{seeds} seed{'' if seeds == 1 else 's'}, {evaluations}"
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to one .npz file; an interrupted write leaves the old file as it was.

        Folders are made where they are missing, and `~` is the home folder.

        Raises:
            ValueError: the path is a folder, lies where nothing can be written, or is none that a
                file system can hold; something in `about` cannot be written as JSON.
        """
        parts = arrays.from_columns(self.columns)
        parts |= {"rounds": self.rounds, "parameters": self.parameters, "seeds": self.seeds}
        try:
            parts["about"] = np.array(json.dumps(dict(self.about), default=_plain))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"about must hold what JSON can: {error}") from None
        return arrays.write(expanded("path", path), parts)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, not a saved history, or may not be read.
        """
        path = expanded("path", path)
        stored = arrays.read(path, WHAT)
        missing = {"rounds", "parameters", "seeds", "about"} - set(stored)
        if missing:
            raise ValueError(f"{path} is not {WHAT}: it lacks {sorted(missing)}")
        columns = arrays.to_columns(stored)
        rounds, parameters, seeds = (stored[name] for name in ("rounds", "parameters", "seeds"))
        shapes = {name: values.shape for name, values in columns.items()}
        whole = rounds.ndim == seeds.ndim == 1 and parameters.shape[:1] == seeds.shape
        if not whole or set(shapes.values()) - {(*seeds.shape, *rounds.shape)}:
            raise ValueError(
                f"{path} is not {WHAT}: rounds {rounds.shape}, seeds {seeds.shape}, parameters "
                f"{parameters.shape} and columns {shapes} do not belong together"
            )
        texts = [name for name in stored if name != "about" and stored[name].dtype.kind in "USMm"]
        if texts:
            raise ValueError(f"{path} is not {WHAT}: {texts} are no numbers")
        try:
            about = dict(json.loads(str(stored["about"])))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path} is not {WHAT}: its about is no JSON ({error})") from None
        return cls(rounds, columns, parameters, seeds, about)

    def plot(self, y: str, x: str = "round", **options: Any) -> Any:
        """Draw one column against another; see `jaxbyz.plotting.plot`. Needs matplotlib.

        Options are `ax`, `label`, and those of a line of matplotlib: `color="black"`, `lw=2`, …
        """
        from jaxbyz import plotting

        return plotting.plot(self, y, x, **options)


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays for JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} is a {type(value).__name__}")


@contextmanager
def carrying(history: Callable[[], History]) -> Iterator[None]:
    """Add the history so far to any exception raised inside, as its attribute `history`."""
    try:
        yield
    except BaseException as error:
        if not hasattr(error, "history"):
            # A device that died has no parameters to read; its own error is what matters then.
            with suppress(Exception):
                error.history = history()  # type: ignore[attr-defined]
        raise
