"""Means from samples, at a level that holds whenever one stops.

For expectations that have no closed form and cannot be enumerated. Values lie in [0, 1] by a
*proved* bound, never by an assumed one.

They are for claims about random choices of the shipped code, whose law must not be assumed: how
often is a coordinate in the mask of RoSDHB (`code/share`)? Other claims have exact expectations.
A mask enters them by its first two moments, samples are enumerated, and runs of linear rules have
exact moments. An exact expectation says more than an interval, and can be searched for the worst
instance.

Betting against H0: E X ≤ b (Waudby-Smith and Ramdas, JRSS B 2024; quoted from memory):

    W_t = Π_{s≤t} (1 + λ_s (X_s - b)),   λ_s in [0, 1/(2b)] a function of X_1 … X_{s-1}

is a nonnegative supermartingale under H0, so W_t ≥ 1/level has probability ≤ level, ever (Ville).

The empirical-Bernstein confidence sequence of the same authors covers E X at all times at once.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxbyz import checks
from jaxbyz.theory.claims import Budget, Claim
from jaxbyz.theory.engines.judge import judge
from jaxbyz.theory.engines.search import Engine
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.subjects import SampledMean


def _in_unit(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("values must be a list of numbers in [0, 1], got others")
    return values


def _before(values: np.ndarray, prior: float) -> np.ndarray:
    """(prior + X_1 + … + X_{s-1})/s for s = 1 … T: what is known before X_s."""
    sums = np.concatenate([[0.0], np.cumsum(values)[:-1]])
    return (prior + sums) / np.arange(1, len(values) + 1)


def log_wealth(values: np.ndarray, bound: float) -> np.ndarray:
    """log W_t of betting against E X ≤ bound, [T]; large where the mean is larger.

    λ_s = clip((μ̂ - b)/(σ̂² + (μ̂ - b)²), 0, 1/(2b)) with mean and variance of the values before.

    Raises:
        ValueError: values outside [0, 1], bound outside (0, 1).

    >>> bool(log_wealth(np.ones(20), 0.5)[-1] > np.log(1 / 0.05))
    True
    """
    values = _in_unit(values)
    b = checks.interval("bound", bound, 0, 1, closed="neither")
    mean = _before(values, 0.5)
    spread = _before((values - mean) ** 2, 0.25)
    ahead = mean - b
    stake = np.clip(ahead / (spread + ahead**2), 0.0, 1 / (2 * b))
    return np.cumsum(np.log1p(stake * (values - b)))


def confirmed(values: np.ndarray, bound: float, level: float = 0.05) -> int | None:
    """After how many values E X < bound is certain at the level; None: not yet.

    Betting against E X ≥ bound, that is against E(1 - X) ≤ 1 - bound.

    >>> confirmed(np.zeros(50), 0.5), confirmed(np.ones(50), 0.5)
    (9, None)
    """
    won = np.flatnonzero(log_wealth(1 - _in_unit(values), 1 - bound) >= np.log(1 / level))
    return int(won[0]) + 1 if len(won) else None


class Interval(NamedTuple):
    """A confidence sequence: E X is in [low_t, high_t] for all t at once."""

    low: np.ndarray  # [T]
    high: np.ndarray  # [T]


def confidence_sequence(values: np.ndarray, level: float = 0.05) -> Interval:
    """The empirical-Bernstein confidence sequence of E X at level 1 - `level`.

    Raises:
        ValueError: values outside [0, 1], level outside (0, 1).

    >>> interval = confidence_sequence(np.tile([0.0, 1.0], 500))
    >>> bool(interval.low[-1] < 0.5 < interval.high[-1])
    True
    """
    values = _in_unit(values)
    level = checks.interval("level", level, 0, 1, closed="neither")
    s = np.arange(1, len(values) + 1)
    after = (0.5 + np.cumsum(values)) / (s + 1)  # μ̂_s
    spread = (0.25 + np.cumsum((values - after) ** 2)) / (s + 1)  # σ̂²_s
    mean = np.concatenate([[0.5], after[:-1]])
    known = np.concatenate([[0.25], spread[:-1]])
    weight = np.minimum(np.sqrt(2 * np.log(2 / level) / (known * s * np.log1p(s))), 0.5)
    cost = (-np.log1p(-weight) - weight) / 4
    total = np.cumsum(weight)
    centre = np.cumsum(weight * values) / total
    half = (np.log(2 / level) + np.cumsum(4 * (values - mean) ** 2 * cost)) / total
    return Interval(
        np.maximum.accumulate(np.maximum(centre - half, 0)),
        np.minimum.accumulate(np.minimum(centre + half, 1)),
    )


def mean_at_most(
    draw: Callable[[int, int], np.ndarray], bound: float, *, level: float = 0.05, count: int = 4000
) -> Engine:
    """E X ≤ bound from samples: CONFIDENT, or INCONCLUSIVE where they do not suffice.

    Args:
        draw: (seed, count) -> values [count] in [0, 1].
        bound: b in (0, 1).
        level: of both bets together: each has half of it.
        count: how many values there may be.

    A mean that is larger at the level is reported as a suspected violation: samples alone never
    refute.
    """

    def engine(claim: Claim, budget: Budget) -> Report:
        decided = Status.CONFIDENT

        def find() -> tuple[float, None, str]:
            nonlocal decided
            values = draw(budget.seed, count)
            needed = confirmed(values, bound, level / 2)
            against = log_wealth(values, bound).max() >= np.log(2 / level)
            ratio = float(np.mean(values)) / bound
            if against:
                return max(ratio, 1 + 1e-6), None, f"the mean is larger, level {level:g}"
            if needed is None:
                decided = Status.INCONCLUSIVE
                return min(ratio, 1.0), None, f"{count} samples do not decide at level {level:g}"
            return min(ratio, 1.0), None, f"level {level:g} after {needed} samples"

        report = judge(claim, "betting", find)
        if report.status is not Status.SEARCHED:
            return report
        return dataclasses.replace(report, status=decided)

    return engine


def betting(claim: Claim, budget: Budget) -> Report:
    """`mean_at_most` for a claim that has a `SampledMean`."""
    mean = claim.subject
    assert isinstance(mean, SampledMean)
    return mean_at_most(mean.draw, mean.bound, level=mean.level, count=mean.count)(claim, budget)
