"""What waits for the compiler: the README's `train` call on digits, cold, again, and changed.

Nothing comes from JAX's cache on disk. A call starts when its first round does: that is the time of
a call of one round, less what one more round and its evaluation take (both of them medians).
"""

from __future__ import annotations

import statistics
import time

import jax
import optax

import jaxbyz as jb


def seconds(step: float = 0.1, **options: object) -> float:
    """Of one call of `train`, on parts that are made anew, as a notebook's cell makes them."""
    problem = jb.problems.classification("digits", honest=10, byzantine=3, alpha=5.0)
    algorithm = jb.rosdhb(
        ratio=0.1, momentum=0.9, optimizer=optax.sgd(step),
        aggregator=jb.nnm(f=3, inner=jb.trimmed_mean(f=3)),
    )  # fmt: skip
    given = {"rounds": 10, "seeds": 5, "progress": False} | options
    began = time.perf_counter()
    jb.train(algorithm, problem, attack=jb.alie(), **given)
    return time.perf_counter() - began


def main() -> None:
    """Time `train` for ten rounds, which is compilation, and for 250 rounds."""
    jax.config.update("jax_enable_compilation_cache", False)
    print(f"train on digits, 10 rounds, 5 seeds, cold: {seconds():.2f} s")
    changes = {
        "the same again": {},
        "one round": {"rounds": 1},
        "one round, other seeds": {"rounds": 1, "seeds": [5, 6, 7, 8, 9]},
        "eleven rounds, each evaluated": {"rounds": 11, "evaluate_every": 1},
        "250 rounds": {"rounds": 250},
    }
    middle = {}
    for name, options in changes.items():
        seconds(**options)  # programs of another number of rounds are compiled
        times = [seconds(**options) for _ in range(9)]
        low, median, high = statistics.quantiles(times, n=4)
        middle[name] = median
        print(f"{name}: {median:.2f} s (quartiles {low:.2f} … {high:.2f})")
    computed = (middle["eleven rounds, each evaluated"] - middle["one round"]) / 10
    print(f"one round and its evaluation: {computed:.3f} s")
    for name in ("one round", "one round, other seeds"):
        print(f"{name}: starts after {middle[name] - 2 * computed:.2f} s")
    times = [seconds(step=0.2 + i / 100) for i in range(9)]
    low, median, high = statistics.quantiles(times, n=4)
    print(f"another step size: {median:.2f} s (quartiles {low:.2f} … {high:.2f})")


if __name__ == "__main__":
    main()
