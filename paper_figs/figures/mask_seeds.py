"""Masks of different seeds: sequences of seeds "seed + t" share masks, independent streams do not.

In the public code of RoSDHB the mask of round t comes from a generator that is seeded with
(run seed + t). Then two runs whose seeds differ by δ draw the same masks δ rounds apart: their
curves are not independent, and an interval over such seeds is too narrow. The same holds for any
generator; NumPy's is used here in place of PyTorch's. In this library every seed has a stream of
keys of its own, and the key of a round is folded from that.

Chosen here: the five run seeds of the public code, its number of rounds, and a smaller dimension
with the same k/d = 0.1, in which chance makes two masks equal with probability 1/C(d, k) < 1e-15.

Claims. T: with "seed + t", two runs of T rounds share max(0, T - δ) masks. T: runs of this library
share none. T: masks of two seeds of this library overlap, on average over all pairs of rounds, in
k/d of a mask, within 5 standard errors.

The overlap of two independent masks is hypergeometric: its mean is k²/d, its variance
k (k/d) (1-k/d) (d-k)/(d-1). Given one mask, the mean of its overlap with another one is still k²/d;
therefore the T² overlaps of two seeds are uncorrelated, though every mask is in T of them, and the
variance of their average is that variance divided by T². Five standard errors: chance exceeds them
with probability about 6e-7 for a pair (normal), about 6e-6 for any of ten.

Source: public code of arXiv 2508.17129 (how it draws masks and its run seeds); the rest is ours.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.seeds import streams
from jaxbyz.simulation import session
from jaxbyz.storage.programs import compiled_once
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.official.rosdhb import RUN_SEEDS

TITLE = "RoSDHB: masks shared between seeds"
SECONDS = {"quick": "4 s (2 cores, shared)", "default": "5 s (2 cores)", "full": "not measured"}
OURS, SHIFTED = "independent streams (this library)", "generator seeded with seed + t"


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    dimension: int
    kept: int
    rounds: int
    seeds: tuple[int, ...] = RUN_SEEDS


SPECS = {
    "quick": Spec(120, 12, 250),
    "default": Spec(1000, 100, 250),
    "full": Spec(11830, 1183, 250),
}


def masks_of_library(spec: Spec) -> np.ndarray:
    """Masks of runs of the shipped RoSDHB, [S, T, d] bool."""
    d = spec.dimension
    # With β = 0, momenta are zero off the mask; gradients of these two workers are nowhere zero.
    problem = jb.problems.quadratics_from_arrays(np.stack([np.eye(d)] * 2), -np.ones((2, d)))
    algorithm = jb.rosdhb(
        optimizer=optax.sgd(0.0), aggregator=jb.mean(), k=spec.kept, one_minus_momentum=1.0
    )
    run = session(algorithm, problem, record=lambda state, info: info.server.rows[0] != 0)
    records = lambda keys, data: run.run(keys, spec.rounds, data)[2]  # noqa: E731
    of_seed = compiled_once(records, lift=False)
    keys = streams(spec.seeds)
    found = [of_seed([key[i] for key in keys], run.simulation.data) for i in range(len(spec.seeds))]
    return np.asarray(jnp.stack(found))


def masks_of_shifted_seeds(spec: Spec) -> np.ndarray:
    """The first k entries of a random permutation, from a generator seeded with seed + t."""
    found = np.zeros((len(spec.seeds), spec.rounds, spec.dimension), bool)
    for i, seed in enumerate(spec.seeds):
        for t in range(spec.rounds):
            chosen = np.random.default_rng(seed + t).permutation(spec.dimension)[: spec.kept]
            found[i, t, chosen] = True
    return found


def results_of(spec: Spec) -> dict[str, np.ndarray]:
    """Masks as bits, of both kinds."""
    return {OURS: masks_of_library(spec), SHIFTED: masks_of_shifted_seeds(spec)}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All masks."""
    return workspace.arrays("masks", lambda: results_of(spec), spec)


def pairs(spec: Spec) -> list[tuple[int, int]]:
    """All pairs of two seeds, by their places."""
    return list(itertools.combinations(range(len(spec.seeds)), 2))


