"""Accuracy curves over f, k/d and attacks: what Figures 5 to 8 of RoSDHB have in common.

One panel for every f (columns) and attack (rows); one colour for every k/d. The black dotted curve
is RoSDHB with k/d = 1 and no attack, the best that can be hoped for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_images
from paper_figs.setups.rosdhb_images import BITS, DASHA, NONE, ROSDHB, SHOWN, label, of_messages

NEAR = 0.05  # test accuracy: five points


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    setting: rosdhb_images.Setting
    byzantine: tuple[int, ...]
    ratios: tuple[float, ...]
    attacks: tuple[str, ...]
    methods: tuple[str, ...] = (ROSDHB, DASHA)


def reference(f: int) -> str:
    """The name of the run without attack and compression."""
    return f"{NONE}, f = {f}"


def run(spec: Spec, workspace: Workspace) -> dict[str, Any]:
    """All curves, and for every f the one without attack and compression."""
    setting = spec.setting
    steps = rosdhb_images.steps_of(setting, workspace, max(spec.byzantine))
    results: dict[str, Any] = dict(
        rosdhb_images.cells(
            setting, workspace, spec.byzantine, spec.ratios, spec.attacks, spec.methods, steps
        )
    )
    for f in spec.byzantine:
        found = rosdhb_images.curves(
            setting, workspace, f=f, ratio=1.0, steps=steps, attacks=[NONE], methods=[ROSDHB]
        )
        results[reference(f)] = found[ROSDHB, NONE]
    return results


def accuracy(history: Any) -> np.ndarray:
    """Test accuracy at the end, [S]; 0 of a run that diverged."""
    return np.nan_to_num(history["test_accuracy"][:, -1], nan=0.0)


def check(spec: Spec, results: Results) -> list[Finding]:
    """Exact bits; RoSDHB beside the run without attack; RoSDHB beside the baseline."""
    checked = [exact_bits(spec, results)]
    for attack in spec.attacks:
        said = SHOWN.get(attack, attack)
        for f in spec.byzantine:
            best = accuracy(results[reference(f)])
            for ratio in spec.ratios:
                where = f"{said}, f = {f}, k/d = {ratio:g}"
                ours = accuracy(results[label(ROSDHB, f, ratio, attack)])
                checked.append(
                    findings.at_most(
                        f"{where}: RoSDHB ends within {NEAR:g} of the test accuracy without attack "
                        "and compression",
                        best - ours, NEAR, "lost accuracy",
                    )
                )  # fmt: skip
                if DASHA in spec.methods:
                    other = accuracy(results[label(DASHA, f, ratio, attack)])
                    checked.append(
                        findings.at_most(
                            f"{where}: RoSDHB ends with at least the test accuracy of {DASHA}",
                            other - ours, 0.0, "accuracy of the baseline minus that of RoSDHB",
                        )
                    )  # fmt: skip
    return checked


def exact_bits(spec: Spec, results: Results) -> Finding:
    """32 k bits a round, and 32 d once more for Byz-DASHA-PAGE, at every evaluation."""
    return findings.exact_bits(
        BITS,
        [
            of_messages(results[label(method, f, ratio, attack)], method, ratio)
            for attack in spec.attacks
            for f in spec.byzantine
            for ratio in spec.ratios
            for method in spec.methods
        ],
    )


def plot(spec: Spec, results: Results, notes: Sequence[str] = ()) -> Any:
    """Test accuracy against rounds; `notes`: what is written into the panels of each f."""
    figure, axes = drawing.axes(len(spec.attacks), len(spec.byzantine), sharey=True, sharex=True)
    colors = drawing.shades(len(spec.ratios))
    for row, attack in enumerate(spec.attacks):
        for column, f in enumerate(spec.byzantine):
            ax = axes[row, column]
            for color, ratio in zip(colors, spec.ratios, strict=True):
                for name in spec.methods:
                    drawing.curve(
                        ax, results[label(name, f, ratio, attack)], "test_accuracy",
                        label=f"{name}, k/d = {ratio:g}", color=color,
                        linestyle="-" if name == ROSDHB else "--",
                    )  # fmt: skip
            drawing.curve(
                ax, results[reference(f)], "test_accuracy",
                label=f"{ROSDHB}, k/d = 1, no attack", **drawing.style(NONE),
            )  # fmt: skip
            n = spec.setting.honest + f
            ax.set_title(f"{SHOWN.get(attack, attack)}, f = {f} of n = {n}", fontsize=9)
            ax.set_ylim(0, 1)
            if notes and notes[row * len(spec.byzantine) + column]:
                ax.text(0.03, 0.93, notes[row * len(spec.byzantine) + column], fontsize=8,
                        transform=ax.transAxes)  # fmt: skip
    if axes.size == 1:  # a legend inside would cover curves that start low
        drawing.legend_outside(figure, axes[0, 0], columns=2)
    else:
        drawing.legend(axes[0, 0], loc="lower right")
    drawing.title(
        figure, f"{rosdhb_images.title_of(spec.setting)}; median and range; {chosen(spec, results)}"
    )
    return figure


def chosen(spec: Spec, results: Results) -> str:
    """The step size of every method, for the title."""
    f, ratio, attack = spec.byzantine[0], spec.ratios[0], spec.attacks[0]
    return ", ".join(
        f"{name} γ = {results[label(name, f, ratio, attack)].about['step']:g}"
        for name in spec.methods
    )
