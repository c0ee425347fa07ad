"""Properties of an algorithm with workers that send NaN or Inf, and without Byzantine workers."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.attacks import from_view
from jaxbyz.core import Algorithm
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import build, run
from jaxbyz.testing.algorithm_runs import ROUNDS
from jaxbyz.testing.report import Battery, Case
from jaxbyz.testing.short_runs import everything, short_run, start

SPOILING = """
value = np.float64(value)
attack = attacks.from_view("spoilt", lambda key, view: jnp.full(view.honest.shape[1], value))
"""


def check_not_finite(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """What is not finite is rejected by the server and reaches no state."""
    h, name, counted = problem.honest, "NaN and Inf reach no state", "liars are counted as rejected"
    prelude = f"""
{SPOILING}
info, server = short_run(attack, {ROUNDS})
"""
    dtype = jax.eval_shape(problem.init, jax.random.key(0)).dtype
    values = np.array([np.nan, np.inf, -np.inf, np.finfo(dtype).max], dtype)

    def outcome(value: jax.Array) -> Any:
        attack = from_view("spoilt", lambda key, view: jnp.full(view.honest.shape[1], value))
        simulation = build(algorithm, problem, attack)
        state, _, key = start(simulation, problem)
        end, (info, server) = run(simulation.step, ROUNDS, everything)(key, state, simulation.data)
        return info.server.rejected, [
            leaf
            for leaf in jax.tree.leaves((server, end.workers))
            if jnp.issubdtype(leaf.dtype, jnp.floating)
        ]

    cases = [Case(f"f workers say {value}", {"value": float(value)}) for value in values]
    with battery.attempt(name, cases[0], prelude):
        rejected, floats = jax.tree.map(np.asarray, jax.jit(jax.vmap(outcome))(values))
    infinite = [sum(int((~np.isfinite(leaf[i])).sum()) for leaf in floats) for i in range(4)]
    code = f"""{prelude}
floats = [x for x in jax.tree.leaves(server) if jnp.issubdtype(x.dtype, jnp.floating)]
assert all(np.isfinite(leaf).all() for leaf in floats), server
"""
    reason = "such a number in a stored vector stays there for ever"
    battery.judge(name, cases, infinite, 0, reason, code)
    if not can_send_nan(algorithm, problem):
        battery.skip(counted, "its messages cannot say NaN")
        return
    wrong = [int((~rejected[i][:, h:]).sum() + rejected[i][:, :h].sum()) for i in range(3)]
    code = f"""{prelude}
rejected = np.asarray(info.server.rejected)
assert rejected[:, {h}:].all() and not rejected[:, :{h}].any(), rejected
"""
    reason = "in every round the liars are rejected and the others are not"
    battery.judge(counted, cases[:3], wrong, 0, reason, code)


def can_send_nan(algorithm: Algorithm, problem: Problem) -> bool:
    """Whether a message that wants to be NaN, honestly encoded, is."""
    key = jax.random.key(0)
    x = problem.init(key)
    n = problem.honest + problem.byzantine
    broadcast = algorithm.server.broadcast(key, algorithm.server.start(x, n))
    message = algorithm.codec.encode(key, broadcast, jnp.full_like(x, jnp.nan))
    return not bool(jnp.isfinite(algorithm.codec.decode(broadcast, message)).all())


def check_no_byzantine(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """f = 0."""
    name, case = "works with f = 0", Case(f"{ROUNDS} rounds, {problem.honest} workers, f = 0")
    code = f"""
import dataclasses

problem = dataclasses.replace(problem, byzantine=0)
info, server = short_run(None, {ROUNDS})
assert np.isfinite(server.x).all() and not info.server.rejected.any()
"""
    with battery.attempt(name, case, code):
        ran = short_run(algorithm, dataclasses.replace(problem, byzantine=0), None, ROUNDS)()
    wrong = int((~np.isfinite(ran.server.x)).sum() + ran.info.server.rejected.sum())
    battery.judge(name, [case], wrong, 0, "no attack", code)
