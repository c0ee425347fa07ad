"""Figures over all methods and attacks: they run at a tiny size, and wrong results are noticed."""

import pytest
from parts.figures import Case, Plant, change, change_arrays, examine

from paper_figs.figures import attack_strength, bits_all_methods, dm21_neighbourhood
from paper_figs.frame.workspace import Workspace

CASES = [
    Case(
        "bits_all_methods",
        bits_all_methods.Spec("breast_cancer", 3, 1, (0.1,), ("Byz-DM21",), honest=3, byzantine=2),
        (
            # The dense start forgotten.
            Plant(change("Byz-DM21$", uplink_bits=lambda bits: bits - bits[:, :1]), "table"),
            Plant(change_arrays("described", lambda n: n + 64), "describe"),
            Plant(change("Byz-DM21$", uplink_bits=lambda bits: 0 * bits), "grow"),
        ),
    ),
    Case(
        "dm21_neighbourhood",
        dm21_neighbourhood.Spec(5, 1, 2, 1, (), (), 500, 2, 0.05, methods=("Byz-DM21", "BR-CSGD")),
        (Plant(change("Byz-DM21,", gradient_norm=lambda y: 1.1 * y), "stops at"),),
    ),
    Case(
        "attack_strength",
        attack_strength.Spec((("trimmed mean", "robust D-SGD"),), 4, 3, 2, 1),
        (
            Plant(change_arrays("different/own", lambda y: 0.9 * y), "as strong as its family"),
            Plant(change_arrays("identical/all", lambda y: y + 1), "copied row do no"),
            Plant(change_arrays("different/all", lambda y: 0 * y), "searched attacks do"),
            Plant(change_arrays("no Byzantine worker", lambda y: y + 1e-3), "no Byzantine"),
        ),
    ),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("figures") / "one")


LONG = ("attack_strength",)  # two searches through a server are compiled


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.long] * (case.name in LONG))
        for case in CASES
    ],
)
def test_figure(case, workspace, tmp_path):
    examine(case, workspace, tmp_path)
