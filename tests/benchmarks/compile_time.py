"""Cold start: the README's `train` call on digits with nothing in any cache, compilation apart."""

from __future__ import annotations

import time

import jax
import optax

import jaxbyz as jb


def main() -> None:
    """Time `train` for one round, which is compilation, and for 250 rounds."""
    jax.config.update("jax_enable_compilation_cache", False)
    problem = jb.problems.classification("digits", honest=10, byzantine=3, alpha=5.0)
    algorithm = jb.rosdhb(
        ratio=0.1, momentum=0.9, optimizer=optax.sgd(0.1),
        aggregator=jb.nnm(f=3, inner=jb.trimmed_mean(f=3)),
    )  # fmt: skip
    for rounds in (10, 250):
        began = time.perf_counter()
        jb.train(algorithm, problem, attack=jb.alie(), rounds=rounds, seeds=5, progress=False)
        print(
            f"train on digits, {rounds} rounds, 5 seeds, cold: {time.perf_counter() - began:.1f} s"
        )


if __name__ == "__main__":
    main()
