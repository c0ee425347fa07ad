"""Attacks on the rows that the server aggregates, in place of the messages that it reads.

A server with a memory (momenta, estimates) gives its rule other rows than it was sent. In every
such method of this library row j is affine in what the server reads from worker j,

    row_j = c_j + s · read(v_j),    s one number: 1-β for RoSDHB, 1 for estimates g_j + m_j,

where `read` keeps of v_j what the message may carry. The omniscient attacker asks the server what
it would make of two forged vectors, and so learns c and s. For a target row b* it sends
v = (b* - c)/s. The row is then b* on the coordinates that the message carries. Where the attacker
chooses these coordinates (Rand-k with explicit indices, Top-k), the message carries those where b*
is furthest from c.
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, Tree, View


@part
def steer(attack: Attack) -> Attack:
    """The given attack, applied to the rows that the server aggregates in place of the messages.

    The attack sees the honest workers' rows at the server where it would see their messages. What
    it returns is taken as target, and the messages are chosen so that the Byzantine rows at the
    server come to the target. For a server without memory, whose rows are the messages, this is the
    given attack up to rounding.

    Raises:
        ValueError: an attack that does not forge messages.

    >>> from jaxbyz.attacks.closed_form.alie import alie
    >>> steer(alie(z=1.5)).name
    'ALIE, steered'
    """
    inner = attack.forge
    if inner is None:
        raise ValueError(f"attack must forge messages, got {attack.name!r}, which does not")

    def forge(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        h, d = view.honest.shape
        zeros = jnp.zeros((view.byzantine, d), view.honest.dtype)
        rows = view.respond(zeros).rows  # [n, d]
        honest, start = rows[:h], rows[h:]  # c
        # As large as what it is compared with, so that the difference has all its digits.
        size = jnp.abs(rows).max(initial=0)
        probe = jnp.where(size > 0, size, 1)
        moved = view.respond(zeros + probe).rows[h:] - start
        slope = jnp.abs(moved).max(initial=0) / probe  # s

        def message(target: jax.Array) -> jax.Array:
            return jnp.where(slope > 0, (target - start) / jnp.where(slope > 0, slope, 1), 0)

        seen = view._replace(
            honest=honest,
            own=None if view.own is None else view.respond(view.own).rows[h:],
            read=lambda target: view.respond(message(target)).rows[h:],
            respond=lambda target: view.respond(message(target)),
        )
        state, target = inner(key, state, seen)
        chex.assert_equal_shape([target, start])  # [f, d]
        return state, message(target)

    return Attack(f"{attack.name}, steered", attack.init, forge, attack.poison, attack.abstain)
