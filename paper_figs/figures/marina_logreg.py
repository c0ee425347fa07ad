"""Byz-VR-MARINA against SGD on logistic regression, and what each deviation of its code costs.

From the authors' code: rows of unit norm, λ = 0.01, batch 32. Setting A: n = 20, f = 5, the data
shared out i.i.d. over the 15 honest workers. Setting B: n = 5, f = 1, every worker holds all data.
Without compression: SGD, SGD with momentum 0.9 (m ← 0.9 m + g), Byz-VR-MARINA; with compression:
SGD (BR-CSGD), BR-DIANA, Byz-VR-MARINA. Median or RFA after bucketing by two. No attack, sign flips
(each Byzantine worker minus its own vector), label flips, ALIE, IPM with ε = 0.1. Step sizes 0.5,
0.05, 0.005, chosen here by the worst last excess loss over the tuning seeds.

Chosen here: seeded Rand-k that keeps a tenth of the coordinates, with masks of its own for every
worker; full gradients by a common coin, 1 with probability batch/(samples of a worker). ALIE is
left out in setting B, where its factor z is 0. In setting A up to five of ten buckets may hold a
Byzantine row, outside what the median guarantees.

Below, with Byz-VR-MARINA and compression, deviations of the code are switched on one at a time (see
`paper_figs.official.marina`): nine tenths kept and multiplied by ten; one mask for all workers;
full gradients at the beginnings of epochs; and in setting B, a fourth of the step.

Claims. E: Byz-VR-MARINA ends below SGD, and still falls where SGD stalls (its excess loss is at
least halved in the second half of the rounds); every deviation ends above the faithful method.
T: data and loss have the known minimum, no loss is below it, bits of BR-CSGD
and BR-DIANA are exact.

Source: Gorbunov, Horváth, Richtárik, Gidel, ICLR 2023 (arXiv 2206.00529), setting of its public
code (github SamuelHorvath/VR_Byzantine).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.compressors.random_subsets import keep_count
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace, history_of
from paper_figs.official import common
from paper_figs.official import marina as official
from paper_figs.setups import logistic
from paper_figs.setups.logistic import FLOAT32
from paper_figs.setups.methods import with_sgd

TITLE = "Byz-VR-MARINA on logistic regression, and its code's deviations one at a time"
SECONDS = {
    "quick": "60 s of CPU time, mostly compiling",
    "default": "11 min (one core, shared)",
    "full": "not measured",
}

ATTACKS: dict[str, Callable[[], jb.core.Attack]] = {
    "none": jb.attacks.no_attack,
    "sign flip, own": jb.attacks.sign_flip_own,
    "label flip": lambda: jb.label_flip(2),
    "ALIE": jb.alie,
    "IPM": jb.ipm,
}
SHOWN = {"none": "no attack", "sign flip, own": "SF", "label flip": "LF"}
MARINA = "Byz-VR-MARINA"
DENSE = ("robust D-SGD", "D-SHB", MARINA)
SHORT = ("BR-CSGD", "BR-DIANA", MARINA)
FAITHFUL = "faithful"
DEVIATIONS = {"nine tenths kept": "A", "same masks": "A", "coin by the clock": "A",
              "step over n - f": "B"}  # fmt: skip
LOOKS = dict(
    zip(
        (FAITHFUL, *DEVIATIONS),
        ((drawing.PURPLE, "-"), (drawing.VERMILION, "--"), (drawing.ORANGE, "-."),
         (drawing.BLUE, ":"), (drawing.GREY, "--")),
        strict=True,
    )
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Setting:
    """Who holds what."""

    name: str  # "A" or "B"
    data: str
    kinds: tuple[str, ...]  # "dense", "compressed"
    n: int
    byzantine: int
    rounds: int
    epoch: int  # rounds
    deviations: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    settings: tuple[Setting, ...]
    attacks: tuple[str, ...]
    rules: tuple[str, ...]
    every: int
    seeds: int
    tuning_seeds: int
    minima: tuple[str, ...]
    grid: tuple[float, ...] = (0.005, 0.05, 0.5)
    ratio: float = 0.1
    batch: int = 32
    weight: float = 0.01
    methods: tuple[str, ...] = ("robust D-SGD", "D-SHB", "BR-CSGD", "BR-DIANA", MARINA)


BOTH = ("dense", "compressed")
OF_A = tuple(name for name, where in DEVIATIONS.items() if where == "A")
OF_B = tuple(name for name, where in DEVIATIONS.items() if where == "B")
SPECS = {
    "quick": Spec(
        (Setting("A", "synthetic", ("compressed",), 20, 5, 300, 10, OF_A[:1]),),
        ("none", "IPM"), ("median",), every=30, seeds=3, tuning_seeds=1, minima=("synthetic",),
        grid=(0.05, 0.5), methods=("BR-CSGD", MARINA),
    ),
    "default": Spec(
        (
            Setting("A", "a9a", BOTH, 20, 5, 680, 68, OF_A),
            Setting("A", "w8a", BOTH, 20, 5, 680, 104),
            Setting("B", "a9a", ("compressed",), 5, 1, 680, 1000, OF_B),
        ),
        tuple(ATTACKS), ("median",), every=34, seeds=3, tuning_seeds=1, minima=("a9a", "w8a"),
    ),
    "full": Spec(
        (
            Setting("A", "a9a", BOTH, 20, 5, 2720, 68, OF_A),
            Setting("A", "w8a", BOTH, 20, 5, 4160, 104, OF_A),
            Setting("B", "a9a", BOTH, 5, 1, 10_000, 1000, OF_B),
            Setting("B", "w8a", BOTH, 5, 1, 10_000, 1000, OF_B),
        ),
        tuple(ATTACKS), ("median", "RFA"), every=10, seeds=5, tuning_seeds=2,
        minima=("a9a", "w8a"),
    ),
}  # fmt: skip
RULES = {
    # `coordinate_median` refuses ten buckets of which five may be Byzantine.
    "median": jb.stateless(lambda rows: jnp.median(rows, axis=0)),
    "RFA": jb.smoothed_weiszfeld(8, nu=0.1),
}


def label(setting: Setting, kind: str, method: str, attack: str, rule: str) -> str:
    """The name of a run."""
    where = f"{setting.data}, {setting.name}, {kind}"
    return f"{where}: {method}, {SHOWN.get(attack, attack)}, {rule}"


def attacks_of(spec: Spec, setting: Setting) -> list[str]:
    """Those that do something: ALIE has z = 0 where half of n, rounded up, is h - f + 1."""
    useless = jb.attacks.alie_factor(setting.n, setting.byzantine) <= 0
    return [name for name in spec.attacks if not (name == "ALIE" and useless)]


def problem_of(spec: Spec, setting: Setting, workspace: Workspace) -> Any:
    """The data of a setting."""
    data = logistic.rows_of(workspace, setting.data)
    honest, count = setting.n - setting.byzantine, len(data.labels)
    everything = np.broadcast_to(np.arange(count), (honest, count))
    return jb.problems.logistic(
        data, honest=honest, byzantine=setting.byzantine, batch=spec.batch,
        regulariser=jb.problems.ridge(spec.weight),
        partition=everything if setting.name == "B" else None,
    )  # fmt: skip


Made = Callable[[Any, jb.core.Aggregator], Any]


def methods_of(spec: Spec, kind: str, problem: Any) -> tuple[dict[str, Made], dict[str, Made]]:
    """Those that run side by side, and those that toss coins: functions of step size and rule."""
    k = max(1, int(spec.ratio * problem.dimension))
    probability = spec.batch / problem.samples
    known = with_sgd(
        DENSE if kind == "dense" else SHORT, k=k, probability=probability, eta=0.1, around=bucketed
    )
    if kind == "dense":
        # m ← 0.9 m + g is our average m ← 0.9 m + 0.1 g with ten times the step.
        known["D-SHB"] = lambda step, rule: jb.robust_sgd(
            optimizer=optax.sgd(10 * step), aggregator=bucketed(rule), momentum=0.9
        )
        known[MARINA] = lambda step, rule: jb.byz_vr_marina(
            compressor=jb.identity(), probability=probability, optimizer=optax.sgd(step),
            aggregator=bucketed(rule),
        )  # fmt: skip
    known = {name: make for name, make in known.items() if name in spec.methods}
    coins = {name: make for name, make in known.items() if name == MARINA}
    return {name: make for name, make in known.items() if name != MARINA}, coins


def bucketed(rule: jb.core.Aggregator) -> jb.core.Aggregator:
    """The rule on means of two rows."""
    return jb.bucketing(2, rule)


def deviating(spec: Spec, setting: Setting, problem: Any) -> dict[str, Made]:
    """Byz-VR-MARINA with one deviation each."""
    k = max(1, int(spec.ratio * problem.dimension))
    probability = spec.batch / problem.samples

    def marina(step: Any, rule: jb.core.Aggregator, compressor: Any = None) -> Any:
        return jb.byz_vr_marina(
            compressor=compressor or jb.seeded_rand_k(k=k), probability=probability,
            optimizer=optax.sgd(step), aggregator=bucketed(rule),
        )  # fmt: skip

    known: dict[str, Made] = {
        "nine tenths kept": lambda step, rule: marina(
            step, rule, official.keeps_the_rest(spec.ratio)
        ),
        "same masks": lambda step, rule: common.same_masks(marina(step, rule)),
        "coin by the clock": lambda step, rule: common.coin_by_clock(
            marina(step, rule), setting.epoch
        ),
        "step over n - f": lambda step, rule: marina(
            official.corrected_step(step, problem.honest), rule
        ),
    }
    return {name: known[name] for name in setting.deviations}


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves."""
    results: dict[str, Any] = {**logistic.minima(workspace, spec.minima)}
    for setting in spec.settings:
        problem = problem_of(spec, setting, workspace)
        minimum = problem.minimum

        parts: list[tuple[str, str, Mapping[str, Made], dict[str, Any]]] = []
        # Runs with coins go one after another: side by side, both sides of every coin would be
        # computed.
        alone = {"map_runs": None}
        for kind in setting.kinds:
            together, coins = methods_of(spec, kind, problem)
            parts += [(kind, "SGD", together, {}), (kind, "coins", coins, alone)]
        parts.append(("compressed", "deviations", deviating(spec, setting, problem), alone))
        for kind, what, methods, options in parts:
            found = _races(spec, setting, kind, what, methods, problem, workspace, **options)
            results |= {key: logistic.with_gap(h, minimum) for key, h in found.items()}
    return results


