"""What a grid writes: one table of all cells, a summary to read, pictures."""

import csv
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxbyz.comparison import Comparison
from jaxbyz.grids.cells import Cell, Grid
from jaxbyz.grids.running import Compared
from jaxbyz.heatmaps import plot_rules
from jaxbyz.plotting import plot_histories, pyplot_library


def write_table(path: Path, grid: Grid, found: Sequence[Compared]) -> None:
    """One line for every cell, budget and reported seed, at the chosen step size, as CSV.

    Columns: the values of all lists of the file under their paths (problem.byzantine,
    method.ratio, …), method, rule, attack, budget, step (the step size), seed, and all columns of
    the runs at the last evaluation within the budget; NaN once a run is over.
    """
    lines = list(lines_of(grid, found))
    # Those of lists first: not every method, rule and attack has them.
    names = dict.fromkeys(name for line in lines for name in line if "." in name)
    names |= dict.fromkeys(name for line in lines for name in line)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(lines)
    partial.replace(path)  # whole or not at all


def lines_of(grid: Grid, found: Iterable[Compared]) -> Iterator[dict[str, Any]]:
    """The lines of the table."""
    for compared in found:
        for rule in grid.rules:
            race = compared.rules[rule.label]
            for method in grid.methods:
                for attack in grid.attacks:
                    axes = {
                        **_axes("problem", compared.problem),
                        **_axes("method", method),
                        **_axes("rule", rule),
                        **_axes("attack", attack),
                    }
                    names = {"method": method.label, "rule": rule.label, "attack": attack.label}
                    yield from (axes | names | line for line in _ends(race, names))


def _ends(race: Comparison, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Budget, step size, seed and columns of one method under one attack."""
    where = names["method"], names["attack"]
    for budget in race.budgets:
        i = race.choice(*where, budget)
        step = float(race.steps[where[0]][i])
        columns = {name: race.values(*where, budget, name)[i] for name in race.cells[where].columns}
        for seed in range(race.reported):
            values = {name: column[seed].item() for name, column in columns.items()}
            yield {"budget": budget, "step": step, "seed": seed, **values}


def _axes(section: str, cell: Cell) -> dict[str, Any]:
    return {f"{section}.{name}": value for name, value in cell.chosen.items()}


def write_summary(path: Path, found: Sequence[Compared]) -> None:
    """The tables of all comparisons as text."""
    parts = []
    for compared in found:
        for rule, race in compared.rules.items():
            head = ", ".join(word for word in (compared.problem.label, f"rule: {rule}") if word)
            parts.append(f"{head}\n{'-' * len(head)}\n{race}\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def write_pictures(folder: Path, found: Sequence[Compared]) -> list[Path]:
    """Rules × attacks for every method, and curves for every attack and rule.

    Raises:
        ImportError: matplotlib is not installed.
    """
    pyplot = pyplot_library()
    written = []

    def draw(name: str, what: Callable[..., Any], size: tuple[float, float]) -> None:
        figure, ax = pyplot.subplots(figsize=size, layout="constrained")
        try:
            what(ax=ax)
            if not ax.get_title():
                ax.set_title(name)
            path = folder / f"{_file(name)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=120)
            written.append(path)
        finally:
            pyplot.close(figure)

    for compared in found:
        first = next(iter(compared.rules.values()))
        wide, high = 3.5 + 1.1 * len(first.attacks), 2.6 + 0.5 * len(compared.rules)
        for budget in first.budgets:
            before = [word for word in (compared.problem.label, _of(first, budget)) if word]
            for method in first.methods:
                tiles = functools.partial(plot_rules, compared.rules, method=method, budget=budget)
                draw(", ".join([*before, "rules", method]), tiles, (wide, high))
            for rule, race in compared.rules.items():
                for attack in race.attacks:
                    histories = {
                        method: race.history(method, attack, budget) for method in race.methods
                    }

                    curves = functools.partial(plot_histories, histories, race.measure, x=budget)
                    draw(", ".join([*before, "curves", rule, attack]), curves, (6.4, 4.2))
    return written


def _of(race: Comparison, budget: str) -> str:
    """The budget in the names of files, where there are several."""
    return budget if len(race.budgets) > 1 else ""


def _file(name: str) -> str:
    return "".join(c if c.isalnum() or c in "=.-" else "_" for c in name).strip("_")


def means(found: Sequence[Compared]) -> str:
    """The best method of every cell, one line each."""
    lines = []
    for compared in found:
        for rule, race in compared.rules.items():
            for budget in race.budgets:
                for attack in race.attacks:
                    rows = [row for row in race.rows(budget) if row.attack == attack]
                    best = rows[0]
                    value = f"{race.measure} {np.mean(best.values):.4g}"
                    where = [compared.problem.label, rule, attack, _of(race, budget)]
                    words = ", ".join(word for word in where if word)
                    lines.append(f"{words}: {best.method} ({value}, step {best.step:g})")
    return "\n".join(lines)
