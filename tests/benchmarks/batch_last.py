"""How seeds are mapped: `vmap`, `in_batches(128)`, and both with `side_by_side`.

Every method runs on quadratics with 1000 seeds, and on digits with five, as users run them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import optax

import jaxbyz as jb
from tests.benchmarks.timing import race, table

N, F, REPEATS = 10, 2, 7
MAPS = {
    "in_batches(128)": jb.in_batches(128),
    "vmap": jax.vmap,
    "side_by_side": jb.side_by_side,
    "in_batches(128, side_by_side)": jb.in_batches(128, jb.side_by_side),
}
RULES = {
    "trimmed mean": lambda: jb.trimmed_mean(f=F),
    "NNM, trimmed mean": lambda: jb.nnm(F, jb.trimmed_mean(f=F)),
}


def methods(rule: jb.Aggregator) -> dict[str, jb.Algorithm]:
    """The three whose steps are different: without memory, with a drawn mask, with Top-k."""
    common = {"optimizer": optax.sgd(0.05), "aggregator": rule}
    return {
        "robust D-SGD": jb.robust_sgd(**common),
        "RoSDHB": jb.rosdhb(ratio=0.1, momentum=0.9, **common),
        "Byz-DM21, Top-k": jb.byz_dm21(eta=0.1, compressor=jb.top_k(ratio=0.1), **common),
    }


def contest(title: str, problem: Any, algorithm: jb.Algorithm, seeds: int, rounds: int) -> None:
    """One table: all maps that differ for so many seeds; the first one is the measure."""
    simulation = jb.build(algorithm, problem, jb.sign_flip())
    keys = jax.random.split(jax.random.key(0), seeds)
    starts = jax.vmap(problem.init)(keys)

    def one(start: jax.Array, key: jax.Array) -> jax.Array:
        first, rest = jax.random.split(key)
        state, _ = simulation.init(first, start, simulation.data)
        play = jb.run(simulation.step, rounds, lambda state, info: None)
        return play(rest, state, simulation.data)[0].server.x

    chosen = MAPS if seeds > 128 else {name: MAPS[name] for name in ("vmap", "side_by_side")}
    contestants: dict[str, Callable[[], object]] = {}
    for name, mapping in chosen.items():
        began = time.perf_counter()
        program = jax.jit(mapping(one)).lower(starts, keys).compile()
        print(f"  {name}: compiled in {time.perf_counter() - began:.1f} s", flush=True)
        contestants[name] = lambda program=program: program(starts, keys)
    print(table(f"{title}: {seeds} seeds, {rounds} rounds", race(contestants, REPEATS)), flush=True)


def main() -> None:
    """Quadratics, then digits."""
    for name, rule in RULES.items():
        for d in (10, 100):
            problem = jb.problems.quadratics(honest=N - F, byzantine=F, dimension=d, seed=0)
            rounds = 30 if name == "trimmed mean" else 5
            for method, algorithm in methods(rule()).items():
                contest(f"{method}, {name}, d = {d}", problem, algorithm, 1000, rounds)
    digits = jb.problems.classification("digits", honest=N - F, byzantine=F, alpha=1.0)
    for method, algorithm in methods(RULES["NNM, trimmed mean"]()).items():
        contest(f"{method}, digits", digits, algorithm, 5, 5)


if __name__ == "__main__":
    main()
