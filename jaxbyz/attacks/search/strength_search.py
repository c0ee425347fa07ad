"""Attacks that try a list of strengths through the server and send the most damaging one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.attacks.base import from_view
from jaxbyz.attacks.directions import opposite_mean
from jaxbyz.attacks.search.objectives import (
    Damage,
    Through,
    damages,
    deviation_from_honest_mean,
    through_server,
)
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View

# The strengths tried in the published RoSDHB experiments: 0.1, 0.2, …, 5.0.
FOE_STRENGTHS = tuple(np.round(np.arange(1, 51) / 10, 1).tolist())


@part
def strength_search(
    name: str,
    direction: Callable[[jax.Array], jax.Array],
    strengths: Sequence[float],
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
) -> Attack:
    """v(τ) = τ p with p = direction(honest) and the τ of a list that does most damage this round.

    Every τ is tried with the true number of attackers: encoded by the protocol, taken into the
    server's memory (momenta, estimates), and aggregated with the key that the server will use. Only
    the τ of the list are tried; `line_search` tries all.

    Args:
        name: of the attack.
        direction: honest vectors [h, d] -> p [d].
        strengths: the τ to try; the first of equals is taken.
        damage: what to maximise, such as `jaxbyz.attacks.opposition`.
        through: what forged rows are tried on; `memoryless(rule)` uses this round's messages alone.

    Raises:
        ValueError: no strengths, or one that is not finite.
    """
    try:
        grid = np.asarray(strengths, float)
    except (TypeError, ValueError):
        raise ValueError(
            f"strengths must be a list of numbers, got {checks.said(strengths)}"
        ) from None
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all():
        raise ValueError(f"strengths must be a non-empty list of finite numbers, got {strengths!r}")

    def rows(key: Key, view: View) -> jax.Array:
        p = direction(view.honest)  # [d]

        def forged(strength: jax.Array) -> jax.Array:
            return jnp.broadcast_to(strength * p, (view.byzantine, p.shape[0]))

        taus = jnp.asarray(grid, view.honest.dtype)
        return forged(taus[jnp.argmax(damages(key, view, damage, through)(forged, taus))])

    return from_view(name, rows)


@part
def ipm_search(
    strengths: Sequence[float] = FOE_STRENGTHS,
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
) -> Attack:
    """IPM (FOE) v = -ε μ with the ε of a list that does most damage this round.

    The list is that of the RoSDHB experiments, 0.1 to 5.0. Differing from their public code, the
    true number of attackers is used, and the search goes through the momenta that the server
    aggregates instead of the round's vectors. `ipm_line_search` is the stronger attack.

    Raises:
        ValueError: no strengths, or one that is not finite.

    >>> len(FOE_STRENGTHS), ipm_search().name
    (50, 'IPM searched')
    """
    return strength_search("IPM searched", opposite_mean, strengths, damage, through)
