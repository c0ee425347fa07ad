"""The objectives of searched attacks: the damage of forged rows, and what judges them.

Forged rows [f, d] are what the f Byzantine workers want the server to read from them. Their damage
is any function (info, h) -> [] of what came of the round, where the first h rows are honest. `info`
is the server's own (from its memory, its codec, its key); with `memoryless` it is what a rule makes
of the round's messages alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jaxbyz.attacks.directions import honest_mean
from jaxbyz.contracts.constructors import with_f
from jaxbyz.contracts.parts import require
from jaxbyz.core import Aggregator, Key, ServerInfo, View

Damage = Callable[[ServerInfo, int], Any]

NUMBERS_AT_A_TIME = 2**22


class Through(Protocol):
    """What judges forged rows, such as the server."""

    def __call__(self, key: Key, view: View, wanted: jax.Array) -> ServerInfo:
        """(key, view, wanted rows [f, d]) -> what comes of it."""
        ...


def deviation_from_honest_mean(info: ServerInfo, honest: int) -> jax.Array:
    """‖F(rows) - mean of the honest rows‖², of the rows that the server really aggregates, []."""
    error = info.aggregate - honest_mean(info.rows[:honest])
    return error @ error


def deviation_from_rule(aggregator: Aggregator) -> Damage:
    """‖F(rows) - F(honest rows)‖², with F applied to the honest rows alone, [].

    What the public code of RoSDHB maximises. F must need neither key nor state, and must work
    for h rows with its own f.

    >>> from jaxbyz.core import Aggregator, Aggregated
    >>> first = Aggregator(lambda d: None, lambda k, s, rows: (s, Aggregated(rows[0], rows, {})))
    >>> info = ServerInfo(jnp.ones((3, 2)), jnp.zeros(2), jnp.zeros(3, bool), {})
    >>> deviation_from_rule(first)(info, 2).item()
    2.0
    """
    require("Aggregator", "aggregator", aggregator)

    def damage(info: ServerInfo, honest: int) -> jax.Array:
        rule = with_f(aggregator, info.rows.shape[0] - honest)
        error = info.aggregate - rule(info.rows[:honest])
        return error @ error

    return damage


def opposition(info: ServerInfo, honest: int) -> jax.Array:
    """-⟨F(rows), mean of the honest rows⟩: positive where the server goes backwards, [].

    >>> info = ServerInfo(jnp.ones((3, 2)), jnp.array([-1.0, 0.5]), jnp.zeros(3, bool), {})
    >>> opposition(info, 2).item()
    0.5
    """
    return -(info.aggregate @ honest_mean(info.rows[:honest]))


def through_server(key: Key, view: View, wanted: jax.Array) -> ServerInfo:
    """What the server would make of the rows: encoded, taken into its memory, and aggregated.

    With the key that the server uses in this round.
    """
    del key
    return view.respond(wanted)


def memoryless(aggregator: Aggregator) -> Through:
    """A rule applied to the round's decoded messages, whatever the server does with them.

    The public code of RoSDHB searches in this way. A server with a memory aggregates other rows.
    The rule starts from its initial state, with the same key for all forged rows.
    """
    require("Aggregator", "aggregator", aggregator)

    def through(key: Key, view: View, wanted: jax.Array) -> ServerInfo:
        rows = jnp.concatenate([view.honest, view.read(wanted)])
        rule = with_f(aggregator, view.byzantine)
        _, aggregated = rule.apply(key, rule.init(rows.shape[1]), rows)
        return ServerInfo(rows, aggregated.value, aggregated.rejected, aggregated.details)

    return through


def damages(
    key: Key, view: View, damage: Damage, through: Through
) -> Callable[[Callable[[Any], jax.Array], Any], jax.Array]:
    """The function (make, parameters [m, ...]) -> damages [m] of the forged rows make(parameter).

    All are judged with the same key. A damage that is NaN counts as -∞, which is none at all. Many
    parameters are judged together by `vmap`: what does not depend on them (a worker's random
    subset) is then computed once. The server's rows [n, d] exist once per parameter, which limits
    how many are judged together.
    """
    h, d = view.honest.shape

    def harm(rows: jax.Array) -> jax.Array:
        score = jnp.asarray(damage(through(key, view, rows), h))
        return jnp.where(jnp.isnan(score), -jnp.inf, score)

    def scores(make: Callable[[Any], jax.Array], parameters: Any) -> jax.Array:
        many = jax.tree.leaves(parameters)[0].shape[0]
        together = max(1, min(many, NUMBERS_AT_A_TIME // ((h + view.byzantine) * d)))
        return jax.lax.map(lambda one: harm(make(one)), parameters, batch_size=together)

    return scores
