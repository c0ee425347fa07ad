"""Byz-DASHA-PAGE, Byz-EF21 and two forms of Byz-VR-MARINA per bit, and per counted coordinate.

From the authors' code: n = 16, f = 3; honest worker i holds the i-th block of rows in the order of
the file; logistic loss with (λ/2) Σ x²/(1+x²), λ = 0.1; start at x* + (1, …, 1); median after
bucketing by two; Rand-k with k = ⌊0.1 d⌋ for Byz-VR-MARINA and Byz-DASHA-PAGE, Rand-1 for
Byz-VR-MARINA without synchronisation, Top-1 for Byz-EF21; batch ⌊0.01 m⌋; the step sizes of its
theory times 1, 4, 16, 64, 256. Chosen here: rows of unit norm of a9a and w8a (its data, phishing,
are not at hand); the step size of the least worst ‖∇f‖ over the tuning seeds, for every attack; ROP
with π = 1, λ = 0.9, 180 degrees (its values are not known).

Shown: ‖∇f‖² of the honest objective over its first value, against uplink bits (32-bit numbers,
indices and the dense start included), and against counted coordinates, as in the code. Below,
deviations of the code one at a time, under ALIE (see `paper_figs.official.dasha`): what it records
as ‖∇f‖²; ALIE with variances; attackers that overwrite estimates; step sizes chosen under ROP.

Claims. E: per bit, Byz-DASHA-PAGE ends below Byz-VR-MARINA, and Byz-EF21 below Byz-VR-MARINA
without synchronisation; ALIE with variances is weaker than ALIE; overwriting is stronger than
attacks that speak the protocol; step sizes chosen under ROP are worse under ALIE. T: bits of
Byz-DASHA-PAGE and Byz-EF21 are exact. The last row shows what the code records in place of ‖∇f‖².

Source: Rammal, Gruntkowska, Fedin, Gorbunov, Richtárik, AISTATS 2024 (arXiv 2310.09804), setting of
its public code (github Nikosimus/CC-for-BR-Learning).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import optimize, special

import jaxbyz as jb
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace, history_of
from paper_figs.official import dasha as official
from paper_figs.setups import logistic
from paper_figs.setups.methods import with_sgd

TITLE = "Byz-DASHA-PAGE and Byz-EF21 on logistic regression, per bit and per coordinate"
SECONDS = {
    "quick": "55 s of CPU time, mostly compiling",
    "default": "10 min (one core, shared)",
    "full": "not measured",
}

MARINA, NO_SYNC, DASHA, EF21 = (
    "Byz-VR-MARINA", "Byz-VR-MARINA, no sync", "Byz-DASHA-PAGE", "Byz-EF21",
)  # fmt: skip
PAIRS = ((DASHA, MARINA), (EF21, NO_SYNC))
ATTACKS: dict[str, Callable[[], jb.core.Attack]] = {
    "sign flip": jb.sign_flip,
    "label flip": lambda: jb.label_flip(2),
    "IPM": jb.ipm,
    "ALIE": jb.alie,
    "ROP": lambda: jb.attacks.rop(pi=1.0, lam=0.9, angle=180),
    "ALIE, variance": official.alie_with_variance,
}
SHOWN = {"sign flip": "SF", "label flip": "LF"}
ALIE, ROP, VARIANCE = "ALIE", "ROP", "ALIE, variance"
SMALLEST = 1e-12  # of ‖∇f‖² over its first value, in float32


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    data: tuple[str, ...]
    samples: int | None
    attacks: tuple[str, ...]  # that are shown
    coordinates: int  # after the start
    evaluations: int
    seeds: int
    tuning_seeds: int
    methods: tuple[str, ...] = (MARINA, NO_SYNC, DASHA, EF21)
    powers: tuple[int, ...] = (0, 2, 4, 6, 8)
    recorded: tuple[str, ...] = (MARINA, NO_SYNC, DASHA, EF21)  # deviation 2
    overwriting: tuple[str, ...] = (DASHA, EF21)  # deviation 4
    n: int = 16
    byzantine: int = 3
    weight: float = 0.1


MANY = ("sign flip", "label flip", "IPM", "ALIE", "ROP")
SPECS = {
    "quick": Spec(
        ("synthetic",), None, (ALIE, ROP), coordinates=300, evaluations=20, seeds=3,
        tuning_seeds=1, recorded=(), overwriting=(), powers=(2, 5, 8),
        methods=(MARINA, DASHA, EF21),
    ),
    "default": Spec(
        ("a9a", "w8a"), 6500, MANY, coordinates=3000, evaluations=25, seeds=3, tuning_seeds=1
    ),
    "full": Spec(
        ("a9a", "w8a"), None, MANY, coordinates=5000, evaluations=50, seeds=5, tuning_seeds=2
    ),
}  # fmt: skip


def label(data: str, method: str, attack: str) -> str:
    """The name of a run."""
    return f"{data}: {method}, {SHOWN.get(attack, attack)}"


def kept(method: str, dimension: int) -> int:
    """k of a method."""
    return max(1, dimension // 10) if method in (MARINA, DASHA) else 1


def problem_of(spec: Spec, workspace: Workspace, data: str) -> Any:
    """Blocks of rows in the order of the file, and the start x* + 1."""
    rows = logistic.rows_of(workspace, data, spec.samples)
    honest = spec.n - spec.byzantine
    block = len(rows.labels) // honest
    problem = jb.problems.logistic(
        rows, honest=honest, byzantine=spec.byzantine, batch=max(1, block // 100),
        regulariser=jb.problems.nonconvex(spec.weight / 2),
        partition=np.arange(honest * block).reshape(honest, block),
    )  # fmt: skip
    start = jnp.asarray(stationary(problem, spec.weight) + 1.0, jnp.float32)
    return dataclasses.replace(problem, init=lambda key: start)


def stationary(problem: Any, weight: float) -> np.ndarray:
    """x*, from the all-ones point by L-BFGS, [d]."""
    signed = (problem.signs[..., None] * problem.features).reshape(-1, problem.dimension)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signed @ x
        value = -special.log_expit(margin).mean() + weight / 2 * (x**2 / (1 + x**2)).sum()
        slope = weight * x / (1 + x**2) ** 2 - special.expit(-margin) @ signed / len(signed)
        return value, slope

    found = optimize.minimize(objective, np.ones(problem.dimension), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)


def theory_step(method: str, problem: Any, n: int) -> float:
    """γ of the code's theory, with δ = f/n and c = 256/15."""
    d, m, b, h = problem.dimension, problem.samples, problem.batch, problem.honest
    k = kept(method, d)
    omega, delta, c = d / k - 1, problem.byzantine / n, 256 / 15
    smooth = problem.smoothness
    mean = np.sqrt((problem.local_smoothness**2).mean())
    sampled = problem.worst_sample_smoothness**2 / b
    s = np.sqrt(1 / h) + np.sqrt(8 * c * delta)
    if method == EF21:
        return float(1 / (smooth + 2 * d / k * (1 + np.sqrt(8 * c * delta)) * mean))
    if method == NO_SYNC:
        return float(1 / (smooth + omega * mean * s))
    if method == DASHA:
        noise = 12 * omega * (2 * omega + 1) * (mean**2 + sampled) + 2 * m / b * sampled
        return float(1 / (smooth + s * np.sqrt(noise)))
    p, most = min(b / m, 1 / d), max(omega, m / b)
    noise = 12 * most * ((mean**2 + sampled) * omega + sampled) * (1 / h + 8 * c * delta / p)
    return float(1 / (smooth + np.sqrt(noise + 96 * most * c * delta / p)))


