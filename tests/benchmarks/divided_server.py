"""A server on 1 to 8 devices: memory of a device, bytes that it receives, and time of a round.

RoSDHB, k/d = 0.01, n = 32, d = 1e7, float32. The devices are parts of one processor, so time can
fall by no more than its cores; memory and bytes are read from the compiled program. Bytes are those
of all results of collectives, the parts that a device has itself included.
"""

from __future__ import annotations

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

import jaxbyz as jb
from jaxbyz import simulation
from jaxbyz.core import Oracle
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation.layout import Layout
from tests.benchmarks.timing import race, table
from tests.collectives import sent

N, F, RATIO = 32, 6, 0.01
RULES = {
    "trimmed mean": jb.trimmed_mean(f=F),
    "NNM, trimmed mean": jb.nnm(F, jb.trimmed_mean(f=F)),
    "geometric median": jb.geometric_median(f=F),
}


def problem(d: int) -> Problem:
    """Gradients x - b_i, with one number b_i a worker: what is left is the server."""

    def oracle(b: jax.Array) -> Oracle:
        return Oracle(lambda x: x - b, lambda key: jnp.zeros(()), lambda batch, x: x - b)

    data = jnp.linspace(1.0, 2.0, N - F)
    return Problem("means", N - F, F, d, data, None, oracle, lambda key: jnp.zeros(d), {})


def main() -> None:
    """One table for every rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimension", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=4)
    given = parser.parse_args()
    d = given.dimension
    for name, rule in RULES.items():
        method = jb.rosdhb(ratio=RATIO, momentum=0.9, optimizer=optax.sgd(0.1), aggregator=rule)
        contestants, lines = {}, []
        for count in (1, 2, 4, 8):
            mesh = Mesh(np.array(jax.devices()[:count]), ("workers",))
            sim = jb.build(method, problem(d), jb.sign_flip(), placement=simulation.divided(mesh))
            known = NamedSharding(mesh, Spec())
            data = simulation.devices.put(sim.data, mesh, split=True)
            key = jax.device_put(jax.random.key(0), known)
            x = jax.device_put(jnp.zeros(d), known)
            started = jax.eval_shape(sim.init, key, x, data)[0]
            where = jax.tree.map(_of_one_seed, Layout(mesh, N - F, _seeded(started)).shardings)
            state = jax.jit(lambda *a, s=sim: s.init(*a)[0], out_shardings=where)(key, x, data)
            step = jax.jit(
                lambda *a, s=sim: s.step(*a)[0], donate_argnums=1, out_shardings=where
            ).lower(key, state, data).compile()  # fmt: skip
            memory = step.memory_analysis()
            held = memory.argument_size_in_bytes, memory.temp_size_in_bytes
            received = sum(each.bytes for _, each in sent(step.as_text()))
            lines.append(
                f"  {count} devices: state {held[0] / 2**20:8.1f} MiB, room of the program "
                f"{held[1] / 2**20:8.1f} MiB, received {received / 2**20:6.1f} MiB"
            )
            box = [state]

            def turn(step=step, key=key, data=data, box=box):
                box[0] = step(key, box[0], data)
                return box[0]

            contestants[f"{count} devices"] = turn
        print("\n".join([f"{name}: n = {N}, d = {d:,}, of each device", *lines]))
        print(table(f"{name}: a round", race(contestants, repeats=given.repeats)), flush=True)


def _seeded(state: Any) -> Any:
    """Shapes with the axis of seeds that a layout expects."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), state)


def _of_one_seed(sharding: NamedSharding) -> NamedSharding:
    return NamedSharding(sharding.mesh, Spec(*sharding.spec[1:]))


if __name__ == "__main__":
    main()
