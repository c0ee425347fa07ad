"""Proofs along runs: Lyapunov terms and both sides of the lemmas, recorded by `train`.

    watch = watch_rosdhb(problem, promise.parameters…)       # quadratics: every constant is exact
    history = jb.train(algorithm, problem, rounds=200, evaluate_every=1, watch=watch)
    plot_terms(history, ["V/loss", "V/deviation", "V/drift"])

For problems whose smoothness nobody knows, `watch_measured` records what the a-posteriori form of
the master theorem needs: a diagnostic, never a proof. Derived here.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.core import Tree
from jaxbyz.history import History
from jaxbyz.problems.problem import Problem
from jaxbyz.problems.quadratics import Quadratics
from jaxbyz.simulation import RoundInfo, SimulationState
from jaxbyz.theory.byz_dm21.weights import Weights
from jaxbyz.theory.precision import require_x64
from jaxbyz.theory.rosdhb import lemmas, lyapunov
from jaxbyz.theory.rosdhb.states import Parameters, State, mean_square
from jaxbyz.training import Watch


def _gradients(problem: Problem, data: Tree, x: jax.Array) -> jax.Array:
    """Full gradients of the honest workers, [h, d]."""
    honest = jax.tree.map(lambda leaf: leaf[: problem.honest], data)
    return jax.vmap(lambda entry: problem.oracle(entry).full(x))(honest)


def watch_rosdhb(problem: Quadratics, parameters: Parameters, g_squared: float) -> Watch:
    """Terms of V and the sides of L2-L6 in every watched round of RoSDHB with full gradients.

    Round t goes from θ_{t-1} to θ_t = θ_{t-1} - γ R_t with momenta m^t; expectations are over the
    mask of round t+1, in closed form. Columns: "V", "V/loss" = 2(L_H(θ_{t-1}) - L_*),
    "V/deviation" = (A/L)‖δ_t‖², "V/drift" = (μγκ/ω)Υ_t, "E V next" = E[V_{t+1}|F_t];
    "L5 left", "L5 right" (‖ξ‖² ≤ κΥ), and "NAME left", "NAME right" of the claims L2<=, L3<=, L4,
    L6, L6'.

    Args:
        problem: quadratics.
        parameters: of the run and of the proof; x = γL and 1-β must be those of the algorithm.
        g_squared: G² for this B².

    Raises:
        RuntimeError: JAX is not in its 64-bit mode.
    """
    require_x64()
    curvature, basis = np.linalg.eigh(problem.matrices.mean(axis=0))
    claims = (
        lemmas.drift_bound(),
        lemmas.deviation_bound(),
        lemmas.descent(),
        lyapunov.first_form(),
        lyapunov.second_form(),
    )

    def watch(
        before: SimulationState, after: SimulationState, info: RoundInfo, data: Tree
    ) -> dict[str, jax.Array]:
        momenta = info.server.rows[: problem.honest]  # [h, d]
        mean = momenta.mean(axis=0)
        old = _gradients(problem, data, before.server.x).mean(axis=0)
        new = _gradients(problem, data, after.server.x)
        state = State(
            parameters,
            jnp.asarray(g_squared, float),
            jnp.asarray(curvature),
            old @ basis,
            (mean - old) @ basis,
            (momenta - mean) @ basis,
            (new - new.mean(axis=0)) @ basis,
            (info.server.aggregate - mean) @ basis,
        ).checked()
        _, x, fresh, _, kappa, _, s, _, weight = parameters
        step = x / parameters.smoothness
        offset = before.server.x - jnp.asarray(problem.optimum)
        terms = {
            "V/loss": offset @ old,  # 2(L_H - L_*) of a quadratic
            "V/deviation": weight / parameters.smoothness * (state.deviation**2).sum(),
            "V/drift": (1 + 1 / s) * step * kappa / fresh * mean_square(state.spread),
        }
        value = sum(terms.values(), jnp.zeros(()))
        columns = {"V": value, **terms, "E V next": value + step * lyapunov.expected_change(state)}
        columns["L5 left"] = (state.error**2).sum()
        columns["L5 right"] = kappa * mean_square(state.spread)
        for claim in claims:
            left, right = claim.sides(state)
            columns |= {f"{claim.name} left": left, f"{claim.name} right": right}
        return columns

    return watch


def watch_byz_dm21(
    problem: Problem, weights: Weights, step_size: float, *, recursive: bool
) -> Watch:
    """Terms of Ψ after every watched round of Byz-DM21 (`recursive`: of Byz-VR-DM21).

    Columns: "P", "Q", "R", "Qbar", "Rbar" of the lemmas at the new model and memories, "S" =
    ‖x⁺ - x‖², "D" = ‖∇f(x⁺)‖², "V" = mean ‖g_i - ḡ‖², and "Psi/errors" = γ(aP + bQ + cR + b'Q̄ +
    c'R̄), so that Ψ = f - f* + "Psi/errors".

    Raises:
        RuntimeError: JAX is not in its 64-bit mode.
    """
    require_x64()

    def watch(
        before: SimulationState, after: SimulationState, info: RoundInfo, data: Tree
    ) -> dict[str, jax.Array]:
        del info
        honest = jax.tree.map(lambda leaf: leaf[: problem.honest], after.workers)
        inner = honest.estimator.inner
        v = inner.estimate if recursive else inner.average  # [h, d]
        u, g = honest.estimator.average, honest.server_estimate
        # Workers have answered the model of the broadcast; the server has moved on since.
        gradients = _gradients(problem, data, before.server.x)
        squares = {
            "P": mean_square(g - u),
            "Q": mean_square(u - v),
            "R": mean_square(v - gradients),
            "Qbar": ((u - v).mean(axis=0) ** 2).sum(),
            "Rbar": ((v - gradients).mean(axis=0) ** 2).sum(),
        }
        return squares | {
            "S": ((after.server.x - before.server.x) ** 2).sum(),
            "D": (gradients.mean(axis=0) ** 2).sum(),
            "V": mean_square(g - g.mean(axis=0)),
            "Psi/errors": step_size * weights.potential(*squares.values()),
        }

    return watch


def watch_measured(problem: Problem) -> Watch:
    """What the a-posteriori form of RoSDHB's master theorem needs, for any problem.

    Columns: "gradient²" = ‖∇_t‖² at θ_{t-1}, "dissimilarity" = Δ_t there, "drift" = Υ_t,
    "deviation²" = ‖δ_t‖², "error²" = ‖ξ_t‖², "aggregate²" = ‖R_t‖² and "kappa" = ‖ξ_t‖²/Υ_t. A full
    gradient of every honest worker in every watched round.
    """

    def watch(
        before: SimulationState, after: SimulationState, info: RoundInfo, data: Tree
    ) -> dict[str, jax.Array]:
        del after
        momenta = info.server.rows[: problem.honest]
        mean = momenta.mean(axis=0)
        gradients = _gradients(problem, data, before.server.x)
        gradient = gradients.mean(axis=0)
        drift = mean_square(momenta - mean)
        error = ((info.server.aggregate - mean) ** 2).sum()
        return {
            "gradient²": (gradient**2).sum(),
            "dissimilarity": mean_square(gradients - gradient),
            "drift": drift,
            "deviation²": ((mean - gradient) ** 2).sum(),
            "error²": error,
            "aggregate²": (info.server.aggregate**2).sum(),
            "kappa": error / jnp.where(drift > 0, drift, 1.0),
        }

    return watch


def measured_bound(
    history: History, parameters: Parameters, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of the a-posteriori master theorem from a watched run, [S] each: a diagnostic.

        γ Σ ((1-N)‖∇_t‖² + r‖R_t‖²) ≤ 2(1+Aβ²) D0 + γμκ(1+ω(a-1)) ΣΔ_t,    N = (A/x)ω²(a-1)

    with the largest κ that was met. The theorem speaks of expectations, and this is one run; L is
    known for quadratics alone. So a left side above the right one says nothing about the theorem: L
    was too small, or the gradients were not full ones.

    Args:
        history: with the columns of `watch_measured`, of every round.
        parameters: of the run and of the proof; its κ and B² are not used.
        gap: D0 = L_H(θ_0) - L_*.

    Raises:
        ValueError: not every round was watched.
    """
    if (np.diff(history.rounds) != 1).any() or "dissimilarity" not in history.columns:
        raise ValueError(
            "history must have the columns of watch_measured after every round, got "
            f"{sorted(history.columns)} at rounds {history.rounds.tolist()}"
        )
    _, x, fresh, a, _, _, s, p, weight = (float(value) for value in parameters)
    step, beta = x / float(parameters.smoothness), 1 - fresh
    columns = {name: values[:, 1:] for name, values in history.columns.items()}  # no round 0
    kappa = columns["kappa"].max(axis=1)
    noise = weight / x * fresh**2 * (a - 1)
    rest = 1 - x - weight * beta**2 * (1 + 1 / p) * x
    left = (1 - noise) * columns["gradient²"] + rest * columns["aggregate²"]
    floor = (1 + 1 / s) * kappa * (1 + fresh * (a - 1)) * columns["dissimilarity"].sum(axis=1)
    return step * left.sum(axis=1), 2 * (1 + weight * beta**2) * gap + step * floor


def plot_terms(history: History, names: Sequence[str], *, ax: Any = None) -> Any:
    """Columns of a watched run above each other on a logarithmic scale; returns the axes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    for name in names:
        ax = history.plot(name, ax=ax, label=name)
    ax.set_yscale("log")
    ax.set_ylabel("")
    return ax
