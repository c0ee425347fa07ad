"""Tables of RoSDHB (arXiv 2508.17129): rounds and megabits to test accuracies.

The paper has seven tables, of which nothing else is known. Assumed: one for every attack and number
of attackers, f ∈ {1, 3, 5} under FOE (Tables 1 to 3) and under searched ALIE (Tables 4 to 6), and
one for heterogeneous data at k/d = 0.1 (Table 7), each with rounds and uplink megabits per worker
to several test accuracies. A number is the mean over the seeds that got there, and "2/3" beside it
how many did; "-": none within the rounds. The smaller scales have fewer rows. The text is written
beside the picture too, as tables.txt.

The runs are those of `rosdhb_fig2` to `rosdhb_fig6`, evaluated every few rounds; rounds are rounded
up to the next of these.

Claims. E: in every row, RoSDHB needs fewer megabits than Byz-DASHA-PAGE to the lowest accuracy. T:
rounds and megabits do not fall as the accuracy grows.

Source: arXiv 2508.17129 (that it has seven tables; their contents are assumed).
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np

from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.thresholds import difference, reached
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_images
from paper_figs.setups.rosdhb_images import (
    ALIE_SEARCHED,
    BITS,
    DASHA,
    FOE,
    ROSDHB,
    SHOWN,
    division,
    of_messages,
)

TITLE = "RoSDHB, tables (assumed): rounds and megabits to test accuracies"
SECONDS = {
    "quick": "60 s (2 cores), 5 s after rosdhb_fig1 to fig6",
    "default": "2 min after rosdhb_fig1 to fig6",
    "full": "not measured",
}


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    setting: rosdhb_images.Setting
    byzantine: tuple[int, ...]
    ratios: tuple[float, ...]
    attacks: tuple[str, ...]
    alphas: tuple[float | None, ...]  # of the last table
    thresholds: tuple[float, ...]


BOTH = (FOE, ALIE_SEARCHED)
SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (1, 3), (0.1,), (FOE,), (0.1, None), (0.4, 0.6)),
    "default": Spec(
        rosdhb_images.DEFAULT, (1, 3, 5), (0.1, 1.0), BOTH, (0.1, 0.5, 1.0, 5.0, None),
        (0.6, 0.7, 0.8),
    ),
    "full": Spec(
        rosdhb_images.FULL, (1, 3, 5), (0.05, 0.1, 0.3, 0.5, 1.0), BOTH,
        (0.1, 0.5, 1.0, 5.0, None), (0.8, 0.85, 0.9, 0.95),
    ),
}  # fmt: skip
METHODS = (ROSDHB, DASHA)


def tables(spec: Spec) -> dict[str, list[str]]:
    """Title of every table -> its rows; a run is named "method, table, row"."""
    made = {
        f"{SHOWN.get(attack, attack)}, f = {f}": [f"k/d = {ratio:g}" for ratio in spec.ratios]
        for attack in spec.attacks
        for f in spec.byzantine
    }
    f = min(3, max(spec.byzantine))
    made[f"{SHOWN[FOE]}, f = {f}, k/d = 0.1"] = [division(alpha) for alpha in spec.alphas]
    return made


def run(spec: Spec, workspace: Workspace) -> Results:
    """All runs, most of which other figures have made; the tables as text."""
    setting = spec.setting
    steps = rosdhb_images.steps_of(setting, workspace, max(spec.byzantine))
    results: dict[str, Any] = {}
    for attack in spec.attacks:
        for f in spec.byzantine:
            for ratio in spec.ratios:
                found = rosdhb_images.curves(
                    setting, workspace, f=f, ratio=ratio, steps=steps, attacks=[attack]
                )
                where = f"{SHOWN.get(attack, attack)}, f = {f}, k/d = {ratio:g}"
                results |= {f"{method}, {where}": h for (method, _), h in found.items()}
    f = min(3, max(spec.byzantine))
    for alpha in spec.alphas:
        found = rosdhb_images.curves(
            setting, workspace, f=f, ratio=0.1, steps=steps, alpha=alpha, dissimilarity=True
        )  # as in rosdhb_fig4, so that its runs are found
        where = f"{SHOWN[FOE]}, f = {f}, k/d = 0.1, {division(alpha)}"
        results |= {f"{method}, {where}": h for (method, _), h in found.items()}
    (workspace.folder / "tables.txt").write_text(text(spec, results), encoding="utf-8")
    return results


def text(spec: Spec, results: Results) -> str:
    """All tables as text."""
    lines = []
    for number, (title, rows) in enumerate(tables(spec).items(), 1):
        heads = [f"{what} {level:g}" for what in ("rounds to", "Mbit to")
                 for level in spec.thresholds]  # fmt: skip
        lines += [f"Table {number}: {title}", f"{'':<34}" + "".join(f"{h:>16}" for h in heads)]
        for row in rows:
            for method in METHODS:
                found = cells(spec, results[f"{method}, {title}, {row}"])
                lines.append(f"{method + ', ' + row:<34}" + "".join(f"{c:>16}" for c in found))
        lines.append("")
    return "\n".join(lines)


def cells(spec: Spec, history: Any) -> list[str]:
    """Rounds, then megabits, to every threshold."""
    found = []
    for x, unit in (("round", 1.0), ("uplink_bits", 1e6)):
        for level in spec.thresholds:
            values = reached(history, "test_accuracy", level, x) / unit
            there = values[np.isfinite(values)]
            share = "" if len(there) == len(values) else f" ({len(there)}/{len(values)})"
            found.append(f"{there.mean():.3g}{share}" if len(there) else "-")
    return found


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    checked, sent = [], []
    lowest = min(spec.thresholds)
    for title, rows in tables(spec).items():
        for row in rows:
            runs = [results[f"{method}, {title}, {row}"] for method in METHODS]
            most = [np.nanmax(h["uplink_bits"], axis=1) for h in runs]
            bits = [reached(h, "test_accuracy", lowest, "uplink_bits") for h in runs]
            checked.append(
                findings.less(
                    f"{title}, {row}: RoSDHB needs fewer megabits to {lowest:g} than {DASHA}",
                    difference(bits[0], bits[1], most[0], most[1]) / 1e6, 0.0,
                    what="megabits of RoSDHB minus those of the other",
                )
            )  # fmt: skip
            ratio = float(re.search(r"k/d = ([\d.]+)", f"{title}, {row}")[1])
            sent += [of_messages(h, name, ratio) for name, h in zip(METHODS, runs, strict=True)]
    return [findings.exact_bits(BITS, sent), *checked]


def plot(spec: Spec, results: Results) -> Any:
    """The tables below each other."""
    lines = text(spec, results).rstrip().split("\n")
    width = max(map(len, lines))
    figure, axes = drawing.axes(1, 1, figsize=(0.075 * width + 0.6, 0.135 * len(lines) + 0.7))
    ax = axes[0, 0]
    ax.axis("off")
    ax.text(0.0, 1.0, "\n".join(lines), family="monospace", fontsize=7.5, va="top",
            transform=ax.transAxes)  # fmt: skip
    drawing.title(
        figure,
        f"{rosdhb_images.title_of(spec.setting)}; means over seeds, (seeds that got there/all); "
        f"at most {spec.setting.rounds} rounds",
    )
    return figure
