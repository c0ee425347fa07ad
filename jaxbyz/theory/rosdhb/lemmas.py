"""Lemmas of RoSDHB's analysis as claims: masks, drift, deviation, descent, aggregation.

    L1   moments of the mask                          L2=, L2<=   drift Υ
    L3=, L3<=   deviation ‖δ‖²                        L4   descent of L_H
    L5   ‖ξ‖² ≤ κΥ, for linear rules (exact κ) and for the trimmed mean

All derived here. The identities are held against enumeration of all masks; the bounds against
their closed forms at states that satisfy the hypotheses (`states`). Claims are made by functions
whose constants are arguments, so that a wrong constant can be planted.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.theory.claims import Claim, Family, Scope
from jaxbyz.theory.counterexamples import rechecked_by
from jaxbyz.theory.expectations import mask_mean
from jaxbyz.theory.rosdhb import hypotheses as given
from jaxbyz.theory.rosdhb.adversaries import ADVERSARIES
from jaxbyz.theory.rosdhb.aggregation import aggregation_linear, aggregation_trimmed
from jaxbyz.theory.rosdhb.states import State, derived, free_parameters, mean_square, states


def expected_drift(state: State) -> jax.Array:
    """E[Υ_{t+1} | F_t] = β²Υ + 2βωX + ω²aΔ, with X = (1/h) Σ ⟨μ_i, ν_i⟩; []."""
    fresh, a = state.parameters.fresh, state.parameters.inflation
    cross = (state.spread * state.difference).sum() / state.spread.shape[0]
    kept = (1 - fresh) ** 2 * mean_square(state.spread) + 2 * (1 - fresh) * fresh * cross
    return kept + fresh**2 * a * mean_square(state.difference)


def expected_deviation(state: State) -> jax.Array:
    """E[‖δ_{t+1}‖² | F_t] = β²‖δ_t + ∇_t - ∇_{t+1}‖² + ω²(a-1)‖∇_{t+1}‖²; []."""
    fresh, a = state.parameters.fresh, state.parameters.inflation
    carried = ((state.deviation - state.gradient_change) ** 2).sum()
    noise = (state.next_gradient**2).sum()
    return (1 - fresh) ** 2 * carried + fresh**2 * (a - 1) * noise


def mask_moments(dimension: int = 4, *, pair_scale: float = 1.0) -> Claim:
    """L1 for every k at one d. `pair_scale` multiplies τ (a planted error)."""
    d = dimension

    def sides(instance: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        u, v = instance
        left, right = [], []
        for k in range(1, d + 1):
            a = d / k
            tau = pair_scale * (d * (k - 1) / (k * (d - 1)) if d > 1 else 1.0)

            def moments(mask: jax.Array) -> tuple[jax.Array, ...]:
                outer = jnp.outer(mask * u, mask * v)
                return mask, outer, ((mask * u - u) ** 2).sum(), ((mask * u) ** 2).sum()

            mean, outer, noise, square = mask_mean(moments, d, k)
            left += [mean, outer.ravel(), jnp.stack([noise, square])]
            product = tau * jnp.outer(u, v) + (a - tau) * jnp.diag(u * v)
            norm = (u**2).sum()
            right += [jnp.ones(d), product.ravel(), jnp.stack([(a - 1) * norm, a * norm])]
        return jnp.concatenate(left), jnp.concatenate(right)

    return derived(
        name="L1",
        title="moments of the mask",
        statement="E P = I; E[P u vᵀ P] = τ u vᵀ + (a-τ) Diag(u∘v); E‖Pg-g‖² = (a-1)‖g‖²; "
        "E‖Pg‖² = a‖g‖²; τ = d(k-1)/(k(d-1))",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(Family(f"vectors, d = {d}", 2 * d, lambda z: (z[:d], z[d:])),),
        unconditional="u, v are any vectors, and the law of the mask is enumerated",
    )


def _over_all_ratios(
    state: State, enumerate_at: Callable[..., Any], closed: Callable[[State], jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Sides for k = 1..d: the enumerated and the closed form, [d] each."""
    d = state.gradient.shape[0]
    left, right = [], []
    for k in range(1, d + 1):
        left.append(mask_mean(enumerate_at, d, k))
        setting = state.parameters._replace(inflation=jnp.asarray(d / k))
        right.append(closed(state._replace(parameters=setting)))
    return jnp.stack(left), jnp.stack(right)


def _general(name: str, **size: int) -> Family:
    return states(name, free_parameters, **size)


def drift_identity(*, scale: float = 1.0) -> Claim:
    """L2=: the drift after one round, against enumeration. `scale` multiplies the closed form."""

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        fresh = state.parameters.fresh

        def drift(mask: jax.Array) -> jax.Array:
            # Momenta and gradients with their means in, so that centring is part of the test.
            momenta = state.spread + state.gradient + state.deviation
            gradients = state.difference + state.next_gradient
            after = (1 - fresh) * momenta + fresh * mask * gradients
            return mean_square(after - after.mean(axis=0))

        return _over_all_ratios(state, drift, lambda at: scale * expected_drift(at))

    return derived(
        name="L2=",
        title="drift of the momenta, exactly",
        statement="E[Υ_{t+1}|F_t] = β²Υ_t + 2βω X_t + ω²a Δ_{t+1}",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(_general("states, d = 4", dimension=4),),
        hypotheses=(given.CENTRED,),
    )


