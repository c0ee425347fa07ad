"""RoSDHB on the plane of step size and momentum: where it is certified, and where it is stable.

A problem of quadratics with different Hessians and a linear rule of known κ. The expectations over
masks are exact (`theory.rosdhb.moments`): no run and no sampling. For every (γ, β) the best bound
that the master theorem gives for any of its free parameters (`theory.rosdhb.certify`) stands beside
E‖∇L_H‖² itself, averaged over T rounds. "Stable" means that E‖∇L_H‖² of the problem without offsets
(so that nothing but 0 is a fixed point) is smaller after T rounds than at the start.

Chosen here: d, k and h so small that 2^m rounds are m squarings of one matrix; κB² is below 1/7.

Claims. T: wherever the theorem certifies, the averaged E‖∇L_H‖² is at most its bound. T: the
certified region lies inside the stable region. T: the settings of Theorems A (c = 48) and B are
certified.

Source: derived for this library (`jaxbyz/theory/rosdhb`); hypotheses of Theorem A as in Theorem 1
of arXiv 2508.17129, whose right side is not public.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb
from jaxbyz.theory import rosdhb
from jaxbyz.theory.rosdhb.moments import Dynamics
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

TITLE = "RoSDHB: step size and momentum, certified and stable"
SECONDS = {"quick": "9 s (2 cores, shared)", "default": "60 s (2 cores)", "full": "as default"}
NONE, STABLE, CERTIFIED = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    dimension: int
    kept: int
    honest: int
    points: int  # of each side of the grid
    doublings: int  # 2^doublings rounds
    kappa_b_squared: float = 0.1
    hessian_spread: float = 0.1
    least_step: float = 1e-3  # γL
    largest_step: float = 10.0
    least_fresh: float = 1e-3  # 1 - β


DEFAULT = Spec(4, 1, 2, 61, 16)
SPECS = {
    "quick": Spec(2, 1, 2, 31, 14),
    "default": DEFAULT,
    "full": DEFAULT,
}


def problem_of(spec: Spec) -> tuple[jb.problems.quadratics.Quadratics, float]:
    """The problem, and B²: twice the least that allows a finite G."""
    problem = jb.problems.quadratics(
        honest=spec.honest, dimension=spec.dimension, strong_convexity=0.3,
        hessian_spread=spec.hessian_spread, seed=1,
    )  # fmt: skip
    return problem, 2 * problem.least_b_squared


def averages(
    spec: Spec, system: Dynamics, begin: Any, steps: np.ndarray, fresh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """E‖∇L_H‖² averaged over T rounds, and after them, [m] each."""
    mask = rosdhb.global_mask(spec.dimension, spec.kept)
    h = spec.honest
    curvature = system.matrices.mean(axis=0)

    def one(pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        given = system._replace(step_size=pair[0], fresh=pair[1])
        last, average = rosdhb.long_run(given, begin, mask, spec.doublings, h)
        # In these coordinates ∇L_H(θ) = Āθ.
        return average.gradient, (curvature @ last.xx * curvature).sum()

    both = jax.jit(lambda pairs: jax.lax.map(one, pairs, batch_size=64))
    found = both((jnp.asarray(steps), jnp.asarray(fresh)))
    return np.asarray(found[0]), np.asarray(found[1])


def results_of(spec: Spec) -> dict[str, Any]:
    """The grid, bounds and expectations."""
    problem, b_squared = problem_of(spec)
    kappa, g_squared = spec.kappa_b_squared / b_squared, problem.g_squared(b_squared)
    ratio, smoothness = spec.kept / spec.dimension, problem.smoothness
    x = np.geomspace(spec.least_step, spec.largest_step, spec.points)
    fresh = np.geomspace(spec.least_fresh, 1.0, spec.points)
    settings = {
        name: make(smoothness, ratio, kappa=kappa, b_squared=b_squared, g_squared=g_squared)
        for name, make in (
            ("Theorem A", lambda *a, **k: rosdhb.theorem_a(*a, c=48, **k)),
            ("Theorem B", rosdhb.theorem_b),
        )
    }
    named = [(s.step_size * smoothness, s.one_minus_momentum) for s in settings.values()]
    grid = np.stack([part.ravel() for part in np.meshgrid(x, fresh, indexing="ij")], axis=1)
    grid = np.concatenate([grid, named])
    with jax.enable_x64(True):
        weights = rosdhb.tilted_weights(np.arange(spec.honest, dtype=float), kappa)
        system, _ = rosdhb.dynamics(
            problem, weights, step_size=1.0, one_minus_momentum=1.0
        )  # fmt: skip
        begin = np.ones(spec.dimension)
        steps, given = grid[:, 0] / smoothness, grid[:, 1]
        averaged, _ = averages(spec, system, begin, steps, given)
        centred = system._replace(vectors=jnp.zeros_like(system.vectors))
        _, last = averages(spec, centred, begin, steps, given)
    curvature = problem.matrices.mean(axis=0)
    gap, first = begin @ curvature @ begin / 2, float((curvature @ begin) @ (curvature @ begin))
    bounds = np.full(len(grid), np.inf)
    for i, (at, weight) in enumerate(grid):
        found = rosdhb.certify(
            step_size=at / smoothness, smoothness=smoothness, ratio=ratio,
            kappa_b_squared=spec.kappa_b_squared, one_minus_momentum=weight,
        )  # fmt: skip
        if found is not None:
            rounds = 2**spec.doublings
            bounds[i] = min(
                ends.at(at / smoothness, rounds, gap, kappa * g_squared) for ends in found
            )
    return {
        "step": grid[:, 0], "fresh": grid[:, 1], "average": averaged, "last": last / first,
        "bound": bounds, "kappa G²": kappa * g_squared,
    }  # fmt: skip


def run(spec: Spec, workspace: Workspace) -> Results:
    """Bounds and expectations on the grid; the last two points are Theorems A and B."""
    return workspace.arrays("plane", lambda: results_of(spec), spec)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the arrays."""
    del spec
    certified = np.isfinite(results["bound"])
    stable = results["last"] < 1  # NaN and Inf are not
    share = f"{certified.sum()} of {len(certified)} points certified, {stable.sum()} stable"
    return [
        findings.holds(
            "the averaged E‖∇L_H‖² is at most the bound, wherever there is one",
            1 - results["average"][certified] / results["bound"][certified], share,
        ),
        findings.holds(
            "the certified region lies inside the stable region",
            np.where(stable[certified], 1.0, -1.0), share,
        ),
        findings.holds(
            "the settings of Theorems A (c = 48) and B are certified",
            np.where(certified[-2:], 1.0, -1.0),
        ),
    ]  # fmt: skip


