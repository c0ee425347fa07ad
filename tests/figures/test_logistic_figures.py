"""Figures on logistic regression: they run at a tiny size, and wrong curves are noticed."""

import dataclasses

import numpy as np
import pytest
from parts.figures import Case, Plant, change, examine

from paper_figs.figures import dasha_logreg, dm21_a9a, dm21_pl, marina_logreg
from paper_figs.frame.workspace import Workspace


def worse(values):
    """Larger by far, and not by the same amount for all seeds."""
    return 100 * values * (1 + np.arange(len(values))[:, None] / 10)


def altered(name, change):
    return lambda results: {**results, name: change(results[name])}


A9A = dataclasses.replace(
    dm21_a9a.SPECS["quick"], attacks=("IPM",), methods=("Byz-EF21-SGDM", "Byz-DM21"),
    samples=60, n=4, byzantine=(1,), grid=(0.5,), rounds=8, every=4, seeds=3,
    minima=("breast_cancer",),
)  # fmt: skip

MARINA = marina_logreg.Spec(
    (
        marina_logreg.Setting(
            "A", "breast_cancer", ("compressed",), 8, 2, 8, 4, ("same masks",)
        ),
    ),
    ("IPM",), ("median",), every=4, seeds=3, tuning_seeds=0, minima=("breast_cancer",),
    grid=(0.5,), methods=("BR-CSGD", "Byz-VR-MARINA"),
)  # fmt: skip

PL = dataclasses.replace(
    dm21_pl.SPECS["quick"], samples=40, rounds={"same data": 100, "worst population": 800,
    "sampled": 100}, seeds=3, evaluations=4, dimension=3, methods=("Byz-DM21",), batch=2,
)  # fmt: skip

DASHA = dataclasses.replace(
    dasha_logreg.SPECS["quick"], samples=60, attacks=("ALIE", "ROP"), coordinates=12, evaluations=3,
    seeds=3, powers=(2,), methods=(dasha_logreg.NO_SYNC, dasha_logreg.EF21), n=14, byzantine=3,
    recorded=(dasha_logreg.EF21,), tuning_seeds=0,
)  # fmt: skip

CASES = [
    Case(
        "dasha_logreg",
        DASHA,
        (
            Plant(change("EF21", uplink_bits=lambda bits: bits + 1), "bits of"),
            Plant(change("EF21, (ALIE|ROP)$", relative=worse), "below|EF21: the step"),
            Plant(change("variance", relative=worse), "weaker"),
            Plant(change("no sync, ALIE$", relative=worse), "sync: the step"),
        ),
    ),
    Case(
        "dm21_pl",
        PL,
        (
            Plant(change("same|worst", gap=lambda gap: 1e3 + gap), "above the bound"),
            Plant(change("worst", gap=lambda gap: 0.9 * gap), "last value"),
            Plant(change("sampled", gap=lambda gap: 1e6 + 0 * gap), "below the bound at the end"),
            Plant(
                change("sampled", gap=lambda gap: gap[:, :1] * 4.0 ** -np.arange(gap.shape[1])),
                "factor 2",
            ),
        ),
    ),
    Case(
        "marina_logreg",
        MARINA,
        (
            Plant(change("BR-CSGD", uplink_bits=lambda bits: bits + 1), "bits of"),
            Plant(change("BR-CSGD", gap=lambda gap: gap - 1), "below f"),
            Plant(change("VR-MARINA", gap=worse), "below SGD|above the faithful"),
            Plant(change("VR-MARINA", gap=lambda gap: gap[:, :1] + 0 * gap), "second half"),
            Plant(altered("minimum/breast_cancer", lambda m: m * [1 + 1e-8, 1, 1]), "L-BFGS"),
        ),
    ),
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
