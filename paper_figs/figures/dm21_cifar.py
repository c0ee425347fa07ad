"""Byz-DM21 on images, under two divisions: one with all classes at honest workers, the code's.

From the authors' code: n = 20, f = 8 or 9, ResNet-20, batch 64, 4000 rounds, Top-k with k/d = 0.1,
η = 0.1, nearest-neighbour mixing before the rule. Its "noniid" division sorts half of the images by
label over *all* workers, the Byzantine ones last: the honest ones then hold no image of two
classes. Faithful here: the same share of images sorted by label, of all classes, over the honest
workers; Byzantine workers that compute hold copies of honest data. Chosen: median; step sizes by
the least worst loss over the tuning seeds, for every attack and division; evaluation with batch
statistics recomputed from training data where a network has them; compression of the whole vector,
and for Byz-DM21 also tensor by tensor, as the code does. The augmentation by flips and crops is
left out. (Label flips have no effect in the code's CIFAR-10 path; see `paper_figs.official.dm21`.)

Unknown: all figures and tables of the paper.

Claims. T: under the code's division honest data lack two classes, under the faithful one none; bits
are exact. E: test accuracy under the code's division ends at the share of the classes at most, and
below that of the faithful one; under that one Byz-DM21 and Byz-VR-DM21 end above the baselines.

Source: arXiv 2603.15144, setting of its public code (github
Lee418268753/Byzantine-Double_Momentum).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.compressors.random_subsets import keep_count
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace, history_of
from paper_figs.official import dm21 as official
from paper_figs.setups.methods import by_name

TITLE = "Byz-DM21 on images: all classes at honest workers, and the code's division"
SECONDS = {
    "quick": "95 s of CPU time, mostly compiling",
    "default": "28 min (one core, shared)",
    "full": "not measured",
}

FAITHFUL, CODE = "all classes", "the code's division"
DIVISIONS = (FAITHFUL, CODE)
SF = "sign flip, other"
ATTACKS: dict[str, Callable[[], jb.core.Attack]] = {
    SF: jb.attacks.sign_flip_other,
    "IPM": jb.ipm,
    "ALIE": jb.alie,
}
SHOWN = {SF: "SF"}
DM21, VR, SGDM, DASHA = "Byz-DM21", "Byz-VR-DM21", "Byz-EF21-SGDM", "Byz-DASHA-PAGE"
TENSORS = "Byz-DM21, tensor by tensor"
OURS, OTHERS = (DM21, VR), (SGDM, DASHA)


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    data: str
    per_class: int  # training images of each class
    test: int | None
    model: str
    byzantine: tuple[int, ...]
    attacks: tuple[str, ...]
    methods: tuple[str, ...]
    rounds: int
    every: int
    batch: int
    grid: tuple[float, ...]
    seeds: int
    tuning_seeds: int
    n: int = 20
    ratio: float = 0.1
    eta: float = 0.1


SPECS = {
    "quick": Spec(
        "digits", 140, None, "linear", (4,), ("ALIE",), (DM21, SGDM), rounds=120, every=12,
        batch=16, grid=(0.02, 0.1, 0.5), seeds=3, tuning_seeds=1, n=10,
    ),
    "default": Spec(
        "cifar10", 400, 1000, "LightNet", (8,), (SF, "ALIE"), (SGDM, DASHA, DM21, VR, TENSORS),
        rounds=150, every=15, batch=16, grid=(0.02, 0.1), seeds=2, tuning_seeds=1,
    ),
    "full": Spec(
        "cifar10", 5000, None, "ResNet-20", (8, 9), tuple(ATTACKS),
        (SGDM, DASHA, DM21, VR, TENSORS), rounds=4000, every=40, batch=64,
        grid=(0.005, 0.05, 0.5), seeds=3, tuning_seeds=1,
    ),
}  # fmt: skip
NAMES = {"digits": "digits 8×8", "cifar10": "CIFAR-10 (JPEG copies)"}


def label(method: str, attack: str, division: str, f: int) -> str:
    """The name of a run."""
    return f"{method}, {SHOWN.get(attack, attack)}, {division}, f = {f}"


def dataset_of(spec: Spec, workspace: Workspace) -> jb.data.Dataset:
    """The first images of every class, equally many, and the first test images."""
    found = workspace.images(spec.data)
    labels = np.asarray(found.train_labels)
    places = [np.flatnonzero(labels == c)[: spec.per_class] for c in range(found.classes)]
    if min(map(len, places)) < spec.per_class:
        most = min(map(len, places))
        raise ValueError(f"per_class must be <= {most} for {spec.data}, got {spec.per_class}")
    chosen = np.sort(np.concatenate(places))
    return found._replace(
        train_images=found.train_images[chosen], train_labels=labels[chosen],
        test_images=found.test_images[: spec.test], test_labels=found.test_labels[: spec.test],
    )  # fmt: skip


def division_of(spec: Spec, labels: np.ndarray, f: int, division: str) -> np.ndarray:
    """Positions of the honest workers' images, [h, m]."""
    honest = spec.n - f
    if division == CODE:
        return official.label_sorted_over_all(labels, spec.n, seed=0)[:honest]
    return jb.data.label_sorted(labels, honest, 0.5, seed=0)


