"""Putting an algorithm, the workers' data and an attacker into one pure step.

    build(algorithm, problem, attack) -> Simulation(init, step, data)
    step(key, state, data) -> (state, info)

One round: the server announces; every worker answers from its own data; the answers are gathered;
the Byzantine ones are replaced by what the attacker says, in the same protocol; the server steps.
A worker whose own gradient is no number is quiet for that round (see `jaxbyz.bad_rounds`).
Workers 0..h-1 are honest and h..n-1 Byzantine; nobody but the attacker knows.

Everything else is applied from outside: `run` scans over rounds, `vmap` goes over seeds,
`over_mesh` and `over_pmap` spread the workers over devices. Keys are folded from worker ids, so
results do not depend on where a worker lives. The only gathered arrays are the messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as Spec

from jaxbyz import checks, returned
from jaxbyz.agreement import agreed
from jaxbyz.attacks import no_attack
from jaxbyz.bad_rounds import answering, beginning
from jaxbyz.core import Algorithm, Attack, Codec, Key, Oracle, ServerInfo, Tree, View
from jaxbyz.lanes import entries_of
from jaxbyz.messages import bit_words
from jaxbyz.problems.problem import Problem

__all__ = [
    "Placement",
    "RoundInfo",
    "Simulation",
    "SimulationState",
    "assemble",
    "build",
    "in_batches",
    "off_the_mesh",
    "one_by_one",
    "over_mesh",
    "over_pmap",
    "require_even",
    "run",
]

AXIS = "workers"

Ask = Callable[[Tree], Oracle]


class SimulationState(NamedTuple):
    """What the next round needs."""

    round: jax.Array  # [] int32, rounds done
    workers: Tree  # leaves [m, ...], one entry for every worker that computes
    server: Tree
    attack: Tree


class RoundInfo(NamedTuple):
    """What there is to look at in one round."""

    uplink: jax.Array  # [n, 2] uint32, exact bits of every message as (high, low) words
    downlink: jax.Array  # [2] uint32, bits of the broadcast to one worker
    server: ServerInfo
    faulty: jax.Array  # [n] bool, honest workers that were quiet: not in `server.bad`


class Simulation(NamedTuple):
    """Pure functions, and the data they take."""

    init: Callable[[Key, jax.Array, Tree], tuple[SimulationState, RoundInfo | None]]
    step: Callable[[Key, SimulationState, Tree], tuple[SimulationState, RoundInfo]]
    data: Tree  # leaves [m, ...]


class Placement(NamedTuple):
    """Where workers are: which of them this program computes, and how messages come together."""

    ids: Callable[[int], jax.Array]  # local number of workers -> their ids
    gather: Callable[[Tree], Tree]  # local messages [m_local, ...] -> all messages [m, ...]
    asking: Callable[[Ask], Ask]  # entry of the data -> oracle: how workers ask it here


def here() -> Placement:
    """All workers in one program."""
    return Placement(jnp.arange, lambda messages: messages, lambda oracle: oracle)


def along_axis() -> Placement:
    """Workers along the mapped axis of `over_mesh` or `over_pmap`, consecutive ones together."""

    def ids(local: int) -> jax.Array:
        return jax.lax.axis_index(AXIS) * local + jnp.arange(local)

    def gather(messages: Tree) -> Tree:
        return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, AXIS, tiled=True), messages)

    return Placement(ids, gather, _asked_off_the_mesh)


def off_the_mesh(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of arrays, traced as if its arguments lay on no mesh.

    The derivative of a convolution notes the mesh that it is traced on, and JAX then refuses to
    map it where it has groups, as it has once it was mapped before: over workers, then over seeds.
    Nothing of a worker's own arithmetic depends on a mesh.

    >>> off_the_mesh(lambda x, y: {"sum": x + y})(jnp.ones(2), 1.0)["sum"].tolist()
    [2.0, 2.0]
    """

    def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
        kind = jax.typeof(leaf)
        return jax.ShapeDtypeStruct(kind.shape, kind.dtype, weak_type=kind.weak_type)

    def traced(*arguments: Tree) -> Any:
        with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), ())):
            shapes = jax.tree.map(shape_of, arguments)
            program, result = jax.make_jaxpr(function, return_shape=True)(*shapes)
        leaves = jax.tree.leaves(arguments)
        found = jax.core.eval_jaxpr(program.jaxpr, program.consts, *leaves)
        return jax.tree.unflatten(jax.tree.structure(result), found)

    return traced


