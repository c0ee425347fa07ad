"""Stability of Byz-DM21 and Byz-VR-DM21: how large a step size may be, as a function of η.

On f(x) = L x²/2, without noise, compression and Byzantine workers, a round is a linear map of
(∇f, v, u), and h = γL is stable where its spectral radius is below 1 (`theory.byz_dm21.rates`):

    Byz-DM21, β = η                            h < min{η(2-η)/(1-η)², 2(2-η)²/η²},  about 2η
    Byz-VR-DM21, β = η, and Byz-EF21-SGDM      h < 2(2-η)/η,                        about 4/η

Chosen here: the values of η, and runs of the shipped methods at fractions and multiples of the
limit. Not known: a figure of the paper about this; there may be none.

Claims. T: the spectral radius crosses 1 at these limits. T: the shipped methods follow the linear
recursion, so that they shrink below the limit and grow above it. T: the step sizes of Theorems 1
and 2 lie below the limits.

Source: derived for this library, `jaxbyz/theory/byz_dm21/rates.py`; the methods: arXiv 2603.15144.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz.seeds import streams
from jaxbyz.simulation import session
from jaxbyz.theory import byz_dm21
from jaxbyz.theory.byz_dm21 import rates
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

TITLE = "Byz-DM21: exact stability limits of the step size"
SECONDS = {"quick": "4 s (2 cores, shared)", "default": "4 s (2 cores)", "full": "as default"}
LARGE = 1e100  # numbers beyond it are not compared
NEAR = 1e-3  # how far on both sides of the limit the spectral radius is taken


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    etas: tuple[float, ...]  # of the runs
    parts: tuple[float, ...]  # γL of a run, in units of the limit
    rounds: int
    curve: int  # points of the curves


DEFAULT = Spec((0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9), (0.5, 0.9, 0.98, 1.02, 1.1), 8000, 400)
SPECS = {
    "quick": Spec((0.05, 0.1, 0.2, 0.4, 0.8), (0.5, 0.9, 0.98, 1.02, 1.1), 2000, 200),
    "default": DEFAULT,
    "full": DEFAULT,
}

# method -> η -> its limit; (h, η) -> its recursion; (η, γ) -> the shipped method
Limit = Callable[[Any], Any]
LIMITS: dict[str, Limit] = {
    "Byz-DM21": lambda eta: rates.momentum_limit(eta, eta),
    "Byz-VR-DM21": rates.recursive_limit,
    "Byz-EF21-SGDM": rates.recursive_limit,  # the same formula
}
RECURSIONS: dict[str, Callable[[Any, Any], Any]] = {
    "Byz-DM21": lambda h, eta: rates.momentum_recursion(h, eta, eta),
    "Byz-VR-DM21": lambda h, eta: rates.recursive_recursion(h, eta, eta),
    "Byz-EF21-SGDM": lambda h, eta: rates.momentum_recursion(h, eta, 1.0),
}
MAKERS: dict[str, Callable[..., Any]] = {
    "Byz-DM21": jb.byz_dm21,
    "Byz-VR-DM21": jb.byz_vr_dm21,
    "Byz-EF21-SGDM": jb.byz_ef21_sgdm,
}


def shipped(method: str, eta: np.ndarray, h: np.ndarray, rounds: int) -> np.ndarray:
    """∇f of the models of a run, from the start on, [m, rounds + 1], for m pairs (η, γL)."""
    problem = jb.problems.quadratics_from_arrays(np.ones((1, 1, 1)), -np.ones((1, 1)))
    keys = [key[0] for key in streams([0])]

    def one(eta: jax.Array, h: jax.Array) -> jax.Array:
        algorithm = MAKERS[method](
            eta=eta, compressor=jb.identity(), aggregator=jb.mean(), optimizer=optax.sgd(h)
        )
        run = session(algorithm, problem, record=lambda state, info: state.server.x[0] + 1)
        _, first, records = run.run(keys, rounds - 1, run.simulation.data)
        return jnp.concatenate([jnp.ones(1), first[None], records])

    return np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(eta), jnp.asarray(h)))


def recursion(method: str, eta: np.ndarray, h: np.ndarray, rounds: int) -> np.ndarray:
    """The same by the linear recursion."""
    transition, _ = RECURSIONS[method](h, eta)
    state, found = np.ones((len(eta), 3)), [np.ones(len(eta))]
    for _ in range(rounds):
        state = np.clip(np.einsum("mab,mb->ma", transition, state), -2 * LARGE, 2 * LARGE)
        found.append(state[:, 0])
    return np.stack(found, axis=1)


def radius(method: str, h: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """The spectral radius of a round."""
    return np.abs(np.linalg.eigvals(RECURSIONS[method](h, eta)[0])).max(axis=-1)


def deviation(ours: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The largest difference beside the largest number so far, until numbers are too large, [m]."""
    largest = np.minimum(np.maximum.accumulate(np.abs(exact), axis=1), LARGE)
    near = np.where(largest < LARGE, np.abs(ours - exact), 0.0)
    return np.asarray((near / largest).max(axis=1))


