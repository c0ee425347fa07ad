"""Relocated orthogonal perturbation (ROP): a point near the last aggregate, moved aside from it.

Özfatura, Özfatura, Küpçü, Gündüz, "Byzantines can also learn from history: fall of centered
clipping in federated learning", 2022.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.closed_form.alie import alie_factor
from jaxbyz.attacks.directions import divide_or_zero, honest_mean
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View


class ROPState(NamedTuple):
    """What the server aggregated last."""

    started: jax.Array  # [] bool
    last: jax.Array  # [d] m


@part
def rop(pi: Any, lam: Any, angle: Any, z: Any = None) -> Attack:
    """v = a + z q/‖q‖: the point a, moved by z at an angle θ to the direction u.

    With m the last aggregate (0 before the first), μ the honest mean and 1 the all-ones vector,

        a = π m + (1-π) μ,   u = λ m + (1-λ) μ (in the first round u = μ),
        e = (1 - proj_u 1)/‖1 - proj_u 1‖,   q = sin θ · e + cos θ · u/‖u‖;   u = 0: v = 0.

    The omniscient attacker computes m itself: it asks what the server makes of the attack's rows.

    Args:
        pi: π in [0, 1], the weight of m in the point a.
        lam: λ in [0, 1], the weight of m in the direction u.
        angle: θ in degrees; 90 is orthogonal, 180 is backwards.
        z: size of the perturbation; None: `alie_factor(n, f)` (the public code).

    Raises:
        ValueError: an argument outside its range; no default z exists for (n, f).

    >>> rop(pi=1.0, lam=0.9, angle=180, z=1.0).name
    'ROP'
    """
    checks.interval("pi", pi, 0, 1)
    checks.interval("lam", lam, 0, 1)
    infinity = float("inf")
    checks.interval("angle", angle, -infinity, infinity, closed="neither")
    if z is not None:
        checks.interval("z", z, -infinity, infinity, closed="neither")
    radians = angle * (math.pi / 180)

    def init(key: Key, d: int) -> ROPState:
        del key
        return ROPState(jnp.array(False), jnp.zeros(d))

    def forge(key: Key, state: ROPState, view: View) -> tuple[ROPState, jax.Array]:
        del key
        h, d = view.honest.shape
        size = alie_factor(h + view.byzantine, view.byzantine) if z is None else z
        mean = honest_mean(view.honest)
        point = pi * state.last + (1 - pi) * mean  # a
        direction = jnp.where(state.started, lam * state.last + (1 - lam) * mean, mean)  # u
        length = jnp.linalg.norm(direction)
        ahead = divide_or_zero(direction, length)  # u/‖u‖
        aside = 1 - ahead.sum() * ahead
        aside = divide_or_zero(aside, jnp.linalg.norm(aside))  # e
        turned = jnp.sin(radians) * aside + jnp.cos(radians) * ahead  # q
        vector = point + size * divide_or_zero(turned, jnp.linalg.norm(turned))
        vector = jnp.where(length > 0, vector, 0).astype(view.honest.dtype)
        rows = jnp.broadcast_to(vector, (view.byzantine, d))
        answer = view.respond(rows).aggregate.astype(state.last.dtype)
        return ROPState(jnp.array(True), answer), rows

    return Attack("ROP", init, forge, None)
