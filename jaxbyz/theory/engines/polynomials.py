"""Claims between numbers on their whole box: PROVED, where all differences are nowhere negative.

What is proved here is that the polynomials of the claim's `Reduction` are nowhere negative. That
its cube is the claim's box, and that the claim follows, are sentences of the reduction, for a
person to read. So the claim itself is looked at as well, at random instances: where it is violated
in floating-point numbers, nothing is said to be proved.
"""

import time
from collections.abc import Callable

import jax
import numpy as np

from jaxbyz.storage.programs import compiled_once
from jaxbyz.theory.checker.bernstein import quotient_nowhere_negative
from jaxbyz.theory.checker.polynomials import Quotient
from jaxbyz.theory.claims import Budget, Claim, Family
from jaxbyz.theory.engines.judge import applies, largest_ratio
from jaxbyz.theory.precision import require_x64
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.subjects import Reduction

INSTANCES = 200
CORNERS = 50  # free numbers ±9: near the ends of every range


def by_polynomials(claim: Claim, budget: Budget) -> Report:
    """right - left of the claim's `Reduction` is ≥ 0 at every point of its cube.

    Where a proof has formulas of its own in place of those that users receive, both are compared at
    random instances; if they differ, nothing is said.

    Raises:
        RuntimeError: JAX is not in its 64-bit mode.
        ValueError: the reduction has no sides.
    """
    require_x64()
    began = time.perf_counter()
    reduction = claim.reduction
    assert isinstance(reduction, Reduction)

    def report(status: Status, evidence: str, exact: bool = False) -> Report:
        seconds = time.perf_counter() - began
        return Report(claim.key, status, "polynomials", evidence, None, seconds, exact=exact)

    if (doubt := _doubt(claim, budget)) is not None:
        return report(Status.INCONCLUSIVE, f"suspected violation; {doubt}")
    rays = frozenset(map(reduction.variables.index, reduction.rays))
    boxes = coefficients = 0
    every = differences(claim)
    for place, difference in enumerate(every):
        answer = quotient_nowhere_negative(difference, rays)
        boxes, coefficients = boxes + answer.boxes, coefficients + answer.coefficients
        if not answer.holds:
            said = f"side {place}: right - left is {answer.reason}, as far as this proof goes"
            return report(Status.INCONCLUSIVE, said)
    what = "polynomial" if len(every) == 1 else "polynomials"
    said = f"{len(every)} {what}, {boxes} boxes, {coefficients} coefficients, all ≥ 0"
    return report(Status.PROVED, said, exact=True)


def differences(claim: Claim) -> list[Quotient]:
    """right - left of every side, as formulas of the reduction's variables.

    Raises:
        ValueError: there are none.
    """
    reduction = claim.reduction
    assert isinstance(reduction, Reduction)
    variables = Quotient.variables(len(reduction.variables))
    left, right = (reduction.sides or claim.sides)(reduction.instance(*variables))
    zero = 0 * variables[0]
    if not isinstance(left, list):
        left, right = [left], [right]
    if not left:
        raise ValueError(f"the reduction of {claim.key} must have sides, got none")
    return [zero + high - low for low, high in zip(left, right, strict=True)]


def _doubt(claim: Claim, budget: Budget) -> str | None:
    """Why nothing should be said, if there is a reason."""
    assert claim.reduction is not None
    for needed in claim.reduction.rests_on:
        report = by_polynomials(needed, budget)
        if report.status is not Status.PROVED:
            return f"it rests on {needed.key}, which is not proved: {report.evidence}"
    same = claim.reduction.same
    for family in claim.families:
        numbers = _free_numbers(family, budget.seed)

        def look(z: jax.Array, make: Callable = family.make) -> tuple[jax.Array, ...]:
            instance = make(z)
            ours, theirs = map(jax.numpy.asarray, (0.0, 0.0) if same is None else same(instance))
            size = abs(ours) + abs(theirs)
            error = abs(ours - theirs) / jax.numpy.where(size > 0, size, 1.0)
            return applies(claim, instance), largest_ratio(claim, instance), error.max()

        inside, ratios, apart = map(np.asarray, compiled_once(jax.vmap(look), lift=False)(numbers))
        if inside.mean() < 1 / 2:
            return f"only {inside.sum()} of {len(inside)} instances satisfy the hypotheses"
        if not ratios[inside].max() <= 1 + claim.tolerance:
            return f"left/right is {ratios[inside].max():.9g} at an instance"
        if not apart[inside].max() <= claim.reduction.tolerance:
            return f"the proof has other formulas: they differ by {apart[inside].max():.3g}"
    return None


def _free_numbers(family: Family, seed: int) -> np.ndarray:
    """Random ones, and corners."""
    random = np.random.default_rng(seed)
    corners = 9 * random.choice([-1.0, 1.0], size=(CORNERS, family.size))
    return np.concatenate([random.normal(size=(INSTANCES, family.size)), corners])
