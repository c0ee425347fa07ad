"""The battery of an aggregation rule.

All inputs go through one compiled, vmapped program; what is measured is compared in float64 on the
host. Inputs have the default dtype of JAX: float32, or float64 where 64 bits are enabled.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.aggregators import kappa as known_kappa
from jaxbyz.aggregators import reach as known_reach
from jaxbyz.constructors import with_f
from jaxbyz.core import Aggregator
from jaxbyz.parts import require
from jaxbyz.testing import input_rows as inputs
from jaxbyz.testing.any_size import NAME as ANY_SIZE
from jaxbyz.testing.any_size import Bound, diameters, judge_sizes, of_any_size
from jaxbyz.testing.report import Battery, Case, Report
from jaxbyz.testing.rule_evaluation import (
    SETUP,
    Group,
    called,
    called_eagerly,
    every_way,
    sixteen_bits,
    stacked,
    stacked_and_marked,
    tried,
)

__all__ = ["EQUIVARIANCES", "check_aggregator"]

EQUIVARIANCES = ("permutation", "translation", "scale", "orthogonal", "coordinate-local")
ROUNDINGS = 4096  # of one eps each, relative to the largest entry: sums over rows and coordinates


def check_aggregator(
    rule: Aggregator,
    *,
    n: int = 7,
    f: int = 2,
    d: int = 4,
    equivariances: Collection[str] = ("permutation", "translation", "scale"),
    kappa: float | None = None,
    unanimous: bool = True,
    majority: bool | None = None,
    mean: bool = False,
    any_size: bool | float = True,
    tolerance: float | None = None,
    seed: int = 0,
) -> Report:
    """Try all properties that an aggregation rule has, on n rows of which f may be anything.

    Always: shapes and dtypes, 16-bit rows, purity, eager = jit = vmap, a finite result whatever f
    rows are and whatever more than f bad rows are, bad rows reported. What is claimed:

    Args:
        rule: the aggregator, for this f.
        n: number of rows, > 2f.
        f: number of Byzantine rows that the rule was made for.
        d: number of coordinates, ≥ 2.
        equivariances: among `EQUIVARIANCES`; permutation is tried on rows without ties.
        kappa: ‖R - x̄_S‖² ≤ κ Var_S for every S of n-f rows. Default: what
            `jaxbyz.aggregators.kappa` knows of the rule, exact or else published.
        unanimous: n equal rows are the result.
        majority: n-f rows 0 are the result; default: if a κ is known, which forces it.
        mean: with f = 0 the rule is the mean (only looked at if f = 0).
        any_size: f rows of any finite size, from 10³ to the largest number, move the result no
            further from the mean of S than the honest rows S allow: √(κ Var_S) where a κ is known,
            else c diameters of S, with c = `any_size`, or what `jaxbyz.aggregators.reach` knows, or
            n. False: the rule does not claim it, as the mean, or rules that clip at a given length.
        tolerance: relative error of the rule; default 4096 roundings. For iterative rules, say
            how well they converge; inputs for which `details["converged"]` is False are left out.
        seed: of the random inputs.

    Raises:
        PropertyFailed: an AssertionError that shows the first property that does not hold.
        ValueError: n, f, d, kappa, any_size, tolerance or equivariances outside what is allowed.

    >>> from jaxbyz.aggregators import trimmed_mean
    >>> report = check_aggregator(trimmed_mean(f=1), n=3, f=1, d=2)
    >>> "never further than κ allows" in report.checked
    True
    """
    require("Aggregator", "rule", rule)
    f = checks.count("f", f)
    rule = with_f(rule, f)
    n = checks.count("n", n, minimum=2 * f + 1)
    d = checks.count("d", d, minimum=2)
    for name in equivariances:
        if name not in EQUIVARIANCES:
            raise ValueError(f"equivariances must be among {EQUIVARIANCES}, got {name!r}")
    if kappa is None:
        known = known_kappa(rule, n, f)
        kappa = known.published if known.exact is None else known.exact
    else:
        kappa = float(checks.interval("kappa", kappa, 0, float("inf"), closed="left"))
    bound = _reach(rule, n, f, kappa, any_size)
    dtype = jnp.zeros(()).dtype
    limits = np.finfo(dtype)
    rounding = ROUNDINGS * float(limits.eps)
    if tolerance is not None:
        rounding = float(checks.interval("tolerance", tolerance, 0, 1, closed="right"))

    random = np.random.default_rng(checks.count("seed", seed))
    battery = Battery("aggregator", SETUP)
    ordinary, rows = stacked(inputs.ordinary(n, d, random))
    spoilt, spoilt_rows, marked = stacked_and_marked(inputs.spoilt(n, f, d, limits, random))
    large, large_rows, liars = stacked_and_marked(
        of_any_size(n, f, d, limits, np.random.default_rng(seed)) if f else [_nobody(n, d)]
    )
    claimed = [key for key in EQUIVARIANCES if key in equivariances]
    moves = [move for key in claimed for move in _MOVES[key](rows, limits, random)]
    assumed = kappa if kappa else f / (n - 2 * f)
    groups = {
        "ordinary": (ordinary, rows),
        "spoilt": (spoilt, spoilt_rows),
        "crowded": stacked(inputs.crowded(n, f, d, random)),
        "equal": stacked(inputs.equal(n, d, limits, random)),
        "lopsided": stacked(inputs.lopsided(n, f, d, random)),
        "adversarial": stacked(inputs.adversarial(n, f, d, assumed, random)),
        "any size": (large, large_rows),
        **{move.says: (ordinary, move.rows) for move in moves},
    }
    single = jax.jit(lambda rows: called(rule, rows)[1])
    eager = called_eagerly(battery, rule, rows[0].astype(dtype), d)
    parts = tried(battery, rule, groups, dtype)
    every_way(battery, single, eager, parts["ordinary"], rounding)
    sixteen_bits(battery, rule, 100 + random.normal(size=(n, d)), rounding)
    _bad_rows(battery, parts, f)
    for move in moves:
        _moved(battery, parts["ordinary"], parts[move.says], move, rounding)
    claims = {
        "unanimous": unanimous,
        "n-f rows 0 win": f > 0 and ((kappa is not None) if majority is None else majority),
        "never further than κ allows": kappa is not None,
        "the mean for f = 0": f == 0 and mean,
        ANY_SIZE: bound is not None,
    }
    for name, yes in {**dict.fromkeys(EQUIVARIANCES, False), **claims}.items():
        if not yes and name not in equivariances:
            battery.skip(name, "not claimed")
    if claims["unanimous"]:
        group = parts["equal"]
        error = np.abs(group.value - group.rows[:, 0]) - rounding * np.abs(group.rows[:, 0])
        code = "assert (np.abs(aggregate(rows).value - rows[0]) <= SHARE * np.abs(rows[0])).all()"
        reason = f"the row is the result, up to {rounding:.2g} of each of its entries"
        code = code.replace("SHARE", repr(rounding))
        battery.judge("unanimous", group.cases(), error.max(axis=1), 0.0, reason, code)
    if claims["n-f rows 0 win"]:
        group = parts["lopsided"]
        code = "assert np.abs(aggregate(rows).value).max() == 0"
        reason = "n-f equal rows are the only result with a finite κ"
        size = np.abs(group.value).max(axis=1)
        battery.judge("n-f rows 0 win", group.cases(), size, 0.0, reason, code)
    if kappa is not None:
        for chosen in itertools.combinations(range(n), n - f):
            honest = np.tile(np.isin(np.arange(n), chosen), (len(groups["adversarial"][0]), 1))
            _robust(battery, parts["adversarial"], honest, kappa, rounding)
        _robust(battery, parts["spoilt"], ~marked, kappa, rounding)
    if bound is not None:
        judge_sizes(battery, parts["any size"], liars, f, bound, rounding)
    if claims["the mean for f = 0"]:
        group = parts["ordinary"]
        error = np.linalg.norm(group.value - group.rows.mean(axis=1), axis=1)
        reason = "nobody is Byzantine and all rows count"
        code = "assert distance(aggregate(rows).value, rows.mean(axis=0)) <= ALLOWED"
        battery.judge(
            "the mean for f = 0", group.cases(), error, _slack(group, rounding), reason, code
        )
    return battery.report()


def _nobody(n: int, d: int) -> tuple[str, np.ndarray, np.ndarray]:
    return "nobody is Byzantine", np.zeros((n, d)), np.zeros(n, bool)


def _reach(
    rule: Aggregator, n: int, f: int, kappa: float | None, any_size: bool | float
) -> Bound | None:
    """How far a result may be from the mean of honest rows [m, h, d]: [m]; None: not claimed."""
    if any_size is False or f == 0:
        return None
    if any_size is True and kappa is not None:
        return lambda honest: np.sqrt(kappa * honest.var(axis=1).sum(axis=1))
    if any_size is True:
        known = known_reach(rule, n, f)
        c = float(n) if known is None else known
    else:
        c = float(checks.interval("any_size", any_size, 0, float("inf"), closed="neither"))
    return lambda honest: c * diameters(honest)


# ---- properties --------------------------------------------------------------------------------


def _slack(group: Group, rounding: float) -> np.ndarray:
    """What rounding may do to a result, [m]."""
    return rounding * (1 + np.linalg.norm(group.rows, axis=2).max(axis=1))


def _bad_rows(battery: Battery, parts: Mapping[str, Group], f: int) -> None:
    """Results are finite, and bad rows reported, whatever the rows are."""
    for group in parts.values():
        at_most_f = ~np.isfinite(group.rows).all(axis=2)
        few = at_most_f.sum(axis=1) <= f
        for name, some in (
            ("finite whatever f rows are", few),
            ("finite with more than f bad rows", ~few),
        ):
            cases = [case for case, here in zip(group.cases(), some, strict=True) if here]
            infinite = (~np.isfinite(group.value)).sum(axis=1)[some]
            code = "assert np.isfinite(aggregate(rows).value).all(), aggregate(rows).value"
            reason = "entries that are not finite would be the next model"
            battery.judge(name, cases, infinite, 0, reason, code)
            wrong = (group.bad != at_most_f).sum(axis=1)[some]
            code = """
