"""The battery of an attack: short runs of three algorithms on a small problem, with and without."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.attacks import no_attack
from jaxbyz.core import Algorithm, Attack, Key, Tree, View
from jaxbyz.parts import require
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import build
from jaxbyz.testing.games import (
    GAME,
    Played,
    algorithms_under_attack,
    described,
    labelled,
    play,
    primitives,
    quadratic,
    start,
)
from jaxbyz.testing.report import Battery, Case, Report

__all__ = ["ALGORITHMS", "check_attack"]

ALGORITHMS = ("robust D-SGD", "RoSDHB", "Byz-DASHA-PAGE")
ROUNDS = 3
ROUNDINGS = 4096  # of one eps each: gradients, momenta and a few rounds
FORGE = """
def forge(byzantine):
    # One round in which everything that is forged is caught.
    caught = []

    def watched(key, state, view):
        after, rows = attack.forge(key, state, view)
        caught.append((rows, state, after, view.honest))
        return after, rows

    simulation = jb.build(algorithm, problem, attack._replace(forge=watched))
    model, first, rest = jax.random.split(jax.random.key(0), 3)
    state, _ = simulation.init(first, problem.init(model), simulation.data)
    simulation.step(rest, state, simulation.data)
    return caught[-1]

"""


def check_attack(
    attack: Attack,
    *,
    honest: int = 5,
    byzantine: int = 2,
    labels: bool = False,
    harmless: bool = False,
    refused: bool = False,
    eager: bool = True,
    algorithms: Collection[str] = ALGORITHMS,
) -> Report:
    """Try all properties that an attack has, through the server of three algorithms.

    Forged rows [f, d] of the honest rows' dtype; a state that a scan can carry; eager = jit; no
    honest row changed in the first round; a finite model; bits as of honest workers; the effect:
    the server's rows and the model are not those of a run without attack; nothing at all with
    f = 0.

    Args:
        attack: the attack.
        honest: number of honest workers.
        byzantine: f, with honest > f.
        labels: the attack needs data with labels 0..9.
        harmless: the attack changes nothing (else it must change rows and model).
        refused: the server rejects its messages (else it must reject none).
        eager: try the attack without compilation; False for attacks that search.
        algorithms: names among `ALGORITHMS`.

    Raises:
        PropertyFailed: an AssertionError that shows the first property that does not hold.
        ValueError: honest, byzantine or algorithms outside what is allowed.

    >>> from jaxbyz.attacks import sign_flip
    >>> report = check_attack(sign_flip(), algorithms=["robust D-SGD"])
    >>> "changes the model" in report.checked
    True
    """
    require("Attack", "attack", attack)
    f = checks.count("byzantine", byzantine, minimum=1)
    h = checks.count("honest", honest, minimum=f + 1)
    for name in algorithms:
        if name not in ALGORITHMS:
            raise ValueError(f"algorithms must be among {ALGORITHMS}, got {name!r}")
    battery = Battery("attack", _setup(ALGORITHMS[0], h, f, labels))
    problem, (first, _) = _problem(labels, h, f), algorithms_under_attack(f)[ALGORITHMS[0]]
    if attack.forge is None:
        battery.skip("rows [f, d] and state", "it forges no messages")
    else:
        _forged(battery, attack, first, problem)
    for name in algorithms:
        battery.setup = _setup(name, h, f, labels)
        _under_attack(battery, attack, name, (h, f), labels, harmless, refused)
    battery.setup = _setup(ALGORITHMS[0], h, f, labels)
    if eager:
        _eager(battery, attack, first, problem)
    else:
        battery.skip("eager = jit", "not asked for")
    battery.setup = _setup(ALGORITHMS[0], h, 0, labels, declared=f)
    _alone(battery, attack, first, _problem(labels, h, 0))
    return battery.report()


def _problem(labels: bool, honest: int, byzantine: int) -> Problem:
    return labelled(honest, byzantine) if labels else quadratic(honest, byzantine)


def _setup(name: str, h: int, f: int, labels: bool, declared: int | None = None) -> str:
    kind = "labelled" if labels else "quadratic"
    written = algorithms_under_attack(f if declared is None else declared)[name][1]
    return f"""
