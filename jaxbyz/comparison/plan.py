"""What a comparison runs, checked as a whole before hours of computing."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.comparison.arguments import budgets_of, grid_of, require_traceable
from jaxbyz.comparison.programs import Method, Race
from jaxbyz.contracts.constructors import with_f
from jaxbyz.contracts.parts import require, require_all
from jaxbyz.contracts.recipes import written
from jaxbyz.contracts.returned import TOTALS
from jaxbyz.core import Aggregator, Algorithm, Attack
from jaxbyz.problems.problem import Problem
from jaxbyz.seeds import seed_list
from jaxbyz.simulation.agreement import (
    check_problem,
    check_rule_shape,
    same_classes,
    warn_of_idle_attack,
    warn_of_other_f,
)
from jaxbyz.simulation.devices import mesh_of, require_one_process
from jaxbyz.simulation.sessions import measure_of
from jaxbyz.storage.paths import LONGEST, made

SPENT = (*TOTALS, "gradients")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is run, and how it is reported."""

    methods: Mapping[str, Method]
    aggregators: Mapping[str, Aggregator]
    attacks: tuple[str, ...]  # names
    grids: Mapping[str, np.ndarray]  # method -> step sizes [P], ascending
    race: Race
    budgets: Mapping[str, float]
    measure: str
    largest: bool
    reported: int  # of the seeds, the first so many
    folder: Path | None
    first: Mapping[tuple[str, str], Algorithm]  # (method, rule) -> with its first step size

    def file(self, method: str, attack: int, rule: int) -> Path | None:
        """Where the curves of one method under one attack before one rule are kept."""
        if self.folder is None:
            return None
        name = f"{_slug(method)}--{_slug(self.attacks[attack])}.npz"
        return self.folder / _slug(list(self.aggregators)[rule]) / name

    def arguments(self, rule: str) -> dict[str, Any]:
        """What made the runs before one rule; the step size is the first that was tried."""
        return {
            "algorithm": {name: written(self.first[name, rule]) for name in self.methods},
            "attack": {attack.name: written(attack) for attack in self.race.attacks},
            "problem": written(self.race.problem),
        }


def judged(
    *,
    methods: Mapping[str, Method],
    aggregators: Mapping[str, Aggregator],
    problem: Any,
    attacks: Any,
    steps: Any,
    rounds: Any,
    evaluate_every: Any,
    evaluate: Any,
    seeds: Any,
    tuning_seeds: Any,
    measure: Any,
    largest: Any,
    budgets: Any,
    folder: Any,
    parallel: Any,
    progress: Any,
    map_runs: Any,
    map_workers: Any,
    devices: Any,
    time_server: Any,
) -> Plan:
    """The arguments of `compare_aggregators`, checked.

    Raises:
        ValueError: naming the first argument that is not what it must be.
    """
    del progress
    problem = require("Problem", "problem", problem)
    check_problem(problem)
    attacks = require_all("Attack", "attacks", attacks)
    for attack in attacks:
        same_classes(attack, problem)
    rounds = checks.count("rounds", rounds, minimum=1)
    if evaluate_every is None:
        evaluate_every = min(10, rounds)
    every = checks.count("evaluate_every", evaluate_every, minimum=1, maximum=rounds)
    if rounds % every:
        raise ValueError(f"rounds must be a multiple of evaluate_every = {every}, got {rounds}")
    reported = checks.count("seeds", seeds, minimum=1)
    tuning = checks.count("tuning_seeds", tuning_seeds)
    checks.count("parallel", parallel, minimum=1)
    names = tuple(attack.name for attack in attacks)
    if not methods or not names or len(set(names)) < len(names):
        raise ValueError(
            f"methods and attacks must be given, of different names, got {list(names)}"
        )
    if folder is not None:
        _require_names_of_files(methods=methods, attacks=names, aggregators=aggregators)
        _require_short(methods, names, aggregators)
    grids = _grids(methods, steps)
    if tuning == 0 and (several := [name for name, grid in grids.items() if len(grid) > 1]):
        raise ValueError(
            f"tuning_seeds must be >= 1 where a step size is to be chosen, got 0 with several for "
            f"{several}"
        )
    _require_measure(problem, evaluate, measure)
    for name, value in (("largest", largest), ("time_server", time_server)):
        checks.flag(name, value)
    budgets = budgets_of(budgets, rounds, SPENT)
    first = _first_of_all(methods, grids, aggregators, problem, attacks)
    everything = seed_list(reported + tuning)
    runs = max(map(len, grids.values())) * len(everything)
    if map_runs is not None:
        checks.mapping("map_runs", map_runs, runs)
    mesh = mesh_of(devices)
    require_one_process("folder", folder, mesh)
    look = evaluate, map_runs, map_workers, mesh
    rules = tuple(aggregators.values())
    race = Race(problem, tuple(attacks), rules, everything, rounds, every, *look)
    place = None if folder is None else made("folder", folder)
    report = (budgets, measure, bool(largest), reported)
    return Plan(methods, aggregators, names, grids, race, *report, place, first)


