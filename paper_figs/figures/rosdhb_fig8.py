"""Figure 8 of RoSDHB (arXiv 2508.17129), assumed to be CIFAR-10 with ResNet-18 under ALIE.

Nothing is known of the published figure. Assumed: the setting of `rosdhb_fig7` with the other
attack of the paper, ALIE, in the two forms of `rosdhb_fig6`: the canonical z (above), and the z
that does most damage, searched in every round (below). Only the full scale has ResNet-18; the
default one has a small conv net on a part of the images, and the quick one the digits.

Claims. E: RoSDHB ends within five points of the test accuracy without attack and compression. E: it
ends with at least the test accuracy of Byz-DASHA-PAGE at equal k/d (where that is run). E: the
searched z harms RoSDHB at least as much as the canonical one. T: uplink bits are exact.

Source: arXiv 2508.17129, Figure 8 (its caption is not known; the content is assumed).
"""

from __future__ import annotations

from typing import Any

from paper_figs.figures import rosdhb_fig6
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_cifar
from paper_figs.setups.rosdhb_curves import Spec
from paper_figs.setups.rosdhb_images import ALIE, ALIE_SEARCHED, ROSDHB

TITLE = "RoSDHB, Figure 8 (assumed): CIFAR-10 (JPEG copies), ALIE; at quick scale digits"
SECONDS = {
    "quick": "40 s (2 cores), 15 s after rosdhb_fig7",
    "default": "8 min (one core, shared) after rosdhb_fig7",
    "full": "not measured",
}
BOTH = (ALIE, ALIE_SEARCHED)
SPECS = {
    "quick": Spec(rosdhb_cifar.QUICK, (3,), (0.25,), BOTH, (ROSDHB,)),
    "default": Spec(rosdhb_cifar.DEFAULT, (3,), (0.25,), BOTH),
    "full": Spec(rosdhb_cifar.FULL, (1, 3, 5), (0.1, 0.25, 1.0), BOTH),
}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, and what the canonical attack sends."""
    return rosdhb_fig6.run(spec, workspace)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    return rosdhb_fig6.check(spec, results)


def plot(spec: Spec, results: Results) -> Any:
    """Test accuracy against rounds; attacks below each other, f beside each other."""
    return rosdhb_fig6.plot(spec, results)
