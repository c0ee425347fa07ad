"""Results as pandas data frames: one line for every seed and evaluation (needs pandas).

Users call `History.to_frame`, `Comparison.to_frame` and `DescriptionTable.to_frame`. Numbers keep
their type and every bit, except that floats of 16 bits become floats of 32 bits, which hold the
same numbers: pandas does not know bfloat16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxbyz.comparison.results import Comparison
    from jaxbyz.history import History


def pandas_library() -> Any:
    """The module pandas.

    Raises:
        ImportError: it is not installed; the error names the extra.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError('to_frame needs pandas: pip install "jaxbyz[pandas]"') from error
    return pandas


def of_history(history: History) -> Any:
    """Lines in order of seeds, and of rounds within a seed: seed, round, the columns.

    Raises:
        ImportError: pandas is not installed.
        ValueError: a column of the history is called "seed" or "round".

    >>> from jaxbyz import History
    >>> columns = {"loss": np.array([[2.0, 1.0], [2.0, 0.5]])}
    >>> history = History(np.array([0, 5]), columns, np.zeros((2, 3)), np.array([0, 7]), {})
    >>> of_history(history).values.tolist()
    [[0.0, 0.0, 2.0], [0.0, 5.0, 1.0], [7.0, 0.0, 2.0], [7.0, 5.0, 0.5]]
    """
    pandas = pandas_library()
    seeds, rounds = len(history.seeds), len(history.rounds)
    keys = {"seed": np.repeat(history.seeds, rounds), "round": np.tile(history.rounds, seeds)}
    return pandas.DataFrame(keys | _flat(history.columns, tuple(keys)))


def of_comparison(race: Comparison, budget: str | None) -> Any:
    """Lines of all runs, in order of methods, attacks, step sizes, seeds and rounds.

    Columns: method, attack, step (the step size), chosen (whether that step size is the one chosen
    for this budget), reported (whether the seed is reported; the others choose the step size),
    seed, round, and what the comparison keeps: NaN once a run is over.

    Raises:
        ImportError: pandas is not installed.
        ValueError: no such budget, or none where there are several; a column of the comparison
            has the name of one of those above.
    """
    pandas = pandas_library()
    budget = race.one_budget(budget)
    parts = []
    for method in race.methods:
        for attack in race.attacks:
            curves = race.cells[method, attack]
            steps, seeds, rounds = next(iter(curves.columns.values())).shape
            each = seeds * rounds  # lines of one step size
            chosen = np.arange(steps) == race.choice(method, attack, budget)
            keys = {
                "method": [method] * (steps * each),
                "attack": [attack] * (steps * each),
                "step": np.repeat(race.steps[method], each),
                "chosen": np.repeat(chosen, each),
                "reported": np.tile(np.repeat(np.arange(seeds) < race.reported, rounds), steps),
                "seed": np.tile(np.repeat(np.arange(seeds), rounds), steps),
                "round": np.tile(curves.rounds, steps * seeds),
            }
            parts.append(pandas.DataFrame(keys | _flat(curves.columns, tuple(keys))))
    return pandas.concat(parts, ignore_index=True)


def of_records(records: Sequence[Mapping[str, Any]]) -> Any:
    """One line for every dictionary of names and values.

    Raises:
        ImportError: pandas is not installed.

    >>> of_records([{"name": "a", "bits": 1.0}, {"name": "b", "bits": 2.0}]).shape
    (2, 2)
    """
    return pandas_library().DataFrame(list(records))


def _flat(columns: Mapping[str, np.ndarray], keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Columns of any shape as columns of a frame, unless one has the name of a key."""
    taken = [name for name in columns if name in keys]
    if taken:
        raise ValueError(
            f"columns of a frame must have different names, got a column {taken[0]!r} beside those "
            f"that every frame has, {list(keys)}: use to_dict or the columns themselves"
        )
    return {name: _known(values).reshape(-1) for name, values in columns.items()}


def _known(values: np.ndarray) -> np.ndarray:
    """An array of a type of NumPy's own."""
    values = np.asarray(values)
    return values.astype(np.float32) if values.dtype.kind == "V" else values
