"""`train`: many seeds, evaluation, progress, checkpoints. What most users call."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import Any

import jax
import numpy as np

from jaxbyz import checks, returned
from jaxbyz.agreement import agreed
from jaxbyz.checkpoints import Checkpoints
from jaxbyz.core import Algorithm, Attack, Tree
from jaxbyz.devices import mesh_of, processes, put, sharding_of_state
from jaxbyz.history import History, carrying
from jaxbyz.identities import identity_of
from jaxbyz.ledger import Ledger
from jaxbyz.problems.problem import Evaluator, Problem
from jaxbyz.progress import Bar
from jaxbyz.recipes import written
from jaxbyz.seeds import seed_list, streams
from jaxbyz.simulation import (
    RoundInfo,
    SimulationState,
    along_axis,
    assemble,
    off_the_mesh,
    over_mesh,
    require_even,
    run,
)

__all__ = ["TooManyBadRows", "Watch", "measure_of", "record_of", "train"]

Watch = Callable[[SimulationState, SimulationState, RoundInfo, Tree], dict[str, jax.Array]]


class TooManyBadRows(RuntimeError):
    """The run diverged: too many rows were no numbers.

    In one round more rows were rejected than there are Byzantine workers; or more than half of the
    honest workers were faulty (their own gradients were not finite); or the rejected rows and the
    workers that had been faulty for ten rounds on end were more than the Byzantine workers.

    `history` holds what was computed up to the last evaluation before that round.
    """

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def train(
    algorithm: Algorithm,
    problem: Problem,
    *,
    attack: Attack | None = None,
    rounds: int,
    seeds: int | Sequence[int] = 1,
    evaluate_every: int = 10,
    evaluate: Sequence[str] | None = None,
    progress: bool | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    map_workers: Callable[..., Any] = jax.vmap,
    map_seeds: Callable[..., Any] = jax.vmap,
    devices: Sequence[jax.Device] | None = None,
    watch: Watch | None = None,
) -> History:
    """Run an algorithm on a problem under an attack, and record its curves.

    Args:
        algorithm: from `jaxbyz.algorithms`.
        problem: from `jaxbyz.problems`.
        attack: from `jaxbyz.attacks`; None: Byzantine workers follow the protocol.
        rounds: how many, after round 0 (the hello of algorithms that have one).
        seeds: that many seeds 0, 1, …, or the seeds themselves. A seed decides the initial model
            and all draws of a run; the division of the data belongs to the problem. For one
            seed, different algorithms start at the same point.
        evaluate_every: evaluate after that many rounds, and always at the start and the end.
        evaluate: names of the problem's evaluators; None: all of them.
        progress: True: a bar on stderr (needs tqdm); False: silent; None: a bar where stderr is a
            terminal or in a notebook, and tqdm is installed.
        checkpoint: a folder; a run that was killed continues there, bit for bit, also on another
            number of devices or with another `evaluate_every` (what was recorded before stays as
            it is, so the new evaluations follow the old ones), but with the same `evaluate` and
            `watch`. A damaged checkpoint is named in a warning and the one before it taken. One
            process at a time.
        checkpoint_every: rounds between checkpoints, a multiple of evaluate_every (default:
            evaluate_every). A kill never costs more than these rounds.
        map_workers: `jax.vmap`, or `jaxbyz.one_by_one` for models that are slow when batched.
        map_seeds: the same for seeds, or `jaxbyz.in_batches(size)`, `jaxbyz.side_by_side`; under
            all but `one_by_one` both sides of PAGE's coin are computed.
        devices: spread the computing workers over these devices, of this process or (with
            `jax.distributed`, when all call `train` alike) of several, where each returns the same
            history; checkpoints need those of one process. None: wherever JAX computes.
        watch: (state before, state after, what the round was, data) -> columns, a dictionary of
            single real numbers under names that neither a history nor the evaluators have: applied
            to the last round before every evaluation (NaN at round 0); for terms of a proof along
            a run, see `jaxbyz.theory`.

    Returns:
        A `History`. Its `about` holds what made the run: in "arguments" the constructors of
        algorithm, attack and problem with all their arguments.

    Warns (UserWarning) of a rule that was made for another number of Byzantine workers than the
    problem has, and of an attack on a problem without Byzantine workers.

    Raises:
        ValueError: an argument that is no such part or outside its range; a rule or an attack that
            makes something of another shape; a checkpoint of a different computation, of more than
            `rounds`, with other columns, damaged with none before it, or in use.
        TooManyBadRows: the run diverged (what that means is said there). One bad round of an
            honest worker stops nothing: see the column `faulty_rows`. The exception carries the
            history so far.
        FloatingPointError: JAX's own, with `jax.debug_nans` or `jax.debug_infs` in force, for the
            first such number that leaves a program.

    Whatever ends a run after its first evaluation, Ctrl-C too (KeyboardInterrupt), carries the
    history up to the last evaluation as its attribute `history`.

    >>> import optax, jaxbyz as jb
    >>> problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=8)
    >>> algorithm = jb.rosdhb(ratio=0.5, momentum=0.5, optimizer=optax.sgd(0.5),
    ...                       aggregator=jb.trimmed_mean(f=1))
    >>> history = train(algorithm, problem, attack=jb.sign_flip(), rounds=20, seeds=3)
    >>> history["loss"].shape, history["uplink_bits"][0].tolist()
    ((3, 3), [0.0, 1280.0, 2560.0])
    """
    algorithm, problem, attack = agreed(algorithm, problem, attack)
    rounds = checks.count("rounds", rounds)
    evaluate_every = checks.count("evaluate_every", evaluate_every, minimum=1)
    checkpoint_every = _period(checkpoint_every, evaluate_every)
    if watch is not None and devices is not None:
        raise ValueError("watch needs all workers in one place: devices must be None, got both")
    if watch is not None:
        checks.function("watch", watch, "before, after, info, data")
    mesh = mesh_of(devices)
    if checkpoint is not None and len(processes(mesh)) > 1:
        raise ValueError(
            "checkpoint needs all workers in one process: devices must be those of one process, "
            f"got devices of the processes {processes(mesh)}"
        )
    if jax.process_index() != processes(mesh)[0]:
        progress = False  # one bar is enough
    chosen = seed_list(seeds)
    checks.mapping("map_seeds", map_seeds, len(chosen))
    measured_by = measure_of(problem, evaluate)
    began = time.perf_counter()

    placement = None if mesh is None else along_axis()
    simulation = assemble(algorithm, problem, attack, map_workers=map_workers, placement=placement)
    if mesh is not None:
        require_even(simulation.data, mesh.size)
    data, test = put(simulation.data, mesh, split=True), put(problem.test, mesh)

    def spread(function: Callable[..., Any], initial: bool = False) -> Callable[..., Any]:
        return function if mesh is None else over_mesh(function, mesh, initial=initial)

    def begin(keys: jax.Array, xs: jax.Array, data: Tree) -> Any:
        def one(key: jax.Array, x: jax.Array) -> Any:
            state, hello = spread(simulation.init, initial=True)(key, x, data)
            return state, None if hello is None else record_of(state, hello)

        return map_seeds(one)(keys, xs)

    def advance(length: int, keys: jax.Array, states: Any, data: Tree) -> Any:
        if watch is None:
            one = spread(run(simulation.step, length, record_of))
            states, record = map_seeds(lambda key, state: one(key, state, data))(keys, states)
            return states, (record, {})
        one = _watched(simulation.step, length, watch, measures)
        return map_seeds(lambda key, state: one(key, state, data))(keys, states)

    def measure(xs: jax.Array, data: Tree, test: Tree) -> dict[str, jax.Array]:
        one = measured_by if mesh is None else off_the_mesh(measured_by)
        return map_seeds(lambda x: one(x, data, test))(xs)

    model_keys, *keys = streams(chosen)
    start_keys, round_keys = put(keys, mesh)
    # A program of its own: it is the slowest to compile, and the same for every algorithm.
    models = jax.jit(map_seeds(problem.init))
    state_at, known_at = (None, None) if mesh is None else sharding_of_state(mesh)
    start = jax.jit(begin, out_shardings=(state_at, known_at))
    go = jax.jit(advance, static_argnums=0, out_shardings=(state_at, known_at))
    look = jax.jit(measure, out_shardings=known_at)
    # What the user's functions return is judged before anything runs, also before it is resumed.
    x = jax.eval_shape(problem.init, model_keys[0])
    measures = jax.eval_shape(measured_by, x, problem.data, problem.test)
    watches: dict[str, Any] = {}
    if watch is not None:
        xs = jax.eval_shape(models, model_keys)
        states, _ = jax.eval_shape(begin, start_keys, xs, data)
        after = jax.eval_shape(functools.partial(advance, 1), round_keys, states, data)
        watches = after[1][1]
    ledger = Ledger(len(chosen), problem.honest)
    resumed_at = 0
    # Rounds done -> parameters: of the last evaluation, and of one under way. One entry of the
    # ledger decides which of them count, so that an interrupt never leaves half of an evaluation.
    reached: dict[int, jax.Array] = {}

    def history() -> History:
        parameters = jax.numpy.asarray(reached[ledger.rounds[-1] if ledger.rounds else 0])
        about = {
            "algorithm": algorithm.name,
            "attack": "none" if attack is None else attack.name,
            "problem": problem.name,
            "honest": problem.honest,
            "byzantine": problem.byzantine,
            "dimension": problem.dimension,
            "rounds": rounds,
            "evaluate_every": evaluate_every,
            "seeds": chosen,
            "arguments": {
                "algorithm": written(algorithm),
                "attack": None if attack is None else written(attack),
                "problem": written(problem),
            },
            "resumed_at": resumed_at,
            "seconds": time.perf_counter() - began,
            "device": min(parameters.devices(), key=lambda device: device.id).device_kind,
            "versions": {name: importlib.metadata.version(name) for name in ("jaxbyz", "jax")},
        }
        return History(
            np.array(ledger.rounds),
            ledger.columns(),
            np.asarray(parameters),
            np.array(chosen),
            about,
        )

    with ExitStack() as stack:
        store, resumed, done = None, None, 0
        if checkpoint is not None:
            plain = simulation if mesh is None else assemble(
                algorithm, problem, attack, map_workers=map_workers
            )  # fmt: skip
            watched = None if watch is None else _watched(plain.step, 1, watch, measures)
            mine, like = identity_of(plain, problem, measured_by, watched, map_seeds, chosen)
            store = stack.enter_context(Checkpoints(checkpoint, mine))
            resumed = store.restore(like, rounds)
        if resumed is not None:
            resumed_at = done = resumed[0]
            _, states, stored = resumed
            ledger.unpack(stored)
            reached[done] = states.server.x
        else:
            states, hello = start(start_keys, put(models(model_keys), mesh), data)
            reached[0] = states.server.x
            if hello is not None:
                first = jax.tree.map(lambda leaf: np.asarray(leaf)[:, None], hello)
                _enter(ledger, problem, chosen, 0, first, history)
            unseen = {name: np.full(len(chosen), np.nan) for name in watches}
            ledger.note(0, unseen | look(states.server.x, data, test))
        stack.enter_context(carrying(history))
        bar = stack.enter_context(Bar(progress, rounds, done))
        for target in [*range(evaluate_every, rounds, evaluate_every), rounds]:
            if target <= done:
                continue
            states, (record, seen) = go(target - done, round_keys, states, data)
            _enter(ledger, problem, chosen, done + 1, record, history)
            measured = seen | look(states.server.x, data, test)
            reached[target] = states.server.x
            ledger.note(target, measured)
            reached = {target: states.server.x}
            if store is not None and (target % checkpoint_every == 0 or target == rounds):
                store.save(target, states, ledger.pack())
            means = {name: f"{np.mean(values):.4g}" for name, values in measured.items()}
            bar.advance(target - done, means)
            done = target
        return history()


def record_of(state: Any, info: RoundInfo) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """What is kept of every round: bits, which rows were bad, and which workers were faulty."""
    del state
    return info.uplink, info.downlink, info.server.bad, info.faulty


def _watched(
    step: Callable[..., Any], length: int, watch: Watch, others: Collection[str]
) -> Callable[..., Any]:
    """Rounds whose last one is watched: (key, state, data) -> (state, (records, columns)).

    The names in `others` are those of the evaluators' columns.
    """

    def rounds_of(key: jax.Array, state: SimulationState, data: Tree) -> Any:
        before, records = run(step, length - 1, record_of)(key, state, data)
        after, info = step(jax.random.fold_in(key, before.round), before, data)
        last = record_of(after, info)
        records = jax.tree.map(lambda a, b: jax.numpy.concatenate([a, b[None]]), records, last)
        with returned.compiled("watch"):
            found = watch(before, after, info, data)
        return after, (records, returned.columns("watch", found, others))

    return rounds_of


def _enter(
    ledger: Ledger,
    problem: Problem,
    seeds: Sequence[int],
    first: int,
    record: Any,
    so_far: Callable[[], History],
) -> None:
    """Count rounds from `first` on, unless the run diverged in one of them."""
    uplink, downlink, bad, faulty = (np.asarray(part) for part in record)
    over = np.argwhere(ledger.over(bad, faulty, problem.byzantine))  # of [S, T]
    if len(over):
        seed, late = min(over.tolist(), key=lambda pair: pair[1])
        workers = np.flatnonzero((bad | faulty)[seed, late]).tolist()
        raise TooManyBadRows(
            f"round {first + late} of seed {seeds[seed]}: {len(workers)} of {bad.shape[2]} rows "
            f"were not finite (workers {workers}, {int(faulty[seed, late].sum())} of them "
            f"honest with gradients that are no numbers), more than is allowed with honest = "
            f"{problem.honest}, byzantine = {problem.byzantine}; the run diverged. The exception's "
            "`history` holds the rounds before",
            so_far(),
        )
    ledger.count(uplink, downlink, bad, faulty)


def _period(checkpoint_every: int | None, evaluate_every: int) -> int:
    if checkpoint_every is None:
        return evaluate_every
    period = checks.count("checkpoint_every", checkpoint_every, minimum=1)
    if period % evaluate_every:
        raise ValueError(
            f"checkpoint_every must be a multiple of evaluate_every = {evaluate_every}, "
            f"got {checkpoint_every!r}"
        )
    return period


def measure_of(problem: Problem, names: Sequence[str] | None) -> Evaluator:
    """(x, data of all workers, test) -> columns, by the evaluators of these names; None: all."""
    known = list(problem.evaluators)
    wrong = names is not None and (
        not isinstance(names, Sequence)
        or isinstance(names, str)
        or not all(name in known for name in names)
    )
    if wrong:
        raise ValueError(f"evaluate must be a list of names among {known}, got {names!r}")
    # In the problem's order, so that the order of the names makes no other computation.
    chosen = [name for name in known if names is None or name in names]

    def measure(x: jax.Array, data: Tree, test: Tree) -> dict[str, jax.Array]:
        honest = jax.tree.map(lambda leaf: leaf[: problem.honest], data)
        columns: dict[str, jax.Array] = {}
        for name in chosen:
            what = f"evaluator {name!r}"
            with returned.compiled(what):
                found = problem.evaluators[name](x, honest, test)
            columns |= returned.columns(what, found, others=columns)
        return columns

    return measure