def _asked_off_the_mesh(oracle: Ask) -> Ask:
    full = off_the_mesh(lambda entry, x: oracle(entry).full(x))
    grad = off_the_mesh(lambda entry, batch, x: oracle(entry).grad(batch, x))

    def of(entry: Tree) -> Oracle:
        return Oracle(
            lambda x: full(entry, x),
            oracle(entry).draw,
            lambda batch, x: grad(entry, batch, x),
        )

    return of


def one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """Map a function over leading axes, one entry after another (the alternative to `jax.vmap`).

    On CPU this is the fast way for models whose gradients are large batched products.

    >>> one_by_one(lambda a, b: a + b)(jnp.arange(3), jnp.ones(3)).tolist()
    [1.0, 2.0, 3.0]
    """
    return lambda *arguments: jax.lax.map(lambda entry: function(*entry), arguments)


def in_batches(
    size: int, together: Callable[..., Any] = jax.vmap
) -> Callable[..., Callable[..., Any]]:
    """Map a function over leading axes, so many entries at once (between `vmap` and `one_by_one`).

    For many seeds of a small problem: a hundred at once whose state stays in a core's cache are
    faster than all at once.

    Args:
        size: of a batch. It should divide the number of entries: a smaller last batch is compiled
            apart.
        together: how the entries of a batch are mapped: `jax.vmap` or `jaxbyz.side_by_side`.

    Raises:
        ValueError: size < 1; when called, arguments without a leading axis common to all.

    >>> in_batches(2)(lambda a, b: a + b)(jnp.arange(3), jnp.ones(3)).tolist()
    [1.0, 2.0, 3.0]
    """
    size = checks.count("size", size, minimum=1)

    def mapping(function: Callable[..., Any]) -> Callable[..., Any]:
        batch = together(function)

        def mapped(*arguments: Any) -> Any:
            entries = entries_of(arguments)
            whole = entries - entries % size

            def cut(leaf: jax.Array) -> jax.Array:
                return leaf[:whole].reshape(-1, size, *leaf.shape[1:])

            def joined(leaf: jax.Array, *rest: jax.Array) -> jax.Array:
                return jnp.concatenate([leaf.reshape(whole, *leaf.shape[2:]), *rest])

            last = jax.tree.map(lambda leaf: leaf[whole:], arguments)
            if whole == 0:
                return batch(*last)
            rest = [batch(*last)] if entries > whole else []
            return jax.tree.map(joined, one_by_one(batch)(*jax.tree.map(cut, arguments)), *rest)

        return mapped

    return mapping


def build(
    algorithm: Algorithm,
    problem: Problem,
    attack: Attack | None = None,
    *,
    map_workers: Callable[..., Any] = jax.vmap,
    placement: Placement | None = None,
) -> Simulation:
    """The simulation of one algorithm on one problem under one attack.

    Args:
        algorithm: from `jaxbyz.algorithms`.
        problem: from `jaxbyz.problems`; says how many workers are honest and Byzantine.
        attack: from `jaxbyz.attacks`; None: Byzantine workers follow the protocol on a copy of
            an honest worker's data.
        map_workers: `jax.vmap` or `one_by_one`.
        placement: `here()` or `along_axis()` (under `over_mesh` and `over_pmap`).

    Warns as `jaxbyz.agreement.agreed`: of a rule made for another f, of an attack by nobody.

    Raises:
        ValueError: an argument that is no such part; a rule that does not make a vector [d] of
            rows [n, d].

    >>> import optax
    >>> from jaxbyz import aggregators, algorithms, problems
    >>> problem = problems.quadratics(honest=4, byzantine=0, dimension=3, seed=0)
    >>> sgd = algorithms.robust_sgd(optimizer=optax.sgd(0.1), aggregator=aggregators.mean())
    >>> simulation = build(sgd, problem)
    >>> key = jax.random.key(0)
    >>> model_key, start_key, round_key = jax.random.split(key, 3)
    >>> state, _ = simulation.init(start_key, problem.init(model_key), simulation.data)
    >>> state, info = simulation.step(round_key, state, simulation.data)
    >>> state.round.item(), info.uplink[0].tolist()
    (1, [0, 96])
    """
    return assemble(
        *agreed(algorithm, problem, attack), map_workers=map_workers, placement=placement
    )


