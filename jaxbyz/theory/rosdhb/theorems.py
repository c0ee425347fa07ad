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

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.claims import Budget, Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.engines import sampled, searched
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.rosdhb.certificate import tilted_weights
from jaxbyz.theory.rosdhb.moments import Averages, Dynamics, global_mask, means, run_moments
from jaxbyz.theory.rosdhb.states import Parameters, bound_terms

__all__ = [
    "THEOREMS",
    "Trajectory",
    "corollary",
    "master",
    "measured",
    "paper_theorem",
    "stall",
    "theorem_a_runs",
    "theorem_b_runs",
    "trajectories",
]

SOURCE = "derived here: RoSDHB, master theorem and Theorems A, B"
D, K, H = 2, 1, 3  # two coordinates, of which one is sent; three workers
A = D / K


class Trajectory(NamedTuple):
    """A problem in coordinates θ - θ*, its constants, and a start."""

    system: Dynamics
    parameters: Parameters
    g_squared: jax.Array
    x: jax.Array  # [d]

    @property
    def gap(self) -> jax.Array:
        """D0."""
        return self.x @ self.system.matrices.mean(axis=0) @ self.x / 2


def _share(z: jax.Array, low: float, high: float) -> jax.Array:
    return low + (high - low) * jax.nn.sigmoid(z)


def master_setting(z: jax.Array) -> Parameters:
    """Free parameters [6 numbers] of the master theorem at a = 2; κ is 1 here, B² is κB²."""
    fresh, s = _share(z[0], 1e-3, 0.2), jnp.exp(_share(z[1], -2.0, 0.7))
    square = (1 - fresh) ** 2
    p = _share(z[2], 0.01, 0.5) * (1 - square) / square
    tilt = (1 + s) / (1 - square * (1 + p))  # A/x, (c1) with equality
    curved = tilt * square * (1 + 1 / p)
    x = _share(z[3], 0.05, 1 - 1e-12) * 2 / (1 + jnp.sqrt(1 + 4 * curved))
    room = (1 - tilt * fresh**2 * (A - 1)) / ((1 + 1 / s) * (1 + fresh * (A - 1)))
    one = jnp.ones_like(x)
    return Parameters(one, x, fresh, A * one, one, _share(z[4], 0.01, 0.99) * room, s, p, tilt * x)


def setting_a(z: jax.Array) -> Parameters:
    """Theorem A at a = 2 with s = 1, ρ = 2."""
    c = jnp.exp(_share(z[0], float(np.log(24)), float(np.log(240))))
    x = _share(z[3], 0.1, 1.0) / (c * A)
    fresh = 24 * x / (1 + jnp.sqrt(1 - 24 * x))
    most = (1 - 144 / (11 * c)) / (2 + 24 / c)
    one = jnp.ones_like(x)
    # c has no place among the parameters; the largest admissible one is 1/(ax).
    return Parameters(
        one, x, fresh, A * one, one, _share(z[4], 0.01, 0.99) * most, one, 2 * x, one / 11
    )


def setting_b(z: jax.Array) -> Parameters:
    """Theorem B at a = 2."""
    x = _share(z[3], 0.1, 1.0) / (8 * A)
    one = jnp.ones_like(x)
    kappa_b_squared = _share(z[4], 0.01, 0.99) * 4 / 15
    return Parameters(
        one, x, one / (4 * A), A * one, one, kappa_b_squared, one, one / (10 * A), 16 / 3 * A * x
    )