def method_of(name: str, problem: Any) -> Callable[[Any], Any]:
    """A method as a function of its step size."""
    d, m, b = problem.dimension, problem.samples, problem.batch
    k = kept(name, d)
    probability = {MARINA: min(b / m, 1 / d), NO_SYNC: k / d, DASHA: b / m, EF21: 1.0}[name]
    rule = jb.bucketing(2, jb.coordinate_median(f=problem.byzantine))
    made = with_sgd([name], k=k, probability=probability, eta=1.0)
    return lambda step: made[name](step, rule)


def run(spec: Spec, workspace: Workspace) -> Results:
    """All curves."""
    results: dict[str, Any] = {}
    for data in spec.data:
        problem = problem_of(spec, workspace, data)
        first = data == spec.data[0]
        names = [*spec.attacks, *([VARIANCE] if first else [])]
        attacks = [ATTACKS[name]() for name in names]
        for name in spec.methods:
            race = _race(spec, workspace, problem, f"{data}, {name}", name, attacks)
            for attack in names:
                results[label(data, name, attack)] = _relative(
                    history_of(race, name, attack, problem)
                )
            if first:
                history = official.chosen_under(race, name, ROP, ALIE)
                results[f"{label(data, name, ALIE)}, step of ROP"] = _relative(history)
        if first:
            results |= _overwritten(spec, workspace, problem, data)
            results |= _recorded(spec, workspace, problem, data, results)
    return results


