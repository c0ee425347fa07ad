"""Figures of RoSDHB on images: they run at a tiny size, and wrong curves are noticed."""

import dataclasses

import numpy as np
import pytest
from parts.figures import Case, Plant, change, examine

from paper_figs.figures import rosdhb_fig1, rosdhb_reference
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_images

# A linear model and few images: these tests ask whether everything fits together.
TINY = dataclasses.replace(
    rosdhb_images.QUICK, train=300, test=100, rounds=4, every=2, seeds=2, grid=(0.1,),
    model="linear",
)  # fmt: skip

CASES = [
    Case(
        "rosdhb_fig1",
        rosdhb_fig1.Spec(TINY, byzantine=(1,), ratios=(0.1, 1.0)),
        (
            # An index that somebody forgot to leave out.
            Plant(change("RoSDHB, .*k/d = 0.1", uplink_bits=lambda bits: bits + 14.0), "bits"),
            Plant(
                change(
                    "RoSDHB, .*k/d = 0.1",
                    test_accuracy=lambda a: a - 2 - np.arange(2)[:, None] / 100,
                ),
                "test accuracy",
            ),
        ),
    ),
    Case(
        "rosdhb_reference",
        rosdhb_reference.Spec(TINY, TINY, threshold=0.0),  # reached at the start
        (
            Plant(change("^RoSDHB", uplink_bits=lambda bits: 2 * bits), "sends 32 k bits"),
            Plant(change("^RoSDHB", test_accuracy=lambda a: a - 2), "within|fewer rounds"),
        ),
    ),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("figures") / "one")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_figure(case, workspace, tmp_path):
    examine(case, workspace, tmp_path)
