"""Figure 2 of RoSDHB (arXiv 2508.17129): rounds to several test accuracies, f ∈ {1, 3}.

Known of the published figure: the time to reach several accuracy thresholds, for f ∈ {1, 3}.
Unknown: thresholds, k/d, division of the data. Chosen here: rounds, and uplink bits beside them, to
the test accuracies of `SPECS`, under FOE, in the setting of `paper_figs.setups.rosdhb_images`.
Digits are harder than MNIST for the small conv net, so their thresholds are lower. An evaluation
takes place every few rounds, so that rounds are rounded up to the next of these. Where half of
the seeds or more did not get there within the rounds, there is no point.

Claims. E: RoSDHB needs fewer rounds than Byz-DASHA-PAGE at equal k/d, for every threshold (where
neither gets there, nothing is concluded). T: bits to a threshold are exactly those of the rounds to
it.

Source: arXiv 2508.17129, Figure 2 (its caption).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.thresholds import difference, reached, spread
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_images
from paper_figs.setups.rosdhb_images import BITS, DASHA, FOE, ROSDHB, label, of_messages

TITLE = "RoSDHB, Figure 2: rounds and bits to test accuracies"
SECONDS = {
    "quick": "25 s (2 cores), 12 s after rosdhb_fig1",
    "default": "30 s after rosdhb_fig1",
    "full": "not measured",
}
METHODS = (ROSDHB, DASHA)


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    setting: rosdhb_images.Setting
    byzantine: tuple[int, ...]
    ratios: tuple[float, ...]
    thresholds: tuple[float, ...]  # test accuracies


PAPER = (0.8, 0.85, 0.9, 0.95)
SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (1, 3), (0.1,), (0.4, 0.5, 0.6, 0.7)),
    "default": Spec(rosdhb_images.DEFAULT, (1, 3), (0.1, 0.3), (0.6, 0.7, 0.8, 0.85)),
    "full": Spec(rosdhb_images.FULL, (1, 3), (0.1, 0.3), PAPER),
}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, which other figures share."""
    return rosdhb_images.cells(spec.setting, workspace, spec.byzantine, spec.ratios)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    checked, sent = [], []
    for f in spec.byzantine:
        for ratio in spec.ratios:
            runs = {name: results[label(name, f, ratio, FOE)] for name in METHODS}
            for threshold in spec.thresholds:
                rounds = {n: reached(h, "test_accuracy", threshold) for n, h in runs.items()}
                most = spec.setting.rounds + 1
                checked.append(
                    findings.less(
                        f"f = {f}, k/d = {ratio:g}: RoSDHB needs fewer rounds to {threshold:g} "
                        f"than {DASHA}",
                        difference(rounds[ROSDHB], rounds[DASHA], most, most), 0.0,
                        what="rounds of RoSDHB minus those of the other",
                    )
                )  # fmt: skip
            sent += [of_messages(history, name, ratio) for name, history in runs.items()]
    return [findings.exact_bits(BITS, sent), *checked]


def plot(spec: Spec, results: Results) -> Any:
    """Rounds (above) and megabits (below) against thresholds, one column per f."""
    figure, axes = drawing.axes(2, len(spec.byzantine), sharex=True, sharey="row")
    rows = (("round", 1.0, "rounds to the accuracy"),
            ("uplink_bits", 1e6, "uplink megabits per worker"))  # fmt: skip
    for column, f in enumerate(spec.byzantine):
        for row, (x, unit, title) in enumerate(rows):
            ax = axes[row, column]
            for ratio, mark in zip(spec.ratios, "os^D", strict=False):
                for name in METHODS:
                    history = results[label(name, f, ratio, FOE)]
                    found = [reached(history, "test_accuracy", level, x) / unit
                             for level in spec.thresholds]  # fmt: skip
                    end = history[x][..., -1].max() / unit
                    spread(
                        ax, spec.thresholds, found, [end] * len(found),
                        label=f"{name}, k/d = {ratio:g}", marker=mark, markersize=5,
                        **drawing.style(name),
                    )  # fmt: skip
            ax.grid(visible=True, alpha=0.25)
            ax.set_ylabel(title if column == 0 else "")
        axes[0, column].set_title(f"f = {f} of n = {spec.setting.honest + f}", fontsize=9)
        axes[1, column].set_xlabel("test accuracy")
        axes[1, column].set_xticks(spec.thresholds)
    for ax in axes.flat:  # after all is drawn: a limit that is set no longer follows the data
        ax.set_ylim(bottom=0)
    drawing.legend(axes[0, 0], loc="best")
    drawing.title(
        figure,
        f"{rosdhb_images.title_of(spec.setting)}: FOE searched; median and range; no point: at "
        f"least half of the seeds did not get there within {spec.setting.rounds} rounds",
    )
    return figure
