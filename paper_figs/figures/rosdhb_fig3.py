"""Figure 3 of RoSDHB (arXiv 2508.17129): convergence time and communication against k/d.

Known of the published figure: convergence time and communication cost against k/d, for f ∈ {1, 3}.
Unknown: the threshold that defines the time, the list of k/d, division of the data. Chosen here:
rounds and uplink bits to the test accuracy of `SPECS`, under FOE, in the setting of
`paper_figs.setups.rosdhb_images`, for RoSDHB and Byz-DASHA-PAGE. One step size a method serves all
k/d.

Claims. T: a worker sends exactly k numbers a round. E: with the smallest k/d, RoSDHB needs at least
as many rounds as without compression, and not more than d/k times as many. E: it needs fewer uplink
bits. (The theory allows rounds to grow like d/k. The grey line has that slope.)

Source: arXiv 2508.17129, Figure 3 (its caption).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.thresholds import difference, reached, spread
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_images
from paper_figs.setups.rosdhb_images import DASHA, FOE, ROSDHB, label, of_messages

TITLE = "RoSDHB, Figure 3: rounds and bits to a test accuracy against k/d"
SECONDS = {
    "quick": "40 s (2 cores), 15 s after rosdhb_fig1",
    "default": "40 s after rosdhb_fig1",
    "full": "not measured",
}
METHODS = (ROSDHB, DASHA)


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    setting: rosdhb_images.Setting
    byzantine: tuple[int, ...]
    ratios: tuple[float, ...]  # ascending
    threshold: float  # test accuracy


SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (3,), (0.1, 0.3, 1.0), 0.4),
    "default": Spec(rosdhb_images.DEFAULT, (1, 3), (0.05, 0.1, 0.3, 1.0), 0.8),
    "full": Spec(rosdhb_images.FULL, (1, 3), (0.05, 0.1, 0.3, 0.5, 1.0), 0.95),
}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, which other figures share."""
    return rosdhb_images.cells(spec.setting, workspace, spec.byzantine, spec.ratios)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    sent, checked = [], []
    least, dense = min(spec.ratios), max(spec.ratios)
    most = spec.setting.rounds + 1
    for f in spec.byzantine:
        for ratio in spec.ratios:
            sent.append(of_messages(results[label(ROSDHB, f, ratio, FOE)], ROSDHB, ratio))
        few, all_ = (results[label(ROSDHB, f, ratio, FOE)] for ratio in (least, dense))
        rounds, bits = (
            [reached(h, "test_accuracy", spec.threshold, x) for h in (few, all_)]
            for x in ("round", "uplink_bits")
        )
        more = difference(rounds[0], rounds[1], most, most)
        spent = [np.nanmax(h["uplink_bits"], axis=1) for h in (few, all_)]
        where = f"f = {f}, to {spec.threshold:g}: RoSDHB with k/d = {least:g}"
        checked += [
            findings.at_most(
                f"{where} needs at least as many rounds as with k/d = {dense:g}",
                -more, 0.0, "rounds of the other minus its own",
            ),
            findings.at_most(
                f"{where} needs at most {dense / least:.3g} times as many rounds",
                difference(rounds[0], dense / least * rounds[1], most, dense / least * most), 0.0,
                f"rounds minus {dense / least:.3g} times those of the other",
            ),
            findings.less(
                f"{where} needs fewer uplink bits than with k/d = {dense:g}",
                difference(bits[0], bits[1], spent[0], spent[1]), 0.0,
                what="bits of it minus those of the other",
            ),
        ]  # fmt: skip
    return [findings.exact_bits("every round costs a worker of RoSDHB 32 k bits", sent), *checked]


def plot(spec: Spec, results: Results) -> Any:
    """Rounds (left) and megabits (right) against k/d, one row per f."""
    from matplotlib import ticker

    figure, axes = drawing.axes(len(spec.byzantine), 2, sharex=True)
    for row, f in enumerate(spec.byzantine):
        for ax, x, unit, title in (
            (axes[row, 0], "round", 1.0, "rounds"),
            (axes[row, 1], "uplink_bits", 1e6, "Mbit per worker"),
        ):
            for name in METHODS:
                found = [
                    reached(results[label(name, f, ratio, FOE)], "test_accuracy", spec.threshold, x)
                    / unit
                    for ratio in spec.ratios
                ]
                ends = [
                    results[label(name, f, ratio, FOE)][x][..., -1].max() / unit
                    for ratio in spec.ratios
                ]
                looks = {**drawing.style(name), "marker": "o", "markersize": 4}
                spread(ax, spec.ratios, found, ends, label=name, **looks)
                there = dict(zip(spec.ratios, found, strict=True))
                if x == "round" and name == ROSDHB and np.isfinite(np.median(there[1.0])):
                    ratios = np.array(spec.ratios)
                    ax.plot(ratios, np.median(there[1.0]) / ratios, color=drawing.GREY,
                            linewidth=0.8, label="∝ d/k")  # fmt: skip
            ax.set_xscale("log")
            if ax.dataLim.y0 > 0:  # a threshold that is reached at the start costs nothing
                ax.set_yscale("log")
                ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
                ax.yaxis.set_major_formatter("{x:g}")
            ax.set_xticks(spec.ratios, [f"{ratio:g}" for ratio in spec.ratios])
            ax.minorticks_off()
            ax.grid(visible=True, alpha=0.25)
            ax.set_xlabel("k/d")
            ax.set_ylabel(f"{title} to accuracy {spec.threshold:g}")
            ax.set_title(f"f = {f} of n = {spec.setting.honest + f}", fontsize=9)
    drawing.legend(axes[0, 0], loc="best")
    drawing.title(
        figure,
        f"{rosdhb_images.title_of(spec.setting)}: FOE searched; median and range; no point: at "
        f"least half of the seeds did not get there within {spec.setting.rounds} rounds",
    )
    return figure