bad = ~np.isfinite(rows).all(axis=1)
assert np.array_equal(aggregate(rows).bad, bad), aggregate(rows).bad
"""
            reason = "bad rows are those with a NaN or an infinite entry, and no others"
            battery.judge("bad rows are reported", cases, wrong, 0, reason, code)


def _robust(
    battery: Battery, group: Group, honest: np.ndarray, kappa: float, rounding: float
) -> None:
    """‖R - x̄_S‖ ≤ √(κ Var_S) for the rows S that `honest` [m, n] names."""
    rows = np.where(honest[:, :, None], group.rows, 0).astype(np.float64)
    h = honest[0].sum()
    centre = rows.sum(axis=1) / h  # [m, d]
    deviations = np.where(honest[:, :, None], rows - centre[:, None], 0)
    spread = np.sqrt((deviations**2).sum(axis=(1, 2)) / h)
    error = np.linalg.norm(group.value - centre, axis=1)
    slack = rounding * (1 + np.linalg.norm(rows, axis=2).max(axis=1))
    allowed = kappa**0.5 * spread * (1 + rounding) + slack
    code = "assert distance(aggregate(rows).value, rows[honest].mean(axis=0)) <= ALLOWED"
    reason = f"sqrt(kappa Var_S) with kappa = {kappa:.6g} and S the honest rows, and rounding"
    cases = group.cases(honest=honest)
    battery.judge(
        "never further than κ allows",
        [case for case, yes in zip(cases, group.settled, strict=True) if yes],
        error[group.settled],
        allowed[group.settled],
        reason,
        code,
    )


class _Move(NamedTuple):
    """A change of the rows whose effect on the result is known."""

    name: str
    says: str
    rows: np.ndarray  # [m, n, d] changed
    value: Callable[[np.ndarray], np.ndarray]  # result [m, d] -> what it should become
    written: str = "value"  # the same in the reproducer
    given: Mapping[str, Any] = {}  # and the arrays that it needs
    columns: int | None = None  # how many of the result's are known


def _permuted(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[_Move]:
    order = np.roll(random.permutation(rows.shape[1]), 1)
    for says, places in (("shuffled", order), ("reversed", np.arange(rows.shape[1])[::-1])):
        yield _Move("permutation", f"rows {says}", rows[:, places], lambda value: value)


def _translated(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[_Move]:
    shift = 3 * random.normal(size=rows.shape[2])
    yield _Move(
        "translation",
        "rows moved",
        rows + shift,
        lambda value: value + shift,
        "value + shift",
        {"shift": shift},
    )


def _scaled(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[_Move]:
    end = int(0.8 * limits.maxexp)
    for factor in (2.0**10, 3.7, 2.0**-7, 2.0**end, 2.0**-end):
        yield _Move(
            "scale",
            f"rows times {factor:g}",
            rows * factor,
            partial(np.multiply, factor),
            f"value * {factor}",
        )


def _turned(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[_Move]:
    q, _ = np.linalg.qr(random.normal(size=(rows.shape[2], rows.shape[2])))
    yield _Move(
        "orthogonal", "rows turned", rows @ q, lambda value: value @ q, "value @ q", {"q": q}
    )


def _recolumned(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[_Move]:
    changed = rows.copy()
    changed[:, :, 1:] = 10 * random.normal(size=changed[:, :, 1:].shape)
    yield _Move("coordinate-local", "other columns", changed, lambda value: value, columns=1)


_MOVES = {
    "permutation": _permuted,
    "translation": _translated,
    "scale": _scaled,
    "orthogonal": _turned,
    "coordinate-local": _recolumned,
}


def _moved(battery: Battery, before: Group, after: Group, move: _Move, rounding: float) -> None:
    """The result has changed as the rows did."""
    columns = slice(move.columns)
    expected = move.value(before.value)
    error = np.linalg.norm((after.value - expected)[:, columns], axis=1)
    size = np.maximum(
        np.linalg.norm(after.rows.astype(np.float64), axis=2).max(axis=1),
        np.linalg.norm(expected, axis=1),
    )
    cases = [
        Case(f"{case.name}, and {move.says}", {**case.arrays, "changed": rows, **move.given})
        for case, rows in zip(before.cases(), after.rows, strict=True)
    ]
    part = ":" if move.columns is None else f":{move.columns}"
    code = f"""
value, found = (np.asarray(aggregate(x).value, np.float64) for x in (rows, changed))
expected = {move.written}
assert distance(found[{part}], expected[{part}]) <= ALLOWED
"""
    both = before.settled & after.settled
    battery.judge(
        move.name,
        [case for case, yes in zip(cases, both, strict=True) if yes],
        error[both],
        (rounding * size)[both],
        f"{rounding:.2g} of the largest row, for rounding",
        code,
    )
