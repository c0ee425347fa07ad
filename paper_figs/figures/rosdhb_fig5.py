"""Figure 5 of RoSDHB (arXiv 2508.17129): MNIST under FOE, five k/d, f ∈ {1, 3, 5}.

Known of the published figure: the data, the attack, k/d ∈ {0.05, 0.1, 0.3, 0.5, 1} and
f ∈ {1, 3, 5}. Unknown: which curves are drawn, and how the data are divided. Chosen here: test
accuracy against rounds, Dirichlet(5) division as in the authors' code, RoSDHB (solid) and
Byz-DASHA-PAGE (dashed), each at the step size that the common rule of
`paper_figs.setups.rosdhb_images` chooses.

Claims. E: RoSDHB ends within five points of the test accuracy without attack and compression, for
every f and k/d. E: it ends with at least the test accuracy of Byz-DASHA-PAGE at equal k/d. T:
uplink bits are exact.

Source: arXiv 2508.17129, Figure 5 (its caption).
"""

from __future__ import annotations

from typing import Any

from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_curves, rosdhb_images
from paper_figs.setups.rosdhb_curves import Spec
from paper_figs.setups.rosdhb_images import FOE

TITLE = "RoSDHB, Figure 5: accuracy under FOE, for f and k/d"
SECONDS = {
    "quick": "45 s (2 cores), 25 s after rosdhb_fig1",
    "default": "1 min after rosdhb_fig1",
    "full": "not measured",
}
SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (1, 3), (0.1, 1.0), (FOE,)),
    "default": Spec(rosdhb_images.DEFAULT, (1, 3, 5), (0.05, 0.1, 0.3, 1.0), (FOE,)),
    "full": Spec(rosdhb_images.FULL, (1, 3, 5), (0.05, 0.1, 0.3, 0.5, 1.0), (FOE,)),
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
