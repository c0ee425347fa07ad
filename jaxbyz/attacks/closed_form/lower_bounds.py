"""Attacks that attain a lower bound of κ, each on honest vectors that are made for it.

A rule F has the robustness coefficient κ if ‖F(X) - x̄_S‖² ≤ κ Var_S for all rows X [n, d] and every
set S of h = n-f rows, with x̄_S the mean and Var_S the variance of these. No rule has a κ below
r = f/(n-2f).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz.attacks.base import forged
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack


@part
def stall() -> Attack:
    """v = 0: with n-2f honest workers that say 0, no rule of finite κ moves.

    Let n-2f honest rows be 0 and f be u. With f zeros of the attacker the rows are n-f zeros and
    f copies of u, so every rule with a finite κ answers 0, and ‖0 - x̄_S‖² = r Var_S (derived
    here). A problem with n-2f workers that are stationary at the start stays there for ever.

    >>> stall().name
    'stall'
    """
    return forged("stall", lambda honest: jnp.zeros(honest.shape[1], honest.dtype))


@part
def tight_trimmed_mean() -> Attack:
    """v beyond all honest values: max + (max - min) in every coordinate.

    The trimmed mean then drops the attacker above and f honest rows below. With f honest values
    -(n-2f)/f and n-2f values 1 (mean 0, variance (n-2f)/f) it returns 1, so κ = f/(n-2f) is
    attained (derived here).

    >>> tight_trimmed_mean().name
    'tight, trimmed mean'
    """

    def vector(honest: jax.Array) -> jax.Array:
        top = honest.max(axis=0)
        return top + (top - honest.min(axis=0))

    return forged("tight, trimmed mean", vector)
