"""Figure 4 of RoSDHB (arXiv 2508.17129): MNIST, k/d = 0.1, data of varying heterogeneity.

Known of the published figure: the data, k/d = 0.1, varying heterogeneity. Unknown: the values of
the Dirichlet parameter α, f, and the attack. Chosen here: α ∈ {0.1, 0.5, 1, 5} and i.i.d.,
f ∈ {1, 3}, FOE, in the setting of `paper_figs.setups.rosdhb_images`. The step size is the one
chosen at α = 5, for all α.

Above: test accuracy against rounds. Below: Δ(x) = (1/h) Σ ‖∇f_i(x) - ∇f(x)‖² against ‖∇f(x)‖² at
all models that RoSDHB was measured at. The assumption of the theory is Δ(x) ≤ G² + B² ‖∇f(x)‖² for
*all* x. What a run shows is less: the models that it passes. The numbers in the legend are the
smallest G that is possible for these models, with B = 0 and with the largest B that the theory
allows, κB² = 1/7, κ = f/(h - f); the true G can only be larger.

Claims. E: the smaller α, the lower the test accuracy at the end (smallest α against i.i.d.), for
RoSDHB. E: the measured G (B = 0) is larger for the smallest α than for i.i.d. data. T: uplink bits
are exact.

Source: arXiv 2508.17129, Figure 4 (its caption).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_images
from paper_figs.setups.rosdhb_curves import accuracy
from paper_figs.setups.rosdhb_images import BITS, DASHA, ROSDHB, division, of_messages

TITLE = "RoSDHB, Figure 4: heterogeneous data, k/d = 0.1"
SECONDS = {
    "quick": "45 s (2 cores), 25 s after rosdhb_fig1",
    "default": "14 min (one core, shared) after rosdhb_fig1",
    "full": "not measured",
}
RATIO = 0.1
NOTED = 1 / 7  # κB² of the paper's theorem


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    setting: rosdhb_images.Setting
    byzantine: tuple[int, ...]
    alphas: tuple[float | None, ...]  # from the most heterogeneous; None, i.i.d., is the last
    methods: tuple[str, ...] = (ROSDHB, DASHA)


ALPHAS = (0.1, 0.5, 1.0, 5.0, None)
SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (3,), (0.1, 1.0, None)),
    "default": Spec(rosdhb_images.DEFAULT, (1, 3), ALPHAS),
    "full": Spec(rosdhb_images.FULL, (1, 3), ALPHAS),
}


def label(method: str, f: int, alpha: float | None) -> str:
    """The name of a run."""
    return f"{method}, f = {f}, {division(alpha)}"


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, with the dissimilarity of the gradients along them."""
    setting = spec.setting
    steps = rosdhb_images.steps_of(setting, workspace, max(spec.byzantine))
    results: dict[str, Any] = {}
    for f in spec.byzantine:
        for alpha in spec.alphas:
            found = rosdhb_images.curves(
                setting, workspace, f=f, ratio=RATIO, steps=steps, alpha=alpha,
                methods=spec.methods, dissimilarity=True,
            )  # fmt: skip
            results |= {label(method, f, alpha): h for (method, _), h in found.items()}
    return results


def least_g(history: Any, b_squared: float = 0.0) -> np.ndarray:
    """The smallest G with Δ ≤ G² + B² ‖∇f‖² at all models of a run, for every seed, [S]."""
    beyond = history["dissimilarity"] - b_squared * history["squared_gradient_norm"]
    return np.sqrt(np.nan_to_num(np.maximum(beyond, 0), nan=0.0).max(axis=1))


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    sent, checked = [], []
    first, last = spec.alphas[0], spec.alphas[-1]
    for f in spec.byzantine:
        for alpha in spec.alphas:
            for method in spec.methods:
                sent.append(of_messages(results[label(method, f, alpha)], method, RATIO))
        most, least = results[label(ROSDHB, f, first)], results[label(ROSDHB, f, last)]
        where = f"RoSDHB, f = {f}: {division(first)}"
        checked += [
            findings.less(
                f"{where} ends with a lower test accuracy than {division(last)}",
                accuracy(most), accuracy(least), what="difference of accuracies",
            ),
            findings.less(
                f"{where} has a larger measured G (B = 0) than {division(last)}",
                least_g(least), least_g(most), what="G of i.i.d. data minus the other",
            ),
        ]  # fmt: skip
    return [findings.exact_bits(BITS, sent), *checked]


def plot(spec: Spec, results: Results) -> Any:
    """Test accuracy against rounds, dissimilarity against the gradient; one column per f."""
    figure, axes = drawing.axes(2, len(spec.byzantine), figsize=(5.2 * len(spec.byzantine), 7.2))
    colors = drawing.shades(len(spec.alphas))
    h = spec.setting.honest
    for column, f in enumerate(spec.byzantine):
        above, below = axes[:, column]
        allowed = NOTED * (h - f) / f  # B² = 1/(7κ)
        for color, alpha in zip(colors, spec.alphas, strict=True):
            for method in spec.methods:
                drawing.curve(
                    above, results[label(method, f, alpha)], "test_accuracy",
                    label=f"{method}, {_alpha(alpha)}", color=color,
                    linestyle="-" if method == ROSDHB else "--",
                )  # fmt: skip
            history = results[label(ROSDHB, f, alpha)]
            low, with_b = (np.median(least_g(history, b)) for b in (0.0, allowed))
            below.plot(
                history["squared_gradient_norm"].T, history["dissimilarity"].T, ".",
                color=color, markersize=3,
            )  # fmt: skip
            below.plot([], [], "o", color=color, markersize=4,
                       label=f"{_alpha(alpha)}: G ≥ {low:.3g}; ≥ {with_b:.3g}")  # fmt: skip
        above.set_title(f"f = {f} of n = {h + f}", fontsize=9)
        above.set_ylim(0, 1)
        below.set_xscale("log")
        below.set_yscale("log")
        below.grid(visible=True, alpha=0.25)
        below.set_xlabel("‖∇f(x)‖² of the honest objective")
        below.set_ylabel("Δ(x), deviation of the ∇f_i")
        drawing.legend(below, loc="best", title=f"measured: B = 0; B² = {allowed:.2g}",
                       title_fontsize=7)  # fmt: skip
    drawing.legend_outside(figure, axes[0, 0], columns=5)
    first = spec.byzantine[0], spec.alphas[0]
    chosen = ", ".join(
        f"{name} γ = {results[label(name, *first)].about['step']:g}" for name in spec.methods
    )
    drawing.title(
        figure,
        f"{rosdhb_images.title_of(spec.setting)}: k/d = {RATIO}, FOE searched; median and range; "
        f"{chosen}",
    )
    return figure


def _alpha(alpha: float | None) -> str:
    return "i.i.d." if alpha is None else f"α = {alpha:g}"
