"""Decisions in exact arithmetic: of points CERTIFIED or REFUTED, of boxes PROVED or nothing."""

import time
from fractions import Fraction
from typing import Any

from jaxbyz.theory.checker import certificates
from jaxbyz.theory.checker.rationals import semidefinite
from jaxbyz.theory.claims import Budget, Claim
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.subjects import Cases, Certificate, QuadraticForm


def enumerated(claim: Claim, budget: Budget) -> Report:
    """left ≤ right at each of the claim's exact `Cases`; sides may be lists of one length."""
    del budget
    began = time.perf_counter()
    cases = claim.subject
    assert isinstance(cases, Cases)
    each = [_fractions(*claim.sides(instance)) for instance in cases.instances]
    sides = [max(column) for column in zip(*each, strict=True)]
    status = Status.CERTIFIED if max(sides) <= 1 else Status.REFUTED
    known = (claim.key, status, "rational input", cases.description, float(max(sides)))
    seconds = time.perf_counter() - began
    return Report(*known, seconds, exact=True, sides=tuple(map(float, sides)))


def _fractions(left: Any, right: Any) -> list[Fraction]:
    """left/right of every side."""
    pairs = zip(left, right, strict=True) if isinstance(left, list) else [(left, right)]
    return [Fraction(one) / Fraction(other) for one, other in pairs]


def nonnegative(claim: Claim, budget: Budget) -> Report:
    """The claim's `QuadraticForm` is ⪰ 0, by the signs of its pivots. Margins are exact, too.

    A form that is not ⪰ 0 is negative at some vector, which is a counterexample.
    """
    del budget
    began = time.perf_counter()
    form = claim.subject
    assert isinstance(form, QuadraticForm)
    failed = next((h.name for h in claim.hypotheses if h.margin(form.instance) < 0), None)
    if failed is not None:
        return Report(claim.key, Status.NOT_APPLICABLE, "rational", f"{failed} fails")
    matrix = form.matrix()
    status = Status.CERTIFIED if semidefinite(matrix.tolist()) else Status.REFUTED
    evidence = f"rational LDLᵀ, {len(matrix)} by {len(matrix)}"
    seconds = time.perf_counter() - began
    return Report(claim.key, status, "rational", evidence, None, seconds, form.instance, exact=True)


def proved(claim: Claim, budget: Budget) -> Report:
    """The claim's `Certificate` holds on its whole box, in interval arithmetic.

    A certificate that is rejected refutes nothing: other multipliers may prove the claim.
    """
    del budget
    began = time.perf_counter()
    subject = claim.subject
    assert isinstance(subject, Certificate)
    proof = certificates.prove(subject.record)
    seconds = time.perf_counter() - began
    if not proof.proved:
        evidence = f"certificate {subject.name} is rejected: {proof.sentence}"
        return Report(claim.key, Status.INCONCLUSIVE, "certificate", evidence, None, seconds)
    evidence = f"certificate {subject.name}, {proof.boxes} boxes"
    return Report(
        claim.key, Status.PROVED, "certificate", evidence, None, seconds, subject.name, exact=True
    )
