"""Uplink bits of all methods on one problem: exact, and what they buy.

Every method of `paper_figs.race` on its logistic problem, with fewer workers, under ALIE, behind
nearest-neighbour mixing and the trimmed mean. With b = 32 bits a float, I = ⌈log₂ d⌉ and k kept
coordinates, one worker sends in a round

    robust D-SGD, D-SHB                                   d b
    RoSDHB (shared mask), methods with a seeded Rand-k    k b
    error feedback with Top-k                             k (b + I)
    Byz-VR-MARINA                                         d b if the common coin says so, else k b

and once d b before the first round where the server's estimates start densely.

Chosen here: the attack, the rule, and the grid of step sizes, from which each method's is chosen on
tuning seeds by the gradient norm.

Claims. T: the bits that are counted in a run are those of this table, in every round. T: they are
what `jaxbyz.describe` measures on the algorithm itself. T: they never fall.

Source: derived from the messages; RoSDHB: arXiv 2508.17129; Byz-DM21: arXiv 2603.15144.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np

import jaxbyz as jb
from paper_figs import race
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Methods, Workspace, history_of

TITLE = "Uplink bits of all methods"
SECONDS = {"quick": "45 s (estimated)", "default": "4 min (estimated)", "full": "as default"}
DENSE = ("robust D-SGD", "D-SHB")
TOP = ("EF14", "Byz-EF21", "Byz-EF21-SGDM", "Byz-DM21", "Byz-VR-DM21")
COIN = ("Byz-VR-MARINA", "Byz-VR-MARINA, no sync")
STARTS = (*TOP[1:], *COIN, "Byz-DASHA-PAGE")  # with a dense message before the first round


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    data: str
    rounds: int
    seeds: int
    steps: tuple[float, ...]
    methods: tuple[str, ...] = ()  # none: all
    described: tuple[str, ...] = ()  # none: all
    honest: int = 6
    byzantine: int = 3


SOME = ("RoSDHB", "Byz-DM21", "BR-DIANA", "Byz-VR-MARINA", "Byz-DASHA-PAGE")
SPECS = {
    "quick": Spec("breast_cancer", 100, 2, (0.1, 0.3, 1.0), described=SOME),
    "default": Spec("a9a", 300, 3, (0.03, 0.1, 0.3, 1.0, 3.0)),
    "full": Spec("a9a", 2000, 5, (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
}


def problem_of(spec: Spec, workspace: Workspace) -> jb.problems.Problem:
    """The problem of the race, with fewer workers: compiling is most of the time."""
    return jb.problems.logistic(
        workspace.binary(spec.data), honest=spec.honest, byzantine=spec.byzantine,
        regulariser=jb.problems.nonconvex(0.01), batch=race.BATCH,
    )  # fmt: skip


def methods_of(spec: Spec, samples: int) -> Methods:
    """All methods as functions of the step size."""
    rule = jb.trimmed_mean(f=spec.byzantine)
    made = race.methods(samples, spec.byzantine)

    def of(name: str) -> Any:
        return lambda step: made[name](step, rule)

    return {name: of(name) for name in (spec.methods or made)}


def run(spec: Spec, workspace: Workspace) -> Results:
    """Curves of all methods, and what `describe` says: (bits of a round, of the start)."""
    problem = problem_of(spec, workspace)
    methods = methods_of(spec, problem.samples)
    found = workspace.race(
        "methods", methods, problem, attacks=[jb.alie()], steps=spec.steps, rounds=spec.rounds,
        every=1, seeds=spec.seeds, tuning_seeds=1, measure="gradient_norm",
        evaluate=["gradient"], map_runs=None, progress=False,
    )  # fmt: skip
    results: dict[str, Any] = {
        name: history_of(found, name, found.attacks[0], problem) for name in methods
    }

    def described(name: str) -> dict[str, np.ndarray]:
        told = jb.describe(methods[name](0.1), problem.dimension)
        return {"bits": np.array([told.uplink_bits, told.start_bits])}

    for name in spec.described or methods:
        made = workspace.arrays(f"describe {name}", functools.partial(described, name), spec)
        results[f"{name}: described"] = made["bits"]
    return results


def table(name: str, d: int) -> tuple[list[float], float]:
    """What a message of this method may cost, and the start, from the table above."""
    k, floats = max(1, int(race.RATIO * d + 1e-9)), 32
    dense, some, top = d * floats, k * floats, k * (floats + math.ceil(math.log2(d)))
    start = float(dense if name in STARTS else 0)
    if name in DENSE:
        return [dense], start
    if name in TOP:
        return [top], start
    return ([some, dense] if name in COIN else [some]), start


def names_of(results: Results) -> list[str]:
    """The methods."""
    return [name for name in results if isinstance(results[name], jb.History)]


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    del spec
    away, described, steps = [], [], []
    for name in names_of(results):
        history = results[name]
        allowed, start = table(name, history.about["dimension"])
        bits = history["uplink_bits"]
        grown = np.diff(bits, axis=1)
        steps.append(grown.min())
        nearest = np.abs(grown[..., None] - np.array(allowed)).min(axis=-1)
        away += [nearest.max(), np.abs(bits[:, 0] - start).max()]
        if f"{name}: described" not in results:
            continue
        a_round, at_start = results[f"{name}: described"]
        described.append(at_start - start)
        if len(allowed) == 1:
            described.append(a_round - allowed[0])
        else:
            # An expectation over the coin: between the two, and met by the share of its faces.
            share = (grown == allowed[1]).mean()
            p = (a_round - allowed[0]) / (allowed[1] - allowed[0])
            tossed = np.abs(share - p) / (p * (1 - p) / grown.size) ** 0.5
            described.append(0.0 if tossed < 5 else tossed)  # five standard deviations
    return [
        findings.equal("bits of every round, and of the start, are those of the table", away, 0),
        findings.equal("bits are what describe measures on the algorithm", described, 0),
        findings.holds("cumulative bits grow in every round", np.array(steps) - 1),
    ]


def thinned(history: jb.History, width: int) -> jb.History:
    """One point for so many rounds after the start: the mean gradient norm, the other columns last.

    With batches the norm of a single round is mostly noise; fifteen such curves hide each other.
    """
    ends = np.arange(0, len(history.rounds), width)
    columns = {name: values[:, ends] for name, values in history.columns.items()}
    norms = history["gradient_norm"]
    means = [norms[:, max(end - width + 1, 0) : end + 1].mean(axis=1) for end in ends]
    columns["gradient_norm"] = np.stack(means, axis=1)
    return dataclasses.replace(history, rounds=history.rounds[ends], columns=columns)


def plot(spec: Spec, results: Results) -> Any:
    """Gradient norm against uplink bits and against rounds."""
    width = max(1, spec.rounds // 20)
    figure, axes = drawing.axes(1, 2, figsize=(10, 4.6), sharey=True)
    for ax, x, label in ((axes[0, 0], "uplink_bits", "uplink bits of one worker"),
                         (axes[0, 1], "round", "rounds")):  # fmt: skip
        for name in names_of(results):
            shown = thinned(results[name], width)
            drawing.curve(ax, shown, "gradient_norm", x, label=name, **drawing.style(name))
        ax.set(
            yscale="log",
            xlabel=label,
            ylabel=f"‖∇f‖ of the honest objective, mean of {width} rounds",
        )
    axes[0, 0].set_xscale("log", nonpositive="mask")
    axes[0, 1].set_ylabel("")
    drawing.legend_outside(figure, axes[0, 0], "right center", columns=1)
    d = results[names_of(results)[0]].about["dimension"]
    drawing.title(
        figure,
        f"{TITLE}; {spec.data}, d = {d}, k/d = {race.RATIO:g}, {spec.honest} honest and "
        f"{spec.byzantine} Byzantine workers, ALIE, NNM and trimmed mean; median and range of "
        f"{spec.seeds} seeds, best step size of each",
    )
    return figure