def trajectories(
    name: str, setting: Callable[[jax.Array], Parameters], *, offsets: bool = True
) -> Family:
    """Quadratics with exact constants. `offsets` False: one optimum for all, so that G = 0.

    L scales γ and the Hessians; Ā has eigenvalues in (0, L]. B² is above the least one that the
    problem admits, G² the least for this B², κ = (κB²)/B², and the rule is a linear one with
    exactly this κ.
    """

    def make(z: jax.Array) -> Trajectory:
        scalars, angle, values, spread, shifts, x, tilt = jnp.split(
            z, np.cumsum([6, 1, D, H * D * D, H * D, D])
        )
        free = setting(scalars)
        smoothness = jnp.exp(scalars[5] / 2)
        cosine, sine = jnp.cos(angle[0]), jnp.sin(angle[0])
        basis = jnp.array([[cosine, -sine], [sine, cosine]])
        mean = smoothness * (basis * _share(values, 0.05, 1.0)) @ basis.T
        spread = spread.reshape(H, D, D) + spread.reshape(H, D, D).transpose(0, 2, 1)
        spread = smoothness * (spread - spread.mean(axis=0)) / 4
        shifts = shifts.reshape(H, D)
        shifts = (shifts - shifts.mean(axis=0)) * (1.0 if offsets else 0.0)
        # Δ = uᵀQu + 2qᵀu + r with u = ∇L_H(θ) and ∇L_i - ∇L_H = E_i u - shift_i.
        ratio = spread @ jnp.linalg.inv(mean)  # [h, d, d] E_i
        form = jnp.einsum("iba,ibc->ac", ratio, ratio) / H
        cross = -jnp.einsum("iba,ib->a", ratio, shifts) / H
        b_squared = 1.1 * jnp.linalg.eigvalsh(form)[-1] + 0.01
        inverse = jnp.linalg.inv(b_squared * jnp.eye(D) - form)
        g_squared = (shifts**2).sum() / H + cross @ inverse @ cross
        kappa = free.b_squared / b_squared
        weights = tilted_weights(tilt, kappa)
        step = free.x / smoothness
        system = Dynamics(mean + spread, shifts, weights, step, free.fresh)
        setup = free._replace(smoothness=smoothness, kappa=kappa, b_squared=b_squared)
        return Trajectory(system, setup, g_squared, x)

    return Family(name, 6 + 1 + D + H * D * D + H * D + D + H, make)


def _run(trajectory: Trajectory, rounds: int) -> tuple[jax.Array, Averages]:
    """E L_H(θ_T) - L_*, and the means of rounds 1..T, leaves [T]."""
    last, terms = run_moments(trajectory.system, trajectory.x, global_mask(D, K), rounds)
    return means(trajectory.system, last, H).gap, terms


def _spare(trajectory: Trajectory) -> jax.Array:
    """q = 1 - N > 0."""
    return 1 - bound_terms(trajectory.parameters)[0]


def _smooth(trajectory: Trajectory) -> jax.Array:
    top = jnp.linalg.eigvalsh(trajectory.system.matrices.mean(axis=0))[-1]
    return 1 - top / trajectory.parameters.smoothness


def _kappa(trajectory: Trajectory) -> jax.Array:
    exact = H * ((trajectory.system.weights - 1 / H) ** 2).sum()
    return 1 - exact / trajectory.parameters.kappa


HYPOTHESES = (
    Hypothesis("L_H is L-smooth", _smooth),
    Hypothesis("the rule has coefficient κ", _kappa),
    Hypothesis("q > 0", _spare),
)


def _theorem(name: str, title: str, statement: str, sides: Any, family: Family) -> Claim:
    return Claim(
        paper="rosdhb",
        name=name,
        title=title,
        statement=statement,
        provenance=Provenance.DERIVED,
        source=SOURCE,
        scope=Scope.TRAJECTORY,
        sides=sides,
        families=(family,),
        hypotheses=HYPOTHESES,
        checks=(sampled(), searched(tight=None)),
    )


