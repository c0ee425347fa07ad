"""One RoSDHB round with the conv net of the experiments, at full size.

10 honest workers with 6000 images of 28x28 each, full local gradients, f = 3, trimmed mean, FOE
with searched strength, and an evaluation on all 70,000 images after every round. The pixels are
random: time does not depend on what they show. Reported beside it: the gradients alone, the
evaluation alone, and the peak memory of the process.
"""

from __future__ import annotations

import resource
import time

import jax
import numpy as np
import optax

import jaxbyz as jb
from tests.benchmarks.timing import race, table

HONEST, BYZANTINE, LOCAL, TEST = 10, 3, 6_000, 10_000


def dataset() -> jb.data.Dataset:
    """Images of the size of MNIST."""
    random = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        return random.standard_normal((count, 28, 28, 1), dtype=np.float32)

    def labels(count: int) -> np.ndarray:
        return random.integers(0, 10, count, dtype=np.int32)

    train = HONEST * LOCAL
    return jb.data.Dataset("random", images(train), labels(train), images(TEST), labels(TEST), 10)


def peak_gigabytes() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Time a round, its parts, and a whole `train`."""
    before = peak_gigabytes()
    problem = jb.problems.classification(dataset(), honest=HONEST, byzantine=BYZANTINE)
    algorithm = jb.rosdhb(
        ratio=0.1, momentum=0.9, optimizer=optax.sgd(0.128), aggregator=jb.trimmed_mean(f=3)
    )
    simulation = jb.build(algorithm, problem, jb.ipm_search(), map_workers=jb.one_by_one)
    key = jax.random.key(0)
    x, data, test = problem.init(key), simulation.data, problem.test
    state, _ = simulation.init(key, x, data)

    def evaluation(x, data, test):
        return [problem.evaluators[name](x, data, test) for name in ("train", "test")]

    def gradients(x, data):
        return jb.one_by_one(lambda local: problem.oracle(local).full(x))(data)

    step, evaluate, full = jax.jit(simulation.step), jax.jit(evaluation), jax.jit(gradients)

    def round_and_evaluation():
        after, _ = step(key, state, data)
        return evaluate(after.server.x, data, test)

    contestants = {
        "gradients alone": lambda: full(x, data),
        "evaluation alone": lambda: evaluate(x, data, test),
        "round without evaluation": lambda: step(key, state, data)[0].server.x,
        "round with evaluation": round_and_evaluation,
    }
    title = f"RoSDHB, conv net, {HONEST} x {LOCAL} images, f = {BYZANTINE}, FOE searched"
    print(table(title, race(contestants, repeats=5)))

    began = time.perf_counter()
    settings = {
        "evaluate_every": 1, "evaluate": ("train", "test"), "progress": False,
        "map_workers": jb.one_by_one, "map_seeds": jb.one_by_one,
    }  # fmt: skip
    jb.train(algorithm, problem, attack=jb.ipm_search(), rounds=10, **settings)
    print(f"  train, 10 rounds with compilation: {time.perf_counter() - began:.1f} s")
    print(f"  peak memory {peak_gigabytes():.2f} GB ({before:.2f} GB before the data)")


if __name__ == "__main__":
    main()
