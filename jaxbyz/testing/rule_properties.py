"""Properties that a rule may claim, judged on what it made of its inputs."""

import itertools
from collections.abc import Mapping

import numpy as np

from jaxbyz.testing.report import Battery
from jaxbyz.testing.rule_evaluation import Evaluated


def check_unanimous(battery: Battery, group: Evaluated, rounding: float) -> None:
    """n equal rows are the result."""
    error = np.abs(group.value - group.rows[:, 0]) - rounding * np.abs(group.rows[:, 0])
    code = "assert (np.abs(aggregate(rows).value - rows[0]) <= SHARE * np.abs(rows[0])).all()"
    reason = f"the row is the result, up to {rounding:.2g} of each of its entries"
    code = code.replace("SHARE", repr(rounding))
    battery.judge("unanimous", group.cases(), error.max(axis=1), 0.0, reason, code)


def check_majority(battery: Battery, group: Evaluated) -> None:
    """n-f rows 0 are the result."""
    code = "assert np.abs(aggregate(rows).value).max() == 0"
    reason = "n-f equal rows are the only result with a finite κ"
    size = np.abs(group.value).max(axis=1)
    battery.judge("n-f rows 0 win", group.cases(), size, 0.0, reason, code)


def check_mean(battery: Battery, group: Evaluated, rounding: float) -> None:
    """The result is the mean of all rows."""
    error = np.linalg.norm(group.value - group.rows.mean(axis=1), axis=1)
    reason = "nobody is Byzantine and all rows count"
    code = "assert distance(aggregate(rows).value, rows.mean(axis=0)) <= ALLOWED"
    allowed = rounding * (1 + np.linalg.norm(group.rows, axis=2).max(axis=1))
    battery.judge("the mean for f = 0", group.cases(), error, allowed, reason, code)


def check_rejected_rows(battery: Battery, parts: Mapping[str, Evaluated], f: int) -> None:
    """Whatever the rows are, results are finite, and rows that are not finite are reported."""
    for group in parts.values():
        rejected = ~np.isfinite(group.rows).all(axis=2)
        few = rejected.sum(axis=1) <= f
        for name, some in (
            ("finite whatever f rows are", few),
            ("finite with more than f rejected rows", ~few),
        ):
            cases = [case for case, here in zip(group.cases(), some, strict=True) if here]
            infinite = (~np.isfinite(group.value)).sum(axis=1)[some]
            code = "assert np.isfinite(aggregate(rows).value).all(), aggregate(rows).value"
            reason = "entries that are not finite would be the next model"
            battery.judge(name, cases, infinite, 0, reason, code)
            wrong = (group.rejected != rejected).sum(axis=1)[some]
            code = """
rejected = ~np.isfinite(rows).all(axis=1)
assert np.array_equal(aggregate(rows).rejected, rejected), aggregate(rows).rejected
"""
            reason = "rejected rows are those with a NaN or an infinite entry, and no others"
            battery.judge("rejected rows are reported", cases, wrong, 0, reason, code)


def check_every_honest_set(
    battery: Battery, group: Evaluated, f: int, kappa: float, rounding: float
) -> None:
    """`check_kappa` for every set S of n-f rows."""
    m, n = group.rows.shape[:2]
    for chosen in itertools.combinations(range(n), n - f):
        honest = np.tile(np.isin(np.arange(n), chosen), (m, 1))
        check_kappa(battery, group, honest, kappa, rounding)


def check_kappa(
    battery: Battery, group: Evaluated, honest: np.ndarray, kappa: float, rounding: float
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
