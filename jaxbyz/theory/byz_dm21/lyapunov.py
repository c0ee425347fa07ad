"""L7 of Byz-DM21 and Byz-VR-DM21 as claims: the Lyapunov function of `weights` after one round.

    E Ψ⁺ ≤ Ψ - (γ/2) ‖∇f‖² + γ (½ (1+θ)² κ ζ² + N)        PL:  E Ψ⁺ ≤ (1-γμ) Ψ + γ (…)

L3 with L2, and γ times L4-L6 with the weights. Derived here.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.theory.byz_dm21 import hypotheses as given
from jaxbyz.theory.byz_dm21.adversaries import adversaries
from jaxbyz.theory.byz_dm21.lemmas import claim_of, decrease
from jaxbyz.theory.byz_dm21.states import (
    State,
    errors,
    move,
    next_errors,
    noise_variance,
    setting_of,
    states,
)
from jaxbyz.theory.byz_dm21.weights import Method, Weights, weights
from jaxbyz.theory.claims import Claim, Family, Hypothesis
from jaxbyz.theory.conditions import at_most, positive


def lyapunov(method: Method, factor: float = 1.0, noisy: bool = True) -> Claim:
    """L7 without PL, divided by γ, at γ = factor · fraction · γ_max.

    left = (E Ψ⁺ - Ψ)/γ + ½ ‖∇f‖²,  right = ½ (1+θ)² κ ζ² + N; `factor` > 1 states it for larger γ
    than is proved. With noise the largest ratio tells how sharp N is, without it how sharp the
    neighbourhood is.

    >>> from jaxbyz.theory.byz_dm21.weights import MOMENTUM
    >>> lyapunov(MOMENTUM).key
    'byz_dm21/L7-DM'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        left, right, _ = _lyapunov(state, method, 0.0, factor)
        return left + (state.gradients.mean(axis=0) ** 2).sum() / 2, right

    statement = "E Ψ⁺ ≤ Ψ - (γ/2) ‖∇f‖² + γ (½ (1+θ)² κ ζ² + N)"
    name = f"L7-{method.name}" + ("" if noisy else "-full")
    return _step(name, "Lyapunov function", statement, sides, method, 0.0, factor, noisy)


def lyapunov_pl(method: Method, factor: float = 1.0, spare: float = 0.5) -> Claim:
    """L7 under PL, divided by γ: left = (E Ψ⁺ - (1-γμ) Ψ)/γ, the same right; on convex quadratics.

    >>> from jaxbyz.theory.byz_dm21.weights import RECURSIVE
    >>> lyapunov_pl(RECURSIVE).key
    'byz_dm21/L7-VR-PL'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        left, right, mu_psi = _lyapunov(state, method, spare, factor)
        return left + mu_psi, right

    statement, name = "E Ψ⁺ ≤ (1-γμ) Ψ + γ (½ (1+θ)² κ ζ² + N)", f"L7-{method.name}-PL"
    title = "Lyapunov function under PL"
    return _step(name, title, statement, sides, method, spare, factor, True)


def _step(
    name: str,
    title: str,
    statement: str,
    sides: Callable[[Any], tuple[Any, Any]],
    method: Method,
    spare: float,
    factor: float,
    noisy: bool,
) -> Claim:
    """L7 in one of its forms: σ² is that at the x⁺ of its own step size."""

    def guarded(state: State) -> State:
        # Margins are asked for outside the hypotheses too, where there are no weights for θ ≤ 0.
        return state._replace(theta=jnp.where(state.theta > 0, state.theta, 1.0))

    def step(state: State) -> jax.Array:
        return move(state, factor * _planned(guarded(state), method, spare)[1])

    def at_step(state: State) -> State:
        variance = noise_variance(state, step(state))
        return state._replace(constants=state.constants._replace(noise_variance=variance))

    def step_size(state: State) -> jax.Array:
        found, size = _planned(guarded(state), method, spare)
        spent = 2 * size**2 * found.k_s + size * state.constants.smoothness
        room = jnp.minimum(positive(size), 1 - spent)
        if spare:
            room = jnp.minimum(room, at_most(size * state.constants.mu, found.contraction))
        return room

    # second() and compressed() have L and L̃ for both methods.
    needs = [given.THETA, given.KAPPA, given.SIMILAR, given.BALL]
    needs += given.compressed(method.recursive, step=step)
    if spare:
        needs.append(given.CONVEX)
    allowed = "2γ²K_S + γL ≤ 1" + (", γμ ≤ contraction" if spare else "")
    family = states(convex=bool(spare), noisy=noisy)
    return claim_of(
        name,
        title,
        statement,
        sides,
        (*needs, Hypothesis(allowed, step_size)),
        (Family(family.name, family.size, lambda z: at_step(family.make(z))),),
        adversaries(at_step),
        {"factor": factor, "spare": spare, **dict(method.factors)},
    )


def _planned(state: State, method: Method, spare: float) -> tuple[Weights, jax.Array]:
    """The weights, and γ: the part `fraction` of the largest that they allow."""
    point = setting_of(state)
    coefficients = method.coefficients(point, state.eta, state.beta)
    found = weights(point, coefficients, theta=state.theta, spare=spare)
    largest = found.step_size
    if spare:
        largest = jnp.minimum(largest, found.contraction / state.constants.mu)
    return found, state.fraction * largest


def _lyapunov(
    state: State, method: Method, spare: float, factor: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """((E Ψ⁺ - Ψ)/γ, ½ (1+θ)² κ ζ² + N, μ Ψ) at the step size of the weights."""
    found, limit = _planned(state, method, spare)
    size = factor * limit
    step = move(state, size)
    now, after = errors(state), next_errors(state, step, method.recursive)
    change = found.potential(*(late - early for late, early in zip(after, now, strict=True)))
    left = decrease(state, step) / size + change
    floor = (1 + state.theta) ** 2 * state.kappa * state.constants.heterogeneity / 2
    potential = size * found.potential(*now)
    if spare:
        mean, gradient = state.hessians.mean(axis=0), state.gradients.mean(axis=0)
        potential += gradient @ jnp.linalg.solve(mean, gradient) / 2
    return left, floor + found.noise, state.constants.mu * potential
