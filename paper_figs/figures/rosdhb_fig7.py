"""Figure 7 of RoSDHB (arXiv 2508.17129), assumed to be CIFAR-10 with ResNet-18 under FOE.

Nothing is known of the published figure; the paper says that it uses CIFAR-10. Assumed: test
accuracy against rounds in the CIFAR-10 setting of the authors' code, under FOE whose strength is
searched in every round; see `paper_figs.setups.rosdhb_cifar` for what differs from that code. Only
the full scale has ResNet-18; the default one has a small conv net on a part of the images, and the
quick one the digits.

Claims. E: RoSDHB ends within five points of the test accuracy without attack and compression. E: it
ends with at least the test accuracy of Byz-DASHA-PAGE at equal k/d. T: uplink bits are exact.

Source: arXiv 2508.17129, Figure 7 (its caption is not known; the content is assumed).
"""

from __future__ import annotations

from typing import Any

from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_cifar, rosdhb_curves
from paper_figs.setups.rosdhb_curves import Spec
from paper_figs.setups.rosdhb_images import FOE

TITLE = "RoSDHB, Figure 7 (assumed): CIFAR-10 (JPEG copies), FOE; at quick scale digits"
SECONDS = {
    "quick": "35 s (2 cores)",
    "default": "24 min (one core, shared)",
    "full": "not measured",
}
SPECS = {
    "quick": Spec(rosdhb_cifar.QUICK, (3,), (0.25,), (FOE,)),
    "default": Spec(rosdhb_cifar.DEFAULT, (3,), (0.25,), (FOE,)),
    "full": Spec(rosdhb_cifar.FULL, (1, 3, 5), (0.1, 0.25, 1.0), (FOE,)),
}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, and for every f the one without attack and compression."""
    return rosdhb_curves.run(spec, workspace)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    return rosdhb_curves.check(spec, results)


def plot(spec: Spec, results: Results) -> Any:
    """Test accuracy against rounds, one panel per f."""
    return rosdhb_curves.plot(spec, results)
