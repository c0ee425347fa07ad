"""What every figure is asked: it runs and draws at a tiny size, and wrong results are noticed."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxbyz import History
from paper_figs.frame import drawing, figure


class Plant(NamedTuple):
    """Wrong results, and which claims must then come out as not reproduced."""

    change: Callable[[Mapping[str, Any]], Mapping[str, Any]]  # results -> wrong results
    claims: str  # a regular expression


class Case(NamedTuple):
    """A figure at a tiny size, and an error for every claim that it checks."""

    name: str
    spec: Any
    plants: tuple[Plant, ...]


def altered(history, **columns):
    """The same curves with other values: each a function of the column."""
    wrong = {name: change(history[name]) for name, change in columns.items()}
    return dataclasses.replace(history, columns={**history.columns, **wrong})


def change(which: str, **columns: Callable) -> Callable:
    """Results with columns changed in the runs whose names match; arrays stay as they are."""

    def changed(results):
        runs = [name for name in results if isinstance(results[name], History)]
        names = [name for name in runs if re.search(which, name)]
        assert names, f"no run matches {which!r} among {list(results)}"
        return {**results, **{name: altered(results[name], **columns) for name in names}}

    return changed


def change_arrays(which: str, change: Callable) -> Callable:
    """Results with the arrays changed whose names match a regular expression."""

    def changed(results):
        names = [name for name in results if re.search(which, name)]
        assert names, f"no array matches {which!r} among {list(results)}"
        return {**results, **{name: change(np.array(results[name])) for name in names}}

    return changed


def examine(case: Case, workspace: Any, folder: Any) -> None:
    """Run, check, draw; then every plant."""
    module = figure.load(case.name)
    results = module.run(case.spec, workspace)
    sound = module.check(case.spec, results)
    for finding in sound:
        assert finding.kind == "E" or finding.verdict == "reproduced", finding
    drawing.save(module.plot(case.spec, results), folder / "figure.png")
    assert (folder / "figure.png").stat().st_size > 5_000
    known = {finding.claim: finding for finding in sound}
    missed = set(known)
    assert len(missed) == len(sound), "two findings have the same claim"
    for plant in case.plants:
        found = module.check(case.spec, plant.change(results))
        meant = [finding for finding in found if re.search(plant.claims, finding.claim)]
        assert meant, f"no claim matches {plant.claims!r}"
        for finding in meant:
            assert finding.verdict == "not reproduced", finding
            # The claim may fail on sound results too; then at least the error is seen.
            assert finding != known[finding.claim], finding
        missed -= {finding.claim for finding in meant}
    assert not missed, f"no error is planted for {missed}"