def drift_bound(*, power: float = 1.0) -> Claim:
    """L2<=: E Υ_{t+1} ≤ βΥ + ω(1+ω(a-1))Δ. `power` multiplies the noise term."""

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        fresh, a = state.parameters.fresh, state.parameters.inflation
        noise = fresh * (1 + fresh * (a - 1)) * mean_square(state.difference)
        return expected_drift(state), (1 - fresh) * mean_square(state.spread) + power * noise

    return derived(
        name="L2<=",
        title="drift of the momenta, bound",
        statement="E[Υ_{t+1}|F_t] ≤ β Υ_t + ω(1+ω(a-1)) Δ_{t+1}, with equality iff μ_i = ν_i",
        sides=sides,
        families=(_general("states"),),
        hypotheses=(*given.of_parameters(given.FRESH, given.INFLATED), given.CENTRED),
        recheck=rechecked_by("rosdhb/L2<=", {"power": power}),
    )


def deviation_identity(*, scale: float = 1.0) -> Claim:
    """L3=: the deviation after one round, against enumeration."""

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        fresh = state.parameters.fresh

        def deviation(mask: jax.Array) -> jax.Array:
            momentum = state.gradient + state.deviation
            after = (1 - fresh) * momentum + fresh * mask * state.next_gradient
            return ((after - state.next_gradient) ** 2).sum()

        return _over_all_ratios(state, deviation, lambda at: scale * expected_deviation(at))

    return derived(
        name="L3=",
        title="deviation of the mean momentum, exactly",
        statement="E[‖δ_{t+1}‖²|F_t] = β²‖δ_t + ∇_t - ∇_{t+1}‖² + ω²(a-1)‖∇_{t+1}‖²",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(_general("states, d = 4", dimension=4),),
        unconditional="m̄, ∇_t, ∇_{t+1} and ω are any, and the law of the mask is enumerated",
    )


def deviation_bound(*, power: float = 1.0) -> Claim:
    """L3<=: the deviation by Young's inequality. `power` multiplies the term of R."""

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        _, x, fresh, a, *_, p, _ = state.parameters
        square = (1 - fresh) ** 2
        kept = square * (1 + p) * (state.deviation**2).sum()
        moved = square * (1 + 1 / p) * x**2 * (state.aggregate**2).sum()
        noise = fresh**2 * (a - 1) * (state.next_gradient**2).sum()
        return expected_deviation(state), kept + power * moved + noise

    return derived(
        name="L3<=",
        title="deviation of the mean momentum, bound",
        statement="E[‖δ_{t+1}‖²|F_t] ≤ β²(1+p)‖δ_t‖² + β²(1+1/p)x²‖R_t‖² + ω²(a-1)‖∇_{t+1}‖²",
        sides=sides,
        families=(_general("states"),),
        hypotheses=(
            *given.of_parameters(given.FRESH, given.INFLATED, given.STEP, given.YOUNG_P),
            given.SMOOTH,
        ),
        recheck=rechecked_by("rosdhb/L3<=", {"power": power}),
    )


def descent(*, power: float = 1.0) -> Claim:
    """L4: descent of L_H, divided by γ. `power` multiplies the right side."""

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        x, s = state.parameters.x, state.parameters.s
        # ‖∇‖² + ‖R‖² - 2⟨∇, R⟩ as ‖R - ∇‖², and γRᵀHR - x‖R‖² in one: gradients that are large
        # beside δ and ξ would cancel, and leave an error as large as the right side.
        away, bent = state.deviation + state.error, state.curvature / state.parameters.smoothness
        left = (away**2).sum() + x * ((bent - 1) * state.aggregate**2).sum()
        allowed = (1 + s) * (state.deviation**2).sum() + (1 + 1 / s) * (state.error**2).sum()
        return left, power * allowed

    return derived(
        name="L4",
        title="descent",
        statement="2L_H(θ_t) - 2L_H(θ_{t-1}) ≤ -γ‖∇_t‖² - γ(1-x)‖R_t‖² + γ(1+s)‖δ_t‖² "
        "+ γ(1+1/s)‖ξ_t‖²",
        sides=sides,
        families=(_general("states"),),
        hypotheses=(*given.of_parameters(given.STEP, given.YOUNG_S), given.SMOOTH),
        adversaries=ADVERSARIES,
        recheck=rechecked_by("rosdhb/L4", {"power": power}),
    )


LEMMAS = (
    mask_moments(),
    drift_identity(),
    drift_bound(),
    deviation_identity(),
    deviation_bound(),
    descent(),
    aggregation_linear(),
    aggregation_trimmed(),
)
