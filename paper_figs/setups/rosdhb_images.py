"""RoSDHB and Byz-DASHA-PAGE on images: the setting of Figures 1 to 8 and of the tables.

From the authors' code: 10 honest workers and f Byzantine ones beside them, coordinate-wise trimmed
mean, Dirichlet(5) division with equal sizes, β = 0.9, full local gradients, at most 250 rounds.
Differing from it, so that conclusions can be drawn: fresh masks for every round and seed; the FOE
search knows the true number of attackers and goes through the momenta; Byz-DASHA-PAGE has its dense
start, which is charged, and p = 1 (a full gradient every round). Each method's step size is the one
of `grid` with the least worst validation loss over the tuning seeds at f = 3, k/d = 0.1 under FOE,
for all curves (f = 1 where a setting has no f = 3).

The runs of a setting lie in one folder, so that figures that need the same runs find them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import optax

import jaxbyz as jb
from jaxbyz.compressors.random_subsets import keep_count
from paper_figs.frame import split
from paper_figs.frame.workspace import Methods, Workspace, digest
from paper_figs.setups.rosdhb_attacks import (
    ALIE,
    ALIE_SEARCHED,
    FOE,
    NONE,
    SHOWN,
    attack_of,
)

__all__ = ["ALIE", "ALIE_SEARCHED", "FOE", "NONE", "SHOWN", "attack_of"]  # found here too

ROSDHB, DASHA = "RoSDHB", "Byz-DASHA-PAGE"


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is the same in all runs."""

    data: str
    train: int | None  # images of the training files, of which a tenth is held out; None: all
    test: int | None
    rounds: int
    every: int
    seeds: int
    grid: tuple[float, ...]
    tuning_seeds: int = 2
    honest: int = 10
    momentum: float = 0.9
    batch: int | None = None  # None: full local gradients
    model: str = "LightNet"
    probability: float = 1.0  # of a full local gradient in Byz-DASHA-PAGE
    reference: float = 0.1  # k/d at which step sizes are chosen
    chunk: int = 500  # images at a time


QUICK = Setting(
    data="digits", train=None, test=None, rounds=100, every=5, seeds=3,
    grid=(0.016, 0.064, 0.256, 1.024), tuning_seeds=1,
)  # fmt: skip
DEFAULT = Setting(
    data="mnist", train=2000, test=2000, rounds=250, every=5, seeds=3, chunk=60,
    grid=(0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256), tuning_seeds=1,
)  # fmt: skip
FULL = Setting(
    data="mnist", train=None, test=None, rounds=250, every=1, seeds=5,
    grid=(0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512),
)  # fmt: skip


def title_of(setting: Setting) -> str:
    """Which data, how much of it, and which model, for titles of figures."""
    names = {"digits": "digits 8×8", "mnist": "MNIST", "cifar10": "CIFAR-10 (JPEG copies)",
             "fashion_mnist": "Fashion-MNIST"}  # fmt: skip
    size = "" if setting.train is None else f", {setting.train} of the training images"
    model = {"LightNet": "small conv net", "linear": "linear model"}.get(
        setting.model, setting.model
    )
    batch = "" if setting.batch is None else f", batches of {setting.batch}"
    return f"{names[setting.data]}{size}, {model}{batch}, {setting.seeds} seeds"


def model_of(setting: Setting, classes: int) -> Any:
    """The network; "LightNet" is that of the authors' code."""
    made = {
        "LightNet": lambda: jb.problems.models.LightNet(classes),
        "linear": lambda: jb.problems.models.Linear(classes),
        "ResNet-18": lambda: jb.problems.resnets.resnet18(classes, jb.problems.resnets.BatchNorm),
    }
    return made[setting.model]()


def problem_of(
    setting: Setting, workspace: Workspace, f: int, alpha: float | None = 5.0
) -> jb.problems.Problem:
    """The images, divided over the honest workers; alpha None: i.i.d."""
    dataset = split.fewer(workspace.images(setting.data), setting.train, setting.test)
    return split.classification(
        dataset, honest=setting.honest, byzantine=f, alpha=alpha, batch=setting.batch,
        chunk=setting.chunk, model=model_of(setting, dataset.classes),
    )  # fmt: skip


def methods_of(setting: Setting, f: int, ratio: float) -> Methods:
    """Both methods as functions of the step size; k/d = 1 is without compression."""
    rule = jb.trimmed_mean(f=f)
    random = jb.seeded_rand_k(ratio=ratio)
    return {
        ROSDHB: lambda step: jb.rosdhb(
            ratio=ratio, momentum=setting.momentum, optimizer=optax.sgd(step), aggregator=rule
        ),
        DASHA: lambda step: jb.byz_dasha_page(
            compressor=random, probability=setting.probability, optimizer=optax.sgd(step),
            aggregator=rule,
        ),
    }  # fmt: skip


def shared(setting: Setting, workspace: Workspace) -> Workspace:
    """Where the runs of this setting lie, for all figures."""
    return workspace.shared(f"rosdhb_images-{digest(setting)}")


# What this process has made or read already: to find it on disk, a run is traced once more, which
# takes a second or two. (folder, what) -> result
_at_hand: dict[tuple[Any, ...], Any] = {}


