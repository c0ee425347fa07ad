"""From numbers to a status: the one place where left, right and hypotheses are weighed."""

import time
from collections.abc import Callable
from typing import Any

import chex
import jax
import numpy as np

from jaxbyz.theory.claims import TOLERANCE, Claim, Scope
from jaxbyz.theory.precision import require_x64
from jaxbyz.theory.reports import Report, Status


def ratios(claim: Claim, left: Any, right: Any) -> Any:
    """left/right; for identities the relative error |left-right|/(|left|+|right|), elementwise."""
    if claim.scope is Scope.IDENTITY:
        size = abs(left) + abs(right)
        return abs(left - right) / jax.numpy.where(size > 0, size, 1.0)
    return left / right


def applies(claim: Claim, instance: Any) -> jax.Array:
    """Whether all hypotheses hold at an instance, up to rounding, []; not where one is unknown."""
    if not claim.hypotheses:  # then an instance may be anything, no array too
        return jax.numpy.asarray(True)
    # Of the margins only the signs count: no gradient is wanted of them.
    instance = jax.lax.stop_gradient(instance)
    margins = [jax.numpy.min(jax.numpy.asarray(h.margin(instance))) for h in claim.hypotheses]
    return jax.numpy.all(jax.numpy.asarray([margin >= -TOLERANCE for margin in margins], bool))


def every_ratio(claim: Claim, instance: Any) -> jax.Array:
    """The ratio of each side of one instance, [S]: sides may be arrays, several statements at once.

    -∞ where the claim does not apply: engines look for the largest, so that an instance outside
    the hypotheses is never preferred to one inside, whatever its sides are.
    """
    left, right = map(jax.numpy.asarray, claim.sides(instance))
    if left.ndim and right.ndim:
        chex.assert_equal_shape([left, right])
    found = jax.numpy.ravel(ratios(claim, left, right))
    return jax.numpy.where(applies(claim, instance), found, -jax.numpy.inf)


def largest_ratio(claim: Claim, instance: Any) -> jax.Array:
    """The largest of `every_ratio`, []."""
    return jax.numpy.max(every_ratio(claim, instance))


def failed_hypothesis(claim: Claim, instance: Any) -> tuple[str, float] | None:
    """The first hypothesis that an instance fails, or of which nothing is known (NaN)."""
    for hypothesis in claim.hypotheses:
        margin = float(np.min(np.asarray(hypothesis.margin(instance))))
        if not margin >= -TOLERANCE:
            return hypothesis.name, margin
    return None


def judge(
    claim: Claim,
    engine: str,
    find: Callable[[], tuple[Any, ...]],
    *,
    tolerance: float | None = None,
    tight: float | None = None,
) -> Report:
    """Weigh what an engine found.

    Hypotheses come first. If the instance fails one, the report is NOT_APPLICABLE; if one is
    unknown, INCONCLUSIVE. (Engines look for the greatest `largest_ratio`, and end at such an
    instance only if all that they visited are such.)

    Then the ratio. If it is beyond its limit (1; for identities 0) by more than the tolerance, that
    is a suspected violation: REFUTED if `claim.recheck` confirms it in exact arithmetic, else
    INCONCLUSIVE. If it is not, the report is SEARCHED.

    Args:
        claim: what is held against numbers.
        engine: its name in the report.
        find: () -> the largest ratio, the instance where it was met, what was done, and, where the
            claim has several sides, the largest ratio of each.
        tolerance: of a violation; None: that of the claim.
        tight: from which ratio on the bound counts as attained, by every side; None: from none.

    Raises:
        RuntimeError: JAX is not in its 64-bit mode.
    """
    require_x64()
    began = time.perf_counter()
    worst, instance, evidence, *rest = find()
    # Of identities no side is weak: each has an error, and the largest is what counts.
    sides = tuple(map(float, rest[0])) if rest and claim.scope is not Scope.IDENTITY else (worst,)

    def report(status: Status, evidence: str, exact: bool = False, tight: bool = False) -> Report:
        seconds = time.perf_counter() - began
        known = (claim.key, status, engine, evidence, worst, seconds, instance)
        return Report(*known, exact=exact, tight=tight, sides=sides)

    failed = failed_hypothesis(claim, instance)
    if failed is not None:
        name, margin = failed
        if np.isnan(margin):
            return report(Status.INCONCLUSIVE, f"hypothesis unknown: {name}")
        return report(Status.NOT_APPLICABLE, f"{name} fails, margin {margin:.3g}")
    if np.isnan(worst):
        return report(Status.INCONCLUSIVE, f"not a number; {evidence}")
    limit = 0.0 if claim.scope is Scope.IDENTITY else 1.0
    if worst > limit + (claim.tolerance if tolerance is None else tolerance):
        if claim.recheck is not None and claim.recheck(instance):
            return report(Status.REFUTED, f"violated, verified exactly; {evidence}", exact=True)
        return report(Status.INCONCLUSIVE, f"suspected violation; {evidence}")
    return report(Status.SEARCHED, evidence, tight=tight is not None and min(sides) >= tight)
