"""Figures of RoSDHB on images: they run at a tiny size, and wrong curves are noticed."""

import dataclasses

import numpy as np
import pytest
from parts.figures import Case, Plant, change, examine

from paper_figs.figures import (
    rosdhb_fig2,
    rosdhb_fig3,
    rosdhb_fig4,
    rosdhb_fig6,
    rosdhb_official,
    rosdhb_reference,
    rosdhb_tables,
)
from paper_figs.frame.workspace import Workspace
from paper_figs.setups import rosdhb_curves, rosdhb_images
from paper_figs.setups.rosdhb_images import FOE, ROSDHB

# A linear model, few workers and few images: these tests ask whether everything fits together.
TINY = dataclasses.replace(
    rosdhb_images.QUICK, train=150, test=50, rounds=4, every=2, seeds=3, grid=(0.1,),
    model="linear", honest=4,
)  # fmt: skip


def worse(column):
    """Two less, and not by the same for all seeds."""
    return column - 2 - np.arange(3)[:, None] / 100


def better(column):
    return column + 2 + np.arange(3)[:, None] / 100


def slowly(results):
    """Evaluations a hundred times later, and the threshold reached at the last one."""
    name = "RoSDHB, f = 1, k/d = 0.1, FOE searched"
    found = change(f"^{name}", test_accuracy=lambda a: a * 0 + [-1.0, -1.0, 0.5])(results)
    return {**found, name: dataclasses.replace(found[name], rounds=found[name].rounds * 100)}


def planted(name, value):
    return lambda results: {**results, name: results[name] + value}


UNDER_FOE = rosdhb_curves.Spec(TINY, (1,), (0.1, 1.0), (FOE,))
UNDER_ALIE = rosdhb_curves.Spec(TINY, (1,), (0.1,), rosdhb_fig6.BOTH, (ROSDHB,))
MORE_BITS = Plant(change("^RoSDHB, .*k/d = 0.1", uplink_bits=lambda bits: bits + 14.0), "bits are")
LOST = Plant(
    change("^RoSDHB, f", test_accuracy=worse), "without attack|at least the test accuracy of"
)
OF_ALIE = (
    MORE_BITS,
    Plant(change("^RoSDHB, f", test_accuracy=worse), "without attack"),
    Plant(change("ALIE searched", test_accuracy=better), "searched ALIE leaves"),
    Plant(planted(rosdhb_fig6.FORGED, 1e-3), "honest mean"),
)

CASES = [
    Case(
        "rosdhb_fig1",
        UNDER_FOE,
        (
            # An index that somebody forgot to leave out.
            Plant(change("RoSDHB, .*k/d = 0.1", uplink_bits=lambda bits: bits + 14.0), "bits"),
            Plant(
                change(
                    "RoSDHB, .*k/d = 0.1",
                    test_accuracy=lambda a: a - 2 - np.arange(3)[:, None] / 100,
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
    Case(
        "rosdhb_fig2",
        rosdhb_fig2.Spec(TINY, (1,), (0.1,), (0.0,)),  # reached at the start
        (
            Plant(change("^RoSDHB", uplink_bits=lambda bits: bits + 14.0), "bits are"),
            Plant(change("^RoSDHB", test_accuracy=worse), "fewer rounds"),
        ),
    ),
    Case(
        "rosdhb_fig3",
        rosdhb_fig3.Spec(TINY, (1,), (0.1, 1.0), 0.0),
        (
            Plant(change("^RoSDHB", uplink_bits=lambda bits: 2 * bits), "costs a worker"),
            Plant(change("^RoSDHB.*k/d = 1,", test_accuracy=worse), "at least as many"),
            Plant(slowly, "10 times as many"),
            Plant(
                change("^RoSDHB.*k/d = 0.1,", uplink_bits=lambda bits: bits + 1e6), "fewer uplink"
            ),
        ),
    ),
    Case(
        "rosdhb_fig4",
        rosdhb_fig4.Spec(TINY, (1,), (0.5, None), (ROSDHB,)),
        (
            Plant(change("i.i.d.", uplink_bits=lambda bits: bits + 14.0), "bits are"),
            Plant(change("alpha", test_accuracy=better), "lower test accuracy"),
            Plant(change("alpha", dissimilarity=lambda found: 0 * found), "larger measured G"),
        ),
    ),
    Case("rosdhb_fig5", UNDER_FOE, (MORE_BITS, LOST)),
    Case("rosdhb_fig6", UNDER_ALIE, OF_ALIE),
    Case("rosdhb_fig7", UNDER_FOE, (MORE_BITS, LOST)),
    Case("rosdhb_fig8", UNDER_ALIE, OF_ALIE),
    Case(
        "rosdhb_tables",
        rosdhb_tables.Spec(TINY, (1,), (0.1,), (FOE,), (), (0.0, 0.05)),
        (
            Plant(change("^RoSDHB", uplink_bits=lambda bits: bits + 14.0), "bits are"),
            Plant(change("^RoSDHB", uplink_bits=lambda bits: bits + 1e9), "fewer megabits"),
        ),
    ),
    Case(
        "rosdhb_official",
        rosdhb_official.Spec(TINY, (rosdhb_official.MASKS,), (rosdhb_official.NOISE,), (), 1),
        (
            Plant(planted(rosdhb_official.SHARED, np.array([[1], [0]])), "two run seeds"),
            Plant(change("masks by|noise", test_accuracy=better), "raises the test"),
            Plant(change("masks by|noise", test_accuracy=worse), "lowers the test"),
        ),
    ),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("figures") / "one")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_figure(case, workspace, tmp_path, monkeypatch):
    # f = 1 as in the other figures, whose programs it then shares.
    monkeypatch.setattr(rosdhb_reference, "BYZANTINE", 1)
    examine(case, workspace, tmp_path)


def test_a_run_that_diverged_has_no_wrong_bits(workspace):
    """Its columns are NaN once it is over; that is no error of the bits before."""
    case = next(case for case in CASES if case.name == "rosdhb_fig3")
    results = rosdhb_fig3.run(case.spec, workspace)
    over = np.array([0, 0, np.nan])
    changed = change("^RoSDHB", uplink_bits=lambda b: b + over, test_accuracy=lambda a: a + over)
    (exact,) = [f for f in rosdhb_fig3.check(case.spec, changed(results)) if f.kind == "T"]
    assert exact.verdict == "reproduced"
