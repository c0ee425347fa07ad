"""Cells of a grid: every list of values in the file is an axis of it."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxbyz.grids.tables import GridError, known, label_of

# Arguments of `compare_aggregators` that a file may give, beside `steps`.
RACE = (
    "steps", "rounds", "evaluate_every", "evaluate", "seeds", "tuning_seeds", "measure", "largest",
    "budgets", "parallel",
)  # fmt: skip
SINGLE = ("around",)  # lists that are no axes


class Cell(NamedTuple):
    """One choice among the values of a section's lists."""

    label: str  # of the section, and the values that were chosen
    where: str  # the section, as the file writes it
    chosen: dict[str, Any]  # path of a list -> the value
    table: dict[str, Any]  # the section with these values


class Grid(NamedTuple):
    """All cells; a comparison is made for every problem."""

    problems: list[Cell]
    methods: list[Cell]
    rules: list[Cell]
    attacks: list[Cell]
    steps: dict[str, list[float]]  # label of a method -> step sizes
    race: dict[str, Any]  # further arguments of `compare_aggregators`


def grid_of(sections: Mapping[str, Any]) -> Grid:
    """The cells of a file that `read` has read.

    Raises:
        GridError: an unknown entry of [race]; a method without step sizes; two cells that would
            have the same label, under which results are kept.

    >>> sections = {"problem": {"name": "quadratics", "byzantine": [1, 2]},
    ...             "methods": {"SGD": {"name": "robust_sgd"}}, "rules": {"mean": {"name": "mean"}},
    ...             "attacks": {"IPM": {"name": "ipm", "eps": [0.1, 2]}},
    ...             "race": {"steps": [0.1], "rounds": 10}}
    >>> grid = grid_of(sections)
    >>> [cell.label for cell in grid.problems], [cell.label for cell in grid.attacks]
    (['byzantine=1', 'byzantine=2'], ['IPM, eps=0.1', 'IPM, eps=2'])
    """
    race = dict(sections["race"])
    known("[race]", race, RACE, "entries")
    if "rounds" not in race:
        raise GridError("[race] must have rounds = a number of rounds, got none")
    if "measure" in race and "largest" not in race:
        raise GridError(
            f"[race] must have largest = true or false beside measure = {race['measure']!r}: "
            "whether larger values are better"
        )
    common = race.pop("steps", None)
    methods, steps = [], {}
    for label, table in sections["methods"].items():
        own = dict(table)
        sizes = own.pop("steps", common)
        if sizes is None:
            where = label_of("methods", label)
            raise GridError(f"{where} must have steps = [...], or [race] for all methods, got none")
        for cell in expanded(label, label_of("methods", label), own):
            methods.append(cell)
            steps[cell.label] = sizes if isinstance(sizes, list) else [sizes]
    problems = expanded("", "[problem]", sections["problem"])

    def cells_of(section: str) -> list[Cell]:
        labelled = sections[section].items()
        named = ((label, label_of(section, label), table) for label, table in labelled)
        return [cell for each in named for cell in expanded(*each)]

    grid = Grid(problems, methods, cells_of("rules"), cells_of("attacks"), steps, race)
    for cells in (grid.problems, grid.methods, grid.rules, grid.attacks):
        _require_labels(cells)
    return grid


def expanded(label: str, where: str, table: Mapping[str, Any]) -> list[Cell]:
    """All choices among the values of the lists in a section.

    Raises:
        GridError: an empty list, or one that has a value twice.
    """
    axes = dict(_axes(table, ()))
    for path, values in axes.items():
        if not values or any(value in values[:i] for i, value in enumerate(values)):
            name = ".".join(path)
            raise GridError(f"{where} {name} must be a list of different values, got {values!r}")
    cells = []
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        words = {".".join(path): value for path, value in chosen.items()}
        texts = [label] if label else []
        texts += [f"{name.removesuffix('.name')}={_text(value)}" for name, value in words.items()]
        cells.append(Cell(", ".join(texts), where, words, _filled(table, chosen, ())))
    return cells


def _require_labels(cells: list[Cell]) -> None:
    """Raise where two cells have one label: the results of one would stand for both."""
    seen: dict[str, str] = {}
    for cell in cells:
        if cell.label in seen:
            raise GridError(
                f"{cell.where} must make cells of labels that no other has, got {cell.label!r}, "
                f"which {seen[cell.label]} makes too: choose another label"
            )
        seen[cell.label] = cell.where


def _axes(table: Mapping[str, Any], above: tuple[str, ...]) -> Any:
    for name, value in table.items():
        if isinstance(value, list) and name not in SINGLE:
            yield (*above, name), value
        elif isinstance(value, Mapping):
            yield from _axes(value, (*above, name))


def _filled(
    table: Mapping[str, Any], chosen: Mapping[tuple[str, ...], Any], above: tuple[str, ...]
) -> dict[str, Any]:
    return {
        name: chosen[*above, name]
        if (*above, name) in chosen
        else _filled(value, chosen, (*above, name))
        if isinstance(value, Mapping)
        else value
        for name, value in table.items()
    }


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(each) for each in value.values())
    if isinstance(value, float):  # in full where six digits are not all of it
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)
