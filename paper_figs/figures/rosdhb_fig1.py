"""Figure 1 of RoSDHB (arXiv 2508.17129): convergence for varying f and k/d.

What is known of the published figure is its caption. Chosen here: test accuracy against rounds
and against uplink bits, for RoSDHB and Byz-DASHA-PAGE under FOE with the strength searched each
round; 10 honest workers, f beside them, coordinate-wise trimmed mean, Dirichlet(5) division, full
local gradients, β = 0.9 (the values of the authors' code). Byz-DASHA-PAGE has full gradients every
round (p = 1) and its dense start is charged. Each method's step size is the one of `GRID` whose
worst seed has the least final training loss at f = 3, k/d = 0.1 (`--tune` recomputes it); the
plotted metric, test accuracy, has no part in it.

Quick: digits, about two minutes on 2 cores. Paper scale: any folder in MNIST format.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optax

import jaxbyz as jb
from paper_figs.records import Finding, digest, found

GRID = (0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024)


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    data: str
    byzantine: tuple[int, ...]
    ratios: tuple[float, ...]
    rounds: int
    seeds: tuple[int, ...]
    evaluate_every: int
    step_rosdhb: float
    step_dasha: float
    honest: int = 10
    alpha: float = 5.0
    momentum: float = 0.9
    checkpoints: bool = True  # runs that take seconds are simply made again


QUICK = Spec(
    data="digits",
    byzantine=(1, 3),
    ratios=(0.1, 1.0),
    rounds=250,
    seeds=(0, 1, 2, 3, 4),
    evaluate_every=10,
    step_rosdhb=0.512,
    step_dasha=0.064,
    checkpoints=False,
)
SPEC = Spec(
    data="mnist",
    byzantine=(1, 3, 5),
    ratios=(0.05, 0.1, 0.3, 0.5, 1.0),
    rounds=250,
    seeds=(0, 1, 2, 3, 4),
    evaluate_every=5,
    step_rosdhb=0.128,
    step_dasha=0.008,
)


def one(spec: Spec) -> Spec:
    """The reference configuration alone: f = 3, k/d = 0.1, the first seed."""
    return dataclasses.replace(spec, byzantine=(3,), ratios=(0.1,), seeds=spec.seeds[:1])


def algorithm(spec: Spec, name: str, f: int, ratio: float, step: float) -> jb.core.Algorithm:
    """One of the two methods of the figure."""
    common: dict[str, Any] = {
        "optimizer": optax.sgd(step),
        "aggregator": jb.trimmed_mean(f=f),
    }
    if name == "RoSDHB":
        return jb.rosdhb(ratio=ratio, momentum=spec.momentum, **common)
    return jb.byz_dasha_page(compressor=jb.seeded_rand_k(ratio=ratio), probability=1.0, **common)


def problem(spec: Spec, f: int, root: str | None) -> jb.problems.Problem:
    """The data, divided over the honest workers."""
    return jb.problems.classification(
        jb.data.load(spec.data, root), honest=spec.honest, byzantine=f, alpha=spec.alpha
    )


def one_run(
    spec: Spec, name: str, f: int, ratio: float, step: float, root: str | None, folder: Path
) -> jb.History:
    """One curve; found on disk if it was made before, continued if it was begun."""
    key = digest([spec.data, spec.honest, spec.alpha, spec.momentum, spec.rounds, spec.seeds,
                  spec.evaluate_every, name, f, ratio, step])  # fmt: skip
    stored = folder / "runs" / f"{key}.npz"
    if (known := found(stored)) is not None:
        return known
    history = jb.train(
        algorithm(spec, name, f, ratio, step),
        problem(spec, f, root),
        attack=jb.ipm_search(),
        rounds=spec.rounds,
        seeds=spec.seeds,
        evaluate_every=spec.evaluate_every,
        evaluate=("train", "test"),
        map_workers=jb.one_by_one,  # batched, both sides of PAGE's coin would be computed
        map_seeds=jb.one_by_one,
        checkpoint=folder / "checkpoints" / key if spec.checkpoints else None,
    )
    history.save(stored)
    return history


def label(name: str, f: int, ratio: float) -> str:
    """How a run is called in files and legends."""
    return f"{name}, f = {f}, k/d = {ratio:g}"


def run(
    spec: Spec, folder: Path, root: str | None = None, say: Callable[[str], None] = lambda _: None
) -> dict[str, jb.History]:
    """All curves of the figure."""
    results = {}
    for f in spec.byzantine:
        for ratio in spec.ratios:
            for name, step in (("RoSDHB", spec.step_rosdhb), ("Byz-DASHA-PAGE", spec.step_dasha)):
                say(label(name, f, ratio))
                results[label(name, f, ratio)] = one_run(spec, name, f, ratio, step, root, folder)
    return results


def tune(
    spec: Spec, folder: Path, root: str | None = None, say: Callable[[str], None] = lambda _: None
) -> dict[str, dict[float, float]]:
    """Final training loss (worst seed) of each method for every step of the grid."""
    losses: dict[str, dict[float, float]] = {}
    for name in ("RoSDHB", "Byz-DASHA-PAGE"):
        losses[name] = {}
        for step in GRID:
            say(f"{name}, step {step:g}")
            try:
                history = one_run(spec, name, 3, 0.1, step, root, folder)
            except jb.RunDiverged:
                losses[name][step] = float("inf")
            else:
                losses[name][step] = float(history["loss"][:, -1].max())
    return losses


def check(spec: Spec, results: dict[str, jb.History]) -> list[Finding]:
    """The claims of the figure held against the curves."""
    findings = []
    exact = True
    for f in spec.byzantine:
        for ratio in spec.ratios:
            history = results[label("RoSDHB", f, ratio)]
            d = history.about["dimension"]
            k = max(1, int(ratio * d + 1e-9))
            exact &= bool((history["uplink_bits"] == 32 * k * history.rounds).all())
            start = results[label("Byz-DASHA-PAGE", f, ratio)]["uplink_bits"]
            exact &= bool((start == 32 * (d + k * history.rounds)).all())
    findings.append(
        Finding(
            "uplink bits are 32 k per round, and 32 d more once for Byz-DASHA-PAGE",
            "T",
            "reproduced" if exact else "not reproduced",
            "exact" if exact else "differ",
        )
    )
    dense = max(spec.ratios)
    for f in spec.byzantine:
        reference = results[label("RoSDHB", f, dense)]["test_accuracy"][:, -1]
        for ratio in spec.ratios:
            if ratio == dense:
                continue
            accuracy = results[label("RoSDHB", f, ratio)]["test_accuracy"][:, -1]
            loss = reference - accuracy  # [S], the same seeds
            if np.max(loss) <= 0.02:
                verdict = "reproduced"
            else:
                verdict = "not reproduced" if np.min(loss) > 0.02 else "inconclusive"
            findings.append(
                Finding(
                    f"RoSDHB, f = {f}: k/d = {ratio:g} ends within 2 points of k/d = {dense:g}",
                    "E",
                    verdict,
                    f"loss of accuracy {loss.min():.3f} … {loss.max():.3f} over seeds",
                )
            )
    return findings


def plot(spec: Spec, results: dict[str, jb.History], path: Path) -> None:
    """Test accuracy against rounds (above) and uplink bits (below), one column per f."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        2, len(spec.byzantine), figsize=(5 * len(spec.byzantine), 7.5), squeeze=False, sharey=True
    )
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(spec.ratios)))
    styles = {"RoSDHB": "-", "Byz-DASHA-PAGE": "--"}
    for column, f in enumerate(spec.byzantine):
        for color, ratio in zip(colors, spec.ratios, strict=True):
            for name, style in styles.items():
                history = results[label(name, f, ratio)]
                for row, x in enumerate(("round", "uplink_bits")):
                    ax = history.plot(
                        "test_accuracy", x, ax=axes[row, column], label=f"{name}, k/d = {ratio:g}"
                    )
                    ax.lines[-1].set(color=color, linestyle=style)
                    if ax.collections:
                        ax.collections[-1].set_facecolor(color)
        axes[0, column].set_title(f"{spec.data}, f = {f} of n = {spec.honest + f}, FOE searched")
        axes[1, column].set_xscale("log", nonpositive="mask")
        axes[1, column].get_legend().remove()
        axes[0, column].legend(fontsize=7, loc="lower right")
    figure.suptitle(
        f"median and range over {len(spec.seeds)} seeds; steps γ = {spec.step_rosdhb:g} (RoSDHB), "
        f"{spec.step_dasha:g} (Byz-DASHA-PAGE)",
        fontsize=9,
    )
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
