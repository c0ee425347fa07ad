"""Byz-DM21 and its baselines on logistic regression with a9a, per bit sent.

From the authors' code: n = 20, f = 8 (its scripts) and f = 9 (what its plotting scripts read); rows
of unit norm, λ = 0.00056, data shared out i.i.d., batch 1, k = 1; sign flips (minus a random honest
vector), label flips, IPM with ε = 0.1 and ALIE; RFA, median and trimmed mean, each behind
nearest-neighbour mixing; step sizes 0.5, 0.05, 0.005. Chosen here: all methods are compared when
each has sent the same number of bits (the dense start is charged); step sizes, and η of the
momentum methods, are those with the least worst loss over the tuning seeds at that budget, for
every attack and rule; steps at which Byz-DM21 is unstable on a quadratic are left out of its grid;
full gradients of PAGE and MARINA with probability 1/(samples of a worker); forged messages go
through the protocol. Byzantine workers that compute do so on an honest worker's data. Byz-EF21
computes full gradients in every round, the others one sample: per bit it has no noise.

Unknown: all figures and tables of the paper. Its code starts neither of its two methods.

Claims. E: Byz-DM21 and Byz-VR-DM21 end with less excess loss per bit than Byz-EF21-SGDM and
Byz-DASHA-PAGE. T: the data and the loss have the known minimum; no loss is below the minimum; bits
are exact.

Source: arXiv 2603.15144, setting of its public code (github
Lee418268753/Byzantine-Double_Momentum).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import jaxbyz as jb
from jaxbyz.theory.byz_dm21 import momentum_limit
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace, history_of
from paper_figs.setups import logistic
from paper_figs.setups.logistic import FLOAT32, WITH_COIN
from paper_figs.setups.methods import with_sgd

TITLE = "Byz-DM21 on a9a: four attacks, three rules, all baselines, per bit"
SECONDS = {
    "quick": "55 s of CPU time, mostly compiling",
    "default": "about 25 min of CPU time",
    "full": "not measured",
}

SF, LF = "sign flip, other", "label flip"
ATTACKS: dict[str, Callable[[], jb.core.Attack]] = {
    SF: jb.attacks.sign_flip_other,
    LF: lambda: jb.label_flip(2),
    "IPM": jb.ipm,
    "ALIE": jb.alie,
}
SHOWN = {SF: "SF", LF: "LF"}
OURS, OTHERS = ("Byz-DM21", "Byz-VR-DM21"), ("Byz-EF21-SGDM", "Byz-DASHA-PAGE")
MOMENTA = ("Byz-DM21", "Byz-VR-DM21", "Byz-EF21-SGDM")
ALL = (
    "BR-CSGD", "BR-DIANA", "EF14", "Byz-VR-MARINA", "Byz-DASHA-PAGE", "Byz-EF21", "Byz-EF21-SGDM",
    *OURS,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    data: str
    samples: int | None
    byzantine: tuple[int, ...]
    attacks: tuple[str, ...]
    rules: tuple[str, ...]
    methods: tuple[str, ...]
    etas: tuple[float, ...]
    grid: tuple[float, ...]
    rounds: int
    every: int
    seeds: int
    tuning_seeds: int
    minima: tuple[str, ...]  # data sets whose f* is checked
    n: int = 20
    k: int = 1
    batch: int = 1
    weight: float = 0.00056


RULES = ("RFA", "median", "trimmed mean")
GRID = (0.005, 0.05, 0.5)
SPECS = {
    "quick": Spec(
        "synthetic", None, (8,), (SF, "ALIE"), ("median",), (*OTHERS, "Byz-DM21"),
        etas=(0.1,), grid=GRID[1:], rounds=400, every=40, seeds=3, tuning_seeds=1,
        minima=("synthetic",),
    ),
    "default": Spec(
        "a9a", None, (8, 9), tuple(ATTACKS), RULES, ALL, etas=(0.1,), grid=GRID,
        rounds=1000, every=50, seeds=3, tuning_seeds=1, minima=("a9a", "w8a"),
    ),
    "full": Spec(
        "a9a", None, (8, 9), tuple(ATTACKS), RULES, ALL, etas=(0.01, 0.1), grid=GRID,
        rounds=40_000, every=1000, seeds=5, tuning_seeds=2, minima=("a9a", "w8a"),
    ),
}  # fmt: skip


def label(method: str, attack: str, rule: str, f: int) -> str:
    """The name of a run."""
    return f"{method}, {SHOWN.get(attack, attack)}, NNM + {rule}, f = {f}"


def rule_of(name: str, f: int) -> jb.core.Aggregator:
    """One of the rules, without the mixing before it."""
    made = {
        "RFA": lambda: jb.smoothed_weiszfeld(8, nu=0.1),
        "median": lambda: jb.coordinate_median(f=f),
        "trimmed mean": lambda: jb.trimmed_mean(f=f),
    }
    return made[name]()


def problem_of(spec: Spec, workspace: Workspace, f: int) -> Any:
    """The data, shared out i.i.d. over the honest workers."""
    return jb.problems.logistic(
        logistic.rows_of(workspace, spec.data, spec.samples), honest=spec.n - f, byzantine=f,
        regulariser=jb.problems.ridge(spec.weight), batch=spec.batch,
    )  # fmt: skip


def budget_of(spec: Spec) -> float:
    """Bits that every method may send: those of Rand-k without a dense start."""
    return float(32 * spec.k * spec.rounds)


def steps_of(spec: Spec, name: str, eta: float, smoothness: float) -> list[float]:
    """The grid, without steps at which Byz-DM21 is unstable on a quadratic of this smoothness."""
    if name != "Byz-DM21":
        return list(spec.grid)
    limit = momentum_limit(eta, eta) / smoothness
    return [step for step in spec.grid if step < limit]


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves, each at the best step size (and η) for its attack and rule."""
    results: dict[str, Any] = {**logistic.minima(workspace, spec.minima)}
    for f in spec.byzantine:
        problem = problem_of(spec, workspace, f)
        coins = [name for name in spec.methods if name in WITH_COIN]
        momenta = [name for name in spec.methods if name in MOMENTA]
        rest = [name for name in spec.methods if name not in (*coins, *momenta)]
        # Runs that toss coins go one after another: side by side, all would compute both sides.
        found = {"": _races(spec, workspace, problem, rest, None, "no momentum")}
        found["coins"] = _races(spec, workspace, problem, coins, None, "coins", map_runs=None)
        for eta in spec.etas:
            found[str(eta)] = _races(
                spec, workspace, problem, momenta, eta, f"momenta, η = {eta:g}"
            )
        minimum = problem.minimum
        for rule in spec.rules:
            for attack in spec.attacks:
                for name in spec.methods:
                    best = _best(found.values(), rule, name, attack)
                    history = history_of(best, name, attack, problem)
                    results[label(name, attack, rule, f)] = logistic.with_gap(history, minimum)
    return results