def shared(spec: Spec, masks: np.ndarray) -> np.ndarray:
    """How many masks two seeds have in common, [pairs]."""
    known = [{mask.tobytes() for mask in one} for one in masks]
    return np.array([len(known[i] & known[j]) for i, j in pairs(spec)])


def overlaps(spec: Spec, masks: np.ndarray) -> np.ndarray:
    """Coordinates that masks of two seeds have in common, a share of k, [pairs, T, T]."""
    numbers = masks.astype(np.float32)
    return np.stack([numbers[i] @ numbers[j].T for i, j in pairs(spec)]) / spec.kept


def standard_error(spec: Spec) -> float:
    """Of the average of T² overlaps of independent masks, as a share of a mask."""
    d, k = spec.dimension, spec.kept
    variance = k * (k / d) * (1 - k / d) * (d - k) / (d - 1)
    return float(variance**0.5 / k / spec.rounds)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the masks."""
    for name in (OURS, SHIFTED):
        kept = results[name].sum(axis=2)
        assert (kept == spec.kept).all(), f"{name}: a mask has not {spec.kept} coordinates"
    apart = np.array([abs(spec.seeds[i] - spec.seeds[j]) for i, j in pairs(spec)])
    ratio = spec.kept / spec.dimension
    mean = overlaps(spec, results[OURS]).mean(axis=(1, 2))
    return [
        findings.equal(
            'generators seeded with "seed + t": two seeds that differ by δ share T - δ masks',
            shared(spec, results[SHIFTED]), np.maximum(0, spec.rounds - apart),
        ),
        findings.equal(
            "this library: no two seeds share a mask", shared(spec, results[OURS]), 0
        ),
        findings.holds(
            "this library: masks of two seeds overlap as independent ones do, in k/d of a mask, "
            "within 5 standard errors",
            5 - np.abs(mean - ratio) / standard_error(spec),
            f"largest relative difference to k/d {np.abs(mean / ratio - 1).max():.2g}; margins in "
            "standard errors",
        ),
    ]  # fmt: skip


def plot(spec: Spec, results: Results) -> Any:
    """Overlap against how many rounds two masks are apart, the largest over pairs of seeds."""
    figure, axes = drawing.axes(1, 2, figsize=(9.5, 3.6))
    lags = np.arange(-spec.rounds + 1, spec.rounds)
    for name, color in ((SHIFTED, drawing.VERMILION), (OURS, drawing.BLUE)):
        shares = overlaps(spec, results[name])
        by_lag = np.array([[np.diagonal(pair, lag).mean() for lag in lags] for pair in shares])
        axes[0, 0].plot(lags, by_lag.max(axis=0), color=color, label=name, linewidth=1)
    axes[0, 0].axhline(spec.kept / spec.dimension, color="k", linestyle=":", label="k/d")
    axes[0, 0].set(
        xlabel="rounds between the two masks", ylabel="overlap (share of a mask), largest pair",
        ylim=(0, 1.35),
    )  # fmt: skip
    axes[0, 0].grid(visible=True, alpha=0.25)
    drawing.legend(axes[0, 0], loc="upper left")
    names = [f"{spec.seeds[i]}, {spec.seeds[j]}" for i, j in pairs(spec)]
    places = np.arange(len(names))
    for shift, name, color in ((-0.2, SHIFTED, drawing.VERMILION), (0.2, OURS, drawing.BLUE)):
        axes[0, 1].bar(places + shift, shared(spec, results[name]), 0.4, color=color, label=name)
    axes[0, 1].set_xticks(places, names, rotation=60, fontsize=7)
    axes[0, 1].set(xlabel="pair of run seeds", ylabel=f"masks in common, of {spec.rounds}")
    axes[0, 1].set_ylim(0, 1.3 * spec.rounds)
    drawing.legend(axes[0, 1], loc="upper left")
    drawing.title(
        figure, f"{TITLE}; d = {spec.dimension}, k = {spec.kept}, {spec.rounds} rounds, run seeds "
        "of the public code"
    )  # fmt: skip
    return figure
