"""`compare`: a fair race of algorithms under attacks, each with its own best step size.

Every method is a function step -> algorithm, so that all its step sizes and seeds run side by side
in one program. The step size is chosen on seeds of its own, which are not reported: the least, over
step sizes, of the worst value over the tuning seeds, once the budget is used up.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.aggregators import mean
from jaxbyz.agreement import same_classes, shaped, silent, sound, suited
from jaxbyz.callers import keeping, warn
from jaxbyz.comparison.arguments import (
    budgets_of,
    grid_of,
    require_method,
    require_named,
    require_traceable,
)
from jaxbyz.comparison.programs import Method, Runs, play
from jaxbyz.comparison.results import Cell, Comparison
from jaxbyz.comparison.server_time import ServerClock
from jaxbyz.constructors import with_f
from jaxbyz.core import Aggregator, Algorithm, Attack
from jaxbyz.parts import require, require_all, said
from jaxbyz.paths import LONGEST, made
from jaxbyz.problems.problem import Problem
from jaxbyz.progress import Bar
from jaxbyz.recipes import written
from jaxbyz.seeds import seed_list
from jaxbyz.training import measure_of

__all__ = ["compare", "compare_aggregators"]

SPENT = ("uplink_bits", "downlink_bits", "rejected_rows", "faulty_rows", "gradients")


def compare(
    methods: Mapping[str, Callable[[Any], Algorithm]],
    problem: Problem,
    *,
    attacks: Sequence[Attack],
    steps: Sequence[float] | Mapping[str, Sequence[float]],
    rounds: int,
    evaluate_every: int = 10,
    seeds: int = 3,
    tuning_seeds: int = 2,
    measure: str = "loss",
    largest: bool = False,
    budgets: Mapping[str, float] | None = None,
    folder: str | os.PathLike[str] | None = None,
    parallel: int = 2,
    progress: bool | None = None,
) -> Comparison:
    """Run methods × attacks × step sizes × seeds, and choose each method's best step size.

    Columns are those of `train`, and `gradients`: the expected number of gradients of single
    samples that one worker has computed (of draws and full gradients, for problems without
    samples).

    All runs of a seed start at the same point, whatever the method. A run is over, and counts as
    infinitely bad, once it diverged (see `TooManyBadRows`); `jax.debug_nans` and `jax.debug_infs`
    do not stop it. The choice is made anew for every method, attack and budget, with `measure` on
    the tuning seeds; what is reported comes from the other seeds.

    Args:
        methods: name -> function of a step size that makes an algorithm; the step size is traced,
            so everything else about the algorithm must not depend on it.
        problem: from `jaxbyz.problems`.
        attacks: from `jaxbyz.attacks`, of different names.
        steps: the step sizes to try, for all methods or for each by its name.
        rounds: of every run.
        evaluate_every: rounds between evaluations.
        seeds: how many are reported.
        tuning_seeds: how many choose the step size, beside them.
        measure: the column that decides.
        largest: whether more of it is better.
        budgets: column -> how much of it one may use; a value is that of the last evaluation
            within the budget. Default: all rounds.
        folder: finished runs are kept here, and not made again; a file that is damaged is named
            in a warning, and its run made again.
        parallel: how many programs are compiled at the same time. They are traced and run in the
            caller's thread, with its settings of JAX.
        progress: as for `train`.

    Raises:
        ValueError: an argument outside its range; stored runs of another computation.

    Whatever ends a race, Ctrl-C too (KeyboardInterrupt), says how many runs were finished and
    where they are, and carries them as its attribute `cells`: rule -> (method, attack) -> cell.

    >>> import jaxbyz as jb, optax
    >>> problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=4)
    >>> rule = jb.trimmed_mean(f=1)
    >>> race = compare(
    ...     {"D-SGD": lambda step: jb.robust_sgd(optimizer=optax.sgd(step), aggregator=rule)},
    ...     problem, attacks=[jb.sign_flip()], steps=[0.01, 0.1], rounds=20)
    >>> race.best("round", "sign flip")
    'D-SGD'
    """

    def blind(name: str, make: Callable[[Any], Algorithm]) -> Method:
        require_method(name, make, "step")
        return lambda step, rule: make(step)

    require_named("methods", methods)
    races = compare_aggregators(
        {name: blind(name, make) for name, make in methods.items()}, {"": mean()}, problem,
        attacks=attacks, steps=steps, rounds=rounds, evaluate_every=evaluate_every, seeds=seeds,
        tuning_seeds=tuning_seeds, measure=measure, largest=largest, budgets=budgets,
        folder=folder, parallel=parallel, progress=progress,
    )  # fmt: skip
    return races[""]


def compare_aggregators(
    methods: Mapping[str, Method],
    aggregators: Mapping[str, Aggregator],
    problem: Problem,
    *,
    attacks: Sequence[Attack],
    steps: Sequence[float] | Mapping[str, Sequence[float]],
    rounds: int,
    evaluate_every: int = 10,
    seeds: int = 3,
    tuning_seeds: int = 2,
    measure: str = "loss",
    largest: bool = False,
    budgets: Mapping[str, float] | None = None,
    folder: str | os.PathLike[str] | None = None,
    parallel: int = 2,
    progress: bool | None = None,
) -> dict[str, Comparison]:
    """Run methods × aggregators × attacks × step sizes × seeds: a table for every aggregator.

    The same as `compare` for one aggregator after another, with a single program for every
    method: compiling it is most of the time of a small race.

    Args:
        methods: name -> function of a step size and an aggregator that makes an algorithm. What
            all rules have in common (mixing, clipping) is best put around the aggregator there.
        aggregators: name -> rule.
        problem: this and what follows as for `compare`; every rule has a folder of its own in
            `folder`.
        attacks: as for `compare`.
        steps: as for `compare`.
        rounds: as for `compare`.
        evaluate_every: as for `compare`.
        seeds: as for `compare`.
        tuning_seeds: as for `compare`.
        measure: as for `compare`.
        largest: as for `compare`.
        budgets: as for `compare`.
        folder: as for `compare`.
        parallel: as for `compare`.
        progress: as for `compare`.

    Raises:
        ValueError: an argument outside its range; stored runs of another computation.

    >>> import jaxbyz as jb, optax
    >>> problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=4)
    >>> races = compare_aggregators(
    ...     {"D-SGD": lambda step, rule: jb.robust_sgd(
    ...         optimizer=optax.sgd(step), aggregator=jb.nnm(1, rule))},
    ...     {"median": jb.coordinate_median(1), "trimmed mean": jb.trimmed_mean(f=1)},
    ...     problem, attacks=[jb.sign_flip()], steps=[0.1], rounds=20)
    >>> sorted(races)
    ['median', 'trimmed mean']
    """
    require_named("methods", methods)
    require_named("aggregators", aggregators)
    if not aggregators:
        raise ValueError(f"aggregators must be given, got {aggregators!r}")
    for name, make in methods.items():
        require_method(name, make, "step, rule")
    for name, rule in aggregators.items():
        require("Aggregator", f"aggregators[{name!r}]", rule)
    problem = require("Problem", "problem", problem)
    sound(problem)
    attacks = require_all("Attack", "attacks", attacks)
    for attack in attacks:
        same_classes(attack, problem)
    rounds = checks.count("rounds", rounds, minimum=1)
    every = checks.count("evaluate_every", evaluate_every, minimum=1, maximum=rounds)
    if rounds % every:
        raise ValueError(f"rounds must be a multiple of evaluate_every = {every}, got {rounds}")
    reported = checks.count("seeds", seeds, minimum=1)
    tuning = checks.count("tuning_seeds", tuning_seeds, minimum=1)
    parallel = checks.count("parallel", parallel, minimum=1)
    names = [attack.name for attack in attacks]
    if not methods or not names or len(set(names)) < len(names):
        raise ValueError(f"methods and attacks must be given, of different names, got {names}")
    for what, given in (("methods", methods), ("attacks", names), ("aggregators", aggregators)):
        if folder is not None and len({_slug(name) for name in given}) < len(given):
            raise ValueError(
                f"{what} must have names that differ in letters or digits, of which the names of "
                f"files are made, got {list(given)}"
            )
    if folder is not None:
        _require_short(methods, names, aggregators)
    if isinstance(steps, Mapping) and not set(methods) <= set(steps):
        missing = sorted(set(methods) - set(steps))
        raise ValueError(f"steps must have an entry for every method, got none for {missing}")
    grids = {
        name: grid_of(steps[name] if isinstance(steps, Mapping) else steps) for name in methods
    }
    _require_measure(problem, measure)
    if not isinstance(largest, bool | np.bool_):
        raise ValueError(f"largest must be True or False, got {said(largest)}")
    budgets = budgets_of(budgets, rounds, SPENT)
    first = _first_of_all(methods, grids, aggregators, problem, attacks)
    rules = list(aggregators)
    place = None if folder is None else made("folder", folder)
    everything = seed_list(reported + tuning)
    runs = Runs(problem, tuple(attacks), tuple(aggregators.values()), everything, rounds, every)

    cells: dict[str, dict[tuple[str, str], Cell]] = {rule: {} for rule in rules}
    clocks: dict[str, ServerClock] = {}
    damage: list[str] = []
    total = len(methods) * len(names) * len(rules)
    with Bar(progress, total, unit="run") as bar, ThreadPoolExecutor(parallel) as pool:

        def path(method: str, attack: int, rule: int) -> Path | None:
            file = f"{_slug(method)}--{_slug(names[attack])}.npz"
            return None if place is None else place / _slug(rules[rule]) / file

        def run_all(method: str, found: Iterator[tuple[int, int, Cell]]) -> None:
            for attack, rule, cell in found:
                cells[rules[rule]][method, names[attack]] = cell
                where = f" before {rules[rule]}" if rules[rule] else ""
                bar.advance(1, {"last": f"{method} under {names[attack]}{where}"})

        try:
            # Threads only compile: JAX's settings (device, precision, …) are those of a thread.
            waiting = {}
            with keeping(damage):  # the same is said of several methods
                for method, make in methods.items():
                    where = functools.partial(path, method)
                    compiling, found, clocks[method] = play(
                        make, runs, grids[method], where, damage.append
                    )
                    waiting[pool.submit(compiling)] = method, found
            for done in as_completed(waiting):
                done.result()
                run_all(*waiting[done])
        except BaseException as error:
            pool.shutdown(cancel_futures=True)
            _say_what_is_there(error, cells, place, damage)
            raise
    for message in dict.fromkeys(damage):
        warn(message)
    return {
        rule: Comparison(
            problem.name, tuple(methods), tuple(names), grids, budgets, measure, largest, reported,
            cells[rule], {method: clocks[method].seconds(i) for method in methods},
            _written(problem, attacks, {name: first[name, rule] for name in methods}),
        )
        for i, rule in enumerate(rules)
    }  # fmt: skip


def _say_what_is_there(
    error: BaseException,
    cells: dict[str, dict[tuple[str, str], Cell]],
    place: Path | None,
    damage: list[str],
) -> None:
    for message in damage:
        error.add_note(message)
    count = sum(map(len, cells.values()))
    if count:
        error.cells = cells  # type: ignore[attr-defined]
        where = "in the exception's attribute `cells`; folder= would have kept them"
        if place is not None:
            where = f"in {place}, where the same call goes on"
        error.add_note(f"{count} finished runs are {where}")


def _first_of_all(
    methods: Mapping[str, Method],
    grids: Mapping[str, np.ndarray],
    aggregators: Mapping[str, Aggregator],
    problem: Problem,
    attacks: Sequence[Attack],
) -> dict[tuple[str, str], Algorithm]:
    """Every method with every rule and its first step size, judged before hours of computing."""
    if problem.byzantine == 0:
        silent(attacks)
    first = {}
    for i, (name, make) in enumerate(methods.items()):
        for j, (rule, aggregator) in enumerate(aggregators.items()):
            found = make(grids[name][0], aggregator)
            found = require("Algorithm", f"methods[{name!r}](step)", found)
            first[name, rule] = with_f(found, problem.byzantine)
            if j == 0:
                require_traceable(name, make, aggregator)
            if i == 0 or j == 0:  # every rule once, and what every method puts around it
                shaped(first[name, rule], problem)
            suited(first[name, rule], problem)
    return first


def _written(
    problem: Problem, attacks: Sequence[Attack], algorithms: Mapping[str, Algorithm]
) -> dict[str, Any]:
    """What made the runs; the step size is the first that was tried."""
    return {
        "algorithm": {name: written(algorithm) for name, algorithm in algorithms.items()},
        "attack": {attack.name: written(attack) for attack in attacks},
        "problem": written(problem),
    }


def _require_measure(problem: Problem, measure: str) -> None:
    x = jax.eval_shape(problem.init, jax.random.key(0))
    found = jax.eval_shape(measure_of(problem, None), x, problem.data, problem.test)
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