import jaxbyz as jb
import optax
from jaxbyz.testing import games

# `attack` is the one that was checked.

problem = games.{kind}({h}, {f})
algorithm = {written}

{GAME}"""


@functools.lru_cache(maxsize=16)
def _calm(name: str, sizes: tuple[int, int], labels: bool, wide: bool) -> Played:
    """The run without attack; `wide`: whether numbers have 64 bits."""
    del wide
    algorithm, _ = algorithms_under_attack(sizes[1])[name]
    return play(algorithm, _problem(labels, *sizes), no_attack(), ROUNDS)()


def _forged(battery: Battery, attack: Attack, algorithm: Algorithm, problem: Problem) -> None:
    """What the attack returns, as shapes only."""
    name, f = "rows [f, d] and state", problem.byzantine
    case = Case(f"one round with f = {f}", {"f": f})
    code = f"""
{FORGE}
rows, before, after, honest = forge(f)
assert rows.shape == (f, honest.shape[1]) and rows.dtype == honest.dtype, (rows.shape, rows.dtype)
assert games.described(before) == games.described(after), (before, after)
"""
    caught: list[Any] = []

    def watched(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        assert attack.forge is not None
        after, rows = attack.forge(key, state, view)
        shapes = f"{rows.dtype}{list(rows.shape)}"
        right = f"{view.honest.dtype}{[f, view.honest.shape[1]]}"
        caught.append((shapes, right, described(state), described(after)))
        d = view.honest.shape[1]
        return state, jnp.zeros((f, d), view.honest.dtype)

    with battery.attempt(name, case, code):
        simulation = build(algorithm, problem, attack._replace(forge=watched))
        state, _, key = jax.eval_shape(lambda: start(simulation, problem))
        jax.eval_shape(simulation.step, key, state, simulation.data)
    shapes, right, before, after = caught[-1]
    reason = f"f vectors like the honest ones: {right}"
    battery.demand(name, case, shapes == right, shapes, reason, code)
    measured = f"state {after} after {before}"
    battery.demand(name, case, before == after, measured, "a scan carries it", code)


def _under_attack(
    battery: Battery,
    attack: Attack,
    name: str,
    sizes: tuple[int, int],
    labels: bool,
    harmless: bool,
    refused: bool,
) -> None:
    """One algorithm with and without the attack."""
    h, f = sizes
    algorithm, _ = algorithms_under_attack(f)[name]
    case = Case(f"{ROUNDS} rounds of {name}, {h} honest and {f} Byzantine workers")
    prelude = f"""
(info, server), (calm, calm_server) = play(attack, {ROUNDS}), play(None, {ROUNDS})
rows, calm_rows = np.asarray(info.server.rows), np.asarray(calm.server.rows)
"""
    run_it = "a run is one program"
    with battery.attempt(run_it, case, prelude):
        played = play(algorithm, _problem(labels, h, f), attack, ROUNDS)()
    battery.demand(run_it, case, True, "", "", prelude)
    calm = _calm(name, sizes, labels, jnp.zeros(()).dtype == jnp.float64)
    info, rows, calm_rows = played.info, played.info.server.rows, calm.info.server.rows
    xs, calm_xs = played.server.x, calm.server.x
    roundings = ROUNDINGS * float(np.finfo(xs.dtype).eps)

    infinite = (~np.isfinite(xs)).sum()
    code = prelude + "assert np.isfinite(server.x).all(), server.x"
    battery.judge("the model stays finite", [case], infinite, 0, "the rule is robust", code)
    rejected = info.server.bad[:, h:].any(), info.server.bad[:, :h].any()
    code = (
        prelude
        + f"""
