"""What `compare` found: the choice of a step size, and the table."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxbyz import checks, frames
from jaxbyz.comparison import texts
from jaxbyz.comparison.curves import Curves
from jaxbyz.history import History


class TableLine(NamedTuple):
    """One line of the table."""

    attack: str
    method: str
    step: float  # that was chosen
    at_end: bool  # it is the smallest or largest one tried: widen the grid
    values: np.ndarray  # [seeds] of the measure within the budget, of the reported seeds
    used_up: bool  # the budget was, by every reported seed
    server_seconds: float  # of one round


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Results of `compare`; `print` it for the table."""

    problem: str
    methods: tuple[str, ...]
    attacks: tuple[str, ...]
    steps: Mapping[str, np.ndarray]  # method -> [P]
    budgets: Mapping[str, float]  # column -> amount
    measure: str
    largest: bool
    reported: int  # of the seeds, the first so many; the others choose the step size
    cells: Mapping[tuple[str, str], Curves]  # (method, attack)
    server_seconds: Mapping[str, float]  # method -> of one round; NaN: not timed
    # what made the runs: problem, and by their names algorithms (of the first step size), attacks
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def _require(self, **given: str) -> None:
        """Raise unless all of these are among the names of methods, attacks and budgets."""
        for what, name in given.items():
            known = {"method": self.methods, "attack": self.attacks, "budget": tuple(self.budgets)}
            if name not in known[what]:
                raise ValueError(f"{what} must be one of {list(known[what])}, got {name!r}")

    def one_budget(self, budget: str | None) -> str:
        """The budget that is meant; None: the only one.

        Raises:
            ValueError: no such budget, or None where there are several.
        """
        if budget is None and len(self.budgets) == 1:
            return next(iter(self.budgets))
        if budget is None:
            raise ValueError(f"budget must be one of {list(self.budgets)}, got None")
        self._require(budget=budget)
        return budget

    def _within(
        self, method: str, attack: str, budget: str, column: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """A column (None: the measure) at the last evaluation within a budget; is it used up?

        Both have shape [P, S].
        """
        cell = self.cells[method, attack]
        values = cell.columns[self.measure if column is None else column]
        if budget == "round":
            spent = np.broadcast_to(cell.rounds.astype(float), values.shape)
        else:
            spent = cell.columns[budget]
        inside = spent <= self.budgets[budget]
        last = np.maximum(inside.sum(axis=2) - 1, 0)  # spending only grows
        at_end = np.take_along_axis(values, last[:, :, None], axis=2)[:, :, 0]
        more = np.take_along_axis(spent, last[:, :, None], axis=2)[:, :, 0]
        used = ~inside.all(axis=2) | (more >= self.budgets[budget])
        return np.where(inside[:, :, 0], at_end, np.nan), used

    def values(
        self, method: str, attack: str, budget: str, column: str | None = None
    ) -> np.ndarray:
        """A column within a budget of every step size and seed, [P, S]; NaN: the run was over.

        The first `reported` seeds are those of the table; the others choose the step size.

        Args:
            method: a name.
            attack: a name.
            budget: a name.
            column: a name; None: the measure.

        Raises:
            ValueError: a name that is none of the comparison's.
        """
        self._require(method=method, attack=attack, budget=budget)
        column = self.measure if column is None else column
        known = list(self.cells[method, attack].columns)
        if column not in known:
            raise ValueError(f"column must be one of {known}, got {checks.said(column)}")
        return self._within(method, attack, budget, column)[0]

    def choice(self, method: str, attack: str, budget: str) -> int:
        """Which step size has the best worst value over the tuning seeds; the smallest of equals.

        A value that is not finite (the run diverged, or is about to) is worse than any other.

        Raises:
            ValueError: a name that is none of the comparison's.
        """
        values = self.values(method, attack, budget)[:, self.reported :]
        if len(values) == 1:
            return 0
        badness = -values if self.largest else values
        return int(np.argmin(np.where(np.isfinite(badness), badness, np.inf).max(axis=1)))

    def rows(self, budget: str) -> list[TableLine]:
        """The table of one budget: for every attack, methods from best to worst mean.

        Raises:
            ValueError: no such budget.
        """
        self._require(budget=budget)
        table = []
        for attack in self.attacks:
            lines = []
            for method in self.methods:
                i = self.choice(method, attack, budget)
                values, used = (part[i, : self.reported] for part in
                                self._within(method, attack, budget))  # fmt: skip
                grid = self.steps[method]
                at_end = len(grid) > 1 and i in (0, len(grid) - 1)
                chosen = attack, method, float(grid[i]), at_end, values, bool(used.all())
                lines.append(TableLine(*chosen, self.server_seconds[method]))
            table += sorted(lines, key=self._badness)
        return table

    def _badness(self, row: TableLine) -> float:
        mean = row.values.mean()
        return np.inf if not np.isfinite(mean) else -mean if self.largest else mean

    def best(self, budget: str, attack: str) -> str:
        """The method with the best mean over the reported seeds.

        Raises:
            ValueError: no such budget or attack.
        """
        self._require(budget=budget, attack=attack)
        return next(row.method for row in self.rows(budget) if row.attack == attack)

    def history(self, method: str, attack: str, budget: str) -> History:
        """Curves of the reported seeds with the chosen step size.

        Server seconds are a column of them, unless the server was not timed.

        `parameters` are not kept: [S, 0].

        Raises:
            ValueError: a name that is none of the comparison's.
        """
        i, cell = self.choice(method, attack, budget), self.cells[method, attack]
        columns = {name: values[i, : self.reported] for name, values in cell.columns.items()}
        clock = cell.rounds * self.server_seconds[method]
        if not np.isnan(self.server_seconds[method]):
            columns["server_seconds"] = np.broadcast_to(clock, (self.reported, len(clock)))
        about = {
            "algorithm": method,
            "attack": attack,
            "problem": self.problem,
            "step": float(self.steps[method][i]),
            "seconds": cell.seconds,
            "seeds": list(range(self.reported)),
            "arguments": self._arguments(method, attack),
        }
        seeds = np.arange(self.reported)
        return History(cell.rounds, columns, np.zeros((self.reported, 0)), seeds, about)

    def _arguments(self, method: str, attack: str) -> dict[str, Any]:
        """Those of one method under one attack."""
        return {
            what: told if what == "problem" else told[method if what == "algorithm" else attack]
            for what, told in self.arguments.items()
        }

    def table(self, budget: str) -> str:
        """One budget as text.

        Raises:
            ValueError: no such budget.
        """
        self._require(budget=budget)
        return texts.table(self, budget)

    def to_frame(self, budget: str | None = None) -> Any:
        """A pandas data frame of all runs: one line for every seed and evaluation of each.

        Its columns are method, attack, step (the step size), chosen (whether that is the step size
        chosen for this budget), reported (whether the seed is reported; the others choose the step
        size), seed, round, and all columns that are kept: NaN once a run is over.

        Args:
            budget: a name; None: the only budget.

        Raises:
            ImportError: pandas is not installed.
            ValueError: no such budget, or None where there are several.
        """
        return frames.of_comparison(self, budget)

    def heatmap(self, column: str | None = None, **options: Any) -> Any:
        """Draw methods × attacks; see `jaxbyz.heatmaps.heatmap`. Needs matplotlib."""
        from jaxbyz import heatmaps

        return heatmaps.heatmap(self, column, **options)

    def __str__(self) -> str:
        return "\n\n".join(self.table(budget) for budget in self.budgets)

    def __repr__(self) -> str:
        return f"Comparison({texts.summary(self)})"

    def _repr_html_(self) -> str:
        """A table for notebooks, one for every budget."""
        return "\n".join(texts.html(self, budget) for budget in self.budgets)