def results_of(spec: Spec) -> dict[str, np.ndarray]:
    """All arrays."""
    curve = np.geomspace(0.01, 0.99, spec.curve)
    point = byz_dm21.Setting(1.0, 0.0, 1, 1.0, 1.0)
    made: dict[str, np.ndarray] = {"eta": curve}
    for theorem, name in ((byz_dm21.theorem_1, "Byz-DM21"), (byz_dm21.theorem_2, "Byz-VR-DM21")):
        made[f"{name}, theorem"] = np.array([theorem(point, eta=eta).step_size for eta in curve])
    etas, parts = (x.ravel() for x in np.meshgrid(spec.etas, spec.parts, indexing="ij"))
    for method, limit in LIMITS.items():
        at = limit(curve)
        made[f"{method}, limit"] = at
        made[f"{method}, radius"] = np.stack(
            [radius(method, at * part, curve) for part in (1 - NEAR, 1.0, 1 + NEAR)]
        )
        h = parts * limit(etas)
        with jax.enable_x64(True):
            ours = shipped(method, etas, h, spec.rounds)
        exact = recursion(method, etas, h, spec.rounds)
        made[f"{method}, deviation"] = deviation(ours, exact)
        tenth = max(2, spec.rounds // 10)
        first, last = (np.abs(part).max(axis=1) for part in (ours[:, :tenth], ours[:, -tenth:]))
        made[f"{method}, growth"] = np.clip(last / first, 1 / LARGE, LARGE)
        made[f"{method}, h"] = h
    return made | {"run eta": etas, "run part": parts}


def run(spec: Spec, workspace: Workspace) -> Results:
    """Limits, spectral radii and runs."""
    return workspace.arrays("stability", lambda: results_of(spec), spec)


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the arrays."""
    checked = []
    below = results["run part"] < 1
    for method in LIMITS:
        inside, at, outside = results[f"{method}, radius"]
        checked += [
            findings.holds(
                f"{method}: the spectral radius is 1 at the limit, less below, more above",
                # Eigenvalues of 64 bits: measured 4e-13 at most.
                np.concatenate([1 - inside, outside - 1, 1e-10 - np.abs(at - 1)]),
            ),
            findings.holds(
                f"{method}: the shipped method follows the linear recursion",
                # Every round rounds; the numbers that are compared have 16 digits.
                1e-9 - results[f"{method}, deviation"],
            ),
            findings.holds(
                f"{method}: runs shrink below the limit and grow above it",
                np.where(below, -1, 1) * np.log(results[f"{method}, growth"]),
            ),
        ]
    for method in ("Byz-DM21", "Byz-VR-DM21"):
        checked.append(
            findings.holds(
                f"{method}: the theorem's step size is below the limit",
                results[f"{method}, limit"] - results[f"{method}, theorem"],
            )
        )
    return checked


def plot(spec: Spec, results: Results) -> Any:
    """Limits against η, with the runs at which they are tried."""
    del spec
    figure, axes = drawing.axes(1, 3, sharex=True)
    grows = results["run part"] > 1
    for ax, method in zip(axes[0], LIMITS, strict=True):
        limit = results[f"{method}, limit"]
        ax.plot(results["eta"], limit, label="stability limit", **drawing.style(method))
        if f"{method}, theorem" in results:
            ax.plot(
                results["eta"], results[f"{method}, theorem"], "-.", color=drawing.GREY,
                label="step size of the theorem",
            )  # fmt: skip
        for which, marker, color, label in (
            (~grows, "o", drawing.BLUE, "run shrinks"), (grows, "x", drawing.VERMILION, "run grows")
        ):  # fmt: skip
            right = which & ((np.log(results[f"{method}, growth"]) > 0) == grows)
            ax.plot(
                results["run eta"][right], results[f"{method}, h"][right], marker, color=color,
                markersize=4, linestyle="none", label=label,
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", title=method, xlabel="weight η of the new gradient")
        ax.grid(visible=True, alpha=0.25)
        drawing.legend(ax)
    axes[0, 0].set_ylabel("step size γ times smoothness L")
    drawing.title(
        figure, f"{TITLE}; one quadratic, no noise, no compression; runs at parts of the limit"
    )
    return figure
