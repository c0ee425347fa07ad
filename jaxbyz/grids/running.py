"""A grid that is run: one comparison for every setting of the problem, each resumable.

Runs are stored under names that say what they belong to: a digest of what a comparison shares
(problem, rules, attacks, rounds, seeds) names its folder, and one of a method's own section and
step sizes is part of the method's name there. A grid that got further methods, or further values
of the problem's arguments, makes those runs alone.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxbyz.comparison import Comparison, compare_aggregators, planned
from jaxbyz.core import Aggregator, Attack
from jaxbyz.grids.cells import Cell, Grid
from jaxbyz.grids.parts import algorithm, part, rule
from jaxbyz.grids.tables import MARK, GridError, at
from jaxbyz.problems import Problem
from jaxbyz.storage.locks import Lock
from jaxbyz.storage.paths import made


class Compared(NamedTuple):
    """What was found for one setting of the problem."""

    problem: Cell
    rules: Mapping[str, Comparison]  # label of a rule -> methods × attacks


def runs_of(grid: Grid) -> int:
    """How many runs the grid has, those that choose step sizes included."""
    each = len(grid.problems) * len(grid.rules) * len(grid.attacks)
    seeds = grid.race.get("seeds", 3) + grid.race.get("tuning_seeds", 2)
    return each * seeds * sum(len(grid.steps[method.label]) for method in grid.methods)


def check(grid: Grid) -> None:
    """Build every part of every cell, so that a mistake is found before the first run.

    Raises:
        GridError: a mistake, with its place in the file.
    """
    for cell in grid.problems:
        methods, rules, attacks = _parts(grid)
        problem = _problem(cell)
        # One rule after another, so that an error is known to be of this one.
        for label, each in rules.items():
            with at(f"{_place(cell)}with [rules] {label}"):
                planned(methods, {label: each}, problem, **_options(grid, attacks, None))


def run_grid(
    grid: Grid, folder: str | os.PathLike[str], tell: Callable[[str], None] = print
) -> Iterator[Compared]:
    """Run all cells; what is stored in the folder is not run again.

    Args:
        grid: from `grid_of`, checked.
        folder: where runs are stored, and continued from.
        tell: what happens, one line at a time.

    Raises:
        ValueError: as for `compare_aggregators`; another process works in the folder.
    """
    place = made("folder", folder)
    with contextlib.closing(_Held(place)):
        yield from _run_all(grid, place / "runs", tell)


class _Held:
    """The folder, which is this process's alone until it is closed."""

    def __init__(self, folder: Path):
        with at("--folder"):
            self.close = Lock(folder).release


def _run_all(grid: Grid, stored: Path, tell: Callable[[str], None]) -> Iterator[Compared]:
    for i, cell in enumerate(grid.problems):
        tell(f"problem {i + 1} of {len(grid.problems)}: {cell.label or cell.table['name']}")
        methods, rules, attacks = _parts(grid)
        shared = [cell.table, [c.table for c in grid.rules], [c.table for c in grid.attacks]]
        names = [[c.label for c in grid.rules], [c.label for c in grid.attacks]]
        decisive = {n: grid.race.get(n) for n in ("rounds", "evaluate_every", "evaluate", "seeds",
                                                  "tuning_seeds")}  # fmt: skip
        place = stored / _digest([*shared, *names, decisive])
        with at(_place(cell) or "[problem]"):
            races = compare_aggregators(
                methods, rules, _problem(cell), **_options(grid, attacks, place)
            )
        yield Compared(cell, {label: _plain(race) for label, race in races.items()})


def _place(cell: Cell) -> str:
    return f"[problem] with {cell.label}, " if cell.label else ""


def _problem(cell: Cell) -> Problem:
    found: Problem = part("Problem", cell.where, cell.table)
    return found


def _parts(
    grid: Grid,
) -> tuple[dict[str, Callable[..., Any]], dict[str, Aggregator], list[Attack]]:
    methods = {}
    for cell in grid.methods:
        digest = _digest([cell.table, grid.steps[cell.label]])[:8]

        def method(step: Any, aggregator: Any, cell: Cell = cell) -> Any:
            return algorithm(cell.where, cell.table, step, aggregator)

        methods[f"{cell.label}{MARK}{digest}"] = method
    rules = {cell.label: rule(cell.where, cell.table) for cell in grid.rules}
    attacks = [
        part("Attack", cell.where, cell.table)._replace(name=cell.label) for cell in grid.attacks
    ]
    return methods, rules, attacks


def _options(grid: Grid, attacks: list[Attack], place: Path | None) -> dict[str, Any]:
    """Arguments of `compare_aggregators`."""
    steps = {
        f"{cell.label}{MARK}{_digest([cell.table, grid.steps[cell.label]])[:8]}":
        grid.steps[cell.label]
        for cell in grid.methods
    }  # fmt: skip
    return {"attacks": attacks, "steps": steps, "folder": place, "time_server": False, **grid.race}


def _plain(race: Comparison) -> Comparison:
    """The same comparison with the labels of methods alone."""

    def label(name: str) -> str:
        return name.rpartition(MARK)[0]

    told = dict(race.arguments)
    told["algorithm"] = {label(name): value for name, value in told["algorithm"].items()}
    return dataclasses.replace(
        race,
        methods=tuple(map(label, race.methods)),
        steps={label(name): value for name, value in race.steps.items()},
        cells={(label(name), attack): cell for (name, attack), cell in race.cells.items()},
        server_seconds={label(name): value for name, value in race.server_seconds.items()},
        arguments=told,
    )


def _digest(value: Any) -> str:
    try:
        text = json.dumps(value, sort_keys=True)
    except TypeError as error:  # dates and times of TOML
        raise GridError(f"the file must hold texts, numbers, lists and tables: {error}") from error
    return hashlib.sha256(text.encode()).hexdigest()[:16]
