"""The checks of an aggregation rule.

All inputs go through one compiled, vmapped program; what is measured is compared in float64 on the
host. Inputs have the default dtype of JAX: float32, or float64 where 64 bits are enabled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.aggregators import kappa as known_kappa
from jaxbyz.aggregators import reach as known_reach
from jaxbyz.contracts.constructors import with_f
from jaxbyz.contracts.parts import require
from jaxbyz.core import Aggregator
from jaxbyz.testing import rule_properties as properties
from jaxbyz.testing.any_size import NAME as ANY_SIZE
from jaxbyz.testing.any_size import Bound, diameters, judge_sizes
from jaxbyz.testing.equivariances import EQUIVARIANCES, Change, check_equivariance
from jaxbyz.testing.input_rows import all_inputs
from jaxbyz.testing.report import Battery, Property, Report
from jaxbyz.testing.rule_by_coordinate import NEEDS as BY_COORDINATE_NEEDS
from jaxbyz.testing.rule_by_coordinate import check_by_coordinate
from jaxbyz.testing.rule_evaluation import (
    SETUP,
    Evaluated,
    apply_once,
    check_contract,
    check_purity,
    check_sixteen_bits,
    check_ways_of_calling,
    evaluate,
)

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

    Always tried: shapes and dtypes, 16-bit rows, purity, eager = jit = vmap; the result is finite
    whatever f of the rows hold, and also if more than f rows are rejected; rejected rows are
    reported. A rule that declares `by_coordinate` is held to that. The arguments below say what
    else the rule claims.

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
    if rule.by_coordinate:
        equivariances = tuple(dict.fromkeys((*equivariances, *BY_COORDINATE_NEEDS)))
    kappa = _claimed_kappa(rule, n, f, kappa)
    bound = _claimed_bound(rule, n, f, kappa, any_size)
    dtype = jnp.zeros(()).dtype
    rounding = ROUNDINGS * float(np.finfo(dtype).eps)
    if tolerance is not None:
        rounding = float(checks.interval("tolerance", tolerance, 0, 1, closed="right"))
    random = np.random.default_rng(checks.count("seed", seed))

    battery = Battery("aggregator", SETUP)
    inputs = all_inputs(n, f, d, np.finfo(dtype), random, seed, kappa, equivariances)
    first = inputs.groups["ordinary"][1][0].astype(dtype)
    eager, given = check_contract(battery, rule, first, d)
    check_purity(battery, rule, first, eager, given)
    found = evaluate(battery, rule, inputs.groups, dtype)
    single = jax.jit(lambda rows: apply_once(rule, rows)[1])
    check_ways_of_calling(battery, single, eager, found["ordinary"], rounding)
    check_sixteen_bits(battery, rule, 100 + random.normal(size=(n, d)), rounding)
    properties.check_rejected_rows(battery, found, f)
    battery.check(
        [
            *(
                Property(
                    name,
                    name in equivariances,
                    partial(_check_changes, battery, found, changes, rounding),
                )
                for name, changes in inputs.changes.items()
            ),
            Property(
                "by coordinate",
                rule.by_coordinate,
                lambda: check_by_coordinate(battery, rule, first, eager, rounding),
            ),
            Property(
                "unanimous",
                unanimous,
                lambda: properties.check_unanimous(battery, found["equal"], rounding),
            ),
            Property(
                "n-f rows 0 win",
                f > 0 and ((kappa is not None) if majority is None else majority),
                lambda: properties.check_majority(battery, found["lopsided"]),
            ),
            Property(
                "never further than κ allows",
                kappa is not None,
                lambda: _check_kappa(battery, found, f, kappa, ~inputs.spoilt, rounding),
            ),
            Property(
                "the mean for f = 0",
                f == 0 and mean,
                lambda: properties.check_mean(battery, found["ordinary"], rounding),
            ),
            Property(
                ANY_SIZE,
                bound is not None,
                lambda: _check_any_size(battery, found, inputs.forged, f, bound, rounding),
            ),
        ]
    )
    return battery.report()


def _claimed_kappa(rule: Aggregator, n: int, f: int, kappa: float | None) -> float | None:
    """The κ that is given, or else what is known of the rule."""
    if kappa is not None:
        return float(checks.interval("kappa", kappa, 0, float("inf"), closed="left"))
    known = known_kappa(rule, n, f)
    return known.published if known.exact is None else known.exact


def _check_changes(
    battery: Battery, found: Mapping[str, Evaluated], changes: list[Change], rounding: float
) -> None:
    for change in changes:
        check_equivariance(battery, found["ordinary"], found[change.says], change, rounding)


def _check_kappa(
    battery: Battery,
    found: Mapping[str, Evaluated],
    f: int,
    kappa: float | None,
    honest: np.ndarray,
    rounding: float,
) -> None:
    assert kappa is not None  # it is claimed
    properties.check_every_honest_set(battery, found["adversarial"], f, kappa, rounding)
    properties.check_kappa(battery, found["spoilt"], honest, kappa, rounding)


def _check_any_size(
    battery: Battery,
    found: Mapping[str, Evaluated],
    forged: np.ndarray,
    f: int,
    bound: Bound | None,
    rounding: float,
) -> None:
    assert bound is not None  # it is claimed
    judge_sizes(battery, found["any size"], forged, f, bound, rounding)


def _claimed_bound(
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
