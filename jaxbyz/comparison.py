"""`compare`: a fair race of algorithms under attacks, each with its own best step size.

Every method is a function step -> algorithm, so that all its step sizes and seeds run side by side
in one program. The step size is chosen on seeds of its own, which are not reported: the least, over
step sizes, of the worst value over the tuning seeds, once the budget is used up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.attacks import one_of
from jaxbyz.checkpoints import fingerprint
from jaxbyz.core import Algorithm, Attack
from jaxbyz.describe import describe
from jaxbyz.ledger import Ledger
from jaxbyz.problems.problem import Problem
from jaxbyz.progress import Bar
from jaxbyz.race import Cell, Comparison
from jaxbyz.seeds import seed_list, streams
from jaxbyz.server_time import server_seconds
from jaxbyz.simulation import build, run
from jaxbyz.training import measure_of, record_of

__all__ = ["compare"]

Method = Callable[[Any], Algorithm]  # step size -> algorithm


def compare(
    methods: Mapping[str, Method],
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
    infinitely bad, once more rows are rejected in a round than there are Byzantine workers. The
    choice is made anew for every method, attack and budget, with `measure` on the tuning seeds;
    what is reported comes from the other seeds.

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
        folder: finished runs are kept here, and not made again.
        parallel: how many programs are compiled and run at the same time.
        progress: as for `train`.

    Raises:
        ValueError: an argument outside its range; stored runs of another computation.

    >>> import jaxbyz as jb, optax
    >>> problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=4)
    >>> rule = jb.trimmed_mean(f=1)
    >>> race = compare(
    ...     {"D-SGD": lambda step: jb.robust_sgd(optimizer=optax.sgd(step), aggregator=rule)},
    ...     problem, attacks=[jb.sign_flip()], steps=[0.01, 0.1], rounds=20)
    >>> race.best("round", "sign flip")
    'D-SGD'
    """
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
    if isinstance(steps, Mapping) and not set(methods) <= set(steps):
        missing = sorted(set(methods) - set(steps))
        raise ValueError(f"steps must have an entry for every method, got none for {missing}")
    grids = {name: _grid(steps[name] if isinstance(steps, Mapping) else steps) for name in methods}
    budgets = {"round": float(rounds)} if budgets is None else dict(budgets)
    _require_columns(problem, measure, budgets)  # before hours of computing
    everything = seed_list(reported + tuning)
    wide = jax.dtypes.canonicalize_dtype(float) == np.float64
    store = None if folder is None else Path(folder)

    cells: dict[tuple[str, str], Cell] = {}
    total = len(methods) * len(names)
    with Bar(progress, total, unit="run") as bar, ThreadPoolExecutor(parallel) as pool:

        def job(method: str) -> None:
            paths = [
                None if store is None else store / f"{_slug(method)}--{_slug(name)}.npz"
                for name in names
            ]
            with jax.enable_x64(wide):  # a setting of the thread
                runs = _run(
                    methods[method], problem, attacks, grids[method], everything, rounds, every,
                    paths,
                )  # fmt: skip
                for name, cell in zip(names, runs, strict=True):
                    cells[method, name] = cell
                    bar.advance(1, {"last": f"{method} under {name}"})

        waiting = [pool.submit(job, method) for method in methods]
        try:
            for done in as_completed(waiting):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    clock = {
        name: server_seconds(make(grids[name][0]), problem, attacks[0])
        for name, make in methods.items()
    }
    return Comparison(
        problem.name, tuple(methods), tuple(names), grids, budgets, measure, largest, reported,
        cells, clock,
    )  # fmt: skip


def _require_columns(problem: Problem, measure: str, budgets: Mapping[str, float]) -> None:
    x = jax.eval_shape(problem.init, jax.random.key(0))
    found = jax.eval_shape(measure_of(problem, None), x, problem.data, problem.test)
    spent = ["uplink_bits", "downlink_bits", "rejected_rows", "gradients"]
    known = [*spent, *found]
    if measure not in known:
        raise ValueError(f"measure must name a column among {known}, got {measure!r}")
    if not budgets or not set(budgets) <= {"round", *spent}:
        raise ValueError(f"budgets must name columns among {['round', *spent]}, got {budgets!r}")


def _grid(steps: Sequence[float]) -> np.ndarray:
    grid = np.asarray(steps, float)
    if grid.ndim != 1 or grid.size == 0 or not (np.isfinite(grid) & (grid > 0)).all():
        raise ValueError(f"steps must be positive finite numbers, got {steps!r}")
    return np.sort(grid)


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)


def _named(attacks: Sequence[Attack], which: Any) -> Attack:
    return one_of(attacks, which) if len(attacks) > 1 else attacks[0]


