"""The figure of Byz-DM21 on images: it runs at a tiny size, and wrong results are noticed."""

import dataclasses

import numpy as np
from parts.figures import Case, Plant, change, examine

from paper_figs.figures import dm21_cifar
from paper_figs.frame.workspace import Workspace

TINY = dataclasses.replace(
    dm21_cifar.SPECS["quick"],
    rounds=4,
    every=2,
    seeds=3,  # with two, an interval over seeds is 12.7 times as wide as their spread
    batch=2,
    per_class=40,
    n=10,
    byzantine=(4,),
    grid=(0.5,),
    tuning_seeds=0,
)


def altered(name, change):
    return lambda results: {**results, name: change(results[name])}


CODE, FAITHFUL = "the code's division", "all classes"
CASE = Case(
    "dm21_cifar",
    TINY,
    (
        Plant(altered(f"classes/{CODE}, f = 4", lambda counts: counts + 1), "lack two"),
        Plant(altered(f"classes/{FAITHFUL}, f = 4", lambda counts: 0 * counts), "lack none"),
        Plant(change("Byz-DM21", uplink_bits=lambda bits: bits + 1), "bits"),
        Plant(
            change(CODE, test_accuracy=lambda a: 1 + 0 * a + np.arange(3)[:, None] / 100),
            "share of classes|ends lower",
        ),
        Plant(change("Byz-DM21", test_accuracy=lambda a: 0 * a - 1), "ends above"),
    ),
)


def test_figure(tmp_path):
    examine(CASE, Workspace(tmp_path / "one"), tmp_path)