def _races(
    spec: Spec,
    setting: Setting,
    kind: str,
    what: str,
    methods: Mapping[str, Made],
    problem: Any,
    workspace: Workspace,
    **options: Any,
) -> dict[str, jb.History]:
    """Name of the run -> curves, of these methods under all attacks before all rules."""
    if not methods:
        return {}
    attacks = attacks_of(spec, setting)
    races = workspace.races(
        f"{setting.data}, {setting.name}, {kind}, {what}", methods,
        {name: RULES[name] for name in spec.rules}, problem,
        attacks=[ATTACKS[name]() for name in attacks], steps=spec.grid, rounds=setting.rounds,
        every=spec.every, seeds=spec.seeds, tuning_seeds=spec.tuning_seeds, evaluate=["train"],
        progress=False, **options,
    )  # fmt: skip
    return {
        label(setting, kind, name, attack, rule): history_of(race, name, attack, problem)
        for rule, race in races.items()
        for name in methods
        for attack in attacks
    }


def last(results: Results, name: str) -> np.ndarray:
    """log10 of the last excess loss, [S]; infinite where a run diverged."""
    values = results[name]["gap"][:, -1]
    return logistic.decades(np.where(np.isfinite(values), values, np.inf))


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    runs = {name: found for name, found in results.items() if isinstance(found, jb.History)}
    gaps = [history["gap"][np.isfinite(history["gap"])] for history in runs.values()]
    checked = logistic.check_minima(results)
    checked.append(findings.holds("no loss is below f*", np.concatenate(gaps), tolerance=FLOAT32))
    sent = [
        (history, 32 * keep_count(ratio=spec.ratio)(history.about["dimension"]), 0)
        for name, history in runs.items()
        if "BR-" in name
    ]
    checked.append(
        findings.exact_bits("uplink bits of BR-CSGD and BR-DIANA are 32 k a round", sent)
    )
    for setting in spec.settings:
        for rule in spec.rules:
            for attack in attacks_of(spec, setting):
                checked += _of_cell(spec, results, setting, attack, rule)
    return checked


