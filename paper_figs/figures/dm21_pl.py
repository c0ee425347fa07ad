"""Byz-DM21 and Byz-VR-DM21 where f is strongly convex (hence PL): a linear rate, to a floor.

Three settings, with η and the step size for which Theorems 3 and 4 of `jaxbyz.theory.byz_dm21`
hold. These were derived for this library; the paper's own are not public in full. They say

    E f(x^T) - f* ≤ (1-γμ)^T Ψ₀ + [½ (1+θ)² κ ζ² + N]/μ.

Left: ridge logistic regression whose workers all hold the same data (ζ = 0), with full gradients (N
= 0): no floor. Middle: the worst population of the trimmed mean, quadratics with μ = L = 1 and full
gradients, under the attack that attains κ: the floor is ½ κ ζ²/μ. Right: as left, with sampled
gradients: a floor of noise, N/μ. The bound of the right panel is far from what is seen. Trimmed
mean; its κ = f/(n-2f) is exact.

Claims. T: without noise no evaluation is above its bound, and on the worst population the last
value is ½ κ ζ²/μ. E: with noise, the mean over seeds is below the bound at the last evaluation
(theorem of an expectation); the distance to f* of the noisy runs stays where it is: means over the
last quarter of the rounds and the quarter before are within a factor 2.

Source: arXiv 2603.15144, whose abstract claims the rate under the Polyak-Łojasiewicz condition;
bounds derived here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.theory.byz_dm21 import Setting, setting, theorem_3, theorem_4, worst_population
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import logistic
from paper_figs.setups.logistic import FLOAT32

TITLE = "Byz-DM21 under the Polyak-Łojasiewicz condition: a linear rate to the floor"
SECONDS = {
    "quick": "25 to 40 s of CPU time",
    "default": "about 5 min (one core)",
    "full": "not measured",
}

DM21, VR = "Byz-DM21", "Byz-VR-DM21"
THEOREMS = {DM21: theorem_3, VR: theorem_4}
MAKERS = {DM21: jb.byz_dm21, VR: jb.byz_vr_dm21}
SAME, WORST, NOISY = "same data", "worst population", "sampled"


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    data: str
    samples: int | None
    weight: float  # λ, which is μ
    rounds: Mapping[str, int]  # of every setting
    batch: int
    seeds: int  # of the runs with noise
    n: int = 7
    byzantine: int = 2
    ratio: float = 0.3
    eta: float = 0.5
    theta: float = 0.3  # on the worst population
    dimension: int = 10  # there
    start: float = -10.0  # every coordinate of x⁰ there, beyond the limit -1
    evaluations: int = 25
    methods: tuple[str, ...] = (DM21, VR)


SPECS = {
    "quick": Spec(
        "breast_cancer", None, 0.1, {SAME: 1500, WORST: 1500, NOISY: 1500}, batch=8, seeds=3
    ),
    "default": Spec("a9a", 4000, 0.01, {SAME: 8000, WORST: 1500, NOISY: 20_000}, batch=32, seeds=5),
    "full": Spec("a9a", None, 0.01, {SAME: 20_000, WORST: 1500, NOISY: 40_000}, batch=32, seeds=5),
}


def label(method: str, where: str) -> str:
    """The name of a run."""
    return f"{method}, {where}"


def problem_of(spec: Spec, where: str, workspace: Workspace) -> Any:
    """One of the three problems."""
    if where == WORST:
        made = worst_population(spec.n, spec.byzantine, spec.dimension)
        return dataclasses.replace(made, init=lambda key: jnp.full(spec.dimension, spec.start))
    rows = logistic.rows_of(workspace, spec.data, spec.samples)
    honest, count = spec.n - spec.byzantine, len(rows.labels)
    return jb.problems.logistic(
        rows, honest=honest, byzantine=spec.byzantine, regulariser=jb.problems.ridge(spec.weight),
        partition=np.broadcast_to(np.arange(count), (honest, count)),
        batch=spec.batch if where == NOISY else None,
    )  # fmt: skip


def constants(spec: Spec, where: str, problem: Any) -> tuple[Setting, float]:
    """The constants of the theorem's hypotheses, and μ."""
    rule, compressor = jb.trimmed_mean(f=spec.byzantine), jb.top_k(ratio=spec.ratio)
    if where == WORST:
        return setting(problem, rule, compressor), 1.0
    assert compressor.alpha is not None
    known = jb.aggregators.kappa(rule, spec.n, spec.byzantine)
    return Setting(
        alpha=compressor.alpha(problem.dimension), kappa=known.exact, honest=problem.honest,
        smoothness=problem.smoothness, mean_square_smoothness=problem.mean_square_smoothness,
        sample_smoothness=problem.sample_smoothness, noise_variance=problem.noise_variance,
    ), spec.weight  # fmt: skip


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves and their bounds."""
    results: dict[str, Any] = {}
    for where, rounds in spec.rounds.items():
        problem = problem_of(spec, where, workspace)
        point, mu = constants(spec, where, problem)
        options = {"theta": spec.theta} if where == WORST else {}
        promises = {
            name: THEOREMS[name](point, mu=mu, eta=spec.eta, **options) for name in spec.methods
        }
        methods = {name: _method(spec, name) for name in spec.methods}
        attack = jb.attacks.tight_trimmed_mean() if where == WORST else jb.alie()
        every = max(1, rounds // spec.evaluations)
        found = workspace.runs(
            where, methods, problem, attacks=[attack],
            steps={name: promise.step_size for name, promise in promises.items()},
            rounds=every * spec.evaluations, every=every,
            evaluate=["loss" if where == WORST else "train"],
            seeds=spec.seeds if where == NOISY else 1, progress=False,
        )  # fmt: skip
        minimum = 0.0 if where == WORST else problem.minimum
        for (name, _), history in found.items():
            curve = logistic.with_gap(history, minimum)
            gap = float(curve["gap"][0, 0])
            promise = promises[name]
            # At the start there is no promise.
            bounds = [np.nan, *(promise.bound(int(t), gap) for t in curve.rounds[1:])]
            results[label(name, where)] = curve
            results[f"bound/{label(name, where)}"] = np.array(bounds)
        results[f"floor/{where}"] = np.array(point.kappa * point.heterogeneity / 2 / mu)
    return results


def _method(spec: Spec, name: str) -> Any:
    return lambda step: MAKERS[name](
        optimizer=optax.sgd(step), eta=spec.eta, compressor=jb.top_k(ratio=spec.ratio),
        aggregator=jb.trimmed_mean(f=spec.byzantine),
    )  # fmt: skip


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    checked = []
    for name in spec.methods:
        for where in (SAME, WORST):
            gap, bound = results[label(name, where)]["gap"], results[f"bound/{label(name, where)}"]
            # Rounding in 32 bits is relative where f - f* itself is evaluated; a loss has an error.
            allowed = bound + FLOAT32 if where == SAME else bound * (1 + 1e-5)
            checked.append(
                findings.holds(
                    f"{label(name, where)}: no evaluation after the start is above the bound of "
                    "the theorem",
                    (allowed - gap)[:, 1:],
                )
            )  # fmt: skip
        floor = results[f"floor/{WORST}"]
        checked.append(
            # What is left of the start by then, (1-γμ)^T, and float32.
            findings.equal(
                f"{label(name, WORST)}: the last value is κ ζ²/(2 μ)",
                results[label(name, WORST)]["gap"][:, -1], floor, rtol=1e-3,
            )
        )  # fmt: skip
        noisy, bound = results[label(name, NOISY)]["gap"], results[f"bound/{label(name, NOISY)}"]
        half, quarter = noisy.shape[1] // 2, noisy.shape[1] * 3 // 4
        checked += [
            findings.at_most(
                f"{label(name, NOISY)}: the mean over seeds is below the bound at the end",
                noisy[:, -1], float(bound[-1]), "f - f*",
            ),
            findings.at_most(
                f"{label(name, NOISY)}: the last quarter of the rounds is within a factor 2 of "
                "the quarter before",
                np.abs(np.log2(_mean(noisy[:, half:quarter]) / _mean(noisy[:, quarter:]))),
                1.0, "|log2 of the factor|",
            ),
        ]  # fmt: skip
    return checked


def _mean(gaps: np.ndarray) -> np.ndarray:
    """Mean excess loss over evaluations, [S]."""
    return np.maximum(gaps, FLOAT32).mean(axis=1)


def plot(spec: Spec, results: Results) -> Any:
    """f - f* against rounds, one panel a setting, with the bounds."""
    figure, axes = drawing.axes(1, len(spec.rounds), figsize=(11, 3.8))
    for ax, where in zip(axes[0], spec.rounds, strict=True):
        for name in spec.methods:
            history, looks = results[label(name, where)], drawing.style(name)
            drawing.curve(ax, history, "gap", label=f"{name}, γ = {history.about['step']:.3g}",
                          **looks)  # fmt: skip
            ax.plot(history.rounds, results[f"bound/{label(name, where)}"], linewidth=0.8,
                    color="0.4", linestyle=looks["linestyle"], label=f"bound, {name}")  # fmt: skip
        floor = float(results[f"floor/{where}"])
        if floor > 0:
            ax.axhline(floor, color=drawing.VERMILION, linewidth=0.8, label="floor κζ²/(2μ)")
        if where == SAME:
            ax.set_ylim(bottom=FLOAT32 / 5)
        if where != WORST:
            ax.axhline(FLOAT32, color="0.75", linewidth=0.8, label="what float32 can tell")
        ax.set_yscale("log", nonpositive="mask")
        ax.set_xlabel("round")
        ax.set_ylabel("f(x) − f*")
        titles = {
            SAME: "the same data everywhere, full gradients, ALIE",
            WORST: "worst population, its attack",
            NOISY: f"the same data, batch {spec.batch}, ALIE",
        }
        ax.set_title(titles[where], fontsize=8)
        drawing.legend(ax, fontsize=6)
    drawing.title(
        figure,
        f"{logistic.shown(spec.data, spec.samples)} with μ = {spec.weight:g}; n = {spec.n}, "
        f"f = {spec.byzantine}, k/d = {spec.ratio:g}, η = β = {spec.eta:g}; {spec.seeds} seeds "
        "where there is noise, median and range",
    )
    return figure
