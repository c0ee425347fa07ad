"""Figures on logistic regression: they run at a tiny size, and wrong curves are noticed."""

import dataclasses

import numpy as np
import pytest
from parts.figures import Case, Plant, change, examine

from paper_figs.figures import dm21_a9a
from paper_figs.frame.workspace import Workspace


def worse(values):
    """Larger by far, and not by the same amount for all seeds."""
    return 100 * values * (1 + np.arange(len(values))[:, None] / 10)


def altered(name, change):
    return lambda results: {**results, name: change(results[name])}


A9A = dataclasses.replace(
    dm21_a9a.SPECS["quick"], attacks=("IPM",), methods=("Byz-EF21-SGDM", "Byz-DM21"),
    samples=60, n=4, byzantine=(1,), grid=(0.5,), rounds=8, every=4, seeds=2,
    minima=("breast_cancer",),
)  # fmt: skip

CASES = [
    Case(
        "dm21_a9a",
        A9A,
        (
            Plant(change("Byz-DM21", uplink_bits=lambda bits: bits + 1), "bits are"),
            Plant(change("Byz-DM21", gap=lambda gap: gap - 1), "below"),
            Plant(change("Byz-DM21", gap=worse), "ends with less"),
            Plant(altered("minimum/breast_cancer", lambda m: m * [1 + 1e-8, 1, 1]), "L-BFGS"),
        ),
    ),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("figures") / "one")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_figure(case, workspace, tmp_path):
    examine(case, workspace, tmp_path)


def test_published_minima_are_held_against_ours():
    from paper_figs.setups import logistic

    known = logistic.PUBLISHED["a9a"]
    for wrong, verdict in ((1.0, "reproduced"), (1 + 1e-6, "not reproduced")):
        value = known * wrong
        results = {"minimum/a9a": np.array([value, value, known])}
        (_, finding) = logistic.check_minima(results)
        assert finding.verdict == verdict
