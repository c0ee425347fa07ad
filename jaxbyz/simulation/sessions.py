"""A run of many rounds as pure functions.

`train`, `compare`, `effect` and `testing.short_runs.short_run` use it; single rounds are tried with
`build` alone.

    start(key, x, data)                 -> state, record of round 0
    advance(rounds, key, state, data)   -> state, (records, columns of `watch`)
    measure(x, data, test)              -> columns of the evaluators

A *record* is what is kept of every round. The functions are of one seed. Their callers map them
over seeds, and over step sizes that are traced inside the algorithm, and compile the result:
`train` calls them in a loop on the host (see `compiled`), `compare` in one scan over all rounds,
`effect` and `short_run` by one call of `run`.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from jaxbyz.contracts import returned
from jaxbyz.core import Algorithm, Attack, Key, Tree
from jaxbyz.problems.problem import Evaluator, Problem
from jaxbyz.simulation.placement import divided, first, off_the_mesh
from jaxbyz.simulation.rounds import assemble
from jaxbyz.simulation.state import RoundInfo, Simulation, SimulationState

Record = Callable[[SimulationState, RoundInfo], Tree]
# (state before, state after, what the round was, data) -> columns, each []
Watch = Callable[[SimulationState, SimulationState, RoundInfo, Tree], dict[str, jax.Array]]


class Counted(NamedTuple):
    """The record of `train` and `compare`: what their totals of bits and rows are summed from.

    Arrays of JAX during the computation, of NumPy afterwards.
    """

    uplink: Any  # [n, 2] uint32, bits of every message as (high, low) words
    downlink: Any  # [n, 2] uint32, bits of the broadcast to every worker that was asked
    rejected: Any  # [n] bool, rows
    faulty: Any  # [n] bool, honest workers whose own gradient was not finite


def counted(state: SimulationState, info: RoundInfo) -> Counted:
    """The `record` of `train` and `compare`."""
    del state
    downlink = jnp.where(info.asked[:, None], info.downlink, jnp.uint32(0))
    return Counted(info.uplink, downlink, info.server.rejected, info.faulty)


def run(
    step: Callable[[Key, SimulationState, Tree], tuple[SimulationState, RoundInfo]],
    rounds: int,
    record: Record,
) -> Callable[[Key, SimulationState, Tree], tuple[SimulationState, Tree]]:
    """Scan `rounds` rounds: (key, state, data) -> (state, records [rounds, ...]).

    The key of a round is folded from its number, so that a run cut in two is the same run.
    """

    def rounds_of(key: Key, state: SimulationState, data: Tree) -> tuple[SimulationState, Tree]:
        def body(state: SimulationState, _: None) -> tuple[SimulationState, Tree]:
            state, info = step(jax.random.fold_in(key, state.round), state, data)
            return state, record(state, info)

        return jax.lax.scan(body, state, None, length=rounds)

    return rounds_of


@dataclasses.dataclass(frozen=True)
class Session:
    """The run of one seed: pure functions of arrays. Made by `session`."""

    simulation: Simulation
    problem: Problem
    record: Record
    measure: Evaluator  # (x, data, test) -> columns
    watch: Watch | None  # that returns single numbers under names of their own
    mesh: Mesh | None  # whose devices share workers and coordinates; None: all in one program

    def start(self, key: Key, x: jax.Array, data: Tree) -> tuple[SimulationState, Tree]:
        """Round 0 at the model x [d]: the state, and its record (None where nothing is sent)."""
        state, info = self.simulation.init(key, x, data)
        return state, None if info is None else self.record(state, info)

    def advance(
        self, rounds: int, key: Key, state: SimulationState, data: Tree
    ) -> tuple[SimulationState, tuple[Tree, dict[str, jax.Array]]]:
        """So many rounds: the state, records [rounds, ...], and `watch` of the last round."""
        step = self.simulation.step
        if self.watch is None:
            state, records = run(step, rounds, self.record)(key, state, data)
            return state, (records, {})
        before, records = run(step, rounds - 1, self.record)(key, state, data)
        after, info = step(jax.random.fold_in(key, before.round), before, data)
        last = self.record(after, info)
        records = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), records, last)
        before, seen, data = self._seen(before), self._seen(after), self._computing(data)
        return after, (records, self.watch(before, seen, info, data))

    def _seen(self, state: SimulationState) -> SimulationState:
        return state._replace(workers=self._computing(state.workers))

    def _computing(self, tree: Tree) -> Tree:
        """Arrays [m, ...] of the workers that compute, without those that fill up devices."""
        return first(jax.tree.leaves(self.simulation.data)[0].shape[0], tree)

    def run(self, keys: Sequence[Key], rounds: int, data: Tree) -> tuple[Tree, Tree, Tree]:
        """A whole run from its three keys (see `jaxbyz.seeds.streams`).

        Returns:
            The last state, the record of round 0 (or None), and those of all rounds after it.
        """
        model_key, start_key, round_key = keys
        state, first = self.start(start_key, self.problem.init(model_key), data)
        state, (records, _) = self.advance(rounds, round_key, state, data)
        return state, first, records

    def run_evaluated(
        self, keys: Sequence[Key], rounds: int, every: int, data: Tree, test: Tree
    ) -> tuple[Tree, dict[str, jax.Array], Tree, dict[str, jax.Array]]:
        """A whole run, measured at its start and after every so many rounds, C times.

        Returns:
            The record of round 0 (or None) and what was measured then; records [C, every, ...] and
            columns [C] of the rounds after it.
        """
        model_key, start_key, round_key = keys
        state, first = self.start(start_key, self.problem.init(model_key), data)

        def chunk(state: Any, begun: Any) -> tuple[Any, tuple[Any, Any]]:
            # Nothing is done before the first evaluation. It is one of the loop, so that what it
            # measures is compiled once.
            state, records = jax.lax.cond(begun, go_on, lambda state: (state, nothing), state)
            return state, (records, self.measure(state.server.x, data, test))

        def go_on(state: Any) -> tuple[Any, Any]:
            state, (records, _) = self.advance(every, round_key, state, data)
            return state, records

        nothing = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(go_on, state)[1]
        )
        _, (records, columns) = jax.lax.scan(chunk, state, jnp.arange(rounds // every + 1) > 0)
        at_start = {name: values[0] for name, values in columns.items()}
        records, columns = jax.tree.map(lambda leaf: leaf[1:], (records, columns))
        return first, at_start, records, columns


def session(
    algorithm: Algorithm,
    problem: Problem,
    attack: Attack | None = None,
    *,
    record: Record = counted,
    evaluate: Sequence[str] | None = None,
    watch: Watch | None = None,
    map_workers: Callable[..., Any] = jax.vmap,
    mesh: Mesh | None = None,
) -> Session:
    """The run of one seed, from parts that `agreed` has checked.

    Args:
        algorithm: of the run; its step size may be traced.
        problem: of the run.
        attack: of the run; None: Byzantine workers follow the protocol.
        record: (state after, info) -> what is kept of every round.
        evaluate: names of the problem's evaluators; None: all of them.
        watch: applied to the last round of every `advance`.
        map_workers: `jax.vmap` or `one_by_one`.
        mesh: devices that share the workers, and the coordinates of the server.

    Raises:
        ValueError: evaluators that the problem does not have; evaluators that return anything but
            single numbers under names of their own, where there is a `watch`, and when traced, a
            `watch` that does.

    >>> import jaxbyz as jb, optax
    >>> problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
    >>> sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=1))
    >>> one = session(sgd, problem, jb.sign_flip())
    >>> keys = [key[0] for key in jb.seeds.streams([0])]
    >>> state, _, records = one.run(keys, 20, one.simulation.data)
    >>> state.round.item(), records.rejected.shape
    (20, (20, 5))
    """
    placement = None if mesh is None else divided(mesh)
    simulation = assemble(algorithm, problem, attack, map_workers=map_workers, placement=placement)
    measure = measure_of(problem, evaluate)
    if watch is not None:
        watch = _judged(watch, others=columns_of(measure, problem))
    if mesh is not None:
        measure = _of_whole_models(measure, mesh)
    return Session(simulation, problem, record, measure, watch, mesh)


def _of_whole_models(measure: Evaluator, mesh: Mesh) -> Evaluator:
    """The same, of a model that every device is given as a whole before its workers' data meet it.

    Otherwise the compiler would divide the sums over coordinates.
    """
    measure = off_the_mesh(measure)

    def measured(x: jax.Array, data: Tree, test: Tree) -> dict[str, jax.Array]:
        whole = jax.lax.with_sharding_constraint(x, NamedSharding(mesh, Spec()))
        return measure(whole, data, test)

    return measured


def columns_of(measure: Evaluator, problem: Problem) -> Tree:
    """The columns that are measured, name -> shape and dtype; nothing is computed."""
    x = jax.eval_shape(problem.init, jax.random.key(0, impl="threefry2x32"))
    return jax.eval_shape(measure, x, problem.data, problem.test)


def _judged(watch: Watch, others: Collection[str]) -> Watch:
    """The same function, which raises if what it returns cannot be columns."""

    def judged(before: Any, after: Any, info: RoundInfo, data: Tree) -> dict[str, jax.Array]:
        with returned.explaining_tracers("watch"):
            found = watch(before, after, info, data)
        return returned.columns("watch", found, others)

    return judged


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
            with returned.explaining_tracers(what):
                found = problem.evaluators[name](x, honest, test)
            columns |= returned.columns(what, found, others=columns)
        return columns

    return measure
