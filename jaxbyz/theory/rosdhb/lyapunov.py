"""The one-step Lyapunov inequality of RoSDHB (L6), in two forms. Derived here.

    V_t = 2(L_H(θ_{t-1}) - L_*) + (A/L)‖δ_t‖² + (μγκ/ω)Υ_t,       μ = 1+1/s
    N = (A/x)ω²(a-1) + μκB²(1+ω(a-1)),     r = 1 - x - Aβ²(1+1/p)x
    (c1) A[1-β²(1+p)] ≥ (1+s)x     (c2) r ≥ 0     (c2') r - Nx(1+x) ≥ 0

    first    (c1), (c2):   E V_{t+1} ≤ V_t - γ‖∇_t‖² - γr‖R_t‖² + γN‖∇_{t+1}‖² + γμκ(1+ω(a-1))G²
    second   (c1), (c2'):  E V_{t+1} ≤ V_t - γ(1-(1+x)N)‖∇_t‖² + γμκ(1+ω(a-1))G²

Claims divide by γ. The first form is attained: for every setting with equality in (c1) there is a
state with left = right.
"""

from typing import NamedTuple

import jax

from jaxbyz.theory.claims import Claim
from jaxbyz.theory.counterexamples import rechecked_by
from jaxbyz.theory.rosdhb import hypotheses as given
from jaxbyz.theory.rosdhb.adversaries import ADVERSARIES
from jaxbyz.theory.rosdhb.states import (
    State,
    bound_terms,
    derived,
    free_parameters,
    mean_square,
    states,
    theorem_a_parameters,
)


class Planted(NamedTuple):
    """Factors on the terms of the claim; all 1 is the claim itself. May be traced."""

    deviation: float = 1.0  # on A in V
    drift: float = 1.0  # on the weight of Υ in V
    floor: float = 1.0
    noise: float = 1.0  # on N of the first form
    decrease: float = 1.0  # on the factor of ‖∇_t‖²


def expected_change(state: State, deviation: float = 1.0, drift: float = 1.0) -> jax.Array:
    """(E[V_{t+1}|F_t] - V_t)/γ, expanded so that nothing is divided by a small ω or γ; [].

    2(L_H(θ_t) - L_H(θ_{t-1}))/γ
    + (A/x) (-ω(2-ω)‖δ‖² - 2β²⟨δ, ∂⟩ + β²‖∂‖² + ω²(a-1)‖∇_{t+1}‖²),    ∂ = ∇_{t+1} - ∇_t
    + μκ (-(2-ω)Υ + 2βX + ωaΔ)
    """
    _, x, fresh, a, kappa, _, s, _, weight = state.parameters
    change, beta = state.gradient_change, 1 - fresh
    carried = beta**2 * ((change**2).sum() - 2 * (state.deviation * change).sum())
    faded = -fresh * (2 - fresh) * (state.deviation**2).sum()
    noise = fresh**2 * (a - 1) * (state.next_gradient**2).sum()
    cross = (state.spread * state.difference).sum() / state.spread.shape[0]
    gathered = -(2 - fresh) * mean_square(state.spread) + 2 * beta * cross
    gathered = gathered + fresh * a * mean_square(state.difference)
    return (
        2 * state.loss_change
        + deviation * weight / x * (faded + carried + noise)
        + drift * (1 + 1 / s) * kappa * gathered
    )


COMMON = (
    *given.of_parameters(*given.PROOF),
    given.CENTRED,
    given.SMOOTH,
    given.DISSIMILAR,
    given.ROBUST,
)


def first_form(planted: Planted | None = None) -> Claim:
    """L6, first form."""
    planted = planted or Planted()

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        noise, rest, floor = bound_terms(state.parameters)
        spent = planted.decrease * (state.gradient**2).sum() + rest * (state.aggregate**2).sum()
        left = expected_change(state, planted.deviation, planted.drift) + spent
        allowed = planted.noise * noise * (state.next_gradient**2).sum()
        return left, allowed + planted.floor * floor * state.g_squared

    return derived(
        name="L6",
        title="one-step Lyapunov inequality",
        statement="E[V_{t+1}|F_t] ≤ V_t - γ‖∇_t‖² - γr‖R_t‖² + γN‖∇_{t+1}‖² + γμκ(1+ω(a-1))G²",
        sides=sides,
        families=(states("(c1), (c2)", free_parameters), states("Theorem A", theorem_a_parameters)),
        hypotheses=(*COMMON, *given.of_parameters(given.C2)),
        adversaries=ADVERSARIES,
        recheck=rechecked_by("rosdhb/L6", planted._asdict()),
    )


def second_form(planted: Planted | None = None) -> Claim:
    """L6, second form."""
    planted = planted or Planted()

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        noise, _, floor = bound_terms(state.parameters)
        decrease = planted.decrease * (1 - (1 + state.parameters.x) * noise)
        left = expected_change(state, planted.deviation, planted.drift)
        left = left + decrease * (state.gradient**2).sum()
        return left, planted.floor * floor * state.g_squared

    return derived(
        name="L6'",
        title="one-step Lyapunov inequality, without ‖R‖² and ∇_{t+1}",
        statement="E[V_{t+1}|F_t] ≤ V_t - γ(1-(1+x)N)‖∇_t‖² + γμκ(1+ω(a-1))G²",
        sides=sides,
        families=(
            states("(c1), (c2')", lambda z: free_parameters(z, doubled=True)),
            states("Theorem A", theorem_a_parameters),
        ),
        hypotheses=(*COMMON, *given.of_parameters(given.C2_DOUBLED)),
        adversaries=ADVERSARIES,
        recheck=rechecked_by("rosdhb/L6'", planted._asdict()),
    )


LYAPUNOV = (first_form(), second_form())
