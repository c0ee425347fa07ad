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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import optax

import jaxbyz as jb
from jaxbyz.compiling import compile_quickly
from paper_figs.frame import records

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


def methods(samples: int, f: int = BYZANTINE) -> dict[str, Callable[[Any, jb.Aggregator], Any]]:
    """Every row of the table: functions of the step size and of the rule, before which is mixed."""
    top, random = jb.top_k(ratio=RATIO), jb.seeded_rand_k(ratio=RATIO)
    full = BATCH / (BATCH + samples)  # how often PAGE and MARINA compute full gradients
    made: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "robust D-SGD": (jb.robust_sgd, {}),
        "D-SHB": (jb.robust_sgd, {"momentum": 1 - ETA}),
        "RoSDHB": (jb.rosdhb, {"ratio": RATIO, "momentum": 1 - ETA}),
        "RoSDHB, local masks": (jb.rosdhb_local, {"compressor": random, "momentum": 1 - ETA}),
        "BR-CSGD": (jb.br_csgd, {"compressor": random}),
        "EF14": (jb.byz_ef14, {"compressor": top}),
        "BR-DIANA": (jb.br_diana, {"compressor": random}),
        "BROADCAST": (jb.broadcast_saga, {"compressor": random, "samples": samples}),
        "Byz-VR-MARINA": (jb.byz_vr_marina, {"compressor": random, "probability": full}),
        "Byz-VR-MARINA, no sync": (
            jb.byz_vr_marina_no_sync,
            {"compressor": random, "probability": full},
        ),
        "Byz-DASHA-PAGE": (jb.byz_dasha_page, {"compressor": random, "probability": full}),
        "Byz-EF21": (jb.byz_ef21, {"compressor": top}),
        "Byz-EF21-SGDM": (jb.byz_ef21_sgdm, {"compressor": top, "eta": ETA}),
        "Byz-DM21": (jb.byz_dm21, {"compressor": top, "eta": ETA}),
        "Byz-VR-DM21": (jb.byz_vr_dm21, {"compressor": top, "eta": ETA}),
    }

    def of(make: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
        return lambda step, rule: make(
            optimizer=optax.sgd(step), aggregator=jb.nnm(f, rule), **options
        )

    return {name: of(make, options) for name, (make, options) in made.items()}


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
