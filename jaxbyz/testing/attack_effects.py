"""The effect of an attack on runs: rows and model, rejected rows, bits, and the honest workers."""

import functools

import jax.numpy as jnp
import numpy as np

from jaxbyz.attacks import no_attack
from jaxbyz.core import Attack
from jaxbyz.problems.problem import Problem
from jaxbyz.testing.report import Battery, Case
from jaxbyz.testing.short_runs import (
    ShortRun,
    algorithms_under_attack,
    labelled,
    quadratic,
    short_run,
)

ROUNDS = 3
ROUNDINGS = 4096  # of one eps each: gradients, momenta and a few rounds


def problem_for(labels: bool, honest: int, byzantine: int) -> Problem:
    """The small problem on which attacks are tried."""
    return labelled(honest, byzantine) if labels else quadratic(honest, byzantine)


@functools.lru_cache(maxsize=16)
def _calm(name: str, sizes: tuple[int, int], labels: bool, wide: bool) -> ShortRun:
    """The run without attack; `wide`: whether numbers have 64 bits."""
    del wide
    algorithm, _ = algorithms_under_attack(sizes[1])[name]
    return short_run(algorithm, problem_for(labels, *sizes), no_attack(), ROUNDS)()


def check_effects(
    battery: Battery,
    attack: Attack,
    name: str,
    sizes: tuple[int, int],
    labels: bool,
    harmless: bool,
    rejected: bool,
) -> None:
    """One algorithm with and without the attack."""
    h, f = sizes
    algorithm, _ = algorithms_under_attack(f)[name]
    case = Case(f"{ROUNDS} rounds of {name}, {h} honest and {f} Byzantine workers")
    prelude = f"""
(info, server), (calm, calm_server) = short_run(attack, {ROUNDS}), short_run(None, {ROUNDS})
rows, calm_rows = np.asarray(info.server.rows), np.asarray(calm.server.rows)
"""
    run_it = "a run is one program"
    with battery.attempt(run_it, case, prelude):
        ran = short_run(algorithm, problem_for(labels, h, f), attack, ROUNDS)()
    battery.demand(run_it, case, True, "", "", prelude)
    calm = _calm(name, sizes, labels, jnp.zeros(()).dtype == jnp.float64)
    info, rows, calm_rows = ran.info, ran.info.server.rows, calm.info.server.rows
    xs, calm_xs = ran.server.x, calm.server.x
    roundings = ROUNDINGS * float(np.finfo(xs.dtype).eps)

    infinite = (~np.isfinite(xs)).sum()
    code = prelude + "assert np.isfinite(server.x).all(), server.x"
    battery.judge("the model stays finite", [case], infinite, 0, "the rule is robust", code)
    some = info.server.rejected[:, h:].any(), info.server.rejected[:, :h].any()
    code = f"""{prelude}
assert not np.asarray(info.server.rejected)[:, :{h}].any()
assert np.asarray(info.server.rejected)[:, {h}:].any() == {rejected}, info.server.rejected
"""
    measured = f"some Byzantine rows rejected: {some[0]}; some honest ones: {some[1]}"
    reason = f"rejected = {rejected}"
    holds = some == (rejected, False)
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