def _races(
    spec: Spec,
    workspace: Workspace,
    problem: Any,
    names: Sequence[str],
    eta: float | None,
    what: str,
    **options: Any,
) -> dict[str, jb.Comparison]:
    if not names:
        return {}
    f = problem.byzantine
    methods = with_sgd(
        names, k=spec.k, probability=1 / problem.samples, eta=1.0 if eta is None else eta,
        around=lambda rule: jb.nnm(f, rule),
    )  # fmt: skip
    steps = {name: steps_of(spec, name, eta or 1.0, problem.smoothness) for name in names}
    return workspace.races(
        f"f = {f}, {what}", methods, {name: rule_of(name, f) for name in spec.rules}, problem,
        attacks=[ATTACKS[name]() for name in spec.attacks], steps=steps, rounds=spec.rounds,
        every=spec.every, seeds=spec.seeds, tuning_seeds=spec.tuning_seeds, evaluate=["train"],
        budgets={"uplink_bits": budget_of(spec)}, progress=False, **options,
    )  # fmt: skip


def _best(
    found: Iterable[dict[str, jb.Comparison]], rule: str, name: str, attack: str
) -> jb.Comparison:
    """Of the races in which a method runs (one for every η), that of the best tuned value."""
    races = [part[rule] for part in found if part and name in part[rule].methods]
    return min(races, key=lambda race: _tuned(race, name, attack))


