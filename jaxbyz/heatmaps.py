"""Comparisons as pictures: methods × attacks, or rules × attacks (needs matplotlib).

A cell holds a column at the last evaluation within a budget, at the chosen step size: its mean over
the reported seeds. The last column is the worst of all attacks. A cell that is not finite (the run
diverged) is grey, and is the worst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxbyz import checks
from jaxbyz.comparison.results import Comparison
from jaxbyz.plotting import axes_for, axis_label, pyplot_library

PALETTE = "cividis"  # the same to people with any colour vision, and in grey
GREY = "#bbbbbb"  # of cells without a number


def heatmap(
    race: Comparison,
    column: str | None = None,
    *,
    budget: str | None = None,
    largest: bool | None = None,
    ax: Any = None,
    **options: Any,
) -> Any:
    """Methods × attacks, with the number in every cell, and the worst attack as a last column.

    Args:
        race: from `compare`.
        column: of the curves; None: the measure that was compared.
        budget: a name; None: the only one.
        largest: whether larger values are better; None: as in the comparison, for its measure.
        ax: matplotlib axes to draw on; None: a new figure.
        options: of `matplotlib.axes.Axes.imshow`: `cmap="viridis"`, `norm="log"`, `vmin=0`, …

    Returns:
        The axes.

    Raises:
        ValueError: a name that is none of the comparison's; several budgets and none named; another
            column than the measure without `largest`; an option that `imshow` does not have.
        ImportError: matplotlib is not installed.
    """
    if not isinstance(race, Comparison):
        raise ValueError(f"race must be a jaxbyz.Comparison, got {checks.said(race)}")
    lines = [(race, method) for method in race.methods]
    ax = _drawn(lines, race.methods, column, budget, largest, ax, options)
    ax.set_ylabel("method")
    return ax


def plot_rules(
    races: Mapping[str, Comparison],
    column: str | None = None,
    *,
    method: str | None = None,
    budget: str | None = None,
    largest: bool | None = None,
    ax: Any = None,
    **options: Any,
) -> Any:
    """Rules × attacks for one method, with the number in every cell, as `Comparison.heatmap`.

    Args:
        races: from `compare_aggregators`: rule -> comparison.
        column: as for `heatmap`.
        method: a name; None: the only one.
        budget: as for `heatmap`.
        largest: as for `heatmap`.
        ax: as for `heatmap`.
        options: as for `heatmap`.

    Returns:
        The axes.

    Raises:
        ValueError: as for `heatmap`; races is no dictionary of comparisons under the same attacks;
            several methods and none named.
        ImportError: matplotlib is not installed.
    """
    if not isinstance(races, Mapping) or not races:
        came = checks.said(races)
        raise ValueError(f"races must be a dictionary of rules and comparisons, got {came}")
    for name, race in races.items():
        if not isinstance(race, Comparison):
            came = checks.said(race)
            raise ValueError(f"races[{name!r}] must be a jaxbyz.Comparison, got {came}")
    first = next(iter(races.values()))
    for name, race in races.items():
        if race.attacks != first.attacks:
            raise ValueError(
                f"races must be of the same attacks, {list(first.attacks)}, got "
                f"{list(race.attacks)} for {name!r}"
            )
    if method is None and len(first.methods) > 1:
        raise ValueError(f"method must be one of {list(first.methods)}, got None")
    method = first.methods[0] if method is None else method
    lines = [(race, method) for race in races.values()]
    ax = _drawn(lines, list(races), column, budget, largest, ax, options)
    ax.set_ylabel("rule")
    ax.set_title(method)
    return ax


def worst_of(values: np.ndarray, largest: bool) -> np.ndarray:
    """The worst value of every line, [R, A] -> [R]; one that is not finite is the worst of all.

    >>> worst_of(np.array([[1.0, 2.0], [1.0, np.nan]]), largest=False).tolist()
    [2.0, nan]
    """
    badness = np.where(np.isfinite(values), -values if largest else values, np.inf)
    return values[np.arange(len(values)), badness.argmax(axis=1)]


def _drawn(
    lines: Sequence[tuple[Comparison, str]],
    names: Sequence[str],
    column: str | None,
    budget: str | None,
    largest: bool | None,
    ax: Any,
    options: Mapping[str, Any],
) -> Any:
    """The picture of one line for each (comparison, method)."""
    pyplot = pyplot_library()
    race = lines[0][0]
    budget = race.one_budget(budget)
    column = race.measure if column is None else column
    with np.errstate(all="ignore"):  # infinite losses of both signs have no mean
        values = np.array(
            [[_mean(race, method, attack, budget, column) for attack in race.attacks]
             for race, method in lines]
        )  # fmt: skip
    values = np.column_stack([values, worst_of(values, _better(race, column, largest))])
    given = ax
    wide, high = 2.5 + 0.9 * values.shape[1], 2.4 + 0.45 * values.shape[0]
    ax = axes_for(ax, figsize=(wide, high), layout="constrained")
    look = {"cmap": PALETTE, "aspect": "auto", **options}
    try:
        image = ax.imshow(np.ma.masked_invalid(values), **look)
    except (AttributeError, TypeError, ValueError) as error:
        if given is None:
            pyplot.close(ax.figure)
        raise ValueError(
            f"options must be those of matplotlib's imshow, got {sorted(options)} "
            f"({checks.first_line(error)})"
        ) from error
    ax.set_facecolor(GREY)  # behind cells without a number
    _write_numbers(ax, image, values)
    ax.set_xticks(range(values.shape[1]), [*race.attacks, "worst"], rotation=30, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.axvline(len(race.attacks) - 0.5, color="white", lw=4)
    ax.set_xlabel("attack")
    amount = f"{race.budgets[budget]:g} {'rounds' if budget == 'round' else axis_label(budget)}"
    seeds = f"mean of {race.reported} seed{'' if race.reported == 1 else 's'}"
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(f"{axis_label(column)}\nafter {amount}\n{seeds}")
    return ax


def _mean(race: Comparison, method: str, attack: str, budget: str, column: str) -> float:
    """Over the reported seeds, at the chosen step size."""
    values = race.values(method, attack, budget, column)
    return float(values[race.choice(method, attack, budget), : race.reported].mean())


def _better(race: Comparison, column: str, largest: bool | None) -> bool:
    """Whether larger values of a column are better."""
    if largest is None and column == race.measure:
        return race.largest
    if not isinstance(largest, bool | np.bool_):
        raise ValueError(
            f"largest must be True or False for {column!r}, whether larger values are better, got "
            f"{checks.said(largest)}"
        )
    return bool(largest)


def _write_numbers(ax: Any, image: Any, values: np.ndarray) -> None:
    """The number into every cell, dark on light and light on dark."""
    red, green, blue, shown = np.moveaxis(image.to_rgba(np.ma.masked_invalid(values)), -1, 0)
    dark = (0.299 * red + 0.587 * green + 0.114 * blue < 0.5) & (shown > 0)
    for (i, j), value in np.ndenumerate(values):
        text = f"{value:.3g}".replace("nan", "NaN").replace("inf", "∞")
        ax.text(j, i, text, ha="center", va="center", color="white" if dark[i, j] else "black")