def assemble(
    algorithm: Algorithm,
    problem: Problem,
    attack: Attack | None = None,
    *,
    map_workers: Callable[..., Any] = jax.vmap,
    placement: Placement | None = None,
) -> Simulation:
    """`build` from parts that `agreed` has judged."""
    checks.mapping("map_workers", map_workers)
    attack = no_attack() if attack is None else attack
    placement = here() if placement is None else placement
    honest, byzantine = problem.honest, problem.byzantine
    n = honest + byzantine
    oracle = placement.asking(problem.oracle)

    def computing(key: Key, function: Callable[..., Any], data: Tree, *states: Tree) -> Any:
        """Map function(key_i, *states_i, oracle_i) over the workers of this program."""
        local = jax.tree.leaves(data)[0].shape[0]

        def one(worker: jax.Array, entry: Tree, *own: Tree) -> Any:
            return function(jax.random.fold_in(key, worker), *own, oracle(entry))

        return map_workers(one)(placement.ids(local), data, *states)

    def falsify(
        key: Key,
        codec: Codec,
        broadcast: Tree,
        state: SimulationState,
        messages: Tree,
        faulty: jax.Array,
        serve: Callable[[Tree], ServerInfo],
    ) -> tuple[Tree, Tree, jax.Array]:
        """Replace the Byzantine messages [h.., ...] by what the attacker says."""
        if byzantine == 0 or attack.forge is None:
            return state.attack, messages, faulty
        attack_key, encode_key = jax.random.split(key)
        truth = jax.tree.map(lambda leaf: leaf[:honest], messages)

        def lie(wanted: jax.Array) -> Tree:  # [f, d] -> messages [f, ...]
            keys = jax.random.split(encode_key, byzantine)
            return jax.vmap(codec.encode, (0, None, 0))(keys, broadcast, wanted)

        def say(wanted: jax.Array) -> Tree:  # [f, d] -> all messages [n, ...]
            return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), truth, lie(wanted))

        def read(messages: Tree) -> jax.Array:  # [m, ...] -> [m, d]
            return jax.vmap(codec.decode, (None, 0))(broadcast, messages)

        decoded = read(messages)
        view = View(
            round=state.round,
            honest=jnp.where(jnp.isfinite(decoded), decoded, 0)[:honest],
            own=None if attack.poison is None else decoded[honest:],
            broadcast=broadcast,
            server=state.server,
            read=lambda wanted: read(lie(wanted)),
            respond=lambda wanted: serve(say(wanted)),
            byzantine=byzantine,
        )
        with returned.compiled(f"attack {attack.name!r}"):
            outcome = attack.forge(attack_key, state.attack, view)
        memory, wanted = returned.forged(
            attack.name, outcome, (byzantine, decoded.shape[1]), decoded.dtype
        )
        forged = say(wanted), jnp.concatenate([faulty[:honest], jnp.zeros(byzantine, bool)])
        if attack.abstain is None or attack.poison is None:  # without data there is nothing else
            return memory, *forged
        quiet, own = attack.abstain(memory, view), (messages, faulty)
        return memory, *jax.tree.map(lambda a, b: jnp.where(quiet, a, b), own, forged)

    def exchange(
        key: Key,
        codec: Codec,
        broadcast: Tree,
        state: SimulationState,
        messages: Tree,
        faulty: jax.Array,
        serve: Callable[..., tuple[Tree, ServerInfo]],
    ) -> tuple[SimulationState, RoundInfo]:
        """From the workers' messages to the server's new state."""
        attack_key, server_key = jax.random.split(key)

        def outcome(messages: Tree) -> tuple[Tree, ServerInfo]:
            return serve(server_key, state.server, broadcast, messages)

        messages, faulty = placement.gather((messages, faulty))
        memory, messages, faulty = falsify(
            attack_key, codec, broadcast, state, messages, faulty, lambda said: outcome(said)[1]
        )
        server, info = outcome(messages)
        uplink = jax.vmap(lambda message: bit_words(message.bits()), axis_size=n)(messages)
        state = state._replace(server=server, attack=memory)
        # Counted once: of an honest worker as faulty, of a Byzantine one that computes as bad.
        own = jnp.arange(n) < honest
        info = info._replace(bad=jnp.where(own, info.bad & ~faulty, info.bad | faulty))
        faulty = faulty & own
        return state, RoundInfo(uplink, bit_words(broadcast.bits()), info, faulty)

    def init(key: Key, x: jax.Array, data: Tree) -> tuple[SimulationState, RoundInfo | None]:
        announce_key, worker_key, attack_key, exchange_key = jax.random.split(key, 4)
        server = algorithm.server.start(x, n)
        broadcast = algorithm.server.broadcast(announce_key, server)
        begin = beginning(algorithm.worker)
        workers, messages, faulty = computing(
            worker_key, lambda k, oracle: begin(k, broadcast, oracle), data
        )
        memory = attack.init(attack_key, x.shape[0])
        state = SimulationState(jnp.array(0, jnp.int32), workers, server, memory)
        if algorithm.hello is None or algorithm.server.hello is None:
            return state, None
        hello = algorithm.server.hello
        return exchange(exchange_key, algorithm.hello, broadcast, state, messages, faulty, hello)

    def step(key: Key, state: SimulationState, data: Tree) -> tuple[SimulationState, RoundInfo]:
        announce_key, worker_key, exchange_key = jax.random.split(key, 3)
        broadcast = algorithm.server.broadcast(announce_key, state.server)
        answer, serve = answering(algorithm.worker), algorithm.server.step
        workers, messages, faulty = computing(
            worker_key,
            lambda k, own, oracle: answer(k, own, broadcast, oracle),
            data,
            state.workers,
        )
        state = state._replace(round=state.round + 1, workers=workers)
        return exchange(exchange_key, algorithm.codec, broadcast, state, messages, faulty, serve)

    return Simulation(init, step, _with_byzantine_data(problem, attack))


