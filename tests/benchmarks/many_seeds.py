"""Toy scale: a thousand seeds and a thousand rounds of Byz-DM21 in one call, against NumPy.

The NumPy loop is the one anybody would write: Python over seeds and rounds, arrays over workers.
It is timed on few rounds, which cost the same each.
"""

from __future__ import annotations

import time

import jax
import numpy as np
import optax

import jaxbyz as jb

N, F, D, K, ETA, GAMMA = 20, 4, 50, 5, 0.1, 0.05
SEEDS, ROUNDS = 1000, 1000


def in_numpy(matrices: np.ndarray, vectors: np.ndarray, rounds: int, seed: int) -> np.ndarray:
    """Byz-DM21 with Top-k, trimmed mean and sign flip; gradients A_i x - b_i, [h, d, d], [h, d]."""
    random, h = np.random.default_rng(seed), N - F
    x = random.normal(size=D)
    v = np.einsum("ijk,k->ij", matrices, x) - vectors
    u, g = v.copy(), np.zeros((N, D))
    g[:h], g[h:] = u, -u.mean(axis=0)
    rows = np.arange(N)[:, None]
    for _ in range(rounds):
        x = x - GAMMA * np.sort(g, axis=0)[F : N - F].mean(axis=0)
        s = np.einsum("ijk,k->ij", matrices, x) - vectors
        v = (1 - ETA) * v + ETA * s
        u = (1 - ETA) * u + ETA * v
        wanted = u - g[:h]
        wanted = np.concatenate([wanted, np.tile(-wanted.mean(axis=0), (F, 1))])
        top = np.argpartition(np.abs(wanted), D - K, axis=1)[:, D - K :]
        g[rows, top] += wanted[rows, top]
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

    def one(key: jax.Array, data: object) -> jax.Array:
        model_key, start_key, round_key = jax.random.split(key, 3)
        state, _ = simulation.init(start_key, problem.init(model_key), data)
        state, _ = jb.run(simulation.step, ROUNDS, lambda state, info: None)(round_key, state, data)
        return state.server.x

    program = jax.jit(jax.vmap(one, (0, None)))
    keys = jax.random.split(jax.random.key(0), SEEDS)
    began = time.perf_counter()
    program = program.lower(keys, simulation.data).compile()
    compiled = time.perf_counter() - began
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        jax.block_until_ready(program(keys, simulation.data))
        spent.append(time.perf_counter() - began)
    slow = []
    for seed in range(3):
        began = time.perf_counter()
        in_numpy(problem.matrices, problem.vectors, 300, seed)
        slow.append((time.perf_counter() - began) / 300)
    ours = SEEDS * ROUNDS * N / np.median(spent)
    theirs = N / np.median(slow)
    print(f"{SEEDS} seeds × {ROUNDS} rounds of Byz-DM21, n = {N}, f = {F}, d = {D}, Top-{K}")
    print(f"  one call: {np.median(spent):.1f} s ({min(spent):.1f} … {max(spent):.1f}), "
          f"compiled in {compiled:.1f} s: {ours:.3g} worker-steps per second")  # fmt: skip
    print(f"  NumPy: {theirs:.3g} worker-steps per second; ratio {ours / theirs:.0f}")


if __name__ == "__main__":
    main()
