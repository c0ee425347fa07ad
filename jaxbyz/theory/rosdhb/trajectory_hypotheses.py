"""Hypotheses of RoSDHB's theorems on whole runs, each with its margin. Derived here.

Of all: what adds the lemmas up (`hypotheses.PROOF`, (c2)), a run with the γ and ω of the proof, and
the constants L, κ and, but for the measured form, (G, B) of problem and rule.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.theory.claims import Hypothesis
from jaxbyz.theory.conditions import ROUNDING, at_most, positive, vanishes
from jaxbyz.theory.rosdhb.hypotheses import C2, PROOF, of_parameters
from jaxbyz.theory.rosdhb.states import bound_terms
from jaxbyz.theory.rosdhb.trajectories import Trajectory, dissimilarity_form


def _spare_measured(trajectory: Trajectory) -> jax.Array:
    """The same of the measured form, which has no B²."""
    return 1 - bound_terms(trajectory.parameters._replace(b_squared=jnp.zeros(())))[0]


def _consistent(trajectory: Trajectory) -> jax.Array:
    """γL = x and the ω of the run is that of the proof, relative to them."""
    setting, system = trajectory.parameters, trajectory.system
    step = jnp.abs(system.step_size * setting.smoothness / setting.x - 1)
    return ROUNDING - jnp.maximum(step, jnp.abs(system.fresh / setting.fresh - 1))


def _smooth(trajectory: Trajectory) -> jax.Array:
    top = jnp.linalg.eigvalsh(trajectory.system.matrices.mean(axis=0))[-1]
    return at_most(top, trajectory.parameters.smoothness)


def _bounded(trajectory: Trajectory) -> jax.Array:
    """L_H ≥ L_*, the value at the origin: the mean vector is 0, the mean Hessian ⪰ 0."""
    vectors, matrices = trajectory.system.vectors, trajectory.system.matrices
    centred = vanishes(vectors.mean(axis=0), vectors)
    values = jnp.linalg.eigvalsh(matrices.mean(axis=0))
    return jnp.minimum(centred, values[0] / jnp.abs(values).max())


def _kappa(trajectory: Trajectory) -> jax.Array:
    weights, kappa = trajectory.system.weights, trajectory.parameters.kappa
    exact = len(weights) * ((weights - 1 / len(weights)) ** 2).sum()
    whole = vanishes(weights.sum() - 1, jnp.abs(weights).sum())
    return jnp.minimum(at_most(exact, kappa), whole)


def _dissimilar(trajectory: Trajectory) -> jax.Array:
    """(G, B) bounds the dissimilarity everywhere: G² ≥ r + qᵀ(B² I - Q)⁻¹ q and B² I ≻ Q."""
    form, cross, constant = dissimilarity_form(trajectory.system)
    gap = trajectory.parameters.b_squared * jnp.eye(len(cross)) - form
    room = at_most(constant + cross @ jnp.linalg.solve(gap, cross), trajectory.g_squared)
    return jnp.minimum(room, positive(jnp.linalg.eigvalsh(gap)[0]))


RUN = (
    *of_parameters(*PROOF, C2),
    Hypothesis("the run is that of the proof", _consistent),
    Hypothesis("L_H is L-smooth", _smooth),
    Hypothesis("L_H ≥ L_*", _bounded),
    Hypothesis("the rule has coefficient κ", _kappa),
)
HYPOTHESES = (
    *RUN,
    Hypothesis("(G, B)-dissimilarity", _dissimilar),
    Hypothesis("q > 0", lambda trajectory: 1 - bound_terms(trajectory.parameters)[0]),
)


def _near(pairs: tuple[tuple[Any, Any], ...]) -> jax.Array:
    """A margin of equalities: `ROUNDING` less the largest relative difference."""
    worst = [jnp.abs(left / right - 1) for left, right in pairs]
    return ROUNDING - jnp.max(jnp.stack([jnp.asarray(one) for one in worst]))


def _is_theorem_a(trajectory: Trajectory) -> jax.Array:
    """c = 1/(ax) ≥ 24, β² = 1-24x, s = 1, p = 2x, A = 1/11, and the q of the theorem is > 0."""
    _, x, fresh, a, kappa, b_squared, s, p, weight = trajectory.parameters
    c = 1 / (a * x)
    pairs = ((fresh * (2 - fresh), 24 * x), (s, 1.0), (p, 2 * x), (weight, 1 / 11))
    q = 1 - 144 / (11 * c) - 2 * kappa * b_squared * (1 + 12 / c)
    return jnp.min(jnp.stack([_near(pairs), c / 24 - 1, q]))


def _is_theorem_b(trajectory: Trajectory) -> jax.Array:
    """ω = 1/(4a), x ≤ 1/(8a), s = 1, p = 1/(10a), A = (16/3)ax, κB² < 4/15."""
    _, x, fresh, a, kappa, b_squared, s, p, weight = trajectory.parameters
    pairs = ((fresh, 1 / (4 * a)), (s, 1.0), (p, 1 / (10 * a)), (weight, 16 / 3 * a * x))
    q = 2 / 3 - 5 / 2 * kappa * b_squared
    return jnp.min(jnp.stack([_near(pairs), 1 - 8 * a * x, q]))


HYPOTHESES_A = (*HYPOTHESES, Hypothesis("the parameters are those of Theorem A", _is_theorem_a))
HYPOTHESES_B = (*HYPOTHESES, Hypothesis("the parameters are those of Theorem B", _is_theorem_b))
HYPOTHESES_MEASURED = (*RUN, Hypothesis("q > 0", _spare_measured))
