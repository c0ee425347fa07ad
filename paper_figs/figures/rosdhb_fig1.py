"""Figure 1 of RoSDHB (arXiv 2508.17129): convergence for varying f and k/d.

Known of the published figure is its caption. Chosen here: test accuracy against rounds and against
uplink bits, for RoSDHB and Byz-DASHA-PAGE, with FOE whose strength is searched in every round; the
setting of `paper_figs.setups.rosdhb_images`. The black dotted curve is RoSDHB without compression
and without attack.

Claims. E: with every k/d, RoSDHB ends within two points of its test accuracy without compression.
T: uplink bits are exact. (A bound on the gradient norm is not evaluated here: the network's
smoothness is unknown. `rosdhb_floor` does it where it is exact.)

Source: arXiv 2508.17129, Figure 1 (its caption; values of f, k/d, data and attack are not known).
"""

from __future__ import annotations

from typing import Any

from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_curves, rosdhb_images
from paper_figs.setups.rosdhb_curves import Spec, accuracy
from paper_figs.setups.rosdhb_images import DASHA, FOE, NONE, ROSDHB, label

TITLE = "RoSDHB, Figure 1: convergence for varying f and k/d"
SECONDS = {
    "quick": "45 s (2 cores)",
    "default": "31 min (one core, shared)",
    "full": "not measured",
}
LOSS_OF_ACCURACY = 0.02  # two points


SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (3,), (0.1, 1.0), (FOE,)),
    "default": Spec(rosdhb_images.DEFAULT, (1, 3, 5), (0.05, 0.1, 0.3, 1.0), (FOE,)),
    "full": Spec(rosdhb_images.FULL, (1, 3, 5), (0.05, 0.1, 0.3, 0.5, 1.0), (FOE,)),
}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, and the reference without attack."""
    return rosdhb_curves.run(spec, workspace)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    checked = [rosdhb_curves.exact_bits(spec, results)]
    dense = max(spec.ratios)
    for f in spec.byzantine:
        reference = accuracy(results[label(ROSDHB, f, dense, FOE)])
        for ratio in spec.ratios:
            if ratio != dense:
                checked.append(
                    findings.at_most(
                        f"RoSDHB, f = {f}: k/d = {ratio:g} ends within "
                        f"{LOSS_OF_ACCURACY:g} of the test accuracy of k/d = {dense:g}",
                        reference - accuracy(results[label(ROSDHB, f, ratio, FOE)]),
                        LOSS_OF_ACCURACY, "lost accuracy",
                    )
                )  # fmt: skip
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """Test accuracy against rounds (above) and uplink bits (below), one column per f."""
    figure, axes = drawing.axes(2, len(spec.byzantine), sharey=True)
    colors = drawing.shades(len(spec.ratios))
    for column, f in enumerate(spec.byzantine):
        for row, x in enumerate(("round", "uplink_bits")):
            ax = axes[row, column]
            if row == 1:
                ax.set_xscale("log", nonpositive="mask")
            for color, ratio in zip(colors, spec.ratios, strict=True):
                for name, line in ((ROSDHB, "-"), (DASHA, "--")):
                    drawing.curve(
                        ax, results[label(name, f, ratio, FOE)], "test_accuracy", x,
                        label=f"{name}, k/d = {ratio:g}", color=color, linestyle=line,
                    )  # fmt: skip
            drawing.curve(
                ax, results[rosdhb_curves.reference(f)], "test_accuracy", x,
                label=f"{ROSDHB}, k/d = 1, no attack", **drawing.style(NONE),
            )  # fmt: skip
        axes[0, column].set_title(f"f = {f} of n = {spec.setting.honest + f}", fontsize=9)
    drawing.legend_outside(figure, axes[0, 0], columns=len(spec.byzantine) + 1)
    drawing.title(
        figure,
        f"{rosdhb_images.title_of(spec.setting)}: {rosdhb_images.SHOWN[FOE]}; median and range; "
        f"{rosdhb_curves.chosen(spec, results)}",
    )
    return figure
