"""How robust rules are: exact, published, least and found coefficients κ, rule by rule.

(f, κ)-robust: ‖F(x) - x̄_S‖² ≤ κ Var_S for all rows x_1 … x_n and all sets S of n-f of them. Exact
coefficients are proved here (trimmed mean, median); published bounds are those of Allouah et al.;
no rule has a κ below f/(n-2f). "Found" is the largest ratio of `jaxbyz.robustness`: for
coordinate-wise rules the maximum over all inputs by convex programs, for others what a search with
a fixed number of starts and steps finds, which is a lower bound of κ.

Chosen here: the rules, the pairs (n, f) and the size of the searches.

Claims. T: nothing found exceeds an exact or published coefficient. T: the trimmed mean has
f/(n-2f), and no exact or published coefficient is below that. T: the exact coefficients of the
trimmed mean and the median are attained.

Source: derived for this library (exact values); Allouah et al., AISTATS 2023 (published bounds).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import jaxbyz as jb
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

TITLE = "Robustness coefficients of rules: exact, published, least, found"
SECONDS = {"quick": "40 s (estimated)", "default": "4 min (one core, shared)", "full": "as default"}
RULES: dict[str, Callable[[int], Any]] = {
    "trimmed mean": jb.trimmed_mean,
    "trimmed mean, f + 1": lambda f: jb.trimmed_mean(f, trim=f + 1),
    "median": jb.coordinate_median,
    "MeaMed": jb.meamed,
    "Phocas": jb.phocas,
    "Krum": jb.krum,
    "Multi-Krum": jb.multi_krum,
    "geometric median": lambda f: jb.geometric_median(f=f),
    "MVA": jb.mva,
    "MDA": jb.mda,
    "NNM, trimmed mean": lambda f: jb.nnm(f, jb.trimmed_mean(f)),
    "NNM, Krum": lambda f: jb.nnm(f, jb.krum(f)),
}
COLUMNS = ("exact", "published", "least", "found", "computed")


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    rules: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]  # (n, f) of searched rules
    more: tuple[tuple[int, int], ...]  # further pairs, of the rules that convex programs solve
    starts: int
    steps: int


COORDINATES = ((5, 1), (7, 2), (8, 2), (10, 3), (11, 4), (20, 5))
QUICK = ("trimmed mean", "trimmed mean, f + 1", "median", "Krum", "NNM, trimmed mean")
DEFAULT = Spec(tuple(RULES), ((7, 2), (10, 3)), COORDINATES, 24, 150)
SPECS = {
    "quick": Spec(QUICK, ((7, 2),), COORDINATES, 16, 150),
    "default": DEFAULT,
    "full": DEFAULT,
}


def cases(spec: Spec) -> list[tuple[str, int, int]]:
    """(rule, n, f), those of convex programs for more pairs."""
    made = []
    for name in spec.rules:
        quick = name.startswith("trimmed") or name == "median"
        pairs = dict.fromkeys(spec.pairs + (spec.more if quick else ()))
        made += [(name, n, f) for n, f in pairs if n > 2 * f + 2 * ("f + 1" in name)]
    return made


def coefficients(name: str, n: int, f: int, spec: Spec) -> np.ndarray:
    """The numbers of one rule, in the order of `COLUMNS`; NaN where nothing is known."""
    worst = jb.robustness(RULES[name](f), n, f, starts=spec.starts, steps=spec.steps)
    known = worst.known
    missing = [np.nan if value is None else value for value in (known.exact, known.published)]
    return np.array([*missing, known.lower_bound, worst.ratio, float(worst.computed)])


def row(name: str, n: int, f: int, spec: Spec) -> dict[str, np.ndarray]:
    """The same as arrays by name."""
    return {"row": coefficients(name, n, f, spec)}


def run(spec: Spec, workspace: Workspace) -> Results:
    """A row of numbers for every rule and pair, in the order of `COLUMNS`."""
    return {
        f"{name}, n = {n}, f = {f}": workspace.arrays(
            f"{name}, {n}, {f}",
            functools.partial(row, name, n, f, spec),
            name, n, f, spec.starts, spec.steps,
        )["row"]
        for name, n, f in cases(spec)
    }  # fmt: skip


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the numbers."""
    table = np.stack([results[f"{name}, n = {n}, f = {f}"] for name, n, f in cases(spec)])
    exact, published, least, found, computed = table.T
    trimmed = np.array([name == "trimmed mean" for name, _, _ in cases(spec)])
    ratios = np.array([f / (n - 2 * f) for _, n, f in cases(spec)])
    bounded = np.isfinite(exact) & (computed == 1)
    bounds, values = np.stack([exact, published], axis=1), found[:, None]
    known = np.isfinite(bounds)
    # What convex programs and moved ties leave.
    margins = (bounds * (1 + 1e-6) - values)[known]
    return [
        findings.holds("nothing found exceeds an exact or published coefficient", margins),
        findings.equal(
            "the trimmed mean has f/(n-2f)", exact[trimmed], ratios[trimmed], 1e-12
        ),
        findings.equal("the least coefficient of any rule is f/(n-2f)", least, ratios, 1e-12),
        findings.holds(
            "no exact or published coefficient is below f/(n-2f)",
            (bounds / ratios[:, None] - 1)[known], tolerance=1e-12,
        ),
        findings.equal(
            "exact coefficients of coordinate-wise rules are attained", found[bounded],
            exact[bounded], 1e-6,
        ),
    ]  # fmt: skip


def plot(spec: Spec, results: Results) -> Any:
    """All numbers in units of f/(n-2f)."""
    names = list(results)
    table = np.stack([results[name] for name in names])
    exact, published, least, found, computed = table.T
    figure, axes = drawing.axes(1, 1, figsize=(8.5, 1.4 + 0.24 * len(names)))
    ax, places = axes[0, 0], np.arange(len(names))[::-1]
    ax.axvline(1, color="k", linewidth=0.8, label="least κ of any rule, f/(n-2f)")
    ax.plot(published / least, places, "|", color=drawing.VERMILION, markersize=9,
            markeredgewidth=2, label="known upper bound")  # fmt: skip
    ax.plot(exact / least, places, "o", color=drawing.BLUE, markersize=7, fillstyle="none",
            label="exact, proved")  # fmt: skip
    for which, marker, label in ((computed == 1, "x", "worst, by convex programs"),
                                 (computed == 0, "+", "worst that a search found")):  # fmt: skip
        ax.plot(found[which] / least[which], places[which], marker, color=drawing.ORANGE,
                linestyle="none", label=label)  # fmt: skip
    ax.set_yticks(places, names, fontsize=7)
    ax.set(xscale="log", xlabel="κ in units of f/(n-2f)")
    ax.grid(visible=True, alpha=0.25)
    drawing.legend(ax, loc="upper right")
    ax.set_xlim(right=4 * np.nanmax(table[:, 1] / least))
    drawing.title(figure, f"{TITLE}; searches: {spec.starts} starts, {spec.steps} steps")
    return figure