def _run(
    make: Method,
    problem: Problem,
    attacks: Sequence[Attack],
    grid: np.ndarray,
    seeds: list[int],
    rounds: int,
    every: int,
    paths: Sequence[Path | None],
) -> Iterator[Cell]:
    """All step sizes and seeds of one method under every attack; compiling takes the longest."""
    measured = measure_of(problem, None)

    def one(which: jax.Array, step: jax.Array, keys: tuple, data: Any, test: Any) -> tuple:
        model_key, start_key, round_key = keys
        simulation = build(make(step), problem, _named(attacks, which))
        state, hello = simulation.init(start_key, problem.init(model_key), data)
        first = None if hello is None else record_of(state, hello)
        begin = measured(state.server.x, data, test)
        advance = run(simulation.step, every, record_of)

        def chunk(state: Any, _: None) -> tuple[Any, tuple[Any, Any]]:
            state, record = advance(round_key, state, data)
            return state, (record, measured(state.server.x, data, test))

        _, (records, columns) = jax.lax.scan(chunk, state, None, rounds // every)
        return first, begin, records, columns

    def whole(which: jax.Array, steps: jax.Array, keys: tuple, data: Any, test: Any) -> tuple:
        # The attack is not mapped over: a choice for every lane would run all of them.
        return jax.vmap(one, (None, 0, 0, None, None))(which, steps, keys, data, test)

    steps = jax.numpy.asarray(np.repeat(grid, len(seeds)), float)
    keys = tuple(jax.numpy.tile(key, len(grid)) for key in streams(seeds))
    everybody = [
        build(make(grid[0]), problem, _named(attacks, i)).data for i in range(len(attacks))
    ]
    traced = jax.jit(whole).trace(jax.numpy.int32(0), steps, keys, everybody[0], problem.test)
    marks = [
        fingerprint(traced.jaxpr, i, steps, data, problem.test, np.array(seeds))
        for i, data in enumerate(everybody)
    ]
    missing = [i for i, path in enumerate(paths) if path is None or not path.exists()]
    cost = _gradients(make(grid[0]), problem)
    began = time.perf_counter()
    program = traced.lower().compile() if missing else None
    for i, (path, mark) in enumerate(zip(paths, marks, strict=True)):
        if path is not None and i not in missing:
            yield Cell.load(path, mark)
            continue
        assert program is not None
        found = program(jax.numpy.int32(i), steps, keys, everybody[i], problem.test)
        found = jax.tree.map(np.asarray, found)
        spent, began = time.perf_counter() - began, time.perf_counter()
        shape = len(grid), len(seeds)
        cell = _cell(found, problem, cost, shape, rounds, every, spent)
        if path is not None:
            cell.save(path, mark)
        yield cell


def _cell(
    found: tuple,
    problem: Problem,
    gradients: tuple[float, float],
    shape: tuple[int, int],
    rounds: int,
    every: int,
    seconds: float,
) -> Cell:
    """Curves [P, S, E] from what a program returned, with nothing after a run was over."""
    first, begin, records, columns = found
    ledger = Ledger(shape[0] * shape[1], problem.honest)
    over = np.zeros(shape[0] * shape[1], bool)

    def enter(record: Any) -> None:  # uplink [C, T, n, 2], downlink [C, T, 2], bad [C, T, n]
        nonlocal over
        over = over | (record[2].sum(axis=2) > problem.byzantine).any(axis=1)
        ledger.count(*record)

    def note(done: int, measured: Mapping[str, np.ndarray]) -> None:
        ledger.note(done, {name: np.where(over, np.nan, v) for name, v in measured.items()})

    if first is not None:
        enter([part[:, None] for part in first])
    note(0, begin)
    for chunk in range(rounds // every):
        enter([part[:, chunk] for part in records])
        note((chunk + 1) * every, {name: values[:, chunk] for name, values in columns.items()})
    curves = {name: values.reshape(*shape, -1) for name, values in ledger.columns().items()}
    at_start, per_round = gradients
    total = at_start + per_round * np.array(ledger.rounds)
    curves["gradients"] = np.broadcast_to(total, (*shape, len(total)))
    return Cell(np.array(ledger.rounds), curves, seconds)


def _gradients(algorithm: Algorithm, problem: Problem) -> tuple[float, float]:
    """Expected gradients of single samples, by one worker: at the start, and in a round."""
    all_of = getattr(problem, "samples", 1)
    drawn = getattr(problem, "batch", None) or all_of
    cost = describe(algorithm, problem.dimension)
    return (
        cost.start_sampled_gradients * drawn + cost.start_full_gradients * all_of,
        cost.sampled_gradients * drawn + cost.full_gradients * all_of,
    )
