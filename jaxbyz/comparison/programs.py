"""One program for all step sizes and seeds of a method; attack and rule are arguments of it."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from jaxbyz.aggregators.one_of import one_of as one_rule
from jaxbyz.attacks import one_of as one_attack
from jaxbyz.comparison.curves import Curves
from jaxbyz.comparison.server_time import ServerClock
from jaxbyz.contracts.constructors import with_f
from jaxbyz.core import Aggregator, Algorithm, Attack
from jaxbyz.describe import describe
from jaxbyz.metrics import RunMetrics
from jaxbyz.problems.problem import Problem
from jaxbyz.seeds import streams
from jaxbyz.simulation.devices import put
from jaxbyz.simulation.rounds import assemble
from jaxbyz.simulation.sessions import Counted, session
from jaxbyz.storage.arrays import Damaged, set_aside
from jaxbyz.storage.fingerprints import fingerprint
from jaxbyz.storage.programs import Program

Method = Callable[[Any, Aggregator], Algorithm]  # (step size, rule) -> algorithm


class Race(NamedTuple):
    """What all methods have in common."""

    problem: Problem
    attacks: tuple[Attack, ...]
    aggregators: tuple[Aggregator, ...]
    seeds: list[int]
    rounds: int
    every: int
    evaluate: Sequence[str] | None
    map_runs: Callable[..., Any] | None  # over step sizes and seeds together; None: one a call
    map_workers: Callable[..., Any]
    mesh: Mesh | None  # the devices that share every run; None: JAX's default device


def program(
    make: Method,
    race: Race,
    grid: np.ndarray,
    path: Callable[[int, int], Path | None],
    report: Callable[[str], None],
    time_server: bool,
) -> tuple[Callable[[], None], Iterator[tuple[int, int, Curves]], ServerClock | None]:
    """How to compile a method, its runs as (attack, rule, curves) one by one, the server's clock.

    Everything is traced in this call, and runs when the next item of the iterator is taken. So both
    see the settings of the caller's thread (precision, device, …). Compiling does not depend on
    them.

    Args:
        make: the method.
        race: what is run.
        grid: step sizes [P].
        path: (attack, rule) -> the file of that run, or None; a run whose file exists is not made
            again.
        report: called with the reason if a file is damaged.
        time_server: whether there is to be a clock.

    Raises:
        ValueError: a file of another computation.
    """

    def suiting(step: Any, rule: Aggregator) -> Algorithm:
        return with_f(make(step, rule), race.problem.byzantine)

    whole = _program(suiting, race, grid)
    costs = _gradients(suiting(grid[0], race.aggregators[0]), race.problem)
    clock = None
    if time_server:
        clock = ServerClock(
            lambda which: suiting(grid[0], _rule(race, which)), race.problem, race.attacks[0]
        )
    files = [path(i, j) for i in range(len(race.attacks)) for j in range(len(race.aggregators))]
    needed = any(file is None or not file.exists() for file in files)
    if needed:
        whole.lower()

    def compile_all() -> None:
        if clock is not None:
            clock.compile()
        if needed:
            whole.compile()

    return compile_all, _all_curves(whole, race, grid, costs, path, report), clock


def _rule(race: Race, which: Any) -> Aggregator:
    return one_rule(race.aggregators, which) if len(race.aggregators) > 1 else race.aggregators[0]


def _attack(race: Race, which: Any) -> Attack:
    return one_attack(race.attacks, which) if len(race.attacks) > 1 else race.attacks[0]


class _Program(NamedTuple):
    """The compiled runs of one method; which attack and which rule are arguments."""

    lower: Callable[[], Any]
    compile: Callable[[], Any]
    call: Callable[[int, int], Any]
    mark: Callable[[int, int], str]  # of everything that the curves depend on


def _program(make: Method, race: Race, grid: np.ndarray) -> _Program:
    problem = race.problem

    def on(mesh: Mesh | None) -> Callable[..., tuple]:
        def one(which: Any, step: jax.Array, keys: tuple, data: Any, test: Any) -> tuple:
            attack, rule = which
            algorithm = make(step, _rule(race, rule))
            run = session(
                algorithm, problem, _attack(race, attack), evaluate=race.evaluate,
                map_workers=race.map_workers, mesh=mesh,
            )  # fmt: skip
            return run.run_evaluated(keys, race.rounds, race.every, data, test)

        def whole(which: Any, steps: jax.Array, keys: tuple, data: Any, test: Any) -> tuple:
            # The choice is not mapped over: one for every run would run all attacks and rules.
            def each(step: jax.Array, keys: tuple) -> tuple:
                return one(which, step, keys, data, test)

            return each(steps, keys) if race.map_runs is None else race.map_runs(each)(steps, keys)

        return whole

    steps = jnp.asarray(np.repeat(grid, len(race.seeds)), float)
    keys = tuple(jnp.tile(key, len(grid)) for key in streams(race.seeds))
    first = make(grid[0], race.aggregators[0])
    # Data of the choice: its Byzantine workers compute wherever one of the attacks wants them to.
    worlds = [assemble(first, problem, _attack(race, i)).data for i in range(len(race.attacks))]
    choice = (jnp.int32(0), jnp.int32(0))
    apart = [(step, tuple(key[i] for key in keys)) for i, step in enumerate(steps)]
    runs = [(steps, keys)] if race.map_runs is not None else apart
    alone = choice, *runs[0], worlds[0], problem.test
    mesh, here = race.mesh, alone
    if mesh is not None:
        shared = put((choice, *runs[0], problem.test), mesh)
        here = (*shared[:-1], put(worlds[0], mesh, split=True), shared[-1])
    known_at = None if mesh is None else NamedSharding(mesh, Spec())
    traced = jax.jit(on(mesh), out_shardings=known_at).trace(*here)
    found = Program(traced, here, known_at, lift=mesh is None)

    def call(attack: int, rule: int) -> Any:
        which = put((jnp.int32(attack), jnp.int32(rule)), mesh)
        data = put(worlds[attack], mesh, split=True)
        program = found.compile()
        # A run that diverges is part of a race; its NaN stops nothing.
        with jax.debug_nans(False), jax.debug_infs(False):
            results = [
                jax.tree.map(np.asarray, program(which, *put(given, mesh), data, here[-1]))
                for given in runs
            ]
        if race.map_runs is not None:
            return results[0]
        return jax.tree.map(lambda *parts: np.stack(parts), *results)

    @functools.cache
    def computed() -> Any:  # devices decide nothing
        return (traced if mesh is None else jax.jit(on(None)).trace(*alone)).jaxpr

    def mark(attack: int, rule: int) -> str:
        seeds = np.array(race.seeds)
        return fingerprint(computed(), attack, rule, steps, worlds[attack], problem.test, seeds)

    return _Program(found.lower, found.compile, call, mark)


def _all_curves(
    whole: _Program,
    race: Race,
    grid: np.ndarray,
    gradients: tuple[float, float],
    path: Callable[[int, int], Path | None],
    report: Callable[[str], None],
) -> Iterator[tuple[int, int, Curves]]:
    for rule in range(len(race.aggregators)):
        for attack in range(len(race.attacks)):
            file = path(attack, rule)
            mark = "" if file is None else whole.mark(attack, rule)
            if file is not None and (curves := _kept(file, mark, report)) is not None:
                yield attack, rule, curves
                continue
            began = time.perf_counter()
            found = whole.call(attack, rule)
            curves = _curves(found, race, gradients, len(grid), time.perf_counter() - began)
            if file is not None:
                curves.save(file, mark)
            yield attack, rule, curves


def _kept(file: Path, mark: str, report: Callable[[str], None]) -> Curves | None:
    """What a file holds, if it is there and whole."""
    try:
        return Curves.load(file, mark)
    except FileNotFoundError:
        return None
    except Damaged as error:
        report(f"{error}; it is kept as {set_aside(file).name} and the run made again")
        return None


def _curves(
    found: tuple, race: Race, gradients: tuple[float, float], steps: int, seconds: float
) -> Curves:
    """Curves [P, S, E] from what a program returned, with nothing after a run was over."""
    first, at_start, records, columns = found
    shape = steps, len(race.seeds)
    metrics = RunMetrics(shape[0] * shape[1], race.problem.honest)
    over = np.zeros(shape[0] * shape[1], bool)

    def enter(records: Counted) -> None:  # with leading axes [C, T]
        nonlocal over
        over = over | metrics.over(records, race.problem.byzantine).any(axis=1)
        metrics.count(records)

    def note(done: int, measured: Mapping[str, np.ndarray]) -> None:
        metrics.note(done, {name: np.where(over, np.nan, v) for name, v in measured.items()})

    if first is not None:
        enter(Counted(*(part[:, None] for part in first)))
    note(0, at_start)
    for chunk in range(race.rounds // race.every):
        enter(Counted(*(part[:, chunk] for part in records)))
        measured = {name: values[:, chunk] for name, values in columns.items()}
        note((chunk + 1) * race.every, measured)
    curves = {name: values.reshape(*shape, -1) for name, values in metrics.columns().items()}
    at_once, per_round = gradients
    total = at_once + per_round * np.array(metrics.rounds)
    curves["gradients"] = np.broadcast_to(total, (*shape, len(total)))
    return Curves(np.array(metrics.rounds), curves, seconds)


def _gradients(algorithm: Algorithm, problem: Problem) -> tuple[float, float]:
    """Expected gradients of single samples, mean over workers: at the start, and in a round."""
    all_of = 1 if problem.sizes is None else float(problem.sizes.mean())
    drawn = problem.batch or all_of
    cost = describe(algorithm, problem.dimension)
    n = problem.honest + problem.byzantine
    share = 1.0 if cost.workers_in_a_round is None else cost.workers_in_a_round / n
    return (
        cost.start_sampled_gradients * drawn + cost.start_full_gradients * all_of,
        share * (cost.sampled_gradients * drawn + cost.full_gradients * all_of),
    )
