"""The attack's part of a round: forged messages take the places of the Byzantine ones."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.contracts import returned
from jaxbyz.core import Attack, Codec, Key, ServerInfo, Tree, View
from jaxbyz.simulation.placement import Placement, first
from jaxbyz.simulation.state import SimulationState


class Sent(NamedTuple):
    """What has been sent in a round that is under way."""

    codec: Codec  # of its messages
    broadcast: Tree
    messages: Tree  # [n, ...], of all workers; [m, ...], of those that compute
    faulty: jax.Array  # [n] or [m] bool, whose own gradients were not finite
    asked: jax.Array | None  # [n] bool, who takes part; None: all


@dataclasses.dataclass(frozen=True)
class Forger:
    """An attack, and what it attacks."""

    attack: Attack
    honest: int
    byzantine: int
    placement: Placement
    seen: jax.Array | None  # [n], whose row is seen in the place of a worker's; None: its own

    def falsified(
        self,
        key: Key,
        state: SimulationState,
        sent: Sent,
        respond: Callable[[Tree], ServerInfo],
    ) -> tuple[Tree, Sent]:
        """The attack's new state, and the messages of all workers with the forged ones.

        Args:
            key: of the attack in this round.
            state: of the simulation, before the server hears of the messages.
            sent: what the workers computed.
            respond: messages [n, ...] -> what the server would do with them.
        """
        attack, honest, byzantine = self.attack, self.honest, self.byzantine
        if byzantine == 0 or attack.forge is None:
            return state.attack, sent
        attack_key, encode_key = jax.random.split(key)
        codec, d = sent.codec, state.server.x.shape[0]
        honest_messages = first(honest, sent.messages)

        def encoded(wanted: jax.Array) -> Tree:  # [f, d] -> messages [f, ...]
            def compute(broadcast: Tree, given: Tree) -> Tree:
                return jax.vmap(codec.encode, (0, None, 0))(given[0], broadcast, given[1])

            keys = jax.random.split(encode_key, byzantine)
            found = self.placement.workers(compute)(sent.broadcast, (keys, wanted))
            return first(byzantine, self.placement.messages(found, d))

        def messages_with(wanted: jax.Array) -> Tree:  # [f, d] -> all messages [n, ...]
            return jax.tree.map(
                lambda a, b: jnp.concatenate([a, b]), honest_messages, encoded(wanted)
            )

        def read(messages: Tree) -> jax.Array:  # [m, ...] -> [m, d]
            found = jax.vmap(codec.decode, (None, 0))(sent.broadcast, messages)
            return self.placement.server(found, d)

        decoded = read(sent.messages)
        told = decoded[:honest] if self.seen is None else decoded[self.seen[:honest]]
        view = View(
            round=state.round,
            honest=jnp.where(jnp.isfinite(told), told, 0),
            own=None if attack.poison is None else decoded[honest:],
            broadcast=sent.broadcast,
            server=state.server,
            read=lambda wanted: read(encoded(wanted)),
            respond=lambda wanted: respond(messages_with(wanted)),
            byzantine=byzantine,
        )
        with returned.explaining_tracers(f"attack {attack.name!r}"):
            outcome = attack.forge(attack_key, state.attack, view)
        attack_state, wanted = returned.forged(
            attack.name, outcome, (byzantine, decoded.shape[1]), decoded.dtype
        )
        none = jnp.zeros(byzantine, bool)
        forged = messages_with(wanted), jnp.concatenate([sent.faulty[:honest], none])
        if attack.abstain is not None and attack.poison is not None:  # there is something else
            quiet, own = attack.abstain(attack_state, view), (sent.messages, sent.faulty)
            forged = jax.tree.map(lambda a, b: jnp.where(quiet, a, b), own, forged)
        messages, faulty = forged
        return attack_state, sent._replace(messages=messages, faulty=faulty)
