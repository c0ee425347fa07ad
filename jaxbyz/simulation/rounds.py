"""One round: an algorithm, the workers' data and an attack as one pure step.

    build(algorithm, problem, attack) -> Simulation(init, step, data)
    step(key, state, data) -> (state, info)

In a round the server sends its broadcast. Every worker computes a message from the broadcast and
its own data. All messages are gathered. The attack then replaces the Byzantine ones by messages of
the same protocol, and the server updates its state. A worker whose own gradient is not finite sits
the round out (see `jaxbyz.faulty_rounds`); one that is not asked takes no part in it (see
`jaxbyz.simulation.absence`). Workers 0..h-1 are honest and h..n-1 Byzantine; only the attack and
this module know which.

The key of a worker is folded from its number, so results do not depend on the device that computes
it.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks import no_attack
from jaxbyz.contracts import returned
from jaxbyz.core import Algorithm, Attack, Key, Oracle, ServerInfo, Tree
from jaxbyz.faulty_rounds import answering, beginning
from jaxbyz.messages import bit_words
from jaxbyz.problems.problem import Problem
from jaxbyz.problems.samples import parted, with_samples
from jaxbyz.simulation.absence import stand_ins, staying_away
from jaxbyz.simulation.agreement import agreed
from jaxbyz.simulation.forging import Forger, Sent
from jaxbyz.simulation.placement import Placement, first, here
from jaxbyz.simulation.state import RoundInfo, Simulation, SimulationState


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

    Warns of a rule made for another f, and of an attack on a problem without Byzantine workers
    (see `jaxbyz.simulation.agreement`).

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
    parts = agreed(algorithm, problem, attack)
    return assemble(*parts, map_workers=map_workers, placement=placement)


def assemble(
    algorithm: Algorithm,
    problem: Problem,
    attack: Attack | None = None,
    *,
    map_workers: Callable[..., Any] = jax.vmap,
    placement: Placement | None = None,
) -> Simulation:
    """`build` from parts that `agreed` has checked."""
    checks.mapping("map_workers", map_workers)
    attack = no_attack() if attack is None else attack
    placement = here() if placement is None else placement
    oracle = placement.asking(problem.oracle)
    rounds = _Rounds(
        algorithm, attack, problem.honest, problem.byzantine, oracle, map_workers, placement
    )
    return Simulation(rounds.init, rounds.step, _with_byzantine_data(problem, attack))


# (key, server state, broadcast, messages [n, ...]) -> (server state, info)
Serve = Callable[[Key, Tree, Tree, Tree], tuple[Tree, ServerInfo]]


@dataclasses.dataclass(frozen=True)
class _Rounds:
    """The rounds of one simulation."""

    algorithm: Algorithm
    attack: Attack
    honest: int
    byzantine: int
    oracle: Callable[[Tree], Oracle]  # entry of the data -> what that worker may ask of it
    map_workers: Callable[..., Any]
    placement: Placement

    def init(self, key: Key, x: jax.Array, data: Tree) -> tuple[SimulationState, RoundInfo | None]:
        """Round 0 at the model x [d]; its info is None where nothing is sent in it."""
        broadcast_key, worker_key, attack_key, exchange_key = jax.random.split(key, 4)
        worker, server = self.algorithm.worker, self.algorithm.server
        with self.placement.serving():
            started = server.start(x, self.honest + self.byzantine)
            started = self.placement.server(started, x.shape[0])
        broadcast = server.broadcast(broadcast_key, started)
        begin = beginning(worker)
        workers, messages, faulty = self._compute(worker_key, begin, broadcast, data)
        attack_state = self.attack.init(attack_key, x.shape[0])
        state = SimulationState(jnp.array(0, jnp.int32), workers, started, attack_state)
        codec, serve = self.algorithm.hello, server.hello
        if codec is None or serve is None:
            return state, None
        return self._exchange(
            exchange_key, serve, state, Sent(codec, broadcast, messages, faulty, None)
        )

    def step(self, key: Key, state: SimulationState, data: Tree) -> tuple[SimulationState, Any]:
        """One round."""
        broadcast_key, worker_key, exchange_key = jax.random.split(key, 3)
        worker, server = self.algorithm.worker, self.algorithm.server
        broadcast = server.broadcast(broadcast_key, state.server)
        asked = self._asked(broadcast)
        answer = answering(worker) if asked is None else staying_away(answering(worker))
        workers, messages, faulty = self._compute(
            worker_key,
            lambda k, broadcast, oracle, own, *here: answer(k, own, broadcast, oracle, *here),
            broadcast,
            data,
            state.workers,
            asked=asked,
        )
        state = state._replace(round=state.round + 1, workers=workers)
        sent = Sent(self.algorithm.codec, broadcast, messages, faulty, asked)
        return self._exchange(exchange_key, server.step, state, sent)

    def _asked(self, broadcast: Tree) -> jax.Array | None:
        """Who takes part in this round, [n] bool; None: all workers."""
        taking_part = self.algorithm.participation
        if taking_part is None or taking_part.workers == self.honest + self.byzantine:
            return None
        return taking_part.asked(broadcast)

    def _compute(
        self,
        key: Key,
        function: Callable[..., Any],
        broadcast: Tree,
        data: Tree,
        *states: Tree,
        asked: jax.Array | None = None,
    ) -> Any:
        """Map function(key_i, broadcast, oracle_i, *states_i, [asked_i]) over all workers."""

        def compute(shared: Tree, data: Tree, *states: Tree) -> Any:
            key, broadcast, asked = shared

            def one(worker: jax.Array, entry: Tree, *own: Tree) -> Any:
                here = () if asked is None else (asked[worker],)
                oracle = self.oracle(entry)
                return function(jax.random.fold_in(key, worker), broadcast, oracle, *own, *here)

            local = jax.tree.leaves(data)[0].shape[0]
            return self.map_workers(one)(self.placement.ids(local), data, *states)

        return self.placement.workers(compute)((key, broadcast, asked), data, *states)

    def _exchange(
        self, key: Key, serve: Serve, state: SimulationState, sent: Sent
    ) -> tuple[SimulationState, RoundInfo]:
        """From the workers' messages to the server's new state."""
        d = state.server.x.shape[0]
        at = self.placement.server
        computing = self.honest + (0 if self.attack.poison is None else self.byzantine)
        with self.placement.serving():
            all_of = self.placement.gather((sent.messages, sent.faulty))
            messages, faulty = first(computing, self.placement.messages(all_of, d))
            state, info = self._served(
                key, serve, state, sent._replace(messages=messages, faulty=faulty)
            )
            state = state._replace(server=at(state.server, d), attack=at(state.attack, d))
            return state, info._replace(server=at(info.server, d))

    def _served(
        self, key: Key, serve: Serve, state: SimulationState, sent: Sent
    ) -> tuple[SimulationState, RoundInfo]:
        attack_key, server_key = jax.random.split(key)
        n = self.honest + self.byzantine
        asked = sent.asked
        seen = None if asked is None else stand_ins(asked, self.honest)  # [n]

        def outcome(messages: Tree) -> tuple[Tree, ServerInfo]:
            server, info = serve(server_key, state.server, sent.broadcast, messages)
            return server, info if seen is None else info._replace(rows=info.rows[seen])

        forger = Forger(self.attack, self.honest, self.byzantine, self.placement, seen)
        attack_state, sent = forger.falsified(
            attack_key, state, sent, lambda messages: outcome(messages)[1]
        )
        server, info = outcome(sent.messages)
        d = server.x.shape[0]
        chex.assert_shape([info.rows, info.aggregate, info.rejected], [(n, d), (d,), (n,)])
        chex.assert_type(info.rejected, bool)
        uplink = jax.vmap(lambda message: bit_words(message.bits()), axis_size=n)(sent.messages)
        state = state._replace(server=server, attack=attack_state)
        # Counted once: of an honest worker as faulty, of a Byzantine one that computes as rejected.
        own, faulty = jnp.arange(n) < self.honest, sent.faulty
        info = info._replace(
            rejected=jnp.where(own, info.rejected & ~faulty, info.rejected | faulty)
        )
        if asked is None:
            asked = jnp.ones(n, bool)
        else:
            uplink = jnp.where(asked[:, None], uplink, jnp.uint32(0))
        return state, RoundInfo(uplink, bit_words(sent.broadcast.bits()), info, faulty & own, asked)


def _with_byzantine_data(problem: Problem, attack: Attack) -> Tree:
    """Data of all workers that compute: the honest ones, and poisoned copies where asked for."""
    if problem.byzantine == 0 or attack.poison is None:
        if problem.byzantine and attack.forge is None:
            raise ValueError(f"attack {attack.name!r} has neither forge nor poison")
        return problem.data
    victims = jnp.arange(problem.byzantine) % problem.honest
    copies = jax.tree.map(lambda leaf: jnp.asarray(leaf)[victims], problem.data)
    samples, _ = parted(copies)  # what they count is not for the attack to change
    poisoned = attack.poison(samples)
    returned.poisoned(attack.name, poisoned, samples, getattr(problem, "classes", None))
    theirs = with_samples(copies, poisoned)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), problem.data, theirs)