def _of_cell(
    spec: Spec, results: Results, setting: Setting, attack: str, rule: str
) -> list[Finding]:
    """The E claims of one setting under one attack."""
    checked = []
    what = "log10(f - f*) at the end, difference"
    for kind in setting.kinds:
        marina = label(setting, kind, MARINA, attack, rule)
        sgd = label(setting, kind, DENSE[0] if kind == "dense" else SHORT[0], attack, rule)
        history = results[marina]
        half = history["gap"][:, len(history.rounds) // 2]
        # A run that is at the floor of float32 by then can halve nothing: undecided.
        half = np.where(half <= FLOAT32, np.nan, np.where(np.isfinite(half), half, np.inf))
        middle = logistic.decades(half)
        checked += [
            findings.less(f"{marina} ends below SGD", last(results, marina), last(results, sgd),
                          what=what),
            findings.less(f"{marina} at least halves its excess loss in the second half",
                          last(results, marina), middle, np.log10(2),
                          what="log10(f - f*), end minus middle"),
        ]  # fmt: skip
    for name in setting.deviations:
        one = label(setting, "compressed", name, attack, rule)
        faithful = label(setting, "compressed", MARINA, attack, rule)
        checked.append(
            findings.less(f"{one} ends above the faithful method", last(results, faithful),
                          last(results, one), what=what)
        )  # fmt: skip
    return checked


def _panels(spec: Spec) -> list[tuple[Setting, str]]:
    """Rows of the picture: settings with "dense", "compressed" or "deviations"."""
    rows = [(setting, kind) for setting in spec.settings for kind in setting.kinds]
    return rows + [(setting, "deviations") for setting in spec.settings if setting.deviations]


def plot(spec: Spec, results: Results) -> Any:
    """Excess loss: a row for every setting and kind, a column for every attack (first rule)."""
    rows, rule = _panels(spec), spec.rules[0]
    size = (max(2.1 * len(spec.attacks) + 0.6, 6.0), 1.75 * len(rows) + 0.9)
    figure, axes = drawing.axes(len(rows), len(spec.attacks), figsize=size, sharey="row")
    for row, (setting, kind) in enumerate(rows):
        for column, attack in enumerate(spec.attacks):
            ax = axes[row, column]
            if attack not in attacks_of(spec, setting):
                ax.text(
                    0.5, 0.5, "z = 0: left out", ha="center", fontsize=7, transform=ax.transAxes
                )
                ax.set_axis_off()
                continue
            _panel(ax, spec, results, setting, kind, attack, rule)
            ax.set_title(
                f"{setting.data}, {setting.name} {kind}: {SHOWN.get(attack, attack)}", fontsize=7
            )
            ax.set_ylabel("f(x) − f*" if column == 0 else "", fontsize=7)
        drawing.legend(axes[row, 0], fontsize=5.5)
    data = ", ".join(dict.fromkeys(logistic.shown(s.data, None) for s in spec.settings))
    drawing.title(
        figure,
        f"{data}; {rule} after bucketing by two, {spec.seeds} seeds, median and range",
    )
    return figure


def _panel(
    ax: Any, spec: Spec, results: Results, setting: Setting, kind: str, attack: str, rule: str
) -> None:
    """One panel: curves against rounds (dense) or uplink bits."""
    if kind == "deviations":
        names = {FAITHFUL: MARINA, **{name: name for name in setting.deviations}}
        lines = [
            (shown, label(setting, "compressed", name, attack, rule),
             dict(zip(("color", "linestyle"), LOOKS[shown], strict=True)))
            for shown, name in names.items()
        ]  # fmt: skip
    else:
        names_of: Sequence[str] = DENSE if kind == "dense" else SHORT
        lines = [
            (name, label(setting, kind, name, attack, rule), drawing.style(name))
            for name in names_of
            if name in spec.methods
        ]
    x = "uplink_bits" if kind == "compressed" else "round"
    for shown, name, looks in lines:
        drawing.curve(ax, results[name], "gap", x, label=shown, **looks)
    ax.set_yscale("log", nonpositive="mask")
    ax.yaxis.set_minor_formatter("")
    ax.set_xlabel("uplink bits per worker" if kind == "compressed" else "round", fontsize=7)
    ax.locator_params(axis="x", nbins=4)  # numbers of bits are long
    ax.tick_params(labelsize=6)
    ax.xaxis.get_offset_text().set_fontsize(6)
