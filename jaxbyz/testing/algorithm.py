"""The battery of an algorithm: short runs on a small problem."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxbyz import checks
from jaxbyz.attacks import from_view, no_attack, sign_flip
from jaxbyz.core import Algorithm, Attack
from jaxbyz.parts import require
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import RoundInfo, SimulationState, along_axis, build, over_mesh, run
from jaxbyz.testing.faulty_rounds import carries_on
from jaxbyz.testing.games import GAME, everything, play, quadratic, start
from jaxbyz.testing.report import Battery, Case, Report

__all__ = ["check_algorithm"]

ROUNDS = 4
ROUNDINGS = 16384  # of one eps each: a few rounds of gradients, rules and momenta
SPOILING = """
value = np.float64(value)
attack = attacks.from_view("spoilt", lambda key, view: jnp.full(view.honest.shape[1], value))
"""


def check_algorithm(
    algorithm: Algorithm,
    *,
    problem: Problem | None = None,
    descent: float | None = None,
) -> Report:
    """Try all properties that an algorithm has, on a small problem.

    A state that a scan can carry, traced once; one key, one run; eager = jit; many seeds = one by
    one; a run cut in two is the same run; workers spread over devices; finite and equal bits; f
    workers that say NaN, ±Inf or the largest number reach no state and are counted as bad; an
    honest worker with one bad round is counted apart and heard afterwards, and a gradient that is
    10³, 10⁶ or 10¹² times too large is held; no Byzantine worker at all.

    Args:
        algorithm: with a rule for the problem's f Byzantine workers (2 of 7 by default).
        problem: with f ≥ 1 Byzantine workers; default: small noisy quadratics, 5 + 2 workers.
        descent: a step size γ; claims that on honest quadratics with full gradients the algorithm,
            in a setting where nothing is compressed or trimmed, is x ← x - γ∇f(x).

    Raises:
        PropertyFailed: an AssertionError that shows the first property that does not hold.
        ValueError: a problem without Byzantine workers, or γ ≤ 0.

    >>> import jaxbyz as jb, optax
    >>> sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(2))
    >>> "NaN and Inf reach no state" in check_algorithm(sgd).checked
    True
    """
    require("Algorithm", "algorithm", algorithm, {"problem": problem})
    if problem is not None:
        require("Problem", "problem", problem, {"algorithm": algorithm})
    own = problem is not None
    problem = quadratic(5, 2, noise=0.5) if problem is None else problem
    checks.count("problem.byzantine", problem.byzantine, minimum=1)
    given = "games.quadratic(5, 2, noise=0.5)" if not own else "problem"
    setup = f"""
import jaxbyz as jb
from jaxbyz import attacks
from jaxbyz.testing import games

# `algorithm` is the one that was checked{", on `problem`" if own else ""}.

problem = {given}
{GAME}"""
    battery = Battery("algorithm", setup)
    _state(battery, algorithm, problem)
    _runs(battery, algorithm, problem)
    _bits(battery, algorithm, problem)
    _devices(battery, algorithm, problem)
    _spoilt(battery, algorithm, problem)
    carries_on(battery, algorithm, problem, _can_say_nan(algorithm, problem))
    _nobody(battery, algorithm, problem)
    if descent is None:
        battery.skip("gradient descent", "not claimed")
    else:
        gamma = float(checks.interval("descent", descent, 0, float("inf"), closed="neither"))
        _descent(battery, algorithm, gamma)
    return battery.report()


def _same(a: Any, b: Any) -> bool:
    """Bit by bit."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(np.asarray(x), np.asarray(y), equal_nan=True) for x, y in pairs)


def _apart(a: Any, b: Any) -> float:
    """The largest difference of two trees of arrays."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    wide = ((np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in pairs)
    return max((float(np.abs(x - y).max(initial=0)) for x, y in wide), default=0.0)


def _state(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """Structure, shapes and dtypes, without computing anything."""
    name, case = "state of one type", Case("one round")
    code = """
