"""Where a figure makes its runs and keeps them: an interrupted figure goes on where it stopped.

Step sizes are chosen by one rule, for every method on the same grid: of every step size the worst
value over the tuning seeds at the last evaluation counts, and the best of these wins (see
`jaxbyz.compare`). The values of the whole grid are kept in `tables`, and written beside the figure.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxbyz as jb
from jaxbyz.core import Algorithm, Attack
from jaxbyz.storage import arrays

# Emptied by this process: what one figure has made anew, the next one finds.
_emptied: set[Path] = set()

Methods = Mapping[str, Callable[[Any], Algorithm]]  # name -> function of a step size


def digest(what: Any) -> str:
    """A short name for a specification; another specification never shares its results.

    >>> digest({"a": 1}) == digest({"a": 1}), digest({"a": 1}) == digest({"a": 2})
    (True, False)
    """
    text = json.dumps(what, sort_keys=True, default=dataclasses.asdict)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


@dataclasses.dataclass(eq=False)
class Workspace:
    """The runs of one figure at one specification.

    Args:
        folder: in which everything is kept.
        root: the folder of real data, as for `jaxbyz.data.load`; None: where that looks.
        say: called with a line whenever something begins.
        fresh: throw away what is there.
    """

    folder: Path
    root: str | None = None
    say: Callable[[str], None] = lambda line: None
    fresh: bool = False
    # race -> attack -> method -> {"step": worst value over the tuning seeds}, and what was chosen
    tables: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.fresh and self.folder not in _emptied:
            _emptied.add(self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def shared(self, name: str) -> Workspace:
        """A workspace beside this one, in which several figures keep the runs that they share."""
        return dataclasses.replace(self, folder=self.folder.parent / name)

    def images(self, name: str) -> jb.data.Dataset:
        """A data set of images by its name, from `root`; digits come with the install."""
        return jb.data.load(name, None if name == "digits" else self.root)

    def binary(self, name: str) -> jb.data.BinaryDataset:
        """A data set of two classes by its name, from `root`, where it is in files."""
        files = name not in ("synthetic", "breast_cancer")
        return jb.data.load_binary(name, self.root if files else None)

    def race(
        self, name: str, methods: Methods, problem: jb.problems.Problem, **options: Any
    ) -> jb.Comparison:
        """`jaxbyz.compare`, with its runs kept in this workspace under `name`.

        Args:
            name: of the folder of the runs.
            methods: name -> function of a step size.
            problem: what is learned.
            options: the other arguments of `compare`; `every` is `evaluate_every`. By default the
                server's clock is not compiled.

        Raises:
            ValueError: as `compare`; the runs kept under this name are another computation (the
                code has changed): the message says how they are removed.
        """
        found = self._compared(jb.compare, name, methods, problem, **options)
        if options.get("tuning_seeds") != 0:
            self.tables[name] = grid_results(found)
        return found

    def races(
        self,
        name: str,
        methods: Mapping[str, Callable[[Any, jb.core.Aggregator], Algorithm]],
        aggregators: Mapping[str, jb.core.Aggregator],
        problem: jb.problems.Problem,
        **options: Any,
    ) -> dict[str, jb.Comparison]:
        """The same for several rules, with one program a method: `jaxbyz.compare_aggregators`.

        Raises:
            ValueError: as `race`.
        """
        compare = jb.compare_aggregators
        found = self._compared(compare, name, methods, aggregators, problem, **options)
        if options.get("tuning_seeds") != 0:
            for rule, race in found.items():
                self.tables[f"{name}, {rule}"] = grid_results(race)
        return found

    def _compared(
        self, compare: Callable[..., Any], name: str, methods: Any, *parts: Any, every: int,
        **options: Any,
    ) -> Any:  # fmt: skip
        self.say(f"{name}: {', '.join(methods)}")
        folder = self.folder / "runs" / _slug(name)
        given = {"time_server": False, **options, "evaluate_every": every, "folder": folder}
        try:
            return compare(methods, *parts, **given)
        except ValueError as error:
            if "holds another computation" in str(error):
                error.add_note("--fresh makes all runs of the figure anew")
            raise

    def tune(
        self,
        name: str,
        methods: Methods,
        problem: jb.problems.Problem,
        *,
        attack: Attack,
        grid: Sequence[float],
        rounds: int,
        every: int,
        seeds: int = 2,
        measure: str = "validation_loss",
        **options: Any,
    ) -> dict[str, float]:
        """Every method's step size from one grid, chosen by the validation loss.

        The start and the draws are those of seeds 1 … `seeds`; it is the validation split, which
        no curve shows, that keeps the choice apart from what is reported.
        """
        found = self.race(
            name, methods, problem, attacks=[attack], steps=grid, rounds=rounds, every=every,
            seeds=1, tuning_seeds=seeds, measure=measure, **options,
        )  # fmt: skip
        return {
            method: float(found.steps[method][found.choice(method, found.attacks[0], "round")])
            for method in methods
        }

    def runs(
        self,
        name: str,
        methods: Methods,
        problem: jb.problems.Problem,
        *,
        attacks: Sequence[Attack],
        steps: Mapping[str, float],
        rounds: int,
        every: int,
        seeds: int,
        **options: Any,
    ) -> dict[tuple[str, str], jb.History]:
        """(method, attack) -> curves of every method at its own given step size."""
        single = {method: [steps[method]] for method in methods}
        # Nothing is chosen, so any column can be the measure.
        found = self.race(
            name, methods, problem, attacks=attacks, steps=single, rounds=rounds, every=every,
            seeds=seeds, tuning_seeds=0, measure="uplink_bits", **options,
        )  # fmt: skip
        return {
            (method, attack): history_of(found, method, attack, problem)
            for method in methods
            for attack in found.attacks
        }

    def arrays(
        self, name: str, make: Callable[[], Mapping[str, Any]], *inputs: Any
    ) -> dict[str, np.ndarray]:
        """What `make()` returns, kept under `name`; made again where the inputs are others.

        Args:
            name: of the file.
            make: -> arrays by name.
            inputs: everything that decides them, as JSON can hold it.
        """
        path = self.folder / "arrays" / f"{_slug(name)}-{digest(inputs)}.npz"
        try:
            return dict(arrays.read(path, "stored arrays"))
        except FileNotFoundError:
            pass
        except arrays.Damaged as error:
            aside = arrays.set_aside(path).name
            warnings.warn(f"{error}; it is kept as {aside}, and made again", stacklevel=2)
        self.say(name)
        made = {key: np.asarray(value) for key, value in make().items()}
        arrays.write(path, made)
        return made


def history_of(
    race: jb.Comparison,
    method: str,
    attack: str,
    problem: jb.problems.Problem,
    budget: str | None = None,
) -> jb.History:
    """Curves of a race at the step size chosen for a budget, the first of the race if it is None.

    The sizes of the problem are in `about`.
    """
    found = race.history(method, attack, budget or next(iter(race.budgets)))
    sizes = {what: getattr(problem, what) for what in ("honest", "byzantine", "dimension")}
    return dataclasses.replace(found, about={**found.about, **sizes})


def grid_results(race: jb.Comparison, budget: str | None = None) -> dict[str, Any]:
    """Attack -> method -> step sizes, the worst value of each over the tuning seeds, the choice.

    The budget is the first of the race if it is None. Values of runs that diverged are null.
    """
    budget = budget or next(iter(race.budgets))
    told: dict[str, Any] = {}
    for attack in race.attacks:
        told[attack] = {}
        for method in race.methods:
            values = race.values(method, attack, budget)[:, race.reported :]  # [P, tuning seeds]
            worst = values.min(axis=1) if race.largest else values.max(axis=1)
            chosen = race.choice(method, attack, budget)
            told[attack][method] = {
                "steps": race.steps[method].tolist(),
                race.measure: [float(v) if np.isfinite(v) else None for v in worst],
                "chosen": float(race.steps[method][chosen]),
                "at an end of the grid": chosen in (0, len(worst) - 1) and len(worst) > 1,
            }
    return told


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in ".=" else "-" for c in name)
