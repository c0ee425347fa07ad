"""Adversaries of the one-step claims of Byz-DM21 (see `theory.adversaries`). Derived here.

An adversary chooses the error e of the rule, F(g) = ḡ + √(κV) e with ‖e‖ ≤ 1. L4-L6 have no
adversaries: they hold for every x⁺, and their families contain states with every x⁺.

    stall    ∇f_i = (1 + c_i/√κ) ∇f and g_i = u_i = v_i = ∇f_i, with Σ c_i = 0 and mean c_i² = 1:
             then κV = ‖∇f‖² = κζ², the linear rule of weights (1-√κ c_i)/G gives F(g) = 0, and x
             stays where the squared gradient is κζ².
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz.theory.adversaries import Adversaries, Reach, balanced, fixed
from jaxbyz.theory.byz_dm21.states import State, dispersion


def ball(state: State) -> Reach:
    """All errors of the unit ball."""
    d = state.error.shape[0]
    return Reach(state, jnp.zeros(d), jnp.eye(d))


def linear(state: State) -> Reach:
    """F(g) = Σ w_i g_i with G Σ (w_i - 1/G)² ≤ κ: errors Σ t_i (g_i - ḡ)/√(GV), ‖t‖ ≤ 1."""
    h, d = state.g.shape
    size = jnp.sqrt(h * dispersion(state.g)) + 1e-300  # V may be 0
    return Reach(state, jnp.zeros(d), (state.g - state.g.mean(axis=0)) / size)


def stalled(state: State) -> Reach:
    """The stall of this mean gradient."""
    c = balanced(state.g.shape[0])[:, None] / jnp.sqrt(state.kappa)
    rows = (1 + c) * state.gradients.mean(axis=0)
    known = state.constants._replace(heterogeneity=dispersion(rows))
    state = state._replace(gradients=rows, v=rows, u=rows, g=rows, constants=known)
    mean = rows.mean(axis=0)
    return fixed(state, -mean / (jnp.sqrt(state.kappa * dispersion(rows)) + 1e-300))


BY_NAME = {"ball": ball, "linear": linear, "stall": stalled}


def adversaries(restated: Callable[[State], State] = lambda state: state) -> Adversaries:
    """All of them. `restated` gives an instance the σ² of its own x⁺, where the claim has a σ²."""

    def replace(state: State, error: jax.Array) -> State:
        return restated(state._replace(error=error))

    return Adversaries(BY_NAME, replace, lambda state: state.error)
