"""What one round costs the server, in seconds, apart from everything the workers do."""

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.core import Algorithm, Attack
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import assemble
from jaxbyz.storage.programs import Program

ROUNDS = 20
# What makes the messages runs once: time spent on making it fast is lost.
HASTE: dict[str, str | bool] = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": True,
}


class ServerClock:
    """The server's half of a round, compiled once, and timed by `seconds`.

    The messages are those of one round in which all n workers are honest. The time does not include
    the workers. Twenty rounds are run in one call, so that the time of the call itself is small.

    Args:
        make: number of a rule -> algorithm; the number is traced.
        problem: from `jaxbyz.problems`.
        attack: of the round.
    """

    def __init__(
        self, make: Callable[[Any], Algorithm], problem: Problem, attack: Attack | None = None
    ):
        simulation = assemble(make(0), problem, attack)
        keys = jax.random.split(jax.random.key(0, impl="threefry2x32"), 4)
        honest, n = problem.honest, problem.honest + problem.byzantine

        def prepare(data: Any) -> tuple[Any, Any, Any]:
            algorithm = make(0)
            state, _ = simulation.init(keys[0], problem.init(keys[1]), data)
            broadcast = algorithm.server.broadcast(keys[2], state.server)

            def speak(key: jax.Array, own: Any, entry: Any) -> Any:
                return algorithm.worker.step(key, own, broadcast, problem.oracle(entry))[1]

            some = jax.tree.map(lambda leaf: leaf[:honest], (state.workers, data))
            messages = jax.vmap(speak)(jax.random.split(keys[3], honest), *some)
            who = jnp.arange(n) % honest
            return state.server, broadcast, jax.tree.map(lambda leaf: leaf[who], messages)

        def serve(which: jax.Array, server: Any, broadcast: Any, messages: Any) -> Any:
            half = make(which).server

            def one(i: jax.Array, server: Any) -> Any:
                return half.step(jax.random.fold_in(keys[3], i), server, broadcast, messages)[0]

            return jax.lax.fori_loop(0, ROUNDS, one, server)

        self._data = simulation.data
        traced = jax.jit(prepare).trace(self._data)
        prepared = Program(traced, (self._data,), compiler=HASTE)
        # Messages are made when they are timed: those of all methods at once may be too large.
        given = jnp.int32(0), *traced.out_info
        served = Program(jax.jit(serve).trace(*given), given)
        for program in (prepared, served):
            program.lower()
        self._programs = functools.cache(lambda: (prepared.compile(), served.compile()))

    def compile(self) -> None:
        """Compile now, in whichever thread this is."""
        self._programs()

    def seconds(self, which: int, repeats: int = 9) -> float:
        """Median seconds of one round on this machine with this rule, over repeated runs."""
        make, serve = self._programs()
        times = []
        with jax.debug_nans(False), jax.debug_infs(False):  # what is computed is not looked at
            rule, given = jnp.int32(which), make(self._data)
            for _ in range(repeats):
                began = time.perf_counter()
                jax.block_until_ready(serve(rule, *given))
                times.append((time.perf_counter() - began) / ROUNDS)
        return statistics.median(times)
