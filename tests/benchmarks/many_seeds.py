"""Toy scale: a thousand seeds and a thousand rounds of Byz-DM21 in one call, against NumPy.

Seeds differ by their start. One call goes through them in batches whose state stays in a core's
cache, side by side in its registers, every core with batches of its own: `make bench` starts this
with a device for every core and with the widest registers.
The NumPy loop is the one anybody would write: Python over seeds and rounds, arrays over
workers. It is timed on fewer rounds, which cost the same each. Both must find the same models.
"""

from __future__ import annotations

import statistics
import time

import jax
import numpy as np
import optax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as Spec

import jaxbyz as jb

N, F, D, K, ETA, GAMMA = 20, 4, 50, 5, 0.1, 0.05
# Whole vectors of the widest registers, on both of two devices.
SEEDS, ROUNDS, BATCH = 1024, 1000, 128
TURNS, SLOW_ROUNDS = 5, 1000
# Single precision against double: in so many rounds 1e-6 of roundings grow at most by the
# selections of Top-k that they turn around.
CHECKED_ROUNDS, TOLERANCE = 20, 1e-3


def in_numpy(matrices: np.ndarray, vectors: np.ndarray, x: np.ndarray, rounds: int) -> np.ndarray:
    """Byz-DM21 with Top-k, trimmed mean and sign flip; gradients A_i x - b_i, [h, d, d], [h, d]."""
    h = N - F
    v = matrices @ x - vectors
    u, g = v.copy(), np.zeros((N, D))
    g[:h], g[h:] = u, -u.mean(axis=0)
    x = x - GAMMA * np.sort(g, axis=0)[F : N - F].mean(axis=0)
    rows = np.arange(N)[:, None]
    wanted = np.empty((N, D))
    for _ in range(rounds):
        s = matrices @ x - vectors
        v += ETA * (s - v)
        u += ETA * (v - u)
        wanted[:h] = u - g[:h]
        top = np.argpartition(np.abs(wanted[:h]), D - K, axis=1)[:, D - K :]
        sent = np.zeros((h, D))
        sent[rows[:h], top] = wanted[rows[:h], top]
        lie = -sent.mean(axis=0)
        top = np.argpartition(np.abs(lie), D - K)[D - K :]
        g[:h] += sent
        g[h:, top] += lie[top]
        x = x - GAMMA * np.sort(g, axis=0)[F : N - F].mean(axis=0)
    return x


def main() -> None:
    """Worker-steps per second of both."""
    problem = jb.problems.quadratics(honest=N - F, byzantine=F, dimension=D, seed=0)
    algorithm = jb.byz_dm21(
        eta=ETA,
        compressor=jb.top_k(k=K),
        optimizer=optax.sgd(GAMMA),
        aggregator=jb.trimmed_mean(f=F),
    )
    simulation = jb.build(algorithm, problem, jb.sign_flip())

    def program(rounds: int) -> jax.stages.Wrapped:
        def one(start: jax.Array, key: jax.Array, data: object) -> jax.Array:
            start_key, round_key = jax.random.split(key)
            state, _ = simulation.init(start_key, start, data)
            play = jb.run(simulation.step, rounds, lambda state, info: None)
            return play(round_key, state, data)[0].server.x

        def many(starts: jax.Array, keys: jax.Array, data: object) -> jax.Array:
            of = jb.in_batches(BATCH)(lambda start, key: one(start, key, data))
            return of(starts, keys)

        mesh = Mesh(jax.devices(), ("seeds",))
        seeds = Spec("seeds")
        return jax.jit(
            jax.shard_map(
                many, mesh=mesh, in_specs=(seeds, seeds, Spec()), out_specs=seeds, check_vma=False
            )
        )

    seeds = SEEDS // len(jax.devices()) * len(jax.devices())
    keys = jax.random.split(jax.random.key(0), seeds)
    starts = jax.random.normal(jax.random.key(1), (seeds, D))
    arrays = (problem.matrices, problem.vectors)

    found = np.asarray(program(CHECKED_ROUNDS)(starts, keys, simulation.data))
    for seed in range(0, seeds, seeds // 20):
        expected = in_numpy(*arrays, np.asarray(starts[seed], np.float64), CHECKED_ROUNDS)
        np.testing.assert_allclose(found[seed], expected, atol=TOLERANCE)

    began = time.perf_counter()
    compiled = program(ROUNDS).lower(starts, keys, simulation.data).compile()
    compiling = time.perf_counter() - began
    ours, theirs = [], []
    for turn in range(TURNS + 1):
        began = time.perf_counter()
        jax.block_until_ready(compiled(starts, keys, simulation.data))
        spent = time.perf_counter() - began
        began = time.perf_counter()
        in_numpy(*arrays, np.asarray(starts[0], np.float64), SLOW_ROUNDS)
        if turn:
            ours.append(seeds * ROUNDS * N / spent)
            theirs.append(SLOW_ROUNDS * N / (time.perf_counter() - began))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(f"{seeds} seeds × {ROUNDS} rounds of Byz-DM21, n = {N}, f = {F}, d = {D}, Top-{K}, "
          f"{len(jax.devices())} devices")  # fmt: skip
    print(f"  one call: {_spread(ours)} worker-steps per second, compiled in {compiling:.1f} s")
    print(f"  NumPy: {_spread(theirs)} worker-steps per second; ratio {_spread(ratios)}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g} … {max(values):.3g})"


if __name__ == "__main__":
    main()