def plot(spec: Spec, results: Results) -> Any:
    """Regions, and how far the bound lies above the expectation."""
    figure, axes = drawing.axes(1, 2, figsize=(10, 3.9))
    side, plane = spec.points, {key: np.asarray(value) for key, value in results.items()}
    x, fresh, bound, average, last = (
        plane[key][: side**2].reshape(side, side)
        for key in ("step", "fresh", "bound", "average", "last")
    )
    region = np.where(np.isfinite(bound), CERTIFIED, np.where(last < 1, STABLE, NONE))
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colors = ["#DDDDDD", drawing.SKY, drawing.BLUE]
    ax = axes[0, 0]
    ax.pcolormesh(x, fresh, region, cmap=ListedColormap(colors), vmin=0, vmax=2)
    floor = float(plane["kappa G²"])
    for name, marker, at in (("Theorem A, c = 48", "s", -2), ("Theorem B", "D", -1)):
        ax.plot(
            plane["step"][at], plane["fresh"][at], marker, color=drawing.ORANGE,
            markeredgecolor="k", linestyle="none", label=name,
        )  # fmt: skip
    handles = [
        Patch(color=color, label=label)
        for color, label in zip(colors, ("not stable", "stable", "certified"), strict=True)
    ]
    # In the empty part of the other panel, where it hides nothing.
    handles += ax.get_legend_handles_labels()[0]
    axes[0, 1].legend(handles=handles, fontsize=7, loc="lower right", title="on the left")
    ax.set_title("certified and stable", fontsize=9)
    ax = axes[0, 1]
    shown = np.where(np.isfinite(bound), bound / average, np.nan)
    mesh = ax.pcolormesh(x, fresh, np.log10(shown), cmap="viridis", vmin=0)
    figure.colorbar(mesh, ax=ax, label="log10 of bound / averaged E‖∇L_H‖²")
    ax.set_title("how far the bound lies above", fontsize=9)
    for ax in axes[0]:
        ax.set(
            xscale="log", yscale="log", xlabel="step size γ times smoothness L",
            ylabel="1 - β (weight of new gradients)",
        )  # fmt: skip
    drawing.title(
        figure,
        f"{TITLE}; quadratics, d = {spec.dimension}, k = {spec.kept}, {spec.honest} honest "
        f"workers, κB² = {spec.kappa_b_squared:g}, κG² = {floor:.3g}, "
        f"{2**spec.doublings} rounds, exact expectations",
    )
    return figure
