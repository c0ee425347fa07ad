"""Steering: forging so that the server's *rows* become what an attack wants, not the messages.

A server that remembers (momenta, estimates) hands its rule other rows than it was sent. In every
such method of this library row j is affine in what the server reads from worker j,

    row_j = c_j + s · read(v_j),    s one number: 1-β for RoSDHB, 1 for estimates g_j + m_j,

and `read` keeps of v_j what the message may carry. The omniscient attacker finds c and s by asking
what the server would make of two lies, and says v = (b* - c)/s for a target row b*. On the
coordinates that it may speak of, the row then is b*; where it chooses the coordinates (Rand-k
with explicit indices, Top-k) those of the largest gaps are closed first. Nothing is scaled twice.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz.constructors import part
from jaxbyz.core import Attack, Key, Tree, View

__all__ = ["steer"]


@part
def steer(attack: Attack) -> Attack:
    """An attack on the rows that the server aggregates, from one on messages.

    The attack sees the honest workers' rows at the server in place of their messages, and what it
    forges is where the Byzantine rows are steered to. Where the server's rows are the messages,
    nothing changes (but rounding).

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
        silence = jnp.zeros((view.byzantine, d), view.honest.dtype)
        silent = view.respond(silence).rows  # [n, d]
        honest, start = silent[:h], silent[h:]  # c
        # As large as what it is compared with, so that the difference has all its digits.
        size = jnp.abs(silent).max(initial=0)
        probe = jnp.where(size > 0, size, 1)
        moved = view.respond(silence + probe).rows[h:] - start
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
        return state, message(target)

    return Attack(f"{attack.name}, steered", attack.init, forge, attack.poison, attack.abstain)
