"""Logistic regression on rows of unit norm: data, methods, excess loss and budgets of bits.

Shared by dm21_a9a, dm21_pl, dasha_logreg and marina_logreg. The minimum f* is that of the honest
objective, by Newton's method in float64 (`problem.minimum`). Losses are evaluated in float32, in
which a mean of many terms near 1/2 is known to about 1e-6: below `FLOAT32` an excess loss says
nothing, and curves end there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import optimize, special

import jaxbyz as jb
from paper_figs.frame import findings
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

# f* of the plotting notebook of Byz-VR-MARINA's code, for λ = 0.01 and rows of unit norm: numbers
# of float32.
PUBLISHED = {"a9a": 0.48710015416145325, "w8a": 0.39699700474739075}
PUBLISHED_WEIGHT = 0.01
FLOAT32 = 2e-6  # of a loss near 1/2
SHOWN = {"synthetic": "synthetic rows 1200 × 30", "breast_cancer": "breast cancer 569 × 30"}

WITH_COIN = ("Byz-VR-MARINA", "Byz-VR-MARINA, no sync", "Byz-DASHA-PAGE")


def rows_of(workspace: Workspace, name: str, samples: int | None = None) -> jb.data.BinaryDataset:
    """A data set with rows of unit norm: its first samples, None: all."""
    found = jb.data.unit_rows(workspace.binary(name))
    return found._replace(features=found.features[:samples], labels=found.labels[:samples])


def shown(name: str, samples: int | None) -> str:
    """A data set in titles."""
    part = "" if samples is None else f", its first {samples} rows"
    return SHOWN.get(name, name) + part


def minima(workspace: Workspace, names: Sequence[str]) -> dict[str, np.ndarray]:
    """For every data set, f* at λ = 0.01: Newton's, L-BFGS's, and the published one (or NaN).

    The L-BFGS one comes from the formula, written out here, and not from the library's problem.
    """

    def of(name: str) -> list[float]:
        data = rows_of(workspace, name)
        newton = jb.problems.logistic(
            data, honest=1, regulariser=jb.problems.ridge(PUBLISHED_WEIGHT)
        ).minimum
        signed = data.features * data.labels[:, None]

        def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
            margin = signed @ x
            value = -special.log_expit(margin).mean() + PUBLISHED_WEIGHT / 2 * x @ x
            slope = PUBLISHED_WEIGHT * x - special.expit(-margin) @ signed / len(signed)
            return value, slope

        found = optimize.minimize(
            objective, np.zeros(signed.shape[1]), jac=True, method="L-BFGS-B",
            options={"gtol": 1e-9, "ftol": 1e-15, "maxiter": 5000},
        )  # fmt: skip
        return [newton, float(found.fun), PUBLISHED.get(name, np.nan)]

    return workspace.arrays(
        "minima", lambda: {f"minimum/{name}": np.array(of(name)) for name in names}, *names
    )


def check_minima(results: Mapping[str, Any]) -> list[Finding]:
    """T claims of loader and loss: f* is that of another solver, and the published one."""
    names = [name for name in results if name.startswith("minimum/")]
    found = np.array([results[name] for name in names])
    checked = [
        # L-BFGS stops at a gradient of about 1e-9, hence within 1e-18/(2 λ) of f*.
        findings.equal(
            "f* by Newton's method is that of L-BFGS on the formula", found[:, 0], found[:, 1],
            rtol=1e-10,
        )
    ]  # fmt: skip
    known = found[np.isfinite(found[:, 2])]
    if len(known):
        checked.append(
            # The published numbers are float32: a unit in the last place is 2^-25 below 1/2.
            findings.equal(
                "f* of whole data sets, λ = 0.01, is the published one", known[:, 0], known[:, 2],
                rtol=2.0**-24,
            )
        )  # fmt: skip
    return checked


def with_gap(history: jb.History, minimum: float) -> jb.History:
    """The same curves with a column `gap`, f(x) - f*."""
    gap = history["loss"] - minimum
    return dataclasses.replace(history, columns={**history.columns, "gap": gap})


def within(history: jb.History, column: str, bits: float) -> np.ndarray:
    """A column at the last evaluation at which no more than so many bits were sent, [S].

    Runs that had diverged there count as infinitely bad.
    """
    inside = (history["uplink_bits"] <= bits).sum(axis=1) - 1
    values = np.take_along_axis(history[column], np.maximum(inside, 0)[:, None], axis=1)[:, 0]
    return np.where(np.isfinite(values), values, np.inf)


def decades(values: np.ndarray, floor: float = FLOAT32) -> np.ndarray:
    """log10 of numbers, of which those below what float32 can tell are equal."""
    return np.log10(np.maximum(values, floor))
