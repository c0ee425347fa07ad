"""Hypotheses of RoSDHB's claims, each with its margin: how far an instance is from failing it.

Some speak of `Parameters` alone. `of_parameters` makes them hypotheses about states between two
rounds, or about whole runs. Margins are relative, so that one tolerance of rounding serves all.
Which lemma needs which hypothesis is read off its proof, derived here:

| claim         | needs                                                                          |
|---------------|--------------------------------------------------------------------------------|
| L2=, L2<=     | centred μ, ν; L2<= also 0 < ω ≤ 1 and a ≥ 1. Not smoothness: Δ is what it is   |
| L3<=          | 0 < ω ≤ 1, a ≥ 1, x > 0, p > 0, L-smoothness of L_H                            |
| L4            | x > 0, s > 0, L-smoothness of L_H. Any ξ: its square stands on the right       |
| L6, L6', runs | all of these, and κ ≥ 0, (f, κ)-robustness, (G, B)-dissimilarity, (c1), (c2)   |
"""

import jax
import jax.numpy as jnp

from jaxbyz.theory.claims import Hypothesis
from jaxbyz.theory.conditions import at_most, in_unit_interval, positive, vanishes
from jaxbyz.theory.rosdhb.states import Parameters, State, bound_terms, mean_square


def of_parameters(*hypotheses: Hypothesis) -> tuple[Hypothesis, ...]:
    """Hypotheses about `Parameters`, as hypotheses about instances that have `parameters`."""

    def lifted(one: Hypothesis) -> Hypothesis:
        return Hypothesis(one.name, lambda instance: one.margin(instance.parameters))

    return tuple(map(lifted, hypotheses))


def _c1(given: Parameters) -> jax.Array:
    # 1 - β²(1+p) = ω(2-ω) - pβ²: of numbers of its own size, not of size 1.
    omega, beta = given.fresh, 1 - given.fresh
    left = omega * (2 - omega) - given.p * beta**2
    return given.weight / given.x * left / (1 + given.s) - 1


def _c2_doubled(given: Parameters) -> jax.Array:
    noise, rest, _ = bound_terms(given)
    return rest - noise * given.x * (1 + given.x)


# ---- of Parameters -----------------------------------------------------------------------------

FRESH = Hypothesis("0 < ω ≤ 1", lambda given: in_unit_interval(given.fresh))
INFLATED = Hypothesis("a = d/k ≥ 1", lambda given: given.inflation - 1)
STEP = Hypothesis("γ > 0, L > 0", lambda given: positive(jnp.minimum(given.x, given.smoothness)))
YOUNG_S = Hypothesis("s > 0", lambda given: positive(given.s))
YOUNG_P = Hypothesis("p > 0", lambda given: positive(given.p))
SIGNS = Hypothesis("κ ≥ 0, B² ≥ 0", lambda given: jnp.minimum(given.kappa, given.b_squared))
WEIGHT = Hypothesis("A > 0", lambda given: positive(given.weight))
C1 = Hypothesis("(c1)", _c1)
C2 = Hypothesis("(c2)", lambda given: bound_terms(given)[1])
C2_DOUBLED = Hypothesis("(c2')", _c2_doubled)
# Of every claim that adds the lemmas up, beside (c2) or (c2').
PROOF = (FRESH, INFLATED, STEP, SIGNS, YOUNG_S, YOUNG_P, WEIGHT, C1)


# ---- of states ---------------------------------------------------------------------------------


def _similar(state: State) -> jax.Array:
    allowed = state.g_squared + state.parameters.b_squared * (state.next_gradient**2).sum()
    room = at_most(mean_square(state.difference), allowed)
    return jnp.minimum(room, jnp.where(state.g_squared >= 0, 1.0, -1.0))


def _inside(state: State) -> jax.Array:
    allowed = state.parameters.kappa * mean_square(state.spread)
    return at_most((state.error**2).sum(), allowed)


def _centred(state: State) -> jax.Array:
    """Both sums over workers are 0, beside the rows."""
    return jnp.stack(
        [vanishes(rows.mean(axis=0), rows) for rows in (state.spread, state.difference)]
    )


CENTRED = Hypothesis("μ and ν are centred", _centred)
SMOOTH = Hypothesis(
    "L_H is L-smooth",
    lambda state: at_most(jnp.abs(state.curvature).max(), state.parameters.smoothness),
)
DISSIMILAR = Hypothesis("(G, B)-dissimilarity", _similar)
ROBUST = Hypothesis("error in the ball", _inside)
