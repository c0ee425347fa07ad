"""Attacks that try several strengths through the server and send the most damaging one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.attacks.messages import honest_mean
from jaxbyz.core import Attack, Key, ServerInfo, Tree, View

__all__ = ["FOE_STRENGTHS", "deviation_from_honest_mean", "ipm_search", "strength_search"]

# The strengths tried in the published RoSDHB experiments: 0.1, 0.2, …, 5.0.
FOE_STRENGTHS = tuple(np.round(np.arange(1, 51) / 10, 1).tolist())

NUMBERS_AT_A_TIME = 2**22


def deviation_from_honest_mean(info: ServerInfo, honest: int) -> jax.Array:
    """‖F(rows) - mean of the honest rows‖², of the rows that the server really aggregates, []."""
    error = info.aggregate - honest_mean(info.rows[:honest])
    return error @ error


def strength_search(
    name: str,
    direction: Callable[[jax.Array], jax.Array],
    strengths: Sequence[float],
    damage: Callable[[ServerInfo, int], jax.Array] = deviation_from_honest_mean,
) -> Attack:
    """v(τ) = τ p with p = direction(honest) and the τ of a list that does most damage this round.

    Every τ is tried with the true number of attackers, encoded by the protocol, through the
    server's own update (momentum, estimates) and its aggregator, with the key that the server
    will use. The search is over the list only: "searched", not "optimal".

    Raises:
        ValueError: no strengths, or one that is not finite.
    """
    grid = np.asarray(strengths, float)
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all():
        raise ValueError(f"strengths must be a non-empty list of finite numbers, got {strengths!r}")

    def forge(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        del key
        h, d = view.honest.shape
        p = direction(view.honest)  # [d]

        def rows(strength: jax.Array) -> jax.Array:
            return jnp.broadcast_to(strength * p, (view.byzantine, d))

        taus = jnp.asarray(grid, view.honest.dtype)
        # Side by side, what does not depend on τ (a worker's random subset) is computed once; but
        # the server's rows [n, d] exist once per strength, so no more at a time than fit.
        together = max(1, min(len(grid), NUMBERS_AT_A_TIME // ((h + view.byzantine) * d)))
        scores = jax.lax.map(
            lambda tau: damage(view.respond(rows(tau)), h), taus, batch_size=together
        )
        return state, rows(taus[jnp.argmax(scores)])

    return Attack(name, lambda key, d: None, forge, None)


def ipm_search(
    strengths: Sequence[float] = FOE_STRENGTHS,
    damage: Callable[[ServerInfo, int], Any] = deviation_from_honest_mean,
) -> Attack:
    """IPM (FOE) v = -ε μ with the ε of a list that does most damage this round.

    The list is that of the RoSDHB experiments, 0.1 to 5.0. Differing from their public code, the
    true number of attackers is used, and the search goes through the momenta that the server
    aggregates instead of the round's vectors.

    Raises:
        ValueError: no strengths, or one that is not finite.

    >>> len(FOE_STRENGTHS), ipm_search().name
    (50, 'IPM searched')
    """
    return strength_search("IPM searched", lambda honest: -honest_mean(honest), strengths, damage)
