"""Claims between numbers on their whole box: PROVED, where all differences are nowhere negative."""

import time

import jax
import numpy as np

from jaxbyz.theory.checker.bernstein import quotient_nowhere_negative
from jaxbyz.theory.checker.polynomials import Quotient
from jaxbyz.theory.claims import Budget, Claim
from jaxbyz.theory.engines.judge import applies
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.subjects import Reduction

# Two ways to write a formula differ by some roundings of its terms.
SAME = 1e-9
INSTANCES = 200


def by_polynomials(claim: Claim, budget: Budget) -> Report:
    """right - left of the claim's `Reduction` is ≥ 0 at every point of its cube.

    Where a proof has formulas of its own in place of those that users receive, both are compared at
    random instances; if they differ, nothing is said.
    """
    began = time.perf_counter()
    reduction = claim.reduction
    assert isinstance(reduction, Reduction)

    def report(status: Status, evidence: str, exact: bool = False) -> Report:
        seconds = time.perf_counter() - began
        return Report(claim.key, status, "polynomials", evidence, None, seconds, exact=exact)

    if reduction.same is not None:
        apart = _largest_difference(claim, budget.seed)
        if not apart <= SAME:
            said = f"suspected violation; the proof has other formulas: they differ by {apart:.3g}"
            return report(Status.INCONCLUSIVE, said)
    rays = frozenset(map(reduction.variables.index, reduction.rays))
    boxes = coefficients = 0
    every = differences(claim)
    for place, difference in enumerate(every):
        answer = quotient_nowhere_negative(difference, rays)
        boxes, coefficients = boxes + answer.boxes, coefficients + answer.coefficients
        if not answer.holds:
            said = f"side {place}: right - left is {answer.reason}, as far as this proof goes"
            return report(Status.INCONCLUSIVE, said)
    said = f"{len(every)} polynomials, {boxes} boxes, {coefficients} coefficients, all ≥ 0"
    return report(Status.PROVED, said, exact=True)


def differences(claim: Claim) -> list[Quotient]:
    """right - left of every side, as formulas of the reduction's variables."""
    reduction = claim.reduction
    assert isinstance(reduction, Reduction)
    variables = Quotient.variables(len(reduction.variables))
    left, right = (reduction.sides or claim.sides)(reduction.instance(*variables))
    zero = 0 * variables[0]
    if not isinstance(left, list):
        left, right = [left], [right]
    return [zero + high - low for low, high in zip(left, right, strict=True)]


def _largest_difference(claim: Claim, seed: int) -> float:
    """Of both formulas, relative, at random instances of the claim's first family."""
    assert claim.reduction is not None
    same = claim.reduction.same
    assert same is not None
    family = claim.families[0]
    numbers = np.random.default_rng(seed).normal(size=(INSTANCES, family.size))

    def apart(z: jax.Array) -> jax.Array:
        instance = family.make(z)
        ours, theirs = map(jax.numpy.asarray, same(instance))
        error = jax.numpy.max(abs(ours - theirs) / (abs(ours) + abs(theirs)))
        return jax.numpy.where(applies(claim, instance), error, 0.0)

    return float(jax.numpy.max(jax.jit(jax.vmap(apart))(numbers)))