def master(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """The master theorem with (G, B). `power` multiplies the right side."""

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting = trajectory.parameters
        step = trajectory.system.step_size
        noise, rest, floor = bound_terms(setting)
        gap, terms = _run(trajectory, rounds)
        left = step * ((1 - noise) * terms.gradient + rest * terms.aggregate).sum() + 2 * gap
        begin = 2 * (1 + setting.weight * (1 - setting.fresh) ** 2) * trajectory.gap
        return left, power * (begin + rounds * step * floor * trajectory.g_squared)

    return _theorem(
        "master",
        "master theorem",
        "γq ΣE‖∇_t‖² + γr ΣE‖R_t‖² + 2E(L_H(θ_T)-L_*) ≤ 2(1+Aβ²)D0 + Tγμκ(1+ω(a-1))G²",
        sides,
        trajectories("free parameters", master_setting),
    )


def measured(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """The master theorem a posteriori: no (G, B), but the dissimilarity that was met."""

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting = trajectory.parameters._replace(b_squared=jnp.zeros(()))
        step = trajectory.system.step_size
        noise, rest, floor = bound_terms(setting)
        gap, terms = _run(trajectory, rounds)
        left = step * ((1 - noise) * terms.gradient + rest * terms.aggregate).sum() + 2 * gap
        begin = 2 * (1 + setting.weight * (1 - setting.fresh) ** 2) * trajectory.gap
        return left, power * (begin + step * floor * terms.dissimilarity.sum())

    return _theorem(
        "measured",
        "master theorem with measured dissimilarity",
        "the master theorem with N = (A/x)ω²(a-1) and ΣEΔ_t in place of TG²",
        sides,
        trajectories("free parameters", master_setting),
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

    return _theorem(
        "A",
        "Theorem A: β² = 1-24γL",
        "E‖∇L_H(θ̂)‖² ≤ [2(1+A)/q] D0/(γT) + [(1+1/s)(1+12/c)/q] κG²",
        sides,
        trajectories("Theorem A", setting_a),
    )


def theorem_b_runs(rounds: int = 64, *, power: float = 1.0) -> Claim:
    """Theorem B."""

    def sides(trajectory: Trajectory) -> tuple[jax.Array, jax.Array]:
        setting = trajectory.parameters
        q = 2 / 3 - 5 / 2 * setting.kappa * setting.b_squared
        right = _bound(trajectory, 2 * (1 + setting.weight) / q, 5 / (2 * q), rounds)
        return _run(trajectory, rounds)[1].gradient.mean(), power * right

    return _theorem(
        "B",
        "Theorem B: β = 1-k/(4d)",
        "E‖∇L_H(θ̂)‖² ≤ [2(1+A)/q] D0/(γT) + [5/(2q)] κG²,  q = 2/3 - (5/2)κB²",
        sides,
        trajectories("Theorem B", setting_b),
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

    return _theorem(
        "corollary",
        "rate of Theorem A where G = 0",
        "G = 0, γ = k/(dcL): E‖∇L_H(θ̂)‖² ≤ [2c(1+A)/q] (d/k) L D0/T",
        sides,
        trajectories("Theorem A, one optimum", setting_a, offsets=False),
    )


class Stall(NamedTuple):
    """Two workers whose momenta cancel in the rule, for every mask, step size and momentum."""

    tilt: jax.Array  # √κ b0 in (0, 1)
    kappa: jax.Array
    g0: jax.Array
    step_size: jax.Array
    fresh: jax.Array


def stall(rounds: int = 64) -> Claim:
    """The floor cannot go below κG²/(1-κB²): a run that stands still there. d = 2, k = 1."""

    def make(z: jax.Array) -> Stall:
        sigmoid = jax.nn.sigmoid
        return Stall(
            _share(z[0], 0.05, 0.9), jnp.exp(z[1]), jnp.exp(z[2]), jnp.exp(z[3] / 4), sigmoid(z[4])
        )

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

    return Claim(
        paper="rosdhb",
        name="stall",
        title="no floor below κG²/(1-κB²)",
        statement="a (0, κ)-robust linear rule and a (G, B)-dissimilar problem with θ_t = θ_0 and "
        "‖∇L_H(θ_0)‖² = κG²/(1-κB²)",
        provenance=Provenance.DERIVED,
        source=SOURCE,
        scope=Scope.IDENTITY,
        sides=sides,
        families=(Family("stall instances", 5, make),),
        checks=(sampled(),),
    )


def paper_theorem() -> Claim:
    """The paper's Theorem 1. Its right side is not public: nothing can be said of it."""

    def check(claim: Claim, budget: Budget) -> Report:
        del budget
        why = "the right side is not public; Theorem A has the same hypotheses, derived here"
        return Report(claim.key, Status.INCONCLUSIVE, "none", why)

    return Claim(
        paper="rosdhb",
        name="paper/1",
        title="Theorem 1 of the paper",
        statement="κB² ≤ 1/7, γ ≤ k/(dcL), c = 23200, β = √(1-24γL): a bound that is not public",
        provenance=Provenance.PAPER,
        source="arXiv 2508.17129, AISTATS 2026, Theorem 1: hypotheses only",
        scope=Scope.TRAJECTORY,
        sides=lambda instance: (np.nan, np.nan),
        checks=(check,),
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
