"""RoSDHB: what the mask that all workers share is good for, beside independent masks.

On quadratics with equal Hessians I, behind the mean (κ = 0). Expectations over masks are exact
(`theory.rosdhb.run_moments`); runs of the shipped `rosdhb` and `rosdhb_local` stand beside them.

Homogeneous data (all c_i equal): momenta of honest workers agree under one mask, so that the drift
Υ = mean ‖m_i - m̄‖² is 0 for every k. Independent masks let them drift apart by a multiple of ‖∇‖²,
which a robust rule multiplies by κ. With the model held fixed (γ = 0), after t rounds,

    EΥ_t = (1-β)(a-1)(1-β^{2t})/(1+β) · (1-1/h) ‖∇‖²,       a = d/k.

Heterogeneous data: the noise of one mask is a multiple of ∇L_H, which vanishes at the optimum. That
of independent masks is one of every ∇L_i: E‖∇L_H‖² has a floor V, although κ = 0, with

    G²/V + 1 = h/((a-1) K(γ, β)),

where K is the stationary variance of the gradient under unit noise in the gradients (with Hessians
I the coordinates do not meet, and V = K (a-1)/h (G² + V)).

Chosen here: all sizes.

Claims. T: a shared mask has drift 0 on homogeneous data, exactly; T: independent masks have the
drift above; T: a shared mask has no floor on heterogeneous data; T: independent masks have the
floor above, for all k and h. T: runs agree with the exact expectations.

Under one mask with small k/d, ‖∇L_H‖² is a product of random factors with a heavy tail: with k/d =
0.1 and γL = 1 - β = 0.2, after 300 rounds, the standard deviation of one coordinate's square is
1200 times its mean, so that the mean of any affordable number of runs lies far below the
expectation. Runs with a shared mask are therefore compared after a tenth of the rounds, where that
ratio is about 2; at the end only their median is drawn, and nothing is claimed of it.

Source: derived for this library, `jaxbyz/theory/rosdhb`; the method: arXiv 2508.17129.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.theory import rosdhb
from jaxbyz.theory.byz_dm21 import rates
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

TITLE = "RoSDHB: one mask for all workers, or independent masks"
SECONDS = {"quick": "24 s (2 cores, shared)", "default": "44 s (2 cores)", "full": "as default"}
MASKS = {"shared": rosdhb.global_mask, "independent": rosdhb.local_masks}
METHODS = {"shared": "RoSDHB", "independent": "RoSDHB, local masks"}


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    dimension: int
    kept: tuple[int, ...]
    honest: tuple[int, ...]  # numbers of workers; runs have the first
    rounds: int
    drift_rounds: int
    seeds: int
    run_kept: tuple[int, ...]  # of the runs, the first of `kept`
    step: float = 0.2  # γ
    fresh: float = 0.2  # 1 - β


DEFAULT = Spec(10, (1, 2, 3, 5, 10), (4, 8, 12), 300, 40, 1000, (1, 2, 3, 5))
SPECS = {
    "quick": Spec(6, (1, 2, 3, 6), (4, 8), 200, 30, 200, (1, 2)),
    "default": DEFAULT,
    "full": DEFAULT,
}


def problem_of(spec: Spec, h: int, different: bool) -> jb.problems.quadratics.Quadratics:
    """Hessians I; centres at random, or all the same."""
    d = spec.dimension
    random = np.random.default_rng(0).normal(size=(h, d))
    centres = 1.0 + (random - random.mean(axis=0)) * different
    return jb.problems.quadratics_from_arrays(np.broadcast_to(np.eye(d), (h, d, d)), centres)


def expectations(spec: Spec, h: int, cases: list[tuple[str, int, bool, float]]) -> Any:
    """Exact expectations of every round from the origin, for (masks, k, different data, γ)."""
    d = spec.dimension
    laws = sorted({case[:2] for case in cases})
    masks = [MASKS[kind](d, k) for kind, k in laws]
    given = []
    for kind, k, different, step in cases:
        system, optimum = rosdhb.dynamics(
            problem_of(spec, h, different), np.full(h, 1 / h), step_size=step,
            one_minus_momentum=spec.fresh,
        )  # fmt: skip
        given.append((jnp.asarray(laws.index((kind, k))), system, -jnp.asarray(optimum)))

    def one(case: Any) -> Any:
        law, system, x = case
        mask = functools.partial(jax.lax.switch, law, masks)  # one program for all k
        return rosdhb.run_moments(system, x, mask, spec.rounds + 1)[1]  # of θ_0 … θ_T

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *given)
    return jax.jit(lambda cases: jax.lax.map(one, cases))(stacked)


def early(spec: Spec) -> int:
    """The round at which the mean over runs with a shared mask is compared."""
    return spec.rounds // 10


def runs(spec: Spec, kind: str, k: int) -> np.ndarray:
    """‖∇L_H‖² of the shipped method on heterogeneous data, after T/10 and T rounds, [2, seeds]."""
    options: dict[str, Any] = {"k": k}
    make: Any = jb.rosdhb
    if kind == "independent":
        options, make = {"compressor": jb.seeded_rand_k(k=k)}, jb.rosdhb_local
    algorithm = make(
        **options, one_minus_momentum=spec.fresh, optimizer=optax.sgd(spec.step),
        aggregator=jb.mean(),
    )  # fmt: skip
    history = jb.train(
        algorithm, problem_of(spec, spec.honest[0], True), rounds=spec.rounds, seeds=spec.seeds,
        evaluate_every=early(spec), evaluate=["gradient"], progress=False,
    )  # fmt: skip
    return np.asarray(history["gradient_norm"][:, [1, -1]].T, np.float64) ** 2


def results_of(spec: Spec, workspace: Workspace) -> dict[str, Any]:
    """Drifts, floors and runs; [k] or [h, k]."""
    made: dict[str, Any] = {}
    laws = [(kind, k) for kind in MASKS for k in spec.kept]
    m, count = len(spec.kept), len(laws)
    with jax.enable_x64(True):
        found = [
            expectations(
                spec, h,
                [(*law, False, 0.0) for law in laws] + [(*law, True, spec.step) for law in laws],
            )
            for h in spec.honest
        ]  # fmt: skip
    for i, kind in enumerate(MASKS):
        here = slice(i * m, (i + 1) * m)
        drift = np.asarray(found[0].drift / found[0].gradient)[:count, : spec.drift_rounds]
        made[f"{kind}/drift"] = drift[here]
        squares = np.stack([np.asarray(one.gradient)[count:] for one in found])  # [h, laws, T + 1]
        for name, t in (("early", early(spec)), ("half", spec.rounds // 2), ("floor", spec.rounds)):
            made[f"{kind}/{name}"] = squares[:, here, t]
        workspace.say(f"runs with {kind} masks")
        made[f"{kind}/runs"] = np.stack([runs(spec, kind, k) for k in spec.run_kept], axis=1)
    made["G²"] = np.array([problem_of(spec, h, True).g_squared(0.0) for h in spec.honest])
    # β-momentum of gradients is Byz-DM21 with β = 1 there: (∇, m) moves by the same recursion.
    transition, noise = rates.momentum_recursion(spec.step, spec.fresh, 1.0)
    pairs = np.eye(9) - np.kron(transition, transition)
    made["K"] = np.linalg.solve(pairs, np.outer(noise, noise).ravel())[0]
    return made


def run(spec: Spec, workspace: Workspace) -> Results:
    """All arrays."""
    return workspace.arrays("masks", lambda: results_of(spec, workspace), spec)


def floors(spec: Spec, results: Results) -> np.ndarray:
    """V of the formula, [h, k]."""
    a = spec.dimension / np.array(spec.kept)
    share = float(results["K"]) * (a - 1) / np.array(spec.honest)[:, None]
    return np.asarray(results["G²"][:, None] * share / (1 - share))


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the arrays."""
    a, h = spec.dimension / np.array(spec.kept), spec.honest[0]
    beta, t = 1 - spec.fresh, np.arange(1, spec.drift_rounds + 1)
    grown = spec.fresh * (1 - beta ** (2 * t)) / (1 + beta)
    drift = (a - 1)[:, None] * grown * (1 - 1 / h)
    checked = [
        # Rounding of moments of size 1 in 64 bits.
        findings.holds("homogeneous data: a shared mask has no drift, for every k",
                       1e-12 - np.abs(results["shared/drift"])),
        findings.holds("homogeneous data: independent masks drift in proportion to ‖∇‖², by the "
                       "formula", 1e-10 - np.abs(results["independent/drift"] - drift)),
        findings.holds("heterogeneous data: a shared mask has no floor behind the mean: E‖∇L_H‖² "
                       "is at the end less than half of that after half of the rounds",
                       (results["shared/half"] / 2 - results["shared/floor"])
                       / results["G²"][:, None], tolerance=1e-12),
        findings.holds("heterogeneous data: independent masks have the floor of the formula",
                       1e-6 - np.abs(results["independent/floor"] - floors(spec, results))),
    ]  # fmt: skip
    tried = [("shared", "early", 0), ("independent", "early", 0), ("independent", "floor", 1)]
    for kind, name, at in tried:
        found = results[f"{kind}/runs"][at]
        wanted = results[f"{kind}/{name}"][0][: len(spec.run_kept)]
        error = found.std(axis=1, ddof=1) / found.shape[1] ** 0.5
        checked.append(
            findings.holds(
                f"{kind} masks, {(early(spec), spec.rounds)[at]} rounds: runs agree with the "
                "expectation, within 5 standard errors (and 1e-6, the rounding of 32 bits)",
                5 * error + 1e-6 - np.abs(found.mean(axis=1) - wanted), f"{found.shape[1]} seeds",
            )
        )  # fmt: skip
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """Drift against rounds, floors against d/k - 1."""
    figure, axes = drawing.axes(1, 2, figsize=(10, 3.9))
    left, right = axes[0]
    rounds = np.arange(1, spec.drift_rounds + 1)
    for color, k, row in zip(
        drawing.shades(len(spec.kept)), spec.kept, results["independent/drift"], strict=True
    ):
        left.plot(
            rounds, row, ":", color=color, label=f"independent, k/d = {k / spec.dimension:.2g}"
        )
    left.plot(rounds, results["shared/drift"].max(axis=0), **drawing.style("RoSDHB"),
              label="shared, largest of all k/d")  # fmt: skip
    left.set(xlabel="rounds, model held fixed", ylabel="drift EΥ in units of ‖∇‖²",
             title="homogeneous data")  # fmt: skip
    left.set_ylim(top=1.6 * results["independent/drift"].max())
    x = spec.dimension / np.array(spec.kept) - 1
    for marker, h, exact, formula, size in zip(
        "os^D", spec.honest, results["independent/floor"], floors(spec, results), results["G²"],
        strict=False,
    ):  # fmt: skip
        right.plot(x, formula / size, **drawing.style(METHODS["independent"]))
        right.plot(x, exact / size, marker, markersize=4, color=drawing.BLUE, linestyle="none",
                   label=f"independent, h = {h}, {spec.rounds} rounds: exact (line: "
                         "formula)")  # fmt: skip
    for name, t, looks in (("early", early(spec), {"linestyle": "--"}), ("floor", spec.rounds, {})):
        right.plot(x, results[f"shared/{name}"][0] / results["G²"][0],
                   label=f"shared mask, {t} rounds, exact",
                   **drawing.style("RoSDHB") | looks)  # fmt: skip
    for kind, at, color in (("independent", 1, drawing.ORANGE), ("shared", 0, "k")):
        ratio = results[f"{kind}/runs"][at] / results["G²"][0]
        error = 2 * ratio.std(axis=1, ddof=1) / ratio.shape[1] ** 0.5
        right.errorbar(x[: len(ratio)], ratio.mean(axis=1), error, fmt="x", color=color, capsize=2,
                       label=f"{kind}, {(early(spec), spec.rounds)[at]} rounds: runs, mean "
                             "± 2 s.e.")  # fmt: skip
    medians = np.median(results["shared/runs"][1], axis=1) / results["G²"][0]
    right.plot(x[: len(medians)], medians, "k+", label=f"shared, {spec.rounds} rounds: median of "
               "runs\n(heavy tail: no mean of runs shows E)")  # fmt: skip
    right.set_ylim(top=2 * (results["shared/early"][0] / results["G²"][0]).max())
    right.set(xlabel="d/k - 1", ylabel="E‖∇L_H‖² in units of G²",
              title="heterogeneous data, κ = 0 (the mean)")  # fmt: skip
    for ax in axes[0]:
        ax.grid(visible=True, alpha=0.25)
        ax.title.set_fontsize(9)
        drawing.legend(ax)
    drawing.title(
        figure,
        f"{TITLE}; quadratics with equal Hessians, d = {spec.dimension}, γL = {spec.step:g}, "
        f"β = {1 - spec.fresh:g}; {spec.seeds} seeds of h = {spec.honest[0]} workers",
    )
    return figure
