"""`train`: many seeds, evaluation, progress, checkpoints. What most users call."""

import importlib.metadata
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxbyz import checks
from jaxbyz.contracts.recipes import written
from jaxbyz.core import Algorithm, Attack
from jaxbyz.deprecations import renamed
from jaxbyz.divergence import RunDiverged  # noqa: F401 - `renamed` looks for it here
from jaxbyz.history import History, carrying
from jaxbyz.problems.problem import Problem
from jaxbyz.progress import Bar
from jaxbyz.seeds import seed_list
from jaxbyz.simulation.agreement import agreed
from jaxbyz.simulation.compiled import compiled
from jaxbyz.simulation.devices import mesh_of, processes, require_one_process
from jaxbyz.simulation.identities import identity_of
from jaxbyz.simulation.sessions import Session, Watch, session
from jaxbyz.stopping import Listener, OnEvaluate
from jaxbyz.storage.checkpoints import Checkpoints
from jaxbyz.unfinished import UnfinishedRun

__getattr__ = renamed(__name__, {"TooManyBadRows": "RunDiverged"}, globals())


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
    on_evaluate: OnEvaluate | None = None,
) -> History:
    """Run an algorithm on a problem under an attack, and record its curves.

    Args:
        algorithm: from `jaxbyz.algorithms`.
        problem: from `jaxbyz.problems`.
        attack: from `jaxbyz.attacks`; None: Byzantine workers follow the protocol.
        rounds: how many, after round 0. Some algorithms send first messages, the hello, in round 0.
        seeds: a number of seeds 0, 1, …, or a list of seeds. The seed decides the initial model and
            all random draws of a run; the division of the data belongs to the problem. For one
            seed, different algorithms start at the same model.
        evaluate_every: evaluate after that many rounds, and always at the start and the end.
        evaluate: names of the problem's evaluators; None: all of them.
        progress: True: a bar on stderr (needs tqdm); False: silent; None: a bar where stderr is a
            terminal or in a notebook, and tqdm is installed.
        checkpoint: a folder. A run that was killed continues from it, bit for bit. The number of
            devices and `evaluate_every` may then differ (evaluations that were recorded stay, and
            new ones follow them); `evaluate` and `watch` must be the same. A damaged checkpoint is
            named in a warning, and the one before it is used. Only one process at a time may use
            the folder.
        checkpoint_every: rounds between checkpoints, a multiple of evaluate_every (default:
            evaluate_every). A kill never costs more than these rounds.
        map_workers: `jax.vmap`, or `jaxbyz.one_by_one` for models that are slow when batched.
        map_seeds: how seeds are mapped: `jax.vmap`, `jaxbyz.one_by_one` or
            `jaxbyz.in_batches(size)`. Methods that toss a common coin (PAGE) choose one branch a
            round only under `one_by_one`; the others compute both.
        devices: divide the workers, and the server's arrays by coordinates, over these devices (see
            `jaxbyz.partitioned`). None: JAX's default device. They may belong to several processes
            (`jax.distributed`); then all processes make the same call, and each returns the same
            history. Checkpoints need devices of one process.
        watch: (state before, state after, `RoundInfo`, data) -> further columns of the history, a
            dictionary name -> single real number. The names must differ from those of a history
            and of the evaluators. It is applied to the last round before every evaluation; at
            round 0 the columns are NaN. `jaxbyz.theory.runs` has terms of proofs.
        on_evaluate: (rounds done, metrics) -> None, called after every evaluation, in Python. The
            metrics are column -> values of all seeds [S]. If it returns True or raises
            `jaxbyz.StopTraining`, the run ends there. A run that continues from a checkpoint calls
            it for new evaluations only, those after the checkpoint. If the run is of several
            processes, the first one calls it, and all end together. `jaxbyz.callbacks` has some.

    Returns:
        A `History`. Its `about` holds what made the run: in "arguments" the constructors of
        algorithm, attack and problem with all their arguments; in "stopped_at" the round at which
        `on_evaluate` ended the run, or None.

    Warns (UserWarning) of a rule that was made for another number of Byzantine workers than the
    problem has, and of an attack on a problem without Byzantine workers.

    Raises:
        ValueError: an argument of another kind or outside its range; a rule or an attack that
            returns another shape; a checkpoint of a different computation, of more than `rounds`,
            with other columns, damaged with none before it, or in use.
        RunDiverged: the run diverged; that class says when. A single faulty round of an honest
            worker does not stop a run (see the column `faulty_rows`).
        FloatingPointError: with `jax.debug_nans` or `jax.debug_infs`, raised by JAX when a program
            returns such a number.

    Any exception after the first evaluation, Ctrl-C too (KeyboardInterrupt), has an attribute
    `history`: the history up to the last evaluation.

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
    mesh = mesh_of(devices)
    require_one_process("checkpoint", checkpoint, mesh)
    if watch is not None:
        checks.function("watch", watch, "before, after, info, data")
    listener = Listener(on_evaluate, mesh)
    if jax.process_index() != processes(mesh)[0]:
        progress = False  # one bar is enough
    chosen = seed_list(seeds)
    checks.mapping("map_seeds", map_seeds, len(chosen))

    def on(mesh: Mesh | None) -> Session:
        return session(
            algorithm, problem, attack, evaluate=evaluate, watch=watch, map_workers=map_workers,
            mesh=mesh,
        )  # fmt: skip

    began = time.perf_counter()
    one = on(mesh)
    runs = compiled(one, chosen, map_seeds)
    # What the user's functions return is judged before anything runs, also before it is resumed.
    watched = runs.watched()
    about = _about(algorithm, problem, attack)
    about |= {"rounds": rounds, "evaluate_every": evaluate_every, "seeds": chosen}
    so_far = UnfinishedRun(problem, chosen, about, began)
    with ExitStack() as stack:
        store, resumed, done = None, None, 0
        if checkpoint is not None:
            # With all workers in one program, wherever they are: devices decide nothing.
            mine, like = identity_of(one if mesh is None else on(None), map_seeds, chosen)
            store = stack.enter_context(Checkpoints(checkpoint, mine))
            resumed = store.restore(like, rounds)
        if resumed is not None:
            done, stored = resumed[0], resumed[2]
            states = runs.placed(resumed[1])
        bar = stack.enter_context(Bar(progress, rounds, done))  # shown while programs are compiled
        if resumed is not None:
            so_far.resume(done, runs.parameters(states), stored)
            over = listener.begin(so_far.history)
        else:
            states, first = runs.start()
            so_far.reached[0] = runs.parameters(states)
            over = listener.begin(so_far.history)
            if first is not None:
                so_far.count(0, jax.tree.map(lambda leaf: np.asarray(leaf)[:, None], first))
            unseen = {name: np.full(len(chosen), np.nan) for name in watched}
            so_far.note(0, so_far.reached[0], unseen | runs.measure(states))
        stack.enter_context(carrying(so_far.history))
        if resumed is None:
            over = over or listener.evaluated(0, so_far.metrics.latest())
        for target in [*range(evaluate_every, rounds, evaluate_every), rounds]:
            if over or target <= done:
                continue
            states, (records, seen) = runs.advance(target - done, states)
            so_far.count(done + 1, records)
            measured = seen | runs.measure(states)
            so_far.note(target, runs.parameters(states), measured)
            over = listener.evaluated(target, so_far.metrics.latest())
            if store is not None and (over or target % checkpoint_every == 0 or target == rounds):
                store.save(target, runs.fetched(states), so_far.metrics.pack())
            means = {name: f"{np.mean(values):.4g}" for name, values in measured.items()}
            bar.advance(target - done, means)
            done = target
        if over:
            so_far.stop(done, listener.reason)
        return so_far.history()


def _about(algorithm: Algorithm, problem: Problem, attack: Attack | None) -> dict[str, Any]:
    """What made a run."""
    return {
        "algorithm": algorithm.name,
        "attack": "none" if attack is None else attack.name,
        "problem": problem.name,
        "honest": problem.honest,
        "byzantine": problem.byzantine,
        "dimension": problem.dimension,
        "arguments": {
            "algorithm": written(algorithm),
            "attack": None if attack is None else written(attack),
            "problem": written(problem),
        },
        "versions": {name: importlib.metadata.version(name) for name in ("jaxbyz", "jax")},
    }


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
