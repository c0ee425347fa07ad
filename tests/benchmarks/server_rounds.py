"""One round of every algorithm without its gradients, beside moving the bytes it must touch.

n = 20, d = 1e6, k = 1e5, float32. The oracle gives a constant, so that what is left is the
algorithm: worker states, messages, memory at the server, rule, step. What it must touch is its
state, read and written, one gradient per computing worker, read, and the n vectors that the rule
is given, written and read, unless they are a part of the state.

Then the server's half of RoSDHB, which draws the mask, broadcasts and steps: with all momenta faded
in every round and a mask of d random numbers, and on the drawn coordinates alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

import jaxbyz as jb
from jaxbyz.algorithms.rosdhb import RoSDHBBroadcast
from jaxbyz.compressors.random_subsets import _largest
from jaxbyz.core import Algorithm, Oracle, Server
from jaxbyz.messages import SharedSupport
from jaxbyz.problems.problem import Problem
from tests.benchmarks.rules import sum_of_rows
from tests.benchmarks.timing import race, table

N, F, D, RATIO = 20, 3, 1_000_000, 0.1


def constant(entry: jax.Array) -> Oracle:
    """A worker whose gradient is its data."""
    return Oracle(lambda x: entry, lambda key: jnp.zeros(()), lambda batch, x: entry)


def algorithms() -> dict[str, Any]:
    """Every recursion once."""
    top, random = jb.top_k(ratio=RATIO), jb.seeded_rand_k(ratio=RATIO)
    common = {"optimizer": optax.sgd(0.1), "aggregator": jb.trimmed_mean(f=F)}
    return {
        "robust D-SGD": jb.robust_sgd(**common),
        "D-SHB": jb.robust_sgd(momentum=0.9, **common),
        "RoSDHB": jb.rosdhb(ratio=RATIO, momentum=0.9, **common),
        "RoSDHB, local masks": jb.rosdhb_local(compressor=random, momentum=0.9, **common),
        "BR-CSGD": jb.br_csgd(compressor=random, **common),
        "BR-DIANA": jb.br_diana(compressor=random, **common),
        "EF14": jb.byz_ef14(compressor=top, **common),
        "Byz-EF21": jb.byz_ef21(compressor=top, **common),
        "Byz-DM21": jb.byz_dm21(eta=0.1, compressor=top, **common),
        "Byz-VR-DM21": jb.byz_vr_dm21(eta=0.1, compressor=top, **common),
        "Byz-DASHA-PAGE": jb.byz_dasha_page(compressor=random, probability=0.1, **common),
        "Byz-VR-MARINA": jb.byz_vr_marina(compressor=random, probability=0.1, **common),
    }


def main() -> None:
    """Tables: every algorithm beside copying its state; the two servers of RoSDHB."""
    every_algorithm()
    two_servers()


def two_servers() -> None:
    """Tables of milliseconds for ten rounds of both, and the ratio to the server by age."""
    for d in (1_000_000, 11_830):
        for ratio in (0.01, 0.05):
            rule = jb.trimmed_mean(f=F)
            algorithm = jb.rosdhb(
                ratio=ratio, momentum=0.9, optimizer=optax.sgd(0.1), aggregator=rule
            )
            k = int(d * ratio)
            contestants = {
                "by age": _rounds(algorithm.server, d, k),
                "all momenta": _rounds(_with_long_draws(algorithm), d, k),
            }
            title = f"server of RoSDHB, ten rounds: n = {N}, d = {d:,}, k/d = {ratio}"
            print(table(title, race(contestants)), flush=True)


def _with_long_draws(algorithm: Algorithm) -> Server:
    """The server that keeps rows, with masks that are the largest of d random numbers."""
    server = algorithm.server.by_rows
    assert server is not None

    def broadcast(key: jax.Array, state: Any) -> RoSDHBBroadcast:
        sent = server.broadcast(key, state)
        d, k = sent.x.shape[0], sent.subset.shape[0]
        return RoSDHBBroadcast(sent.x, _largest(d, k)(jax.random.key_data(key)))

    return server._replace(broadcast=broadcast)


def _rounds(server: Server, d: int, k: int) -> Callable[[], Any]:
    """Ten more rounds of a server, in one program that changes its state in place."""
    values = jax.random.normal(jax.random.key(0), (N, k))

    def turn(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        broadcast = server.broadcast(key, state)
        sent = SharedSupport(values + 0 * broadcast.x[0])  # an answer to the model
        state, info = server.step(key, state, broadcast, sent)
        return state, info.rejected

    def ten(state: Any, key: jax.Array) -> Any:
        return jax.lax.scan(turn, state, jax.random.split(key, 10))[0]

    go = jax.jit(ten, donate_argnums=0)
    kept = [jax.jit(lambda x: server.start(x, N))(jnp.zeros(d))]

    def more() -> Any:
        kept[0] = go(kept[0], jax.random.key(1))
        return kept[0]

    return more


def every_algorithm() -> None:
    """A table: milliseconds, and the ratio to copying the state."""
    data = jax.random.normal(jax.random.key(0), (N - F, D))
    problem = Problem(
        "constant", N - F, F, D, data, None, constant, lambda key: jnp.zeros(D), {}
    )  # fmt: skip
    for name, algorithm in algorithms().items():
        simulation = jb.build(algorithm, problem, jb.sign_flip())
        key = jax.random.key(1)
        state, _ = jax.jit(simulation.init)(key, jnp.zeros(D), simulation.data)
        step = jax.jit(lambda key, state, data, s=simulation: s.step(key, state, data)[0])
        stored = any(leaf.shape == (N, D) for leaf in jax.tree.leaves(state.server))

        def touch(state: Any, data: jax.Array, stored: bool = stored) -> Any:
            moved = jax.tree.map(lambda x: x + x if x.dtype == jnp.float32 else x, state)
            if stored:
                return moved, sum_of_rows(data)
            rows = jnp.concatenate([data, data[:F]])
            return moved, rows, sum_of_rows(jax.lax.optimization_barrier(rows))

        touching = jax.jit(touch)
        contestants = {
            "state, gradients, rows of the rule": lambda t=touching, s=state: t(s, data),
            name: lambda f=step, s=state, k=key: f(k, s, data),
        }
        print(table(f"{name}: n = {N}, d = {D:,}", race(contestants, repeats=5)), flush=True)


if __name__ == "__main__":
    main()
