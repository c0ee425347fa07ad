"""RoSDHB: the floor κG²/(1 - κB²) is attained, and the theorem's bound is not exceeded.

Two instances on which E‖∇L_H‖² stays at a floor for ever, whatever the mask, the step size and the
momentum.

Stall: two honest workers with gradients θ ± (b0 θ + g0 v) and a linear rule of coefficient κ. At
one point their weighted sum is 0, so that nothing moves, and there ‖∇L_H‖² = κG²/(1 - κB²) exactly.
It is tried by exact expectations, and by runs of the shipped RoSDHB.

Worst population: honest gradients on which the trimmed mean, attacked by values beyond all others,
errs by its whole κ = f/(n-2f). There B = 0, and the floor is κG² = κζ².

Chosen here: all sizes; κB² = √κ b0 from 0 to 0.9; the theorem's bound is the least that Theorem A
gives over its free parameter s with c = 23200 (the paper's c), where it gives one.

Claims. T: ‖∇L_H‖² of the stall instance is κG²/(1 - κB²) in every round. T: so it is for the
shipped method. T: the derived bound is not below it. T: RoSDHB stops at κζ² on the worst
population, with every k/d, up to one per cent. T: Theorem B's bound on the average over its rounds
holds there.

Source: derived for this library, `jaxbyz/theory/rosdhb/theorems.py`,
`jaxbyz/theory/byz_dm21/population.py`; the method: arXiv 2508.17129.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.seeds import streams
from jaxbyz.simulation import session
from jaxbyz.theory import rosdhb
from jaxbyz.theory.byz_dm21 import worst_population
from jaxbyz.theory.rosdhb.theorems import Stall, stall
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

TITLE = "RoSDHB: the floor that no parameters remove"
SECONDS = {"quick": "17 s (2 cores, shared)", "default": "31 s (2 cores)", "full": "as default"}
PAPERS_C = 23200.0
AXIS = np.array([0.6, 0.8])  # v of the stall instance, as in `theorems.stall`


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    products: tuple[float, ...]  # κB² of the stall instances
    kappa: float
    stall_rounds: int
    workers: int  # of the worst population
    byzantine: int
    dimension: int
    kept: tuple[int, ...]
    rounds: int


DEFAULT = Spec(
    (0.02, 0.05, 0.1, 0.143, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), 0.25, 1024, 13, 3, 20,
    (1, 2, 5, 10, 20), 20_000,
)  # fmt: skip
SPECS = {
    "quick": Spec((0.05, 0.143, 0.3, 0.5, 0.7, 0.9), 0.25, 64, 13, 3, 10, (1, 3, 10), 3000),
    "default": DEFAULT,
    "full": DEFAULT,
}


def least_floor(product: float) -> float:
    """The least factor of κG² that Theorem A has for this κB², over s; NaN where it has none."""
    found = [np.nan]
    for s in np.geomspace(0.2, 142, 200):
        try:
            promise = rosdhb.theorem_a(
                1.0, 0.5, kappa=1.0, b_squared=product, g_squared=1.0, c=PAPERS_C, s=s, rho=12.0
            )
        except ValueError:  # a hypothesis fails for this s
            continue
        found.append(float(promise.lowest))
    return float(np.nanmin(found)) if len(found) > 1 else np.nan


def stalled_runs(spec: Spec) -> np.ndarray:
    """‖∇L_H‖² along runs of the shipped RoSDHB from points at which it stalls, [products, T]."""
    sign = jnp.array([1.0, -1.0])
    alike = jb.problems.quadratics_from_arrays(np.stack([np.eye(2)] * 2), np.zeros((2, 2)))
    root = spec.kappa**0.5
    rule = jb.stateless(lambda rows: (1 - root * sign) / 2 @ rows)
    algorithm = jb.rosdhb(k=1, momentum=0.9, optimizer=optax.sgd(0.1), aggregator=rule)
    keys = [key[0] for key in streams([0])]

    def one(product: jax.Array) -> jax.Array:
        b0, u = product / root, root / (1 - product)  # g0 = 1
        problem = dataclasses.replace(alike, init=lambda key: u * AXIS)
        run = session(algorithm, problem, record=lambda state, info: (state.server.x**2).sum())
        matrices = (1 + sign * b0)[:, None, None] * jnp.eye(2)
        data = dataclasses.replace(alike.data, matrix=matrices, vector=-sign[:, None] * AXIS)
        return run.run(keys, spec.stall_rounds, data)[2]

    return np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(spec.products)))


def stalls(spec: Spec) -> dict[str, np.ndarray]:
    """Floors of the stall instances: exact expectations, runs, bound; in units of κG²."""
    with jax.enable_x64(True):

        def one(product: jax.Array) -> jax.Array:
            given = Stall(product, *(jnp.asarray(x) for x in (spec.kappa, 1.0, 0.1, 0.1)))
            return stall(spec.stall_rounds).sides(given)[0]  # beside it: the floor

        expected = jax.jit(jax.vmap(one))(jnp.asarray(spec.products))
        ran = stalled_runs(spec)
    unit = spec.kappa / (1 - np.array(spec.products))  # κG², where G² = g0²/(1 - κB²) and g0 = 1
    return {
        "stall/expected": np.asarray(expected) / unit[:, None],
        "stall/runs": ran / unit[:, None],
        "stall/bound": np.array([least_floor(product) for product in spec.products]),
    }


def population(spec: Spec) -> dict[str, Any]:
    """‖∇L_H‖² of RoSDHB on the worst population, with the parameters of Theorem B."""
    n, f, d = spec.workers, spec.byzantine, spec.dimension
    problem = worst_population(n, f, d)
    rule = jb.trimmed_mean(f=f)
    kappa, zeta = jb.aggregators.kappa(rule, n, f).exact, problem.heterogeneity
    assert kappa is not None
    made: dict[str, Any] = {"population/κζ²": np.array(kappa * zeta)}
    for k in spec.kept:
        promise = rosdhb.theorem_b(
            problem.smoothness, k / d, kappa=kappa, b_squared=0.0, g_squared=zeta
        )
        arguments = {**promise.arguments(), "k": k}
        del arguments["ratio"]
        made[f"population/k = {k}"] = jb.train(
            jb.rosdhb(**arguments, aggregator=rule), problem,
            attack=jb.attacks.tight_trimmed_mean(), rounds=spec.rounds,
            evaluate_every=max(1, spec.rounds // 60), evaluate=["gradient"], seeds=3,
            progress=False,
        )["gradient_norm"] ** 2  # fmt: skip
        gap = float(problem.optimum @ problem.matrices.mean(axis=0) @ problem.optimum / 2)
        made[f"population/k = {k}/bound"] = np.array(promise.bound(spec.rounds, gap))
    return made


def run(spec: Spec, workspace: Workspace) -> Results:
    """Stall instances, and the worst population."""
    return workspace.arrays("stall", lambda: stalls(spec), spec) | workspace.arrays(
        "population", lambda: population(spec), spec
    )


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the arrays."""
    formula = 1 / (1 - np.array(spec.products))
    bound = results["stall/bound"]
    known = np.isfinite(bound)
    floor = results["population/κζ²"]
    last = np.stack([results[f"population/k = {k}"][:, -1] for k in spec.kept])
    means = np.stack([results[f"population/k = {k}"].mean() for k in spec.kept])
    bounds = np.stack([results[f"population/k = {k}/bound"] for k in spec.kept])
    return [
        findings.equal(
            "stall: E‖∇L_H‖² is the floor in every round (moments, relative error 1e-9)",
            results["stall/expected"], formula[:, None], 1e-9,
        ),
        findings.equal(
            "stall: the shipped RoSDHB stays at the floor (relative error 1e-9)",
            results["stall/runs"], formula[:, None], 1e-9,
        ),
        findings.holds(
            "stall: the derived bound is not below the floor", bound[known] - formula[known],
            f"a bound for κB² ≤ {np.array(spec.products)[known].max():g}",
        ),
        findings.equal(
            "worst population: RoSDHB stops at κζ² for every k/d, up to one per cent",
            last, floor, 0.01,
        ),
        findings.holds(
            "worst population: the average over the evaluated rounds is at most Theorem B's bound",
            bounds - means,
        ),
    ]  # fmt: skip


