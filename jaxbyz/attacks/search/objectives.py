"""How much harm a lie does, and through whom it is judged: what searched attacks maximise.

A damage is any function (info, h) -> [] of what the server made of a round, where the first h
rows are honest. `info` comes from the server itself (its memory, its codec, its key), or with
`memoryless` from a rule applied to the round's messages alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jaxbyz.attacks.directions import honest_mean
from jaxbyz.constructors import with_f
from jaxbyz.core import Aggregator, Key, ServerInfo, View
from jaxbyz.parts import require

__all__ = [
    "Damage",
    "Through",
    "deviation_from_honest_mean",
    "deviation_from_rule",
    "judge",
    "memoryless",
    "opposition",
    "through_server",
]

Damage = Callable[[ServerInfo, int], Any]

NUMBERS_AT_A_TIME = 2**22


class Through(Protocol):
    """Who judges a lie."""

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
    """The server's own round: encoded, into momenta or estimates, aggregated with its own key."""
    del key
    return view.respond(wanted)


def memoryless(aggregator: Aggregator) -> Through:
    """A rule applied to the round's decoded messages, whatever the server does with them.

    The level at which the public code of RoSDHB searches; not what the server aggregates, unless
    it has no memory. The rule starts from its initial state and the same key for every lie.
    """
    require("Aggregator", "aggregator", aggregator)

    def through(key: Key, view: View, wanted: jax.Array) -> ServerInfo:
        rows = jnp.concatenate([view.honest, view.read(wanted)])
        rule = with_f(aggregator, view.byzantine)
        _, aggregated = rule.apply(key, rule.init(rows.shape[1]), rows)
        return ServerInfo(rows, aggregated.value, aggregated.bad, aggregated.details)

    return through


def judge(
    key: Key, view: View, damage: Damage, through: Through
) -> Callable[[Callable[[Any], jax.Array], Any], jax.Array]:
    """The damage of many lies: (make, parameters [m, ...]) -> [m], for the lies make(parameter).

    Every lie is judged with the same key. What is not a number counts as no damage at all, -∞.
    Side by side, what does not depend on the lie (a worker's random subset) is computed once; but
    the server's rows [n, d] exist once per lie, so no more at a time than fit.
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