def _tuned(race: jb.Comparison, name: str, attack: str) -> float:
    """The worst value over the tuning seeds at the step size that was chosen."""
    values = race.values(name, attack, "uplink_bits")[:, race.reported :]
    worst = values[race.choice(name, attack, "uplink_bits")].max(initial=-np.inf)
    return float(worst) if np.isfinite(worst) else np.inf


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    runs = {name: found for name, found in results.items() if isinstance(found, jb.History)}
    checked = logistic.check_minima(results)
    lowest = [history["gap"][np.isfinite(history["gap"])] for history in runs.values()]
    checked.append(findings.holds("no loss is below f*", np.concatenate(lowest), tolerance=FLOAT32))
    sent = []
    for name, history in runs.items():
        method = next(method for method in spec.methods if name.startswith(f"{method}, "))
        if method == "Byz-VR-MARINA":  # coins decide
            continue
        d = history.about["dimension"]
        index = 0 if method in ("BR-CSGD", "BR-DIANA", "Byz-DASHA-PAGE") else (d - 1).bit_length()
        start = 0 if method in ("BR-CSGD", "BR-DIANA", "EF14") else 32 * d
        sent.append((history, spec.k * (32 + index), start))
    checked.append(
        findings.exact_bits(
            "uplink bits are k numbers a round, with indices for Top-k, and dense starts", sent
        )
    )

    def excess(method: str, f: int, attacks: Sequence[str]) -> np.ndarray:
        """log10 of f(x) - f* at the budget, mean over attacks and rules, [S]."""
        values = []
        for attack in attacks:
            for rule in spec.rules:
                history = results[label(method, attack, rule, f)]
                budget = budget_of(spec)
                values.append(logistic.decades(logistic.within(history, "gap", budget)))
        return np.mean(values, axis=0)

    for f in spec.byzantine:
        cases = [
            (ours, [attack]) for ours in OURS if ours in spec.methods for attack in spec.attacks
        ]
        for ours, attacks in cases:
            for other in (name for name in OTHERS if name in spec.methods):
                under = ", ".join(SHOWN.get(attack, attack) for attack in attacks)
                checked.append(
                    findings.less(
                        f"{ours} ends with less excess loss per bit than {other}: {under}, f = {f}",
                        excess(ours, f, attacks), excess(other, f, attacks),
                        what="difference of log10(f - f*), mean over rules",
                    )
                )  # fmt: skip
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """Excess loss against uplink bits: a row for every attack, a column for every rule and f."""
    columns = [(f, rule) for f in spec.byzantine for rule in spec.rules]
    size = (max(2.1 * len(columns) + 0.6, 6.0), 1.7 * len(spec.attacks) + 1.1)
    figure, axes = drawing.axes(
        len(spec.attacks), len(columns), figsize=size, sharex=True, sharey=True
    )
    for row, attack in enumerate(spec.attacks):
        for column, (f, rule) in enumerate(columns):
            ax = axes[row, column]
            for method in spec.methods:
                history = results[label(method, attack, rule, f)]
                drawing.curve(
                    ax, history, "gap", "uplink_bits", label=method, **drawing.style(method)
                )
                for band in ax.collections:
                    band.set_alpha(0.1)
            ax.axvline(budget_of(spec), color="0.7", linewidth=0.8)
            ax.set_yscale("log", nonpositive="mask")
            ax.yaxis.set_minor_formatter("")
            ax.set_xlabel(
                "uplink bits per worker" if row == len(spec.attacks) - 1 else "", fontsize=7
            )
            ax.set_ylabel("f(x) − f*" if column == 0 else "", fontsize=8)
            ax.tick_params(labelsize=7)
            ax.xaxis.get_offset_text().set_fontsize(7)
            ax.set_title(f"{SHOWN.get(attack, attack)}, NNM + {rule}, f = {f}", fontsize=7)
    drawing.legend_outside(figure, axes[0, 0], columns=5)
    drawing.title(
        figure,
        f"{logistic.shown(spec.data, spec.samples)}: n = {spec.n}, k = {spec.k}, batch "
        f"{spec.batch}, {spec.rounds} rounds (the code: 40000), {spec.seeds} seeds; median and "
        "range; compared at the grey line",
    )
    return figure
