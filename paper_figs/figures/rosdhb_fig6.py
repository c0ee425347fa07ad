"""Figure 6 of RoSDHB (arXiv 2508.17129), assumed to be Figure 5 under ALIE.

Nothing is known of the published figure. Assumed: the setting of Figure 5 with the other attack of
the paper. ALIE sends μ - z σ, where μ and σ are mean and standard deviation of the honest vectors
of a round. The upper row has the canonical z = Φ⁻¹((⌈n/2⌉ - 1)/(n - f)), the lower row the z among
±0.2, …, ±5 that does most damage on the server's own update, searched in every round.

For f = 1 (n = 11) the canonical z is 0: the Byzantine worker sends the honest mean, and harms
nothing. Such panels are marked "z = 0".

Claims. T: with z = 0 the vector of ALIE is the honest mean. E: RoSDHB ends within five points of
the test accuracy without attack and compression, for both attacks, every f and k/d. E: it ends
with at least the test accuracy of Byz-DASHA-PAGE (where that is run). E: the searched z harms
RoSDHB at least as much as the canonical one. T: uplink bits are exact.

Source: arXiv 2508.17129, Figure 6 (its caption is not known; the content is assumed); ALIE: Baruch,
Baruch, Goldberg, "A little is enough", NeurIPS 2019.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb
from jaxbyz.core import View
from paper_figs.frame import findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_curves, rosdhb_images
from paper_figs.setups.rosdhb_curves import Spec, accuracy
from paper_figs.setups.rosdhb_images import ALIE, ALIE_SEARCHED, ROSDHB, label

TITLE = "RoSDHB, Figure 6 (assumed): accuracy under ALIE, for f and k/d"
SECONDS = {
    "quick": "40 s (2 cores), 25 s after rosdhb_fig1",
    "default": "23 min (one core, shared) after rosdhb_fig1",
    "full": "not measured",
}
BOTH = (ALIE, ALIE_SEARCHED)
SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (1, 3), (0.1,), BOTH, (ROSDHB,)),
    "default": Spec(rosdhb_images.DEFAULT, (1, 3, 5), (0.1, 1.0), BOTH),
    "full": Spec(rosdhb_images.FULL, (1, 3, 5), (0.05, 0.1, 0.3, 0.5, 1.0), BOTH),
}
FACTORS, FORGED = "z of ALIE for every f", "vector of ALIE minus honest mean, where z = 0"


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, and what the canonical attack sends."""
    return rosdhb_curves.run(spec, workspace) | of_attack(spec)


def of_attack(spec: Spec) -> dict[str, np.ndarray]:
    """z for every f; what the attack sends for standard normal honest vectors where z is 0."""
    h = spec.setting.honest
    factors = [jb.attacks.alie_factor(h + f, f) for f in spec.byzantine]
    honest = jax.random.normal(jax.random.key(6), (h, 50))
    gaps = []
    for f, z in zip(spec.byzantine, factors, strict=True):
        if z == 0:
            view = View(jnp.int32(1), honest, None, None, None, _unused, _unused, f)
            forge = rosdhb_images.attack_of(ALIE, h, f).forge
            assert forge is not None
            gaps.append(np.asarray(forge(jax.random.key(0), None, view)[1][0] - honest.mean(0)))
    return {FACTORS: np.array(factors), FORGED: np.array(gaps)}


def _unused(wanted: jax.Array) -> Any:
    raise AssertionError("canonical ALIE tries nothing on the server")


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    checked = rosdhb_curves.check(spec, results)
    if results[FORGED].size:
        # Two ways of computing a mean of ten numbers of order 1 in float32.
        checked.append(
            findings.holds(
                "with z = 0 the vector of ALIE is the honest mean", -abs(results[FORGED]),
                tolerance=1e-6,
            )
        )  # fmt: skip
    for f in spec.byzantine:
        for ratio in spec.ratios:
            canonical, searched = (
                accuracy(results[label(ROSDHB, f, ratio, attack)]) for attack in BOTH
            )
            checked.append(
                findings.at_most(
                    f"RoSDHB, f = {f}, k/d = {ratio:g}: searched ALIE leaves at most the test "
                    "accuracy that canonical ALIE leaves",
                    searched - canonical, 0.0, "accuracy under searched minus canonical",
                )
            )  # fmt: skip
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """Test accuracy against rounds; attacks below each other, f beside each other."""
    marks = [f"z = {z:.3g}" + (": sends the honest mean" if z == 0 else "")
             for z in results[FACTORS]]  # fmt: skip
    return rosdhb_curves.plot(spec, results, [*marks, *[""] * len(marks)])