def steps_of(setting: Setting, workspace: Workspace, most: int) -> dict[str, float]:
    """Every method's step size, from the reference setting (f = 3, or `most` where it is less)."""
    f, ratio = min(3, most), setting.reference
    place, name = shared(setting, workspace), f"step sizes, f = {f}, k/d = {ratio:g}"
    if (place.folder, name) not in _at_hand:
        steps = place.tune(
            name, methods_of(setting, f, ratio), problem_of(setting, workspace, f),
            attack=attack_of(FOE, setting.honest, f), grid=setting.grid, rounds=setting.rounds,
            seeds=setting.tuning_seeds, **alike(setting),
        )  # fmt: skip
        _at_hand[place.folder, name] = steps, place.tables[name]
    steps, workspace.tables[name] = _at_hand[place.folder, name]
    return dict(steps)


def curves(
    setting: Setting,
    workspace: Workspace,
    *,
    f: int,
    ratio: float,
    steps: dict[str, float],
    attacks: Sequence[str] = (FOE,),
    alpha: float | None = 5.0,
    methods: Sequence[str] = (ROSDHB, DASHA),
    dissimilarity: bool = False,
) -> dict[tuple[str, str], jb.History]:
    """(method, attack) -> curves; with `dissimilarity`, its columns too."""
    place, all_methods = shared(setting, workspace), methods_of(setting, f, ratio)
    problem, options = problem_of(setting, workspace, f, alpha), alike(setting)
    if dissimilarity:
        problem = with_dissimilarity(problem)
        options["evaluate"] = (*options["evaluate"], "dissimilarity")
    measured = ", with dissimilarity" if dissimilarity else ""
    found: dict[tuple[str, str], jb.History] = {}
    for attack in attacks:  # each attack is a run of its own: figures ask for different ones
        where = f"f = {f}, k/d = {ratio:g}, {division(alpha)}, {attack}"

        def key(name: str, where: str = where) -> tuple[Any, ...]:
            return place.folder, where + measured, name, steps[name]

        if missing := [name for name in methods if key(name) not in _at_hand]:
            sizes = ", ".join(f"{steps[name]:g}" for name in missing)
            made = place.runs(
                f"{where}, steps {sizes}{measured}", {name: all_methods[name] for name in missing},
                problem, attacks=[attack_of(attack, setting.honest, f)], steps=steps,
                rounds=setting.rounds, seeds=setting.seeds, **options,
            )  # fmt: skip
            _at_hand.update({key(name): history for (name, _), history in made.items()})
        found |= {(name, attack): _at_hand[key(name)] for name in methods}
    return found


def label(method: str, f: int, ratio: float, attack: str) -> str:
    """The name of a run in results."""
    return f"{method}, f = {f}, k/d = {ratio:g}, {SHOWN.get(attack, attack)}"


def cells(
    setting: Setting,
    workspace: Workspace,
    byzantine: Sequence[int],
    ratios: Sequence[float],
    attacks: Sequence[str] = (FOE,),
    methods: Sequence[str] = (ROSDHB, DASHA),
    steps: dict[str, float] | None = None,
) -> dict[str, jb.History]:
    """All of these, by their labels; steps None: those of `steps_of`."""
    steps = steps_of(setting, workspace, max(byzantine)) if steps is None else steps
    results: dict[str, jb.History] = {}
    for f in byzantine:
        for ratio in ratios:
            found = curves(
                setting, workspace, f=f, ratio=ratio, steps=steps, attacks=attacks, methods=methods
            )
            results |= {label(method, f, ratio, attack): h for (method, attack), h in found.items()}
    return results


def division(alpha: float | None) -> str:
    """How the data are divided, in words."""
    return "i.i.d." if alpha is None else f"alpha = {alpha:g}"


def with_dissimilarity(problem: jb.problems.Problem) -> jb.problems.Problem:
    """The problem with an evaluator more, of two columns.

    dissimilarity = (1/h) Σ ‖∇f_i(x) - ∇f(x)‖², squared_gradient_norm = ‖∇f(x)‖².
    """

    def evaluator(x: jax.Array, data: Any, test: Any) -> dict[str, jax.Array]:
        gradients = jax.lax.map(lambda local: problem.oracle(local).full(x), data)  # [h, d]
        mean = gradients.mean(axis=0)
        spread = ((gradients - mean) ** 2).sum(axis=1).mean()
        return {"dissimilarity": spread, "squared_gradient_norm": mean @ mean}

    evaluators = {**problem.evaluators, "dissimilarity": evaluator}
    return dataclasses.replace(problem, evaluators=evaluators)


BITS = "uplink bits are 32 k a round, and 32 d more once for Byz-DASHA-PAGE"


def of_messages(history: jb.History, method: str, ratio: float) -> tuple[jb.History, int, int]:
    """A run, the bits of a round, and those of the start: for `findings.exact_bits`."""
    d = history.about["dimension"]
    return history, 32 * keep_count(ratio=ratio)(d), 32 * d if method == DASHA else 0


def alike(setting: Setting) -> dict[str, Any]:
    """What all runs have in common, so that one program does for tuning and for curves.

    One run and worker after another: batched, convolutions are slow on CPU, and both sides of
    PAGE's coin would be computed.
    """
    return {
        "every": setting.every, "evaluate": ("test", "validation"), "map_runs": None,
        "map_workers": jb.one_by_one, "progress": False,
    }  # fmt: skip