simulation = jb.build(algorithm, problem)
state, _, key = games.start(simulation, problem)
after, info = simulation.step(key, state, simulation.data)
assert games.described(state) == games.described(after), (state, after)
assert after.server.x.dtype == problem.init(key).dtype
"""
    with battery.attempt(name, case, code):
        simulation = build(algorithm, problem)
        state, _, key = jax.eval_shape(lambda: start(simulation, problem))
        after, _ = jax.eval_shape(simulation.step, key, state, simulation.data)
        before, end = _shapes(state), _shapes(after)
    changed = [f"{a} becomes {b}" for a, b in zip(before, end, strict=False) if a != b]
    measured = "; ".join(changed) or f"{before}, then {end}"
    battery.demand(name, case, before == end, measured, "a scan carries it", code)


def _shapes(tree: Any) -> list[str]:
    leaves = [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(tree)]
    return [str(jax.tree.structure(tree)), *leaves]


def _runs(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """Keys, ways of calling, and stopping in the middle."""
    traces = []

    def counted(entry: Any) -> Any:
        traces.append(0)
        return problem.oracle(entry)

    watched = dataclasses.replace(problem, oracle=counted)
    simulation = build(algorithm, watched, no_attack())
    with battery.attempt("traced once", Case("the start"), "play(None, 1)"):
        state, _, key = jax.jit(lambda: start(simulation, problem))()
    half = jax.jit(run(simulation.step, ROUNDS // 2, everything))
    whole = jax.jit(run(simulation.step, ROUNDS, everything))
    prelude = f"""
