"""`compare`: algorithms under attacks, each at the step size that is best for it.

A method is a function step -> algorithm, so that all its step sizes and seeds run in one program.
The step size is chosen on the *tuning seeds*, which are not reported: it is the one whose worst
value over the tuning seeds, when the budget is used up, is best.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jax

from jaxbyz.aggregators import mean
from jaxbyz.comparison.arguments import require_method, require_named
from jaxbyz.comparison.curves import Curves
from jaxbyz.comparison.plan import Plan, judged
from jaxbyz.comparison.programs import Method, program
from jaxbyz.comparison.results import Comparison
from jaxbyz.comparison.server_time import ServerClock
from jaxbyz.contracts.callers import keeping, warn
from jaxbyz.contracts.parts import require
from jaxbyz.core import Aggregator, Algorithm, Attack
from jaxbyz.problems.problem import Problem
from jaxbyz.progress import Bar
from jaxbyz.simulation.devices import processes


def compare(
    methods: Mapping[str, Callable[[Any], Algorithm]],
    problem: Problem,
    *,
    attacks: Sequence[Attack],
    steps: Sequence[float] | Mapping[str, Sequence[float]],
    rounds: int,
    evaluate_every: int | None = None,
    evaluate: Sequence[str] | None = None,
    seeds: int = 3,
    tuning_seeds: int = 2,
    measure: str = "loss",
    largest: bool = False,
    budgets: Mapping[str, float] | None = None,
    folder: str | os.PathLike[str] | None = None,
    parallel: int = 2,
    progress: bool | None = None,
    map_runs: Callable[..., Any] | None = jax.vmap,
    map_workers: Callable[..., Any] = jax.vmap,
    devices: Sequence[jax.Device] | None = None,
    time_server: bool = True,
) -> Comparison:
    """Run methods × attacks × step sizes × seeds, and choose each method's best step size.

    Columns are those of `train`, and `gradients`: the expected number of gradients of single
    samples that one worker has computed (of draws and full gradients, for problems without
    samples).

    All runs of a seed start at the same point, whatever the method. A run that diverges (see
    `RunDiverged`) ends, and counts as infinitely bad; `jax.debug_nans` and `jax.debug_infs` do not
    stop the comparison. For every method, attack and budget, the step size is chosen by `measure`
    on the tuning seeds, and the results come from the other seeds.

    Args:
        methods: name -> function of a step size that makes an algorithm; the step size is traced,
            so everything else about the algorithm must not depend on it.
        problem: from `jaxbyz.problems`.
        attacks: from `jaxbyz.attacks`, of different names.
        steps: the step sizes to try, for all methods or for each by its name.
        rounds: of every run.
        evaluate_every: rounds between evaluations, of which `rounds` is a multiple; None: 10, or
            `rounds` if they are fewer.
        evaluate: names of the problem's evaluators; None: all of them.
        seeds: how many are reported.
        tuning_seeds: how many further seeds choose the step size; 0 only where every method has a
            single step size, so that there is nothing to choose.
        measure: the column that is compared.
        largest: whether larger values of it are better.
        budgets: column -> the amount that a run may use of it. Compared are the values at the last
            evaluation within the budget. Default: all rounds.
        folder: where finished runs are stored. A stored run is not made again, unless its file is
            damaged, which a warning says.
        parallel: how many programs are compiled at the same time. They are traced and run in the
            caller's thread, with its settings of JAX.
        progress: as for `train`.
        map_runs: how the runs of all step sizes and seeds are mapped, as `map_seeds` of `train`:
            `jaxbyz.one_by_one` for models that are slow when batched. None: one after another, each
            by a call of the same program, which is then the same for any number of them.
        map_workers: as for `train`.
        devices: divide every run over these devices, as `train` does. Runs that were stored from
            other devices are the same runs. `folder` needs devices of one process.
        time_server: whether the server's half of a round is compiled and timed apart. If not, its
            seconds are NaN in the table, and no column of a history.

    Raises:
        ValueError: an argument outside its range; stored runs of another computation.

    Any exception that ends a comparison, Ctrl-C too (KeyboardInterrupt), says how many runs were
    finished and where they are stored. Its attribute `cells` holds them: rule -> (method, attack)
    -> `Curves`.

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
        attacks=attacks, steps=steps, rounds=rounds, evaluate_every=evaluate_every,
        evaluate=evaluate, seeds=seeds, tuning_seeds=tuning_seeds, measure=measure,
        largest=largest, budgets=budgets, folder=folder, parallel=parallel, progress=progress,
        map_runs=map_runs, map_workers=map_workers, devices=devices, time_server=time_server,
    )  # fmt: skip
    return races[""]