def _with_byzantine_data(problem: Problem, attack: Attack) -> Tree:
    """Data of all workers that compute: the honest ones, and poisoned copies where asked for."""
    if problem.byzantine == 0 or attack.poison is None:
        if problem.byzantine and attack.forge is None:
            raise ValueError(f"attack {attack.name!r} has neither forge nor poison")
        return problem.data
    victims = jnp.arange(problem.byzantine) % problem.honest
    copies = jax.tree.map(lambda leaf: jnp.asarray(leaf)[victims], problem.data)
    poisoned = attack.poison(copies)
    returned.poisoned(attack.name, poisoned, copies, getattr(problem, "classes", None))
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), problem.data, poisoned)


def run(
    step: Callable[[Key, SimulationState, Tree], tuple[SimulationState, RoundInfo]],
    rounds: int,
    record: Callable[[SimulationState, RoundInfo], Tree],
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


def _state_spec(sharded: Any, replicated: Any) -> SimulationState:
    return SimulationState(replicated, sharded, replicated, replicated)


def require_even(data: Tree, devices: int) -> None:
    """Raise unless every device gets the same number of workers."""
    workers = jax.tree.leaves(data)[0].shape[0]
    if workers % devices:
        raise ValueError(
            "the number of computing workers must be a multiple of the number of devices, got "
            f"{workers} computing workers on {devices} devices"
        )


def over_mesh(function: Callable[..., Any], mesh: Mesh, *, initial: bool = False) -> Any:
    """Spread a function of the simulation over the devices of a one-axis mesh "workers".

    `function` is `init` (with initial=True), `step` or what `run` returns, of a simulation built
    with `placement=along_axis()`. The number of computing workers must be a multiple of the
    number of devices. What `run` records must not hold `state.workers`, of which a device has only
    its own.

    Raises:
        ValueError: another mesh; when called, workers that cannot be spread evenly.
    """
    if getattr(mesh, "axis_names", None) != (AXIS,):
        raise ValueError(f"mesh must have the one axis {AXIS!r}, got {mesh!r}")
    split, whole = Spec(AXIS), Spec()
    state = _state_spec(split, whole)
    mapped = jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(whole, whole, split) if initial else (whole, state, split),
        out_specs=(state, whole),
        check_vma=False,  # gathered messages are equal on all devices; this cannot be inferred
    )

    def spread(key: Key, second: Any, data: Tree) -> Any:
        require_even(data, mesh.shape[AXIS])
        return mapped(key, second, data)

    return spread


def over_pmap(function: Callable[..., Any], devices: int, *, initial: bool = False) -> Any:
    """The same as `over_mesh`, with `jax.pmap` over so many devices.

    Raises:
        ValueError: devices that this process does not have; when called, workers that cannot be
            spread evenly.
    """
    devices = checks.count("devices", devices, minimum=1, maximum=jax.local_device_count())
    state = _state_spec(0, None)
    mapped = jax.pmap(
        function,
        axis_name=AXIS,
        in_axes=(None, None, 0) if initial else (None, state, 0),
        out_axes=(state, None),
    )

    def fold(tree: Tree) -> Tree:  # [m, ...] -> [devices, m/devices, ...]
        return jax.tree.map(lambda leaf: leaf.reshape(devices, -1, *leaf.shape[1:]), tree)

    def unfold(tree: Tree) -> Tree:
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tree)

    def spread(key: Key, second: Any, data: Tree) -> Any:
        require_even(data, devices)
        if not initial:
            second = second._replace(workers=fold(second.workers))
        state, info = mapped(key, second, fold(data))
        return state._replace(workers=unfold(state.workers)), info

    return spread
