"""One faulty round of one honest worker: its gradient is not finite, or far too large."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.attacks import sign_flip
from jaxbyz.core import Algorithm, Attack, Oracle, Tree
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import SimulationState, build
from jaxbyz.testing.report import Battery, Case
from jaxbyz.testing.short_runs import start

ROUNDS, LATES = 8, range(4)  # a faulty round is one of the first
SIZES = (1e3, 1e6, 1e12)  # times the others' gradients


def with_factors(problem: Problem) -> Problem:
    """The same problem, but an entry of data is (entry, a factor []) and multiplies gradients.

    With the factor 1 a gradient is itself, bit by bit; with NaN or Inf it is no number.
    """

    def oracle(entry: Tree) -> Oracle:
        own, factor = entry
        asked = problem.oracle(own)

        def times(gradient: jax.Array) -> jax.Array:
            return jnp.where(factor == 1, gradient, gradient * factor.astype(gradient.dtype))

        return asked._replace(
            full=lambda x: times(asked.full(x)), grad=lambda batch, x: times(asked.grad(batch, x))
        )

    return dataclasses.replace(
        problem, data=(problem.data, jnp.ones(problem.honest)), oracle=oracle
    )


def run_with_factors(
    algorithm: Algorithm, problem: Problem, attack: Attack | None = None
) -> Callable[[jax.Array], tuple[Any, Any]]:
    """A run in which gradients are multiplied: factors [1 + rounds, h] -> (start, rounds).

    Row 0 of the factors is for the start; each of both results is (state, what the round was).
    Byzantine workers flip signs, if no other attack is given.
    """
    attack = sign_flip() if attack is None else attack
    simulation = build(algorithm, with_factors(problem), attack)

    def rounds_of(factors: jax.Array) -> tuple[Any, Any]:
        def at(row: jax.Array) -> Tree:
            return problem.data, row

        first = lambda key, x, _: simulation.init(key, x, at(factors[0]))  # noqa: E731
        state, hello, key = start(simulation._replace(init=first), problem)

        def turn(state: SimulationState, row: jax.Array) -> tuple[SimulationState, Any]:
            now = jax.random.fold_in(key, state.round)
            state, info = simulation.step(now, state, at(row))
            return state, (state, info)

        return (state, hello), jax.lax.scan(turn, state, factors[1:])[1]

    return rounds_of


def check_faulty_rounds(
    battery: Battery, algorithm: Algorithm, problem: Problem, marked: bool
) -> None:
    """The first and the last honest worker have one faulty round each, whichever it is.

    `marked`: whether a message of the algorithm that wants to be NaN is; else only what is finite
    is asked.
    """
    name, h = "carries on after a faulty round", problem.honest
    struck = [
        (worker, late, value) for worker, value in ((0, np.nan), (h - 1, np.inf)) for late in LATES
    ]
    every = [*struck, *((worker, 2, size) for worker in (0, h - 1) for size in SIZES)]
    factors = np.ones((len(every), 1 + ROUNDS, h), np.float32)
    cases = []
    for i, (worker, late, value) in enumerate(every):
        factors[i, late, worker] = value
        when = f"in round {late}" if late else "at the start"
        arrays = {"factors": factors[i], "worker": worker, "late": late}
        cases.append(Case(f"gradients of worker {worker} times {value:g} {when}", arrays))
    prelude = """
from jaxbyz.testing.algorithm_faulty_rounds import run_with_factors

ran = jax.jit(run_with_factors(algorithm, problem))(factors)
(first, hello), (states, info) = jax.tree.map(np.asarray, ran)
"""
    code = f"""{prelude}
floats = [x for x in jax.tree.leaves((first, states)) if jnp.issubdtype(x.dtype, jnp.floating)]
assert all(np.isfinite(leaf).all() for leaf in floats), states
"""
    with battery.attempt(name, cases[0], code):
        ran = jax.jit(jax.vmap(run_with_factors(algorithm, problem)))(factors)
        (first, hello), (states, info) = jax.tree.map(np.asarray, ran)
    floats = [x for x in jax.tree.leaves((first, states)) if jnp.issubdtype(x.dtype, jnp.floating)]
    infinite = [sum(int((~np.isfinite(x[i])).sum()) for x in floats) for i in range(len(cases))]
    reason = "what is no number is forgotten, and what is huge is held"
    battery.judge(name, cases, infinite, 0, reason, code)
    if not marked:
        battery.skip("a faulty round is counted apart", "its messages cannot say NaN")
        return
    cases = cases[: len(struck)]

    code = f"""{prelude}
wanted = ~np.isfinite(factors)
asked = info.asked[:, :{h}]  # a worker that is not asked has no faulty round
assert np.array_equal(info.faulty[:, :{h}], wanted[1:] & asked), info.faulty
assert hello is None or np.array_equal(hello.faulty[:{h}], wanted[0]), hello.faulty
assert not info.server.rejected[:, :{h}].any(), info.server.rejected
"""
    wanted = ~np.isfinite(factors)
    asked = info.asked[:, :, :h]
    wrong = (info.faulty[:, :, :h] != (wanted[:, 1:] & asked)).sum(axis=(1, 2))
    wrong = wrong + info.server.rejected[:, :, :h].sum(axis=(1, 2))
    if hello is not None:
        wrong = wrong + (hello.faulty[:, :h] != wanted[:, 0]).sum(axis=1)
    reason = "the worker is faulty in that round, and no honest row is rejected in any"
    battery.judge("a faulty round is counted apart", cases, wrong[: len(struck)], 0, reason, code)

    code = f"""{prelude}
rows = info.server.rows[max(late - 1, 0) :, worker]
assert (rows != rows[0]).any(), rows
"""
    # By chance a row may stay: where only some coordinates are said, and data are sparse.
    quiet = []
    for i, (worker, late, _) in enumerate(struck):
        rows = info.server.rows[i, max(late - 1, 0) :, worker]
        quiet.append(late > 0 and bool((rows == rows[0]).all()))
    # The start has no message everywhere; not all others of a worker may be for ever.
    lost = [quiet[i] and all(quiet[j] for j, other in enumerate(struck) if other[:2] != (each[0], 0)
                             and other[0] == each[0]) for i, each in enumerate(struck)]  # fmt: skip
    reason = "after one of its faulty rounds at least, its row changes again"
    battery.judge("is heard after a faulty round", cases, lost, 0, reason, code)