def _grids(methods: Mapping[str, Method], steps: Any) -> dict[str, np.ndarray]:
    """Every method's step sizes."""
    if isinstance(steps, Mapping) and not set(methods) <= set(steps):
        missing = sorted(set(methods) - set(steps))
        raise ValueError(f"steps must have an entry for every method, got none for {missing}")
    return {name: grid_of(steps[name] if isinstance(steps, Mapping) else steps) for name in methods}


def _require_names_of_files(**names: Any) -> None:
    for what, given in names.items():
        if len({_slug(name) for name in given}) < len(given):
            raise ValueError(
                f"{what} must have names that differ in letters or digits, of which the names of "
                f"files are made, got {list(given)}"
            )


def _first_of_all(
    methods: Mapping[str, Method],
    grids: Mapping[str, np.ndarray],
    aggregators: Mapping[str, Aggregator],
    problem: Problem,
    attacks: Sequence[Attack],
) -> dict[tuple[str, str], Algorithm]:
    """Every method with every rule at its first step size, checked before hours of computing."""
    if problem.byzantine == 0:
        warn_of_idle_attack(attacks)
    first = {}
    for i, (name, make) in enumerate(methods.items()):
        for j, (rule, aggregator) in enumerate(aggregators.items()):
            found = make(grids[name][0], aggregator)
            found = require("Algorithm", f"methods[{name!r}](step)", found)
            first[name, rule] = with_f(found, problem.byzantine)
            if j == 0:
                require_traceable(name, make, aggregator)
            if i == 0 or j == 0:  # every rule once, and what every method puts around it
                check_rule_shape(first[name, rule], problem)
            warn_of_other_f(first[name, rule], problem)
    return first


def _require_measure(problem: Problem, evaluate: Any, measure: str) -> None:
    x = jax.eval_shape(problem.init, jax.random.key(0))
    found = jax.eval_shape(measure_of(problem, evaluate), x, problem.data, problem.test)
    known = [*SPENT, *found]
    if measure not in known:
        raise ValueError(f"measure must name a column among {known}, got {measure!r}")


def _require_short(*given: Iterable[str]) -> None:
    """Raise where a file would have a name that no file system holds."""
    methods, attacks, aggregators = (max(map(_slug, names), key=_size) for names in given)
    file = f"{methods}--{attacks}.npz.damaged-99"
    for what, name in (("methods and attacks", file), ("aggregators", aggregators)):
        if _size(name) > LONGEST:
            raise ValueError(
                f"{what} must have names short enough for those of files, of at most {LONGEST} "
                f"bytes, got {name[:40]!r} and so on, of {_size(name)}"
            )


def _size(name: str) -> int:
    return len(name.encode())


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
