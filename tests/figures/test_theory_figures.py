"""Figures in which theory and runs meet: they run at a tiny size, and wrong arrays are noticed."""

import numpy as np
import pytest
from parts.figures import Case, Plant, change_arrays, examine

from paper_figs.figures import (
    compressors,
    dm21_rates,
    dm21_stability,
    kappa_rules,
    mask_seeds,
    rosdhb_floor,
    rosdhb_masks,
    rosdhb_momentum,
)
from paper_figs.frame.workspace import Workspace


def first(value):
    """The first entry replaced."""

    def changed(array):
        array.reshape(-1)[0] = value
        return array

    return changed


CASES = [
    Case(
        "dm21_stability",
        dm21_stability.Spec((0.2, 0.5), (0.5, 1.5), 200, 5),
        (
            Plant(change_arrays("radius", lambda r: r[::-1]), "spectral radius"),
            # Gradients that are taken at the model of the round before.
            Plant(change_arrays("deviation", lambda e: e + 1e-6), "follows"),
            Plant(change_arrays("growth", lambda g: 1 / g), "shrink"),
            Plant(change_arrays("theorem", first(1e3)), "theorem"),
        ),
    ),
    Case(
        "mask_seeds",
        mask_seeds.Spec(60, 6, 40, (1, 4, 9)),
        (
            # Independent masks where shifted ones are meant, and the other way round.
            Plant(
                lambda r: {**r, mask_seeds.SHIFTED: r[mask_seeds.OURS]},
                "share T - δ masks",
            ),
            Plant(lambda r: {**r, mask_seeds.OURS: r[mask_seeds.SHIFTED]}, "no two seeds"),
            Plant(
                lambda r: {**r, mask_seeds.OURS: np.repeat(r[mask_seeds.OURS][:1], 3, axis=0)},
                "no two seeds",
            ),
            Plant(lambda r: {**r, mask_seeds.OURS: np.sort(r[mask_seeds.OURS], axis=2)}, "overlap"),
        ),
    ),
    Case(
        "rosdhb_momentum",
        rosdhb_momentum.Spec(2, 1, 2, points=4, doublings=6),
        (
            Plant(change_arrays("average", lambda a: 50 * a), "at most the bound"),
            Plant(change_arrays("last", lambda a: a + 1), "inside the stable region"),
            Plant(change_arrays("bound", lambda b: np.append(b[:-1], np.inf)), "Theorems A"),
        ),
    ),
    Case(
        "dm21_rates",
        dm21_rates.Spec((4**10, 4**11, 4**12), (64, 128), 8, ("Byz-DM21, β = η",)),
        (
            # A factor that grows like T^(1/12): the rate of one parameter in place of two.
            Plant(change_arrays("/exact", lambda y: y * np.array([1, 1.26, 1.59])), "falls like"),
            Plant(change_arrays("/exact", lambda y: 1e3 * y), "bound"),
            Plant(change_arrays("/runs", lambda y: 3 * y), "the exact expectation"),
            Plant(change_arrays("/runs", lambda y: y * np.array([1, 2])), "fitted"),
            Plant(change_arrays("best", lambda y: 1.02 * y), "best constant"),
        ),
    ),
    Case(
        "rosdhb_floor",
        rosdhb_floor.Spec((0.1, 0.5), 0.25, 6, 5, 1, 2, (1,), 400),
        (
            Plant(change_arrays("stall/expected", lambda y: y * (1 + 1e-6)), "moments"),
            Plant(change_arrays("stall/runs", lambda y: 0 * y), "shipped RoSDHB stays"),
            Plant(change_arrays("stall/bound", lambda y: 0.9 * y), "derived bound"),
            Plant(change_arrays("population/k = .$", lambda y: 1.1 * y), "stops at"),
            Plant(change_arrays("population/k = ./bound", lambda y: 0.01 * y), "Theorem B"),
        ),
    ),
    Case(
        "rosdhb_masks",
        rosdhb_masks.Spec(2, (1, 2), (2,), 150, 5, 1000, (1,)),
        (
            Plant(change_arrays("shared/drift", lambda y: y + 1e-6), "no drift"),
            Plant(change_arrays("independent/drift", lambda y: 0 * y), "in proportion"),
            # A floor: from half of the rounds on nothing falls.
            Plant(lambda r: {**r, "shared/floor": r["shared/half"]}, "no floor"),
            Plant(change_arrays("independent/floor", lambda y: 0 * y), "floor of the formula"),
            Plant(change_arrays("runs", lambda y: y + 1), "runs agree"),
        ),
    ),
    Case(
        "kappa_rules",
        kappa_rules.Spec(("trimmed mean", "median", "Krum"), ((5, 1),), ((7, 2),), 2, 3),
        (
            Plant(change_arrays("Krum", lambda y: y + np.array([0, 0, 0, 99, 0])), "exceeds"),
            Plant(change_arrays("trimmed", lambda y: y * np.array([0.5, 1, 1, 1, 1])), "mean has"),
            Plant(change_arrays("Krum", lambda y: y * np.array([1, 1, 0.5, 1, 1])), "least coeff"),
            Plant(change_arrays("Krum", lambda y: y * np.array([1, 1e-3, 1, 1, 1])), "is below"),
            Plant(change_arrays("median", lambda y: y * np.array([1, 1, 1, 0.9, 1])), "attained"),
        ),
    ),
    Case(
        "compressors",
        compressors.Spec(8, 2, 200, ("Rand-k, seeded", "Top-k")),
        (
            # k coordinates dropped in place of k kept; the factor d/k forgotten; no indices paid.
            Plant(change_arrays("Top-k/error", lambda e: 1.5 * e), "exceeds"),
            Plant(change_arrays("seeded/error", lambda e: 0.2 * e), "attained"),
            Plant(change_arrays("seeded/bias", lambda b: b + 0.75), "unbiased"),
            Plant(change_arrays("Top-k/declared", lambda n: n - [0, 0, 6, 0]), "bits"),
        ),
    ),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("figures") / "one")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_figure(case, workspace, tmp_path):
    examine(case, workspace, tmp_path)
