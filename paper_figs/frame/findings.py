"""A claim held against results: verdict, numbers, interval over seeds.

Kinds: "T", a theorem or an identity that must hold for every seed and round; "E", what a paper
observed, which may come out differently here. Verdicts: "reproduced", "not reproduced",
"inconclusive".

An E claim is a comparison of paired numbers: of one seed under two settings, which share the start,
the division of the data and the random draws. It is judged by the 95 per cent interval of Student's
t for the mean of the differences: wholly on the claim's side, "reproduced"; wholly on the other
side, "not reproduced"; else, or with one seed, "inconclusive". Each claim is judged by itself:
nothing is corrected for how many claims a figure has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from jaxbyz import History

T_INTERVAL = "95 % interval of Student's t for the mean over seeds"
ALL_SEEDS = "all seeds on one side (values that are not finite have no interval)"
NO_SPREAD = "all seeds equal"
EVERYWHERE = "every seed and evaluation"

VERDICTS = ("reproduced", "not reproduced", "inconclusive")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One claim held against the results."""

    claim: str
    kind: str  # "T" or "E"
    verdict: str  # of VERDICTS
    numbers: str
    test: str = EVERYWHERE  # how the verdict was found
    interval: tuple[float, float] | None = None  # of the mean, for E claims

    def __post_init__(self) -> None:
        if self.kind not in ("T", "E") or self.verdict not in VERDICTS:
            raise ValueError(f"kind and verdict must be known, got {self.kind}, {self.verdict}")


def holds(claim: str, margins: Any, numbers: str = "", tolerance: float = 0.0) -> Finding:
    """A T claim: all margins (allowed minus found) are at least minus the tolerance.

    >>> holds("bits are exact", [0, 0]).verdict, holds("bits are exact", [0, -1]).verdict
    ('reproduced', 'not reproduced')
    """
    margins = np.asarray(margins, float)
    if margins.size == 0:
        raise ValueError(f"{claim!r}: margins must not be empty")
    worst = margins.min()  # NaN stays NaN
    verdict = "reproduced" if worst >= -tolerance else "not reproduced"
    said = f"smallest margin {worst:.3g} of {margins.size}"
    return Finding(claim, "T", verdict, f"{numbers}; {said}" if numbers else said)


def equal(claim: str, found: Any, wanted: Any, rtol: float = 0.0) -> Finding:
    """A T claim: two arrays are the same, up to a relative error of each entry.

    >>> equal("k numbers a round", [32, 64], [32, 64]).verdict
    'reproduced'
    """
    found, wanted = np.broadcast_arrays(np.asarray(found, float), np.asarray(wanted, float))
    # Equal infinities are equal; NaN never is.
    with np.errstate(invalid="ignore"):
        gap = np.where(found == wanted, 0.0, np.abs(found - wanted))
        allowed = np.where(found == wanted, 0.0, rtol * np.abs(wanted))
    return holds(claim, allowed - gap, f"largest difference {gap.max(initial=0):.3g}")


def exact_bits(claim: str, runs: Sequence[tuple[History, int, int]]) -> Finding:
    """A T claim: uplink bits are those of the start and of every round, at every evaluation.

    A run that diverged is over, and sends nothing more: its numbers are NaN from then on.

    Args:
        claim: in words.
        runs: (history, bits a round, bits of the start).
    """
    found = [history["uplink_bits"] for history, _, _ in runs]
    due = [np.broadcast_to(start + each * h.rounds, h["uplink_bits"].shape)
           for h, each, start in runs]  # fmt: skip
    told, wanted = (np.concatenate([part.ravel() for part in parts]) for parts in (found, due))
    sent = ~np.isnan(told)
    return equal(claim, told[sent], wanted[sent])


def at_most(claim: str, values: Any, bound: float = 0.0, what: str = "") -> Finding:
    """An E claim: the mean of `values` [S], one number a seed, is at most `bound`.

    >>> at_most("loses no accuracy", [0.1, 0.12, 0.11], bound=0.02).verdict
    'not reproduced'
    >>> at_most("loses no accuracy", [0.1], bound=0.02).verdict
    'inconclusive'
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{claim!r}: values must be one number a seed, got {values.shape}")
    numbers = f"{what or 'difference'}: {_said(values)}, claimed ≤ {bound + 0:.4g}"
    if len(values) == 1:
        return Finding(claim, "E", "inconclusive", numbers, "one seed has no interval")
    if not np.isfinite(values).all():
        return Finding(claim, "E", _one_side(values <= bound, values > bound), numbers, ALL_SEEDS)
    mean, error = values.mean(), stats.sem(values)
    # Rounding makes equal values differ in the last digits. Two seeds may be equal by chance.
    if error <= 1e-12 * max(abs(mean), abs(bound)):
        if len(values) < 3:
            return Finding(claim, "E", "inconclusive", numbers, "two equal seeds have no interval")
        return Finding(
            claim, "E", VERDICTS[int(mean > bound)], numbers, NO_SPREAD, (float(mean), float(mean))
        )
    low, high = stats.t.interval(0.95, len(values) - 1, mean, error)
    verdict = _one_side(np.array([high <= bound]), np.array([low > bound]))
    return Finding(claim, "E", verdict, numbers, T_INTERVAL, (float(low), float(high)))


def _said(values: np.ndarray) -> str:
    """Mean and range over seeds, and how many seeds decide nothing (NaN).

    >>> _said(np.array([1.0, 3.0, np.nan]))
    'mean 2, 1 … 3 over 2 of 3 seeds, the others undecided'
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return f"undecided for all of {len(values)} seeds"
    told = f"mean {known.mean():.4g}, {known.min():.4g} … {known.max():.4g} over "
    if len(known) == len(values):
        return f"{told}{len(values)} seeds"
    return f"{told}{len(known)} of {len(values)} seeds, the others undecided"


def less(claim: str, left: Any, right: Any, margin: float = 0.0, what: str = "") -> Finding:
    """An E claim of paired numbers [S]: left is smaller than right, by `margin` at least.

    Where all pairs are equal, neither is smaller: inconclusive.

    >>> less("fewer rounds", [10, 12, 11], [20, 21, 23]).verdict
    'reproduced'
    """
    left, right = np.asarray(left, float), np.asarray(right, float)
    with np.errstate(invalid="ignore"):
        values = left - right  # inf - inf, both diverged: NaN, which decides nothing
    if not margin and not values.any():
        return Finding(claim, "E", "inconclusive", f"all {values.size} pairs are equal", NO_SPREAD)
    return at_most(claim, values, -margin, what or "left minus right")


def _one_side(right: np.ndarray, wrong: np.ndarray) -> str:
    return "reproduced" if right.all() else "not reproduced" if wrong.all() else "inconclusive"
