"""Adversaries of RoSDHB's one-step claims (see `theory.adversaries`). Derived here.

A robust rule may err by any ξ with ‖ξ‖² ≤ κΥ. An adversary that chooses ξ also chooses the next
model θ_t, and with it the gradient ∇_{t+1}. Whatever it chooses, the hypothesis of dissimilarity,
Δ ≤ G² + B²‖∇_{t+1}‖², must hold. So the ν_i, and with them Δ, do not depend on ξ. They are so large
that G² = Δ - B²‖∇_{t+1}‖² is positive for every ξ of the ball. With this G², left - right is
quadratic in ξ.

    stall    μ_i = c_i m̄/√κ, ν_i = c_i ∇/√κ, R = 0, with Σ c_i = 0 and mean c_i² = 1: then
             Υ = ‖m̄‖²/κ, the linear rule of weights (1-√κ c_i)/h has ξ = -m̄, on the sphere,
             and θ stays.
"""

import jax
import jax.numpy as jnp

from jaxbyz.theory.adversaries import Adversaries, Reach, balanced, fixed
from jaxbyz.theory.rosdhb.states import State, mean_square


def with_error(state: State, error: jax.Array) -> State:
    """The state with another ξ, and with G² so that dissimilarity is active."""
    state = state._replace(error=error)
    spent = state.parameters.b_squared * (state.next_gradient**2).sum()
    return state._replace(g_squared=mean_square(state.difference) - spent)


def _radius(state: State) -> jax.Array:
    return jnp.sqrt(state.parameters.kappa * mean_square(state.spread))


def _roomy(state: State) -> State:
    """ν so large that G² ≥ 1 for every ξ of the ball: ‖∇_{t+1}‖ ≤ ‖∇_{t+1} at ξ = 0‖ + xρ."""
    rest = state._replace(error=jnp.zeros_like(state.error))
    most = jnp.linalg.norm(rest.next_gradient) + state.parameters.x * _radius(state)
    size = 1 + state.parameters.b_squared * most**2
    now = mean_square(state.difference) + 1e-300  # ν may be 0
    return state._replace(difference=state.difference * jnp.sqrt(size / now))


def ball(state: State) -> Reach:
    """All ξ with ‖ξ‖² ≤ κΥ."""
    d = state.error.shape[0]
    return Reach(_roomy(state), jnp.zeros(d), _radius(state) * jnp.eye(d))


def linear(state: State) -> Reach:
    """ξ = Σ (w_i - 1/h) μ_i, all weights with h Σ (w_i - 1/h)² ≤ κ; those are linear rules."""
    h, d = state.spread.shape
    return Reach(_roomy(state), jnp.zeros(d), jnp.sqrt(state.parameters.kappa / h) * state.spread)


def stalled(state: State) -> Reach:
    """The stall of this gradient and this mean momentum."""
    c = balanced(state.spread.shape[0])[:, None] / jnp.sqrt(state.parameters.kappa)
    mean = state.gradient + state.deviation
    state = state._replace(spread=c * mean, difference=c * state.gradient)
    return fixed(state, -mean)


ADVERSARIES = Adversaries(
    {"ball": ball, "linear": linear, "stall": stalled}, with_error, lambda state: state.error
)
