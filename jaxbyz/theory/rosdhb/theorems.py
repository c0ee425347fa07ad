"""Theorems on whole runs of RoSDHB, held against exact expectations. Derived here but for one.

    master     (c1), (c2), q = 1-N > 0:
               γq ΣE‖∇_t‖² + γr ΣE‖R_t‖² + 2E(L_H(θ_T)-L_*) ≤ 2(1+Aβ²)D0 + Tγμκ(1+ω(a-1))G²
    measured   the same without (G, B): N = (A/x)ω²(a-1), and ΣEΔ_t in place of TG²
    A, B       rate · D0/(γT) + floor · κG²       corollary   G = 0: 2c(1+A)/q · (d/k) L D0/T
    stall      the floor of every theorem is at least κG²/(1-κB²)
    paper/1    the paper's Theorem 1: its right side is not public

Runs are on quadratics with a linear rule, whose expectations `moments` computes: every problem of
the family has exact L, (G, B) and κ. Random runs stay far below the bounds, because γ is small;
what is tight is each step (`lyapunov`) and the floor (`stall`).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.claims import Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.conditions import positive
from jaxbyz.theory.rosdhb.mask_moments import global_mask
from jaxbyz.theory.rosdhb.moments import Averages, Dynamics, means, run_moments
from jaxbyz.theory.rosdhb.states import bound_terms
from jaxbyz.theory.rosdhb.trajectories import (
    A,
    D,
    K,
    Trajectory,
    master_setting,
    setting_a,
    setting_b,
    share,
    stalls,
    trajectories,
)
from jaxbyz.theory.rosdhb.trajectory_hypotheses import (
    HYPOTHESES,
    HYPOTHESES_A,
    HYPOTHESES_B,
    HYPOTHESES_MEASURED,
)
from jaxbyz.theory.subjects import Unknown

derived = functools.partial(
    Claim,
    paper="rosdhb",
    provenance=Provenance.DERIVED,
    source="derived here: RoSDHB, master theorem and Theorems A, B",
    scope=Scope.TRAJECTORY,
    tight_from=None,
)


def _run(trajectory: Trajectory, rounds: int) -> tuple[jax.Array, Averages]:
    """E L_H(θ_T) - L_*, and the means of rounds 1..T, leaves [T]."""
    last, terms = run_moments(trajectory.system, trajectory.x, global_mask(D, K), rounds)
    return means(trajectory.system, last, len(trajectory.system.vectors)).gap, terms


def _master_sides(
    rounds: int, power: float, dissimilarity: Callable[[Trajectory, Averages], jax.Array]
) -> Callable[[Trajectory], tuple[jax.Array, jax.Array]]:
    """Both sides of the master theorem, with this sum over the rounds in place of TG²."""

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting, step = trajectory.parameters, trajectory.system.step_size
        noise, rest, floor = bound_terms(setting)
        gap, terms = _run(trajectory, rounds)
        left = step * ((1 - noise) * terms.gradient + rest * terms.aggregate).sum() + 2 * gap
        begin = 2 * (1 + setting.weight * (1 - setting.fresh) ** 2) * trajectory.gap
        return left, power * (begin + step * floor * dissimilarity(trajectory, terms))

    return sides


def master(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """The master theorem with (G, B). `power` multiplies the right side."""
    return derived(
        name="master",
        title="master theorem",
        statement="γq ΣE‖∇_t‖² + γr ΣE‖R_t‖² + 2E(L_H(θ_T)-L_*) ≤ 2(1+Aβ²)D0 + Tγμκ(1+ω(a-1))G²",
        sides=_master_sides(rounds, power, lambda trajectory, _: rounds * trajectory.g_squared),
        families=(trajectories("free parameters", master_setting), stalls("stall", master_setting)),
        hypotheses=HYPOTHESES,
    )


def measured(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """The master theorem a posteriori: no (G, B), but the dissimilarity that was met."""
    total = _master_sides(rounds, power, lambda _, terms: terms.dissimilarity.sum())

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting = trajectory.parameters._replace(b_squared=jnp.zeros(()))
        return total(trajectory._replace(parameters=setting))

    return derived(
        name="measured",
        title="master theorem with measured dissimilarity",
        statement="the master theorem with N = (A/x)ω²(a-1) and ΣEΔ_t in place of TG²",
        sides=sides,
        families=(trajectories("free parameters", master_setting),),
        hypotheses=HYPOTHESES_MEASURED,
    )


def _bound(trajectory: Trajectory, rate: Any, floor: Any, rounds: int) -> jax.Array:
    """rate · D0/(γT) + floor · κG²."""
    first = rate * trajectory.gap / (trajectory.system.step_size * rounds)
    return first + floor * trajectory.parameters.kappa * trajectory.g_squared


def theorem_a_runs(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """Theorem A, with c = 1/(ax)."""

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting = trajectory.parameters
        c = 1 / (A * setting.x)
        spent = 2 * setting.kappa * setting.b_squared * (1 + 12 / c)
        q = 1 - 144 / (11 * c) - spent
        right = _bound(trajectory, 2 * (12 / 11) / q, 2 * (1 + 12 / c) / q, rounds)
        return _run(trajectory, rounds)[1].gradient.mean(), power * right

    return derived(
        name="A",
        title="Theorem A: β² = 1-24γL",
        statement="E‖∇L_H(θ̂)‖² ≤ [2(1+A)/q] D0/(γT) + [(1+1/s)(1+12/c)/q] κG²",
        sides=sides,
        families=(trajectories("Theorem A", setting_a),),
        hypotheses=HYPOTHESES_A,
    )


def theorem_b_runs(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """Theorem B."""

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting = trajectory.parameters
        q = 2 / 3 - 5 / 2 * setting.kappa * setting.b_squared
        right = _bound(trajectory, 2 * (1 + setting.weight) / q, 5 / (2 * q), rounds)
        return _run(trajectory, rounds)[1].gradient.mean(), power * right

    return derived(
        name="B",
        title="Theorem B: β = 1-k/(4d)",
        statement="E‖∇L_H(θ̂)‖² ≤ [2(1+A)/q] D0/(γT) + [5/(2q)] κG²,  q = 2/3 - (5/2)κB²",
        sides=sides,
        families=(trajectories("Theorem B", setting_b),),
        hypotheses=HYPOTHESES_B,
    )


def corollary(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """With G = 0 the mean squared gradient is O((d/k) L D0/T)."""

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting = trajectory.parameters
        c = 1 / (A * setting.x)
        spent = 2 * setting.kappa * setting.b_squared * (1 + 12 / c)
        factor = 2 * c * (12 / 11) / (1 - 144 / (11 * c) - spent)
        right = factor * A * setting.smoothness * trajectory.gap / rounds
        return _run(trajectory, rounds)[1].gradient.mean(), power * right

    return derived(
        name="corollary",
        title="rate of Theorem A where G = 0",
        statement="G = 0, γ = k/(dcL): E‖∇L_H(θ̂)‖² ≤ [2c(1+A)/q] (d/k) L D0/T",
        sides=sides,
        families=(trajectories("Theorem A, one optimum", setting_a, offsets=False),),
        hypotheses=(*HYPOTHESES_A, Hypothesis("G = 0", lambda trajectory: -trajectory.g_squared)),
    )


class Stall(NamedTuple):
    """Two workers whose momenta cancel in the rule, for every mask, step size and momentum."""

    tilt: jax.Array  # √κ b0 in (0, 1)
    kappa: jax.Array
    g0: jax.Array
    step_size: jax.Array
    fresh: jax.Array


def _open(instance: Stall) -> jax.Array:
    """0 < √κ b0 < 1."""
    return jnp.minimum(positive(instance.tilt), positive(1 - instance.tilt))


def _sizes(instance: Stall) -> jax.Array:
    return positive(jnp.minimum(instance.kappa, instance.g0))


def stall(rounds: int = 64) -> Claim:
    """The floor cannot go below κG²/(1-κB²): a run that stands still there. d = 2, k = 1."""

    def make(z: jax.Array) -> Stall:
        sigmoid = jax.nn.sigmoid
        # It stands still with every step; with γ(1 - √κ b0) < 1 roundings do not grow, either.
        step = share(z[3], 0.01, 0.9)
        return Stall(share(z[0], 0.05, 0.9), jnp.exp(z[1]), jnp.exp(z[2]), step, sigmoid(z[4]))

    def sides(instance: Stall) -> tuple[jax.Array, jax.Array]:
        tilt, kappa, g0, step, fresh = instance
        root = jnp.sqrt(kappa)
        b0, sign = tilt / root, jnp.array([1.0, -1.0])
        axis = jnp.array([0.6, 0.8])
        u = root * g0 / (1 - tilt)
        matrices = (1 + sign * b0)[:, None, None] * jnp.eye(D)
        weights = (1 - root * sign) / 2
        system = Dynamics(matrices, -g0 * sign[:, None] * axis, weights, step, fresh)
        _, terms = run_moments(system, u * axis, global_mask(D, K), rounds)
        y = g0 / (b0 * u)
        b_squared, g_squared = b0**2 * (1 + y), g0**2 * (1 + 1 / y)
        floor = kappa * g_squared / (1 - kappa * b_squared)
        return terms.gradient, jnp.broadcast_to(floor, (rounds,))

    return derived(
        name="stall",
        title="no floor below κG²/(1-κB²)",
        statement="a (0, κ)-robust linear rule and a (G, B)-dissimilar problem with θ_t = θ_0 and "
        "‖∇L_H(θ_0)‖² = κG²/(1-κB²)",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(Family("stall instances", 5, make),),
        hypotheses=(Hypothesis("0 < √κ b0 < 1", _open), Hypothesis("κ > 0, g0 > 0", _sizes)),
    )


def paper_theorem() -> Claim:
    """The paper's Theorem 1. Its right side is not public: nothing can be said of it."""
    return derived(
        name="paper/1",
        title="Theorem 1 of the paper",
        statement="κB² ≤ 1/7, γ ≤ k/(dcL), c = 23200, β = √(1-24γL): a bound that is not public",
        provenance=Provenance.PAPER,
        source="arXiv 2508.17129, AISTATS 2026, Theorem 1: hypotheses only",
        sides=lambda instance: (np.nan, np.nan),
        unconditional="nothing is evaluated, because the right side is not known",
        subject=Unknown(
            "the right side is not public; Theorem A has the same hypotheses, derived here"
        ),
    )


THEOREMS = (
    master(),
    measured(),
    theorem_a_runs(),
    theorem_b_runs(),
    corollary(),
    stall(),
    paper_theorem(),
)