def model_of(spec: Spec, classes: int) -> Any:
    """The network; "ResNet-20" is that of the authors' code."""
    made = {
        "linear": lambda: jb.problems.models.Linear(classes),
        "LightNet": lambda: jb.problems.models.LightNet(classes),
        "ResNet-20": lambda: jb.problems.resnets.resnet20(classes),
    }
    return made[spec.model]()


def methods_of(spec: Spec, f: int, samples: int, sizes: list[int]) -> dict[str, Any]:
    """Functions of the step size.

    Args:
        spec: of the figure.
        f: number of Byzantine workers.
        samples: of a worker.
        sizes: of the parameter tensors, in their order in the vector.
    """
    tensors = jb.blockwise(sizes, lambda size: jb.top_k(ratio=max(spec.ratio, 1 / size)))
    known = by_name(eta=spec.eta, probability=spec.batch / samples, ratio=spec.ratio)
    known[TENSORS] = functools.partial(jb.byz_dm21, compressor=tensors, eta=spec.eta)

    def of(name: str) -> Callable[[Any], Any]:
        return lambda step: known[name](
            optimizer=optax.sgd(step), aggregator=jb.nnm(f, jb.coordinate_median(f=f))
        )

    return {name: of(name) for name in spec.methods}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, and how many images of each class honest workers hold."""
    data = dataset_of(spec, workspace)
    model = model_of(spec, data.classes)
    shapes = jax.eval_shape(model.init, jax.random.key(0), data.train_images[:1])
    sizes = [int(leaf.size) for leaf in jax.tree.leaves(shapes)]
    results: dict[str, Any] = {}
    for f in spec.byzantine:
        for division in DIVISIONS:
            rows = division_of(spec, data.train_labels, f, division)
            held = np.bincount(data.train_labels[rows].ravel(), minlength=data.classes)
            results[f"classes/{division}, f = {f}"] = held
            problem = jb.problems.classification(
                data, honest=spec.n - f, byzantine=f, partition=rows, model=model, batch=spec.batch
            )
            # One run and worker after another: batched, convolutions are slow on CPU.
            race = workspace.race(
                f"{division}, f = {f}", methods_of(spec, f, rows.shape[1], sizes), problem,
                attacks=[ATTACKS[name]() for name in spec.attacks], steps=spec.grid,
                rounds=spec.rounds, every=spec.every, seeds=spec.seeds,
                tuning_seeds=spec.tuning_seeds, evaluate=["train", "test"], map_runs=None,
                map_workers=jb.one_by_one, progress=False,
            )  # fmt: skip
            for name in spec.methods:
                for attack in spec.attacks:
                    history = history_of(race, name, attack, problem)
                    results[label(name, attack, division, f)] = history
    return results


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the results."""
    held = {d: [results[f"classes/{d}, f = {f}"] for f in spec.byzantine] for d in DIVISIONS}
    missing = {d: [int((counts == 0).sum()) for counts in held[d]] for d in DIVISIONS}
    checked = [
        findings.equal("under the code's division honest data lack two classes", missing[CODE], 2),
        findings.equal("under the faithful division they lack none", missing[FAITHFUL], 0),
    ]
    runs = []
    for f in spec.byzantine:
        for name in (name for name in spec.methods if name in (DM21, VR, SGDM)):
            for attack in spec.attacks:
                history = results[label(name, attack, FAITHFUL, f)]
                d = history.about["dimension"]
                k = keep_count(ratio=spec.ratio)(d)
                runs.append((history, k * (32 + (d - 1).bit_length()), 32 * d))
    checked.append(
        findings.exact_bits(
            "uplink bits are k (32 + ⌈log₂ d⌉) a round and a dense start, for global Top-k", runs
        )
    )
    for f in spec.byzantine:
        for attack in spec.attacks:
            checked += _of_cell(spec, results, attack, f)
    return checked


