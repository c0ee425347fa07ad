"""Properties of an algorithm's runs: state, keys, ways of calling, bits, and devices."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxbyz.attacks import no_attack, sign_flip
from jaxbyz.core import Algorithm, Key
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import Simulation, SimulationState, build, divided, run
from jaxbyz.testing.report import Battery, Case
from jaxbyz.testing.short_runs import everything, short_run, start

ROUNDS = 4
ROUNDINGS = 16384  # of one eps each: a few rounds of gradients, rules and momenta
PRELUDE = f"""
simulation = jb.build(algorithm, problem)
state, _, key = short_runs.start(simulation, problem)
half = jax.jit(jb.run(simulation.step, {ROUNDS // 2}, short_runs.everything))
whole = jax.jit(jb.run(simulation.step, {ROUNDS}, short_runs.everything))
same = lambda a, b: all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))
"""
CALM = Case(f"{ROUNDS} rounds, no attack")


def _same(a: Any, b: Any) -> bool:
    """Bit by bit."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(np.asarray(x), np.asarray(y), equal_nan=True) for x, y in pairs)


def _apart(a: Any, b: Any) -> float:
    """The largest difference of two trees of arrays."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    wide = ((np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in pairs)
    return max((float(np.abs(x - y).max(initial=0)) for x, y in wide), default=0.0)


def check_state(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """Structure, shapes and dtypes, without computing anything."""
    name, case = "state of one type", Case("one round")
    code = """
simulation = jb.build(algorithm, problem)
state, _, key = short_runs.start(simulation, problem)
after, info = simulation.step(key, state, simulation.data)
assert short_runs.described(state) == short_runs.described(after), (state, after)
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


class _Started(NamedTuple):
    """A simulation after its start."""

    simulation: Simulation
    state: SimulationState
    key: Key
    traces: list[int]  # grows whenever the worker's half is traced


def check_runs(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """Traced once; a run cut in two; one key, one run; eager = jit = vmap."""
    traces: list[int] = []

    def counted(entry: Any) -> Any:
        traces.append(0)
        return problem.oracle(entry)

    watched = dataclasses.replace(problem, oracle=counted)
    simulation = build(algorithm, watched, no_attack())
    with battery.attempt("traced once", Case("the start"), "short_run(None, 1)"):
        state, _, key = jax.jit(lambda: start(simulation, problem))()
    started = _Started(simulation, state, key, traces)
    _check_repetition(battery, started)
    _check_ways_of_calling(battery, started)


def _check_repetition(battery: Battery, started: _Started) -> None:
    """Half of the rounds, the other half, all of them, and the first half again."""
    simulation, state, key, traces = started
    half = jax.jit(run(simulation.step, ROUNDS // 2, everything))
    whole = jax.jit(run(simulation.step, ROUNDS, everything))
    name, case = "traced once", CALM
    code = PRELUDE.replace("jb.build(algorithm, problem)", "jb.build(algorithm, watched)")
    code = (
        """
import dataclasses

traces = []
oracle = lambda entry: traces.append(0) or problem.oracle(entry)
watched = dataclasses.replace(problem, oracle=oracle)
"""
        + code
        + """
traces.clear()  # of building and starting
half(key, half(key, state, simulation.data)[0], simulation.data)
assert len(traces) <= ALLOWED, traces
"""
    )
    with battery.attempt(name, case, code):
        traces.clear()
        middle, _ = half(key, state, simulation.data)
        last, _ = half(key, middle, simulation.data)
    reason = "the worker's half is traced for all workers, rounds and calls together"
    battery.judge(name, [case], len(traces), 1, reason, code)
    end, _ = whole(key, state, simulation.data)
    code = f"""{PRELUDE}
middle, _ = half(key, state, simulation.data)
last, _ = half(key, middle, simulation.data)
assert same(last, whole(key, state, simulation.data)[0])
"""
    measured = f"{_apart(last, end):.3g} apart"
    reason = "keys are folded from the number of the round, bit by bit the same"
    battery.demand("a run cut in two", case, _same(last, end), measured, reason, code)
    again, _ = half(key, state, simulation.data)
    code = f"""{PRELUDE}
assert same(half(key, state, simulation.data), half(key, state, simulation.data))
"""
    measured = f"{_apart(again, middle):.3g} apart"
    battery.demand("one key, one run", case, _same(again, middle), measured, "bit by bit", code)


def _check_ways_of_calling(battery: Battery, started: _Started) -> None:
    """One round: eagerly, compiled, and mapped over two keys."""
    simulation, state, key, _ = started
    case = CALM
    round_key = jax.random.fold_in(key, 1)
    code = f"""{PRELUDE}
jitted = jax.jit(simulation.step)(key, state, simulation.data)[0].server.x
with jax.disable_jit():
    eager = simulation.step(key, state, simulation.data)[0].server.x
assert np.abs(np.asarray(eager - jitted)).max() <= ALLOWED
"""
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
    code = f"""{PRELUDE}
model = lambda key: simulation.step(key, state, simulation.data)[0].server.x
seeds = jax.jit(jax.vmap(model))(jnp.stack([key, key]))[0]
assert np.abs(np.asarray(seeds - jax.jit(model)(key))).max() <= ALLOWED
"""
    battery.judge(name, [case], _apart(seeds[0], jitted), allowed, reason, code)


def check_bits(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """What is charged to whom."""
    h, name = problem.honest, "bits as honest workers"
    case = Case(f"{ROUNDS} rounds of sign flip")
    code = f"""
info, server = short_run(attacks.sign_flip(), {ROUNDS})
honest, liars = np.asarray(info.uplink)[:, :{h}], np.asarray(info.uplink)[:, {h}:]
assert (honest == honest[:, :1]).all() <= (liars == honest[:, :1]).all(), info.uplink
assert info.uplink.any(axis=(1, 2)).all()
"""
    with battery.attempt(name, case, code):
        ran = short_run(algorithm, problem, sign_flip(), ROUNDS)()
    uplink = ran.info.uplink.astype(np.int64)  # [rounds, n, 2] exact words: never infinite
    fixed = (uplink[:, :h] == uplink[:, :1]).all()
    wrong = (uplink[:, h:] != uplink[:, :1]).sum() if fixed else 0
    reason = "where honest messages have one length, all have"
    battery.judge(name, [case], int(wrong), 0, reason, code)
    silent = int((uplink.sum(axis=(1, 2)) == 0).sum())
    battery.judge(name, [case], silent, 0, "what is received was paid for", code)


def check_devices(battery: Battery, algorithm: Algorithm, problem: Problem) -> None:
    """One device and several, which share workers and coordinates."""
    name, workers, m = "one device = several", problem.honest, jax.device_count()
    if m == 1:
        battery.skip(name, "there is one device")
        return
    case = Case(f"{ROUNDS} rounds, {workers} honest workers on {m} devices")
    code = f"""
from jax.sharding import Mesh
from jaxbyz.simulation import divided

key, ends = jax.random.key(0), []
for placement in (None, divided(Mesh(np.array(jax.devices()[:{m}]), ("workers",)))):
    simulation = jb.build(algorithm, problem, attacks.sign_flip(), placement=placement)
    advance = jb.run(simulation.step, {ROUNDS}, lambda state, info: state.server.x)
    state, _ = jax.jit(simulation.init)(key, problem.init(key), simulation.data)
    ends.append(np.asarray(jax.jit(advance)(key, state, simulation.data)[1]))
assert np.abs(ends[0] - ends[1]).max() <= ALLOWED
"""
    mesh = Mesh(np.array(jax.devices()[:m]), ("workers",))
    key, ends = jax.random.key(0), []
    with battery.attempt(name, case, code):
        for placement in (None, divided(mesh)):
            simulation = build(algorithm, problem, sign_flip(), placement=placement)
            advance = run(simulation.step, ROUNDS, lambda state, info: state.server.x)

            def rounds_of(data: Any, init: Any = simulation.init, go: Any = advance) -> jax.Array:
                state, _ = init(key, problem.init(key), data)
                return go(key, state, data)[1]

            ends.append(np.asarray(jax.jit(rounds_of)(simulation.data)))
    allowed = ROUNDINGS * float(np.finfo(ends[0].dtype).eps) * (1 + np.abs(ends[0]).max())
    reason = "keys are folded from worker ids; programs may sum in another order"
    battery.judge(name, [case], _apart(*ends), allowed, reason, code)