assert not np.asarray(info.server.bad)[:, :{h}].any()
assert np.asarray(info.server.bad)[:, {h}:].any() == {refused}, info.server.bad
"""
    )
    measured = f"some Byzantine rows rejected: {rejected[0]}; some honest ones: {rejected[1]}"
    reason = f"refused = {refused}"
    holds = rejected == (refused, False)
    battery.demand("rejected rows", case, bool(holds), measured, reason, code)
    uplink = info.uplink.astype(np.int64)
    unequal = (uplink != uplink[:, :1]).any(axis=(1, 2)).sum()
    code = prelude + "assert (info.uplink == info.uplink[:, :1]).all(), info.uplink"
    reason = "all workers speak one protocol of fixed length"
    battery.judge("bits as honest workers", [case], unequal, 0, reason, code)
    if algorithm.hello is None:
        error = np.abs(rows[0, :h] - calm_rows[0, :h]).max()
        code = prelude + f"assert np.abs(rows[0, :{h}] - calm_rows[0, :{h}]).max() <= ALLOWED"
        allowed = roundings * (1 + np.abs(calm_rows[0]).max())
        reason = "in the first round all workers are at the same point, attack or not"
        battery.judge("honest rows are untouched", [case], error, allowed, reason, code)

    apart = np.abs(rows[:, h:] - calm_rows[:, h:]).max()
    moved = np.abs(xs[-1] - calm_xs[-1]).max()
    small = roundings * (1 + np.abs(calm_rows).max())
    for what, size, found in (
        ("the rows", apart, f"np.abs(rows[:, {h}:] - calm_rows[:, {h}:]).max()"),
        ("the model", moved, "np.abs(server.x[-1] - calm_server.x[-1]).max()"),
    ):
        code = prelude + f"assert ({found} <= {small!r}) == {harmless}, {found}"
        reason = "equal up to rounding" if harmless else f"more than rounding, {small:.2g}"
        property = f"leaves {what} alone" if harmless else f"changes {what}"
        holds = bool(size <= small) == harmless
        battery.demand(property, case, holds, f"{size} apart from no attack", reason, code)


def _eager(battery: Battery, attack: Attack, algorithm: Algorithm, problem: Problem) -> None:
    """One round, compiled and not."""
    name, case = "eager = jit", Case("one round of robust D-SGD")
    code = """
simulation = jb.build(algorithm, problem, attack)
model, first, rest = jax.random.split(jax.random.key(0), 3)
state, _ = simulation.init(first, problem.init(model), simulation.data)
jitted = jax.jit(simulation.step)(rest, state, simulation.data)[1].server.rows
with jax.disable_jit():
    eager = simulation.step(rest, state, simulation.data)[1].server.rows
assert np.abs(np.asarray(eager - jitted)).max() <= ALLOWED
"""
    with battery.attempt(name, case, code):
        simulation = build(algorithm, problem, attack)
        state, _, key = jax.jit(lambda: start(simulation, problem))()
        jitted = jax.jit(simulation.step)(key, state, simulation.data)[1].server.rows
        with jax.disable_jit():
            eager = simulation.step(key, state, simulation.data)[1].server.rows
    error = np.abs(np.asarray(eager) - np.asarray(jitted)).max()
    size = 1 + float(np.abs(np.asarray(jitted)).max())
    allowed = ROUNDINGS * float(np.finfo(jitted.dtype).eps) * size
    battery.judge(name, [case], error, allowed, "programs may sum in another order", code)


def _alone(battery: Battery, attack: Attack, algorithm: Algorithm, problem: Problem) -> None:
    """With nobody Byzantine a round computes what it computes without attack."""
    name, case = "nothing with f = 0", Case(f"one round, {problem.honest} workers, f = 0")
    code = """
found, calm = (games.primitives(algorithm, problem, each) for each in (attack, None))
assert found == calm
"""
    with battery.attempt(name, case, code):
        found, calm = (primitives(algorithm, problem, each) for each in (attack, None))
    measured = f"{len(found)} operations instead of {len(calm)}"
    reason = "the program of a round without attack"
    battery.demand(name, case, found == calm, measured, reason, code)