def plot(spec: Spec, results: Results) -> Any:
    """Floors against κB², and the way to the floor of the worst population."""
    figure, axes = drawing.axes(1, 2, figsize=(10, 3.9))
    left, right = axes[0]
    products = np.array(spec.products)
    line = np.linspace(0, 0.92, 200)
    left.plot(line, 1 / (1 - line), color=drawing.BLACK, linewidth=1, label="1/(1 - κB²)")
    left.plot(products, results["stall/expected"].max(axis=1), "o", color=drawing.BLUE,
              label="exact expectations, largest round")  # fmt: skip
    left.plot(products, results["stall/runs"].max(axis=1), "x", color=drawing.ORANGE,
              label="shipped RoSDHB, largest round")  # fmt: skip
    left.plot(products, results["stall/bound"], "v--", color=drawing.VERMILION, markersize=4,
              label="bound of Theorem A, c = 23200, best s")  # fmt: skip
    left.axvline(1 / 7, color=drawing.GREY, linestyle=":", label="κB² = 1/7")
    left.set(xlabel="κB²", ylabel="‖∇L_H‖² in units of κG²", yscale="log", title="stall")
    drawing.legend(left)
    for color, k in zip(drawing.shades(len(spec.kept)), spec.kept, strict=True):
        squares = results[f"population/k = {k}"]
        rounds = np.linspace(0, spec.rounds, squares.shape[1])
        label = f"k/d = {k / spec.dimension:g}"
        right.plot(rounds, np.median(squares, axis=0), color=color, label=label)
        right.fill_between(rounds, squares.min(axis=0), squares.max(axis=0), color=color, alpha=0.2)
    right.axhline(float(results["population/κζ²"]), color="k", linestyle=":", label="κζ²")
    right.set(xlabel="rounds", ylabel="‖∇L_H‖²", title="worst population of the trimmed mean")
    drawing.legend(right, loc="lower right")
    for ax in axes[0]:
        ax.grid(visible=True, alpha=0.25)
        ax.title.set_fontsize(9)
    drawing.title(
        figure,
        f"{TITLE}; stall: κ = {spec.kappa:g}, d = 2, k = 1; worst population: "
        f"n = {spec.workers}, f = {spec.byzantine}, d = {spec.dimension}, parameters of Theorem B",
    )
    return figure