simulation = jb.build(algorithm, problem)
state, _, key = games.start(simulation, problem)
half = jax.jit(jb.run(simulation.step, {ROUNDS // 2}, games.everything))
whole = jax.jit(jb.run(simulation.step, {ROUNDS}, games.everything))
same = lambda a, b: all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))
"""
    case = Case(f"{ROUNDS} rounds, nobody lies")
    name = "traced once"
    code = prelude.replace("jb.build(algorithm, problem)", "jb.build(algorithm, watched)")
    code = (
        """
import dataclasses

traces = []
oracle = lambda entry: traces.append(0) or problem.oracle(entry)
watched = dataclasses.replace(problem, oracle=oracle)
"""
        + code
        + """
half(key, half(key, state, simulation.data)[0], simulation.data)
assert len(traces) <= ALLOWED + 1, traces  # and once for the start
"""
    )
    with battery.attempt(name, case, code):
        traces.clear()
        middle, _ = half(key, state, simulation.data)
        last, _ = half(key, middle, simulation.data)
    reason = "the worker's half is traced for all workers, rounds and calls together"
    battery.judge(name, [case], len(traces), 1, reason, code)
    end, _ = whole(key, state, simulation.data)
    code = (
        prelude
        + """
middle, _ = half(key, state, simulation.data)
last, _ = half(key, middle, simulation.data)
assert same(last, whole(key, state, simulation.data)[0])
"""
    )
    measured = f"{_apart(last, end):.3g} apart"
    reason = "keys are folded from the number of the round, bit by bit the same"
    battery.demand("a run cut in two", case, _same(last, end), measured, reason, code)
    again, _ = half(key, state, simulation.data)
    code = (
        prelude
        + "assert same(half(key, state, simulation.data), half(key, state, simulation.data))"
    )
    measured = f"{_apart(again, middle):.3g} apart"
    battery.demand("one key, one run", case, _same(again, middle), measured, "bit by bit", code)

    round_key = jax.random.fold_in(key, 1)
    code = (
        prelude
        + """
jitted = jax.jit(simulation.step)(key, state, simulation.data)[0].server.x
with jax.disable_jit():
    eager = simulation.step(key, state, simulation.data)[0].server.x
assert np.abs(np.asarray(eager - jitted)).max() <= ALLOWED
"""
    )
    name = "eager = jit = vmap"
    with battery.attempt(name, case, code):
        keys = jnp.stack([key, round_key])
        step = jax.jit(
            lambda keys: (
                simulation.step(key, state, simulation.data)[0].server.x,
                jax.vmap(lambda k: simulation.step(k, state, simulation.data)[0].server.x)(keys),
            )
        )
        jitted, seeds = step(keys)
        with jax.disable_jit():
            eager = simulation.step(key, state, simulation.data)[0].server.x
    size = 1 + float(np.abs(np.asarray(jitted)).max())
    allowed = ROUNDINGS * float(np.finfo(jitted.dtype).eps) * size
    reason = "programs may sum in another order"
    battery.judge(name, [case], _apart(eager, jitted), allowed, reason, code)
    code = (
        prelude
        + """
model = lambda key: simulation.step(key, state, simulation.data)[0].server.x
seeds = jax.jit(jax.vmap(model))(jnp.stack([key, key]))[0]
assert np.abs(np.asarray(seeds - jax.jit(model)(key))).max() <= ALLOWED
"""
    )
    battery.judge(name, [case], _apart(seeds[0], jitted), allowed, reason, code)


def _bits(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """What is charged to whom."""
    h, name = problem.honest, "bits as honest workers"
    case = Case(f"{ROUNDS} rounds of sign flip")
    code = f"""
info, server = play(attacks.sign_flip(), {ROUNDS})
honest, liars = np.asarray(info.uplink)[:, :{h}], np.asarray(info.uplink)[:, {h}:]
assert (honest == honest[:, :1]).all() <= (liars == honest[:, :1]).all(), info.uplink
assert info.uplink.any(axis=(1, 2)).all()
"""
    with battery.attempt(name, case, code):
        played = play(algorithm, problem, sign_flip(), ROUNDS)()
    uplink = played.info.uplink.astype(np.int64)  # [rounds, n, 2] exact words: never infinite
    fixed = (uplink[:, :h] == uplink[:, :1]).all()
    wrong = (uplink[:, h:] != uplink[:, :1]).sum() if fixed else 0
    reason = "where honest messages have one length, all have"
    battery.judge(name, [case], int(wrong), 0, reason, code)
    silent = int((uplink.sum(axis=(1, 2)) == 0).sum())
    battery.judge(name, [case], silent, 0, "what is heard was paid for", code)


def _devices(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """One device and several."""
    name, workers = "one device = several", problem.honest
    counts = [m for m in range(2, jax.device_count() + 1) if workers % m == 0]
    if not counts:
        why = f"{jax.device_count()} device(s) cannot share {workers} honest workers evenly"
        battery.skip(name, why)
        return
    m = counts[-1]
    case = Case(f"{ROUNDS} rounds, {workers} honest workers on {m} devices")
    code = f"""
from jax.sharding import Mesh
from jaxbyz.simulation import along_axis

mesh = Mesh(np.array(jax.devices()[:{m}]), ("workers",))
ends = []
for placement, spread in ((None, lambda f, **_: f), (along_axis(), jb.over_mesh)):
    simulation = jb.build(algorithm, problem, attacks.sign_flip(), placement=placement)
    where = {{"mesh": mesh}} if placement else {{}}
    init = spread(simulation.init, initial=True, **where)
    look = lambda state, info: state.server.x
    advance = spread(jb.run(simulation.step, {ROUNDS}, look), **where)
    key = jax.random.key(0)
    state, _ = jax.jit(init)(key, problem.init(key), simulation.data)
    ends.append(np.asarray(jax.jit(advance)(key, state, simulation.data)[1]))
assert np.abs(ends[0] - ends[1]).max() <= ALLOWED
"""
    mesh = Mesh(np.array(jax.devices()[:m]), ("workers",))
    key, ends = jax.random.key(0), []
    with battery.attempt(name, case, code):
        for placed in (False, True):
            placement = along_axis() if placed else None
            simulation = build(algorithm, problem, sign_flip(), placement=placement)
            init: Any = simulation.init
            advance: Any = run(simulation.step, ROUNDS, _model)
            if placed:
                init, advance = over_mesh(init, mesh, initial=True), over_mesh(advance, mesh)

            def game(data: Any, init: Any = init, advance: Any = advance) -> jax.Array:
                state, _ = init(key, problem.init(key), data)
                return advance(key, state, data)[1]

            ends.append(np.asarray(jax.jit(game)(simulation.data)))
    allowed = ROUNDINGS * float(np.finfo(ends[0].dtype).eps) * (1 + np.abs(ends[0]).max())
    reason = "keys are folded from worker ids; programs may sum in another order"
    battery.judge(name, [case], _apart(*ends), allowed, reason, code)


def _model(state: SimulationState, info: RoundInfo) -> jax.Array:
    del info
    return state.server.x


def _saying(value: Any) -> Attack:
    return from_view("spoilt", lambda key, view: jnp.full(view.honest.shape[1], value))


def _spoilt(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """What is not finite stays at the server's entrance."""
    h, name, counted = problem.honest, "NaN and Inf reach no state", "liars are counted as bad"
    prelude = f"""
{SPOILING}
info, server = play(attack, {ROUNDS})
"""
    dtype = jax.eval_shape(problem.init, jax.random.key(0)).dtype
    values = np.array([np.nan, np.inf, -np.inf, np.finfo(dtype).max], dtype)

    def outcome(value: jax.Array) -> Any:
        simulation = build(algorithm, problem, _saying(value))
        state, _, key = start(simulation, problem)
        end, (info, server) = run(simulation.step, ROUNDS, everything)(key, state, simulation.data)
        return info.server.bad, [
            leaf
            for leaf in jax.tree.leaves((server, end.workers))
            if jnp.issubdtype(leaf.dtype, jnp.floating)
        ]

    cases = [Case(f"f workers say {value}", {"value": float(value)}) for value in values]
    with battery.attempt(name, cases[0], prelude):
        bad, floats = jax.tree.map(np.asarray, jax.jit(jax.vmap(outcome))(values))
    infinite = [sum(int((~np.isfinite(leaf[i])).sum()) for leaf in floats) for i in range(4)]
    code = (
        prelude
        + """
floats = [x for x in jax.tree.leaves(server) if jnp.issubdtype(x.dtype, jnp.floating)]
assert all(np.isfinite(leaf).all() for leaf in floats), server
"""
    )
    reason = "such a number in a stored vector stays there for ever"
    battery.judge(name, cases, infinite, 0, reason, code)
    if not _can_say_nan(algorithm, problem):
        battery.skip(counted, "its messages cannot say NaN")
        return
    wrong = [int((~bad[i][:, h:]).sum() + bad[i][:, :h].sum()) for i in range(3)]
    code = (
        prelude
        + f"""
bad = np.asarray(info.server.bad)
assert bad[:, {h}:].all() and not bad[:, :{h}].any(), bad
"""
    )
    reason = "in every round the liars are bad and the others are not"
    battery.judge(counted, cases[:3], wrong, 0, reason, code)


def _can_say_nan(algorithm: Algorithm, problem: Problem) -> bool:
    """Whether a message that wants to be NaN, honestly encoded, is."""
    key = jax.random.key(0)
    x = problem.init(key)
    broadcast = algorithm.server.broadcast(key, algorithm.server.start(x, 1))
    message = algorithm.codec.encode(key, broadcast, jnp.full_like(x, jnp.nan))
    return not bool(jnp.isfinite(algorithm.codec.decode(broadcast, message)).all())


def _nobody(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """f = 0."""
    name, case = "works with f = 0", Case(f"{ROUNDS} rounds, {problem.honest} workers, f = 0")
    code = f"""
import dataclasses

problem = dataclasses.replace(problem, byzantine=0)
info, server = play(None, {ROUNDS})
assert np.isfinite(server.x).all() and not info.server.bad.any()
"""
    with battery.attempt(name, case, code):
        played = play(algorithm, dataclasses.replace(problem, byzantine=0), None, ROUNDS)()
    wrong = int((~np.isfinite(played.server.x)).sum() + played.info.server.bad.sum())
    battery.judge(name, [case], wrong, 0, "nobody lies", code)


def _descent(battery: Battery, algorithm: Algorithm, gamma: float) -> None:
    """x ← x - γ∇f(x), in 64 bits."""
    name, rounds = "gradient descent", 10
    case = Case(f"{rounds} rounds, 5 workers with full gradients, f = 0, step size {gamma:g}")
    code = f"""
jax.config.update("jax_enable_x64", True)
problem = games.quadratic(5, 0)
x = np.zeros(4)
for model in np.asarray(play(None, {rounds})[1].x):
    x = x - {gamma!r} * (problem.matrices.mean(axis=0) @ x - problem.vectors.mean(axis=0))
    assert np.abs(model - x).max() <= ALLOWED, (model, x)
"""
    with battery.attempt(name, case, code), jax.enable_x64(True):
        problem: Any = quadratic(5, 0)
        models = play(algorithm, problem, None, rounds)().server.x
    x, error = np.zeros(4), []
    for model in models:
        gradient = problem.matrices.mean(axis=0) @ x - problem.vectors.mean(axis=0)
        x = x - gamma * gradient
        error.append(np.abs(model - x).max())
    reason = "ten steps in float64, numbers of size one"
    battery.judge(name, [case], max(error), 1e-12, reason, code)