def compare_aggregators(
    methods: Mapping[str, Method],
    aggregators: Mapping[str, Aggregator],
    problem: Problem,
    **options: Any,
) -> dict[str, Comparison]:
    """Run methods × aggregators × attacks × step sizes × seeds: a table for every aggregator.

    The same as `compare` for one aggregator after another, but with one program for every method:
    compiling is most of the time of a small comparison.

    Args:
        methods: name -> function of a step size and an aggregator that makes an algorithm. Steps
            before every rule (mixing, clipping) are best put around the aggregator there.
        aggregators: name -> rule.
        problem: from `jaxbyz.problems`.
        options: all other arguments of `compare`, by their names; in `folder` every rule has a
            folder of its own.

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
    plan, how = planned(methods, aggregators, problem, **options)
    cells, clocks = _run_all(plan, **how)
    report = (plan.budgets, plan.measure, plan.largest, plan.reported)
    problem_name, names = plan.race.problem.name, tuple(methods)
    races = {}
    for i, name in enumerate(aggregators):
        timed = {method: clock.seconds(i) for method, clock in clocks.items()}
        seconds = {method: timed.get(method, float("nan")) for method in methods}
        found = cells[name], seconds, plan.arguments(name)
        races[name] = Comparison(problem_name, names, plan.attacks, plan.grids, *report, *found)
    return races


def planned(
    methods: Mapping[str, Method],
    aggregators: Mapping[str, Aggregator],
    problem: Problem,
    **options: Any,
) -> tuple[Plan, dict[str, Any]]:
    """What `compare_aggregators` would run with these arguments, and how; nothing is run.

    Raises:
        ValueError: as for `compare_aggregators`.
    """
    require_named("methods", methods)
    require_named("aggregators", aggregators)
    if not aggregators:
        raise ValueError(f"aggregators must be given, got {aggregators!r}")
    for name, make in methods.items():
        require_method(name, make, "step, rule")
    for name, rule in aggregators.items():
        require("Aggregator", f"aggregators[{name!r}]", rule)
    given = inspect.signature(compare).bind(methods, problem, **options)
    given.apply_defaults()
    plan = judged(aggregators=aggregators, **given.arguments)
    return plan, {name: given.arguments[name] for name in ("parallel", "progress", "time_server")}


def _run_all(
    plan: Plan, parallel: int, progress: bool | None, time_server: bool
) -> tuple[dict[str, dict[tuple[str, str], Curves]], dict[str, ServerClock]]:
    """All runs, rule -> (method, attack) -> curves, and method -> the clock of its server."""
    rules = list(plan.aggregators)
    cells: dict[str, dict[tuple[str, str], Curves]] = {rule: {} for rule in rules}
    clocks: dict[str, ServerClock] = {}
    damage: list[str] = []
    total = len(plan.methods) * len(plan.attacks) * len(rules)
    computing = processes(plan.race.mesh)
    if jax.process_index() != computing[0]:
        progress = False  # one bar is enough
    with Bar(progress, total, unit="run") as bar, ThreadPoolExecutor(parallel) as pool:

        def enter(method: str, found: Iterator[tuple[int, int, Curves]]) -> None:
            for attack, rule, curves in found:
                cells[rules[rule]][method, plan.attacks[attack]] = curves
                where = f" before {rules[rule]}" if rules[rule] else ""
                bar.advance(1, {"last": f"{method} under {plan.attacks[attack]}{where}"})

        try:
            # Threads only compile: JAX's settings (device, precision, …) are those of a thread.
            waiting = {}
            with keeping(damage):  # the same is said of several methods
                for method, make in plan.methods.items():
                    where = functools.partial(plan.file, method)
                    compiling, found, clock = program(
                        make, plan.race, plan.grids[method], where, damage.append, time_server
                    )
                    if clock is not None:
                        clocks[method] = clock
                    waiting[pool.submit(compiling)] = method, found
            # Programs of several processes must run in the same order in each of them.
            for done in waiting if len(computing) > 1 else as_completed(waiting):
                done.result()
                enter(*waiting[done])
        except BaseException as error:
            pool.shutdown(cancel_futures=True)
            _say_what_is_there(error, cells, plan.folder, damage)
            raise
    for message in dict.fromkeys(damage):
        warn(message)
    return cells, clocks


def _say_what_is_there(
    error: BaseException,
    cells: dict[str, dict[tuple[str, str], Curves]],
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
