"""What stands side by side: runs of methods against `vmap`, and Top-k of short vectors.

The runs are a batch of seeds on one core. Top-k is compared with the library call and a scatter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

import jaxbyz as jb
from tests.benchmarks.timing import race, table

N, F, D, K, SEEDS, ROUNDS, REPEATS = 20, 4, 50, 5, 128, 100, 7
RULE = {"optimizer": optax.sgd(0.05), "aggregator": jb.trimmed_mean(f=F)}
MEDIAN = {"optimizer": optax.sgd(0.05), "aggregator": jb.geometric_median(f=F)}
METHODS = {
    "robust D-SGD": lambda: jb.robust_sgd(**RULE),
    "robust D-SGD, geometric median": lambda: jb.robust_sgd(**MEDIAN),
    "Byz-DM21, Top-k": lambda: jb.byz_dm21(eta=0.1, compressor=jb.top_k(k=K), **RULE),
    "Byz-DM21, Rand-k": lambda: jb.byz_dm21(
        eta=0.1, compressor=jb.scaled(jb.rand_k(k=K)), **RULE
    ),
    "RoSDHB": lambda: jb.rosdhb(k=K, momentum=0.9, **RULE),
}  # fmt: skip
VECTORS = ((20,), (16, 16), (256, 16))
SIZES = ((50, 5), (200, 2), (200, 10), (1000, 2), (2000, 1))


def runs() -> None:
    """Every method, mapped over seeds in two ways."""
    problem = jb.problems.quadratics(honest=N - F, byzantine=F, dimension=D, seed=0)
    keys = jax.random.split(jax.random.key(0), SEEDS)
    starts = jax.random.normal(jax.random.key(1), (SEEDS, D))
    for name, make in METHODS.items():
        simulation = jb.build(make(), problem, jb.sign_flip())

        def one(start: jax.Array, key: jax.Array, simulation: Any = simulation) -> jax.Array:
            start_key, round_key = jax.random.split(key)
            state, _ = simulation.init(start_key, start, simulation.data)
            play = jb.run(simulation.step, ROUNDS, lambda state, info: None)
            return play(round_key, state, simulation.data)[0].server.x

        programs = {
            "vmap": jax.jit(jax.vmap(one)),
            "side by side": jax.jit(jb.side_by_side(one)),
        }
        contestants = {what: _call(program, starts, keys) for what, program in programs.items()}
        print(table(f"{name}: {SEEDS} seeds, {ROUNDS} rounds", race(contestants, REPEATS)))


def selections() -> None:
    """Top-k, there and back, of vectors of many shapes."""
    for shape in VECTORS:
        for d, k in SIZES:
            compressor = jb.top_k(k=k)

            def ours(x: jax.Array, compressor: Any = compressor) -> jax.Array:
                return compressor.decompress(compressor.compress(jax.random.key(0), x))

            def library(x: jax.Array, k: int = k) -> jax.Array:
                places = jax.lax.top_k(jnp.abs(x), k)[1]
                return jnp.zeros_like(x).at[places].set(x[places])

            contestants = {}
            for name, function in (("lax.top_k and scatter", library), ("Top-k", ours)):
                for _ in shape:
                    function = jax.vmap(function)
                x = jax.random.normal(jax.random.key(1), (*shape, d))
                contestants[name] = _call(jax.jit(function), x)
            print(table(f"{k} of {d}, {shape} vectors", race(contestants, REPEATS)))


def _call(program: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: program(*arguments)


if __name__ == "__main__":
    runs()
    selections()