def _race(
    spec: Spec, workspace: Workspace, problem: Any, what: str, name: str, attacks: Any,
    wrap: Callable[[Any], Any] = lambda algorithm: algorithm,
) -> jb.Comparison:  # fmt: skip
    """One method: they differ in rounds, and in whether coins forbid runs side by side."""
    make = method_of(name, problem)
    every = max(1, spec.coordinates // kept(name, problem.dimension) // spec.evaluations)
    gamma = theory_step(name, problem, spec.n)
    options: dict[str, Any] = {} if name == EF21 else {"map_runs": None}
    return workspace.race(
        what, {name: lambda step: wrap(make(step))}, problem, attacks=attacks,
        steps=[gamma * 2.0**j for j in spec.powers], rounds=every * spec.evaluations, every=every,
        seeds=spec.seeds, tuning_seeds=spec.tuning_seeds, measure="gradient_norm",
        evaluate=["gradient"], progress=False, **options,
    )  # fmt: skip


def _relative(history: jb.History) -> jb.History:
    """The same curves with a column `relative`, ‖∇f‖² over its first value."""
    squares = history["gradient_norm"] ** 2
    relative = squares / squares[:, :1]
    return dataclasses.replace(history, columns={**history.columns, "relative": relative})


def _overwritten(spec: Spec, workspace: Workspace, problem: Any, data: str) -> Results:
    """Under ALIE on estimates: with messages of the protocol, and with overwritten estimates."""
    results = {}
    attack = jb.attacks.steer(jb.alie())
    for name in spec.overwriting:
        for what, wrap in (("protocol", lambda a: a), ("overwriting", official.overwriting)):
            race = _race(
                spec, workspace, problem, f"{data}, {name}, ALIE on estimates, {what}", name,
                [attack], wrap,
            )  # fmt: skip
            found = history_of(race, name, attack.name, problem)
            results[f"{data}: {name}, ALIE on estimates, {what}"] = _relative(found)
    return results


def _recorded(
    spec: Spec, workspace: Workspace, problem: Any, data: str, results: Results
) -> Results:
    """What the code records as ‖∇f‖², [S, E], and ‖∇f‖² of the same runs."""
    made = {}
    for name in spec.recorded:
        known = results[label(data, name, ALIE)]

        def make(name: str = name, known: jb.History = known) -> dict[str, np.ndarray]:
            history = jb.train(
                method_of(name, problem)(known.about["step"]), problem, attack=jb.alie(),
                rounds=int(known.rounds[-1]), evaluate_every=int(known.rounds[1]),
                evaluate=["gradient"], seeds=spec.seeds, map_seeds=jb.one_by_one, progress=False,
                watch=lambda before, after, info, data: {
                    "aggregate_norm": jnp.linalg.norm(info.server.aggregate)
                },
            )  # fmt: skip
            norms = history["gradient_norm"][:, 1:]
            squares = official.recorded_squares(
                name, history["aggregate_norm"][:, 1:], norms, problem.honest, spec.n
            )
            return {"recorded": squares, "true": norms**2}

        inputs = (label(data, name, ALIE), float(known.about["step"]), int(known.rounds[-1]))
        found = workspace.arrays(f"recorded, {name}", make, *inputs)
        made |= {f"{what}/{name}": found[what] for what in ("recorded", "true")}
    return made


def bits_of(method: str, dimension: int) -> int:
    """Bits of one coordinate."""
    return 32 + ((dimension - 1).bit_length() if method == EF21 else 0)


def last(results: Results, name: str) -> np.ndarray:
    """log10 of the last ‖∇f‖² over the first, [S]; infinite where a run diverged."""
    values = results[name]["relative"][:, -1]
    return np.log10(np.maximum(np.where(np.isfinite(values), values, np.inf), SMALLEST))


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    runs = []
    for data in spec.data:
        for name in (name for name in (DASHA, EF21) if name in spec.methods):
            for attack in spec.attacks:
                history = results[label(data, name, attack)]
                d = history.about["dimension"]
                runs.append((history, kept(name, d) * bits_of(name, d), 32 * d))
    checked = [
        findings.exact_bits(
            "uplink bits of Byz-DASHA-PAGE and Byz-EF21 are those of their messages and the start",
            runs,
        )
    ]
    what = "log10 of ‖∇f‖² over its first value, difference"
    for data in spec.data:
        for attack in spec.attacks:
            for ours, other in PAIRS:
                if {ours, other} <= {*spec.methods}:
                    pair = [results[label(data, name, attack)] for name in (ours, other)]
                    bits = min(np.nanmax(h["uplink_bits"], axis=1).min() for h in pair)
                    values = [
                        np.log10(np.maximum(logistic.within(h, "relative", bits), SMALLEST))
                        for h in pair
                    ]
                    claim = f"{label(data, ours, attack)}: below {other} after the same bits"
                    checked.append(findings.less(claim, *values, what=what))
    return checked + _deviations(spec, results, what)


def _deviations(spec: Spec, results: Results, what: str) -> list[Finding]:
    """What deviations of the code change."""
    data, checked = spec.data[0], []
    for name in spec.methods:
        faithful = last(results, label(data, name, ALIE))
        checked += [
            findings.less(f"{name}: ALIE with variances is weaker than ALIE",
                          last(results, label(data, name, VARIANCE)), faithful, what=what),
            # By a tenth at least: with the same step size for both the difference is 0.
            findings.less(f"{name}: the step size chosen under ROP is worse under ALIE",
                          faithful, last(results, f"{label(data, name, ALIE)}, step of ROP"),
                          np.log10(1.1), what),
        ]  # fmt: skip
    for name in spec.overwriting:
        one = f"{data}: {name}, ALIE on estimates, "
        checked.append(
            findings.less(f"{name}: ALIE on estimates is stronger where it overwrites them",
                          last(results, f"{one}protocol"), last(results, f"{one}overwriting"),
                          what=what)
        )  # fmt: skip
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """A row for every data set and axis, a column for every attack; deviations in the last row."""
    columns = max(len(spec.attacks), 4 if spec.recorded else 2)
    rows = 2 * len(spec.data) + 1
    figure, axes = drawing.axes(rows, columns, figsize=(max(2.2 * columns, 6.0), 1.85 * rows + 0.9))
    for ax in axes.ravel():
        ax.set_axis_off()
    for i, data in enumerate(spec.data):
        for column, attack in enumerate(spec.attacks):
            for row, counted in ((2 * i, False), (2 * i + 1, True)):
                ax = axes[row, column]
                for name in spec.methods:
                    history = results[label(data, name, attack)]
                    x = history["uplink_bits"]
                    if counted:
                        x = official.coordinates(history, bits_of(name, history.about["dimension"]))
                    _line(ax, np.nanmedian(x, axis=0), history["relative"], name)
                axis = "counted coordinates" if counted else "uplink bits per worker"
                _finish(ax, f"{data}: {SHOWN.get(attack, attack)}", axis, column)
    _deviation_panels(spec, results, axes[-1])
    drawing.legend_outside(figure, axes[0, 0], columns=4)
    names = ", ".join(logistic.shown(data, spec.samples) for data in spec.data)
    drawing.title(
        figure,
        f"{names}; n = {spec.n}, f = {spec.byzantine}, median after bucketing by two, {spec.seeds} "
        "seeds, median and range; last row: deviations of the code (thin) beside faithful (thick)",
    )
    return figure


def _line(
    ax: Any, x: np.ndarray, values: np.ndarray, name: str, thin: bool = False, label: bool = True
) -> None:
    looks = {**drawing.style(name), "linewidth": 0.8 if thin else 1.5}
    if thin:
        looks["marker"], looks["markersize"], looks["markevery"] = "x", 3, 4
    values = np.where(np.isfinite(values), values, np.nan)
    ax.plot(x, np.median(values, axis=0), label=name if label else None, **looks)
    if not thin:
        ax.fill_between(x, values.min(axis=0), values.max(axis=0), color=looks["color"], alpha=0.12)


def _finish(ax: Any, title: str, x: str, column: int) -> None:
    ax.set_axis_on()
    ax.set_yscale("log", nonpositive="mask")
    ax.yaxis.set_minor_formatter("")
    ax.locator_params(axis="x", nbins=4)
    ax.set_title(title, fontsize=7)
    ax.set_xlabel(x, fontsize=7)
    ax.set_ylabel("‖∇f‖² / its first" if column == 0 else "", fontsize=7)
    ax.tick_params(labelsize=6)
    ax.xaxis.get_offset_text().set_fontsize(6)
    ax.grid(visible=True, alpha=0.25)


def _deviation_panels(spec: Spec, results: Results, axes: Any) -> None:
    """Variances, steps of ROP, overwriting, and what is recorded."""
    data = spec.data[0]
    for ax, title, end in (
        (axes[0], "ALIE with variances", VARIANCE),
        (axes[1], "ALIE, steps chosen under ROP", f"{ALIE}, step of ROP"),
    ):
        for name in spec.methods:
            faithful = results[label(data, name, ALIE)]
            bits = np.nanmedian(faithful["uplink_bits"], axis=0)
            _line(ax, bits, faithful["relative"], name)
            other = results[label(data, name, end)]
            _line(ax, np.nanmedian(other["uplink_bits"], axis=0), other["relative"], name, True)
        _finish(ax, f"{data}: {title}", "uplink bits per worker", int(ax is not axes[0]))
    if spec.overwriting:
        for name in spec.overwriting:
            for what in ("protocol", "overwriting"):
                found = results[f"{data}: {name}, ALIE on estimates, {what}"]
                bits = np.nanmedian(found["uplink_bits"], axis=0)
                _line(axes[2], bits, found["relative"], name, what == "overwriting")
        _finish(axes[2], f"{data}: overwriting, ALIE on estimates", "uplink bits per worker", 1)
    if spec.recorded:
        for name in spec.recorded:
            rounds = results[label(data, name, ALIE)].rounds[1:]
            counted = rounds * kept(name, results[label(data, name, ALIE)].about["dimension"])
            first = results[f"true/{name}"][:, :1]
            _line(axes[3], counted, results[f"true/{name}"] / first, name)
            _line(axes[3], counted, results[f"recorded/{name}"] / first, name, True)
        _finish(axes[3], f"{data}: recorded as ‖∇f‖²", "rounds times k", 1)
