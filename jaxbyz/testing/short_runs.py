"""Small problems and short runs on which attacks and algorithms are tried."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxbyz import algorithms, compressors, problems
from jaxbyz.aggregators import trimmed_mean
from jaxbyz.core import Algorithm, Attack, ServerInfo, Tree
from jaxbyz.data import Dataset
from jaxbyz.problems import models
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import RoundInfo, Simulation, SimulationState, assemble, session
from jaxbyz.simulation.agreement import agreed

SHORT_RUN = '''
def short_run(attack, rounds, seed=0):
    """What was seen in every round, and the model after it."""
    simulation = jb.build(algorithm, problem, attack)
    state, _, key = short_runs.start(simulation, problem, seed)
    advance = jax.jit(jb.run(simulation.step, rounds, short_runs.everything))
    return advance(key, state, simulation.data)[1]

'''


class ShortRun(NamedTuple):
    """A run: leaves with a leading axis of rounds."""

    info: RoundInfo
    server: Tree  # the server's states
    hello: ServerInfo | None


def quadratic(honest: int, byzantine: int, noise: float = 0.0) -> Problem:
    """Quadratics in four dimensions, whose workers disagree."""
    return problems.quadratics(
        honest=honest, byzantine=byzantine, dimension=4, noise=noise, hessian_spread=0.1, seed=3
    )


def labelled(honest: int, byzantine: int) -> Problem:
    """Random images of 2 by 2 with labels 0..9, and a linear model."""
    random = np.random.default_rng(2)
    images = random.normal(size=(60, 2, 2, 1)).astype(np.float32)
    labels = random.integers(0, 10, 60, dtype=np.int32)
    dataset = Dataset("random", images, labels, images, labels, 10)
    return problems.classification(
        dataset, honest=honest, byzantine=byzantine, model=models.Linear(10)
    )


def algorithms_under_attack(f: int) -> dict[str, tuple[Algorithm, str]]:
    """The three of different memory, and how they are written."""
    common: dict[str, Any] = {"optimizer": optax.sgd(0.1), "aggregator": trimmed_mean(f)}
    written = f"optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean({f})"
    return {
        "robust D-SGD": (algorithms.robust_sgd(**common), f"jb.robust_sgd({written})"),
        "RoSDHB": (
            algorithms.rosdhb(k=3, momentum=0.5, **common),
            f"jb.rosdhb(k=3, momentum=0.5, {written})",
        ),
        "Byz-DASHA-PAGE": (
            algorithms.byz_dasha_page(
                compressor=compressors.seeded_rand_k(k=3), probability=0.5, **common
            ),
            f"jb.byz_dasha_page(compressor=jb.seeded_rand_k(k=3), probability=0.5, {written})",
        ),
    }


def start(simulation: Simulation, problem: Problem, seed: int = 0) -> Any:
    """The first state, what the hello showed, and the key of the rounds."""
    model, first, rest = jax.random.split(jax.random.key(seed), 3)
    state, hello = simulation.init(first, problem.init(model), simulation.data)
    return state, hello, rest


def everything(state: SimulationState, info: RoundInfo) -> tuple[RoundInfo, Tree]:
    """What is recorded of a round."""
    return info, state.server


def short_run(
    algorithm: Algorithm, problem: Problem, attack: Attack | None, rounds: int
) -> Callable[[], ShortRun]:
    """A run, compiled as one program when it is called."""
    one = session(*agreed(algorithm, problem, attack), record=everything)

    def whole(keys: Any, data: Tree) -> ShortRun:
        _, first, (info, server) = one.run(keys, rounds, data)
        return ShortRun(info, server, None if first is None else first[0].server)

    keys = jax.random.split(jax.random.key(0), 3)
    return lambda: jax.tree.map(np.asarray, jax.jit(whole)(keys, one.simulation.data))


def described(tree: Tree) -> list[str]:
    """Structure, shapes and dtypes of a state, as text."""
    leaves = [f"{jnp.asarray(leaf).dtype}{list(jnp.shape(leaf))}" for leaf in jax.tree.leaves(tree)]
    return [str(jax.tree.structure(tree)), *leaves]


def primitives(algorithm: Algorithm, problem: Problem, attack: Attack | None) -> list[str]:
    """Names of all that one round computes, in order."""
    simulation = assemble(algorithm, problem, attack)
    state, _, key = jax.eval_shape(lambda: start(simulation, problem))
    jaxpr = jax.make_jaxpr(simulation.step)(key, state, simulation.data).jaxpr
    return [equation.primitive.name for equation in jaxpr.eqns]