def _of_cell(spec: Spec, results: Results, attack: str, f: int) -> list[Finding]:
    """The E claims under one attack; a run that diverged has accuracy 0."""

    def accuracy(method: str, division: str) -> np.ndarray:
        values = results[label(method, attack, division, f)]["test_accuracy"][:, -1]
        return np.where(np.isfinite(values), values, 0.0)

    checked = []
    counts = results[f"classes/{CODE}, f = {f}"]
    share = float((counts > 0).mean())
    where = f"{SHOWN.get(attack, attack)}, f = {f}"
    for name in spec.methods:
        checked += [
            findings.at_most(
                f"{name}, {where}: with the code's division accuracy ends at the share of classes "
                "that honest workers hold, at most",
                accuracy(name, CODE), share, "test accuracy",
            ),
            findings.less(
                f"{name}, {where}: with the code's division accuracy ends lower",
                accuracy(name, CODE), accuracy(name, FAITHFUL),
            ),
        ]  # fmt: skip
    for ours in (name for name in OURS if name in spec.methods):
        for other in (name for name in OTHERS if name in spec.methods):
            checked.append(
                findings.less(
                    f"{ours}, {where}: accuracy ends above that of {other}",
                    accuracy(other, FAITHFUL), accuracy(ours, FAITHFUL),
                )
            )  # fmt: skip
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """Above, images of each class at honest workers; below, test accuracy, a row an attack."""
    columns = [(f, division) for f in spec.byzantine for division in DIVISIONS]
    rows = 1 + len(spec.attacks)
    figure, axes = drawing.axes(
        rows, len(columns), figsize=(max(3.4 * len(columns), 6.5), 2.3 * rows + 0.7), sharey="row"
    )
    for column, (f, division) in enumerate(columns):
        counts = results[f"classes/{division}, f = {f}"]
        ax = axes[0, column]
        ax.bar(np.arange(len(counts)), counts, color=drawing.GREY)
        ax.set_xticks(np.arange(len(counts)))
        ax.set_xlabel("class")
        ax.set_ylabel("images of honest workers" if column == 0 else "")
        ax.set_title(f"{division}, f = {f}", fontsize=9)
        for row, attack in enumerate(spec.attacks, 1):
            ax = axes[row, column]
            for name in spec.methods:
                looks = drawing.style(DM21 if name == TENSORS else name)
                if name == TENSORS:
                    looks["linestyle"] = ":"
                history = results[label(name, attack, division, f)]
                drawing.curve(ax, history, "test_accuracy", label=name, **looks)
            if (counts == 0).any():
                ax.axhline((counts > 0).mean(), color="0.5", linewidth=0.8, linestyle="--",
                           label="share of classes held")  # fmt: skip
            ax.set_title(SHOWN.get(attack, attack), fontsize=8)
            ax.set_xlabel("round")
            ax.set_ylabel("test accuracy" if column == 0 else "")
    drawing.legend_outside(figure, axes[1, -1])  # the code's division has all labels
    drawing.title(
        figure,
        f"{NAMES[spec.data]}, {spec.per_class} images a class, {spec.model}, n = {spec.n}, "
        f"batch {spec.batch}, k/d = {spec.ratio:g}, NNM + median, {spec.seeds} seeds, median and "
        "range",
    )
    return figure
