"""Figures in which theory and runs meet: they run at a tiny size, and wrong arrays are noticed."""

import numpy as np
import pytest
from parts.figures import Case, Plant, change_arrays, examine

from paper_figs.figures import dm21_stability, mask_seeds, rosdhb_momentum
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
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("figures") / "one")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_figure(case, workspace, tmp_path):
    examine(case, workspace, tmp_path)
