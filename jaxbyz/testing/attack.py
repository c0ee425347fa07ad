"""The checks of an attack: short runs of three algorithms, with the attack and without it."""

from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts.parts import require
from jaxbyz.core import Algorithm, Attack, Key, Tree, View
from jaxbyz.deprecations import warn_renamed
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation import build
from jaxbyz.testing.attack_effects import check_effects, problem_for
from jaxbyz.testing.report import Battery, Case, Report
from jaxbyz.testing.short_runs import (
    SHORT_RUN,
    algorithms_under_attack,
    described,
    primitives,
    start,
)

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
    state, _, key = short_runs.start(simulation, problem)
    simulation.step(key, state, simulation.data)
    return caught[-1]

"""


def check_attack(
    attack: Attack,
    *,
    honest: int = 5,
    byzantine: int = 2,
    labels: bool = False,
    harmless: bool = False,
    rejected: bool = False,
    eager: bool = True,
    algorithms: Collection[str] = ALGORITHMS,
    refused: bool | None = None,
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
        rejected: the server rejects its messages (else it must reject none).
        eager: try the attack without compilation; False for attacks that search.
        algorithms: names among `ALGORITHMS`.
        refused: the old name of `rejected`, with a warning.

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
    if refused is not None:
        warn_renamed("check_attack(refused=)", "check_attack(rejected=)")
        rejected = refused
    battery = Battery("attack", _setup(ALGORITHMS[0], h, f, labels))
    problem, (first, _) = problem_for(labels, h, f), algorithms_under_attack(f)[ALGORITHMS[0]]
    if attack.forge is None:
        battery.skip("rows [f, d] and state", "it forges no messages")
    else:
        _forged(battery, attack, first, problem)
    for name in algorithms:
        battery.setup = _setup(name, h, f, labels)
        check_effects(battery, attack, name, (h, f), labels, harmless, rejected)
    battery.setup = _setup(ALGORITHMS[0], h, f, labels)
    if eager:
        _eager(battery, attack, first, problem)
    else:
        battery.skip("eager = jit", "not asked for")
    battery.setup = _setup(ALGORITHMS[0], h, 0, labels, declared=f)
    _alone(battery, attack, first, problem_for(labels, h, 0))
    return battery.report()


def _setup(name: str, h: int, f: int, labels: bool, declared: int | None = None) -> str:
    kind = "labelled" if labels else "quadratic"
    written = algorithms_under_attack(f if declared is None else declared)[name][1]
    return f"""
import jaxbyz as jb
import optax
from jaxbyz.testing import short_runs

# `attack` is the one that was checked.

problem = short_runs.{kind}({h}, {f})
algorithm = {written}

{SHORT_RUN}"""


def _forged(battery: Battery, attack: Attack, algorithm: Algorithm, problem: Problem) -> None:
    """What the attack returns, as shapes only."""
    name, f = "rows [f, d] and state", problem.byzantine
    case = Case(f"one round with f = {f}", {"f": f})
    code = f"""
{FORGE}
rows, before, after, honest = forge(f)
assert rows.shape == (f, honest.shape[1]) and rows.dtype == honest.dtype, (rows.shape, rows.dtype)
assert short_runs.described(before) == short_runs.described(after), (before, after)
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


def _eager(battery: Battery, attack: Attack, algorithm: Algorithm, problem: Problem) -> None:
    """One round, compiled and not."""
    name, case = "eager = jit", Case("one round of robust D-SGD")
    code = """
simulation = jb.build(algorithm, problem, attack)
state, _, key = short_runs.start(simulation, problem)
jitted = jax.jit(simulation.step)(key, state, simulation.data)[1].server.rows
with jax.disable_jit():
    eager = simulation.step(key, state, simulation.data)[1].server.rows
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
found, calm = (short_runs.primitives(algorithm, problem, each) for each in (attack, None))
assert found == calm
"""
    with battery.attempt(name, case, code):
        found, calm = (primitives(algorithm, problem, each) for each in (attack, None))
    measured = f"{len(found)} operations instead of {len(calm)}"
    reason = "the program of a round without attack"
    battery.demand(name, case, found == calm, measured, reason, code)
