"""All compressed Byzantine-robust methods beside each other: `python -m paper_figs.race`.

Logistic regression with the nonconvex regulariser on the breast-cancer data; 12 honest workers and
8 Byzantine ones, under ALIE, IPM, sign flip and label flip; nearest-neighbour mixing before the
trimmed mean, the median and RFA; one tenth of the coordinates. Every method has the step size that
is best for it, chosen on other seeds (see `jaxbyz.compare`); what decides is the gradient norm of
the honest objective. Six minutes on 2 cores; an interrupted race continues.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax

import jaxbyz as jb
from jaxbyz.compiling import compile_quickly
from paper_figs.frame import records
from paper_figs.setups.methods import Made, with_sgd

HONEST, BYZANTINE = 12, 8
BATCH, RATIO, ETA = 8, 0.1, 0.1
STEPS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ROUNDS, EVERY = 400, 40
RESULTS = records.ROOT / "paper_figs" / "results" / "race"
RULES = {
    "trimmed mean": jb.trimmed_mean(f=BYZANTINE),
    "median": jb.coordinate_median(f=BYZANTINE),
    "RFA": jb.smoothed_weiszfeld(8, nu=0.1),
}


METHODS = (
    "robust D-SGD", "D-SHB", "RoSDHB", "RoSDHB, local masks", "BR-CSGD", "EF14", "BR-DIANA",
    "BROADCAST", "Byz-VR-MARINA", "Byz-VR-MARINA, no sync", "Byz-DASHA-PAGE", "Byz-EF21",
    "Byz-EF21-SGDM", "Byz-DM21", "Byz-VR-DM21",
)  # fmt: skip


def methods(samples: int, f: int = BYZANTINE) -> dict[str, Made]:
    """Every row of the table: functions of the step size and of the rule, before which is mixed."""
    full = BATCH / (BATCH + samples)  # how often PAGE and MARINA compute full gradients
    return with_sgd(
        METHODS, around=lambda rule: jb.nnm(f, rule),
        eta=ETA, probability=full, samples=samples, ratio=RATIO,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run, store, print."""
    parser = argparse.ArgumentParser(prog="python -m paper_figs.race", description=__doc__)
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    compile_quickly()  # it is most of the time, and what is made is no slower here
    jax.config.update("jax_compilation_cache_dir", str(records.ROOT / ".jax_cache"))
    problem = jb.problems.logistic(
        jb.data.breast_cancer(),
        honest=HONEST,
        byzantine=BYZANTINE,
        regulariser=jb.problems.nonconvex(0.01),
        batch=BATCH,
    )
    attacks = [jb.alie(), jb.ipm(), jb.sign_flip(), jb.label_flip(2)]
    budgets = {
        "round": float(chosen.rounds),
        "uplink_bits": chosen.rounds * 32 * RATIO * problem.dimension,
        "gradients": float(chosen.rounds * BATCH),
    }
    races = jb.compare_aggregators(
        methods(problem.samples),
        {name: RULES[name] for name in chosen.rules},
        problem,
        attacks=attacks,
        steps=STEPS,
        rounds=chosen.rounds,
        evaluate_every=EVERY,
        measure="gradient_norm",
        budgets=budgets,
        folder=chosen.out,
    )
    for name, race in races.items():
        print(f"== NNM, {name}\n{race}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
