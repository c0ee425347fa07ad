"""Rates of Byz-DM21 and Byz-VR-DM21: E‖∇f‖ falls like T^(-1/4), and with two parameters T^(-1/3).

The instance f(x) = x²/2 with gradient noise, no compression and no Byzantine worker satisfies every
hypothesis, and its expectations are exact for any number of rounds (`theory.byz_dm21.rates`). With
parameters chosen for T rounds, the averaged E‖∇f‖² falls like T^p:

    Byz-DM21, Corollary 1 (β = η)                   p = -1/2
    Byz-VR-DM21, Corollary 2 (β = √η)               p = -2/3, that is O(ε⁻³) gradients
    Byz-VR-DM21, Corollary 3 (β = η, as published)  p = -1/2, that is O(ε⁻⁴)
    Byz-VR-DM21, β = η of order T^(-2/3)            p = -1/3

Drawn is the root of the average, the norm, whose slopes are p/2: -1/4 and -1/3 for the first two.
The least average over all constant (γ, η) with β = η has slope p = -1/2 too: no choice of the one
published parameter reaches -2/3 on this instance.

Chosen here: noise variance 1, 10 workers, ‖∇f(x⁰)‖ = 1, and the T of the runs. Slopes are
asymptotic, and runs are too short for them: they are held against the exact expectation at their T.

Claims. T: local slopes of the exact expectations beyond a million rounds are p within 0.005. T: the
theorem's bound is above them. T: the least average over (γ, η) tends to 0.7635 √(σ²/(G T)). T:
averages over runs of the shipped methods agree with the expectation. T: so does the slope that is
fitted to the logarithms of these averages. Both within 5 standard errors: a normal number exceeds
them with probability 6e-7, and the scale is measured.

Source: derived for this library, `jaxbyz/theory/byz_dm21/rates.py`; the methods and the claimed
O(ε⁻³): arXiv 2603.15144 (whether its algorithm has one parameter or two is not public).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.seeds import streams
from jaxbyz.simulation import session
from jaxbyz.theory import byz_dm21
from jaxbyz.theory.byz_dm21 import rates
from jaxbyz.theory.byz_dm21.simplified import step_2
from jaxbyz.theory.engines.fits import local_slope
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

TITLE = "Byz-DM21 and Byz-VR-DM21: rates, from exact expectations and from runs"
SECONDS = {"quick": "36 s (2 cores, shared)", "default": "5 min (one core)", "full": "as default"}
WORKERS = 10
POINT = byz_dm21.Setting(1.0, 0.0, WORKERS, 1.0, 1.0, noise_variance=1.0)
GAP = 0.5  # f(x⁰) - f* for ‖∇f(x⁰)‖ = 1
BEST = "β = η, least over all constant (γ, η)"


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    exact: tuple[int, ...]  # T of the exact expectations
    runs: tuple[int, ...]  # T of the runs
    seeds: int
    kinds: tuple[str, ...] = ()  # none: all


DEFAULT = Spec(tuple(4**i for i in range(4, 15)), (256, 1024, 4096, 16384, 65536), 100)
SPECS = {
    "quick": Spec((*(16**i for i in range(2, 6)), 4**11, 4**12, 4**13), (256, 1024, 4096), 24),
    "default": DEFAULT,
    "full": DEFAULT,
}


class Kind(NamedTuple):
    """A method with parameters as a function of T."""

    promise: Any  # T -> guarantee, with its parameters
    recursion: Any
    make: Any
    slope: float  # p
    looks: dict[str, str]


def fast_forgetting(rounds: int) -> Any:
    """The published Byz-VR-DM21 with the η of the accelerated one, of order T^(-2/3)."""
    eta = rounds ** (-2 / 3)
    batch = max(1, math.ceil(1 / (eta**2 * rounds)))
    return byz_dm21.theorem_2(
        POINT, eta=eta, step_size=step_2(POINT, eta, eta), start_batch=batch
    )  # fmt: skip


def _corollary(make: Any) -> Any:
    return lambda rounds: make(POINT, rounds=rounds, gap=GAP)


VR = rates.recursive_recursion, jb.byz_vr_dm21
KINDS = {
    "Byz-DM21, β = η": Kind(
        _corollary(byz_dm21.corollary_1), rates.momentum_recursion, jb.byz_dm21, -1 / 2,
        {"color": drawing.GREEN, "linestyle": "-"},
    ),
    "Byz-VR-DM21, β = √η": Kind(
        _corollary(byz_dm21.corollary_2), *VR, -2 / 3, {"color": drawing.GREEN, "linestyle": "--"}
    ),
    "Byz-VR-DM21, β = η": Kind(
        _corollary(byz_dm21.corollary_3), *VR, -1 / 2, {"color": drawing.PURPLE, "linestyle": "--"}
    ),
    "Byz-VR-DM21, β = η ~ T^(-2/3)": Kind(
        fast_forgetting, *VR, -1 / 3, {"color": drawing.ORANGE, "linestyle": ":"}
    ),
}  # fmt: skip


def kinds_of(spec: Spec) -> dict[str, Kind]:
    """The methods of the specification."""
    return {name: KINDS[name] for name in spec.kinds or KINDS}


def expected(kind: Kind, rounds: int, start_batch: int | None = None) -> float:
    """The average of E‖∇f(xᵗ)‖² over t < T, exactly; None: the batch of the theorem."""
    promise = kind.promise(rounds)
    transition, noise = kind.recursion(promise.step_size, promise.eta, promise.beta)
    start = rates.start_moments(1 / WORKERS / (start_batch or promise.start_batch))
    return float(rates.average_square(transition, noise * WORKERS**-0.5, start, rounds))


def batch_of_runs(spec: Spec, kind: Kind) -> int:
    """The first batch of all runs, that of the largest T, so that one program makes all of them."""
    return int(kind.promise(max(spec.runs)).start_batch)


def measured(spec: Spec, kind: Kind) -> np.ndarray:
    """The averages of ‖∇f‖² in runs of the shipped method, [seeds, T]."""
    one = np.ones((WORKERS, 1, 1))
    problem = jb.problems.quadratics_from_arrays(one, -one[:, 0], noise=1.0)
    batch, longest = batch_of_runs(spec, kind), max(spec.runs)

    def average(keys: Any, given: jax.Array, rounds: jax.Array) -> jax.Array:
        step, eta, beta = given
        algorithm = kind.make(
            optimizer=optax.sgd(step), eta=eta, beta=beta, start_batch=batch,
            compressor=jb.identity(), aggregator=jb.mean(),
        )  # fmt: skip
        run = session(algorithm, problem, record=lambda state, info: (state.server.x[0] + 1) ** 2)
        # Round 0 ends at x¹; gradients are those of x⁰, …, x^(T-1).
        _, first, squares = run.run(keys, longest - 2, run.simulation.data)
        counted = jnp.where(jnp.arange(longest - 2) < rounds - 2, squares, 0.0)
        return (1 + first + counted.sum()) / rounds

    promises = [kind.promise(t) for t in spec.runs]
    given = [[p.step_size, p.eta, p.beta] for p in promises]
    with jax.enable_x64(True):
        of_all = jax.jit(jax.vmap(jax.vmap(average, (None, 0, 0)), (0, None, None)))
        keys = streams(range(spec.seeds))
        return np.asarray(of_all(keys, jnp.asarray(given), jnp.asarray(spec.runs)))


def results_of(spec: Spec, workspace: Workspace) -> dict[str, np.ndarray]:
    """All averages of ‖∇f‖²."""
    made: dict[str, np.ndarray] = {
        "best": np.array(
            [rates.best_average(t, variance=1 / WORKERS)[0] for t in spec.exact]
        )
    }  # fmt: skip
    for name, kind in kinds_of(spec).items():
        made[f"{name}/exact"] = np.array([expected(kind, t) for t in spec.exact])
        made[f"{name}/bound"] = np.array([kind.promise(t).bound(t, GAP) for t in spec.exact])
        workspace.say(f"runs: {name}")
        made[f"{name}/runs"] = measured(spec, kind)
        batch = batch_of_runs(spec, kind)
        made[f"{name}/expected of runs"] = np.array([expected(kind, t, batch) for t in spec.runs])
    return made


def run(spec: Spec, workspace: Workspace) -> Results:
    """Exact averages at the T of `exact`, and those of runs at the T of `runs`, [seeds, T]."""
    return workspace.arrays("rates", lambda: results_of(spec, workspace), spec)


def slopes_of(times: Any, values: np.ndarray) -> np.ndarray:
    """The slope of log values [..., T] against log T by least squares, [...]."""
    logs = np.log(times)
    centred = logs - logs.mean()
    return np.asarray(np.log(values) @ centred / (centred @ centred))


def slope_error(times: Any, runs: np.ndarray) -> float:
    """Standard error of the slope of the log of averages over runs [seeds, T] against log T.

    The slope is Σ w_T log(average_T); by its derivative one seed moves it by the mean of
    Σ w_T (value_T / average_T - 1), whose spread over seeds is measured. This counts what the same
    seeds have in common at different T.
    """
    centred = np.log(times) - np.log(times).mean()
    moves = (runs / runs.mean(axis=0) - 1) @ centred / (centred @ centred)
    return float(moves.std(ddof=1) / len(runs) ** 0.5)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the averages."""
    times, late = np.array(spec.exact), np.array(spec.exact)[:-1] >= 10**6
    checked = []
    for name, kind in kinds_of(spec).items():
        exact, runs = results[f"{name}/exact"], results[f"{name}/runs"]
        slope = local_slope(times, exact)[late]
        checked += [
            findings.holds(
                f"{name}: E‖∇f‖² falls like T^({kind.slope:.3f}), its root like "
                f"T^({kind.slope / 2:.3f})",
                0.005 - np.abs(slope - kind.slope),
                f"last local slope {slope[-1]:.4f}",
            ),
            findings.holds(
                f"{name}: the theorem's bound is above", results[f"{name}/bound"] - exact
            ),
        ]
        wanted = results[f"{name}/expected of runs"]
        error = runs.std(axis=0, ddof=1) / len(runs) ** 0.5
        away = np.abs(runs.mean(axis=0) - wanted) / error
        found, right = (slopes_of(spec.runs, y) for y in (runs.mean(axis=0), wanted))
        allowed = 5 * slope_error(spec.runs, runs)
        checked += [
            findings.holds(
                f"{name}: runs have the exact expectation, within 5 standard errors", 5 - away,
                f"{len(runs)} seeds, {spec.runs[0]} to {spec.runs[-1]} rounds",
            ),
            findings.holds(
                f"{name}: the slope fitted to the averages over runs is that of the expectations, "
                "within 5 standard errors",
                allowed - np.abs(found - right), f"slope {found:.3f}, expected {right:.3f}",
            ),
        ]  # fmt: skip
    # For fewer rounds the start, ‖∇f(x⁰)‖²/T, is a part of every average.
    least = results["best"] * np.sqrt(times * WORKERS) / (2 * rates.PRODUCT**0.5)
    checked.append(
        findings.holds(
            "β = η, best constant (γ, η): E‖∇f‖² √(T G/σ²) is 2√(√7 - 5/2), within one per cent "
            "beyond 10⁵ rounds",
            0.01 - np.abs(least[times >= 10**5] - 1), f"last {least[-1]:.5f} of it",
        )
    )  # fmt: skip
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """The root of the averages against T; runs as medians and ranges."""
    figure, axes = drawing.axes(1, 2, figsize=(10, 4.2))
    left, right = axes[0]
    for name, kind in kinds_of(spec).items():
        left.plot(
            spec.exact, np.sqrt(results[f"{name}/exact"]), linewidth=1.5,
            label=f"{name}: slope {kind.slope / 2:.3f}", **kind.looks,
        )  # fmt: skip
        roots = np.sqrt(results[f"{name}/runs"])
        middle = np.median(roots, axis=0)
        spread = np.abs(np.stack([roots.min(axis=0), roots.max(axis=0)]) - middle)
        left.errorbar(
            spec.runs, middle, spread, fmt="o", markersize=3, capsize=2, color=kind.looks["color"]
        )
        places = np.sqrt(np.array(spec.exact[1:], float) * np.array(spec.exact[:-1], float))
        slope = local_slope(np.array(spec.exact), results[f"{name}/exact"]) / 2
        right.plot(places, slope, **kind.looks)
        right.axhline(kind.slope / 2, color="k", linewidth=0.6, linestyle=":")
    left.plot(spec.exact, np.sqrt(results["best"]), color=drawing.BLACK, linewidth=1, label=BEST)
    slope = local_slope(np.array(spec.exact), results["best"]) / 2
    right.plot(places, slope, color=drawing.BLACK, linewidth=1)
    left.set(ylabel="root of the averaged E‖∇f‖²", yscale="log")
    right.set(ylabel="local slope (dotted: -1/3, -1/4, -1/6)", ylim=(-0.45, 0.0))
    for ax in axes[0]:
        ax.set(xscale="log", xlabel="rounds T, for which the parameters are chosen")
        ax.grid(visible=True, alpha=0.25)
    left.set_ylim(bottom=np.sqrt(results["best"].min()) / 30)
    drawing.legend(left, loc="lower left")
    drawing.title(
        figure,
        f"{TITLE}; f = x²/2, σ² = 1, {WORKERS} workers, no compression, no attack; lines exact, "
        f"points: median and range of {spec.seeds} runs",
    )
    return figure
