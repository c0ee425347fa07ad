"""What one round costs the server, in seconds, apart from everything the workers do."""

from __future__ import annotations

import statistics
import time
from typing import Any

import jax

from jaxbyz.core import Algorithm, Attack
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import build

__all__ = ["server_seconds"]


def server_seconds(
    algorithm: Algorithm, problem: Problem, attack: Attack | None = None, repeats: int = 9
) -> float:
    """Median seconds of the server's half of a round on this machine, over repeated runs.

    The messages are those of one round of honest workers, sent by all n; nothing of the workers'
    work is in the time. Twenty rounds are run in one call, so that starting it does not count.
    """
    simulation = build(algorithm, problem, attack)
    keys = jax.random.split(jax.random.key(0), 4)
    n = problem.honest + problem.byzantine

    def prepare(data: Any) -> tuple[Any, Any, Any]:
        state, _ = simulation.init(keys[0], problem.init(keys[1]), data)
        broadcast = algorithm.server.broadcast(keys[2], state.server)

        def speak(key: jax.Array, own: Any, entry: Any) -> Any:
            return algorithm.worker.step(key, own, broadcast, problem.oracle(entry))[1]

        some = jax.tree.map(lambda leaf: leaf[: problem.honest], (state.workers, data))
        messages = jax.vmap(speak)(jax.random.split(keys[3], problem.honest), *some)
        who = jax.numpy.arange(n) % problem.honest
        return state.server, broadcast, jax.tree.map(lambda leaf: leaf[who], messages)

    def serve(server: Any, broadcast: Any, messages: Any) -> Any:
        def one(i: jax.Array, server: Any) -> Any:
            key = jax.random.fold_in(keys[3], i)
            return algorithm.server.step(key, server, broadcast, messages)[0]

        return jax.lax.fori_loop(0, ROUNDS, one, server)

    given = jax.jit(prepare)(simulation.data)
    program = jax.jit(serve).lower(*given).compile()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        jax.block_until_ready(program(*given))
        times.append((time.perf_counter() - began) / ROUNDS)
    return statistics.median(times)


ROUNDS = 20
