"""Claims between numbers on whole boxes: proved by polynomials, never so when they are wrong."""

import dataclasses
from fractions import Fraction

import pytest

from jaxbyz.aggregators import meamed, robustness
from jaxbyz.theory import Budget, Scope, Status
from jaxbyz.theory.audit import CLAIMS
from jaxbyz.theory.byz_dm21 import rates, simplified
from jaxbyz.theory.byz_dm21.limits import product_claim
from jaxbyz.theory.byz_dm21.theorems import COROLLARIES, ROWS, corollary_claim, theorem_claim
from jaxbyz.theory.byz_dm21.weights import momentum_steps
from jaxbyz.theory.engines import engines_for
from jaxbyz.theory.engines.exact import enumerated, nonnegative, proved
from jaxbyz.theory.engines.polynomials import by_polynomials
from jaxbyz.theory.engines.worst_input import worst_input
from jaxbyz.theory.robustness.worst_columns import exact_kappa
from jaxbyz.theory.rosdhb import constants
from jaxbyz.theory.subjects import Cases

pytestmark = pytest.mark.usefixtures("x64")
BUDGET = Budget()
REDUCED = [claim for claim in CLAIMS if claim.reduction is not None]


@pytest.mark.parametrize("claim", REDUCED, ids=lambda claim: claim.key)
def test_what_has_a_reduction_is_proved(claim):
    report = by_polynomials(claim, BUDGET)
    assert report.status is Status.PROVED, report
    assert by_polynomials in engines_for(claim)


def test_every_claim_between_numbers_is_exact_or_says_why_not():
    exact = (nonnegative, proved, by_polynomials, worst_input)
    for claim in CLAIMS:
        if claim.scope is not Scope.CONSTANTS:
            continue
        enumerated = isinstance(claim.subject, Cases) and claim.subject.exact
        is_exact = enumerated or any(engine in exact for engine in engines_for(claim))
        assert is_exact != bool(claim.unproved), claim.key


@pytest.mark.parametrize("name", ["trimmed mean", "median, odd", "median, even"])
@pytest.mark.parametrize("by", [1 + 1e-12, 1 - 1e-12, 1.01])
def test_coefficients_of_rules_are_certified(name, by):
    (claim,) = (claim for claim in CLAIMS if claim.key == f"robustness/{name}")
    assert worst_input(claim, BUDGET).status is Status.CERTIFIED
    wrong = dataclasses.replace(claim.subject, scale=by)
    report = worst_input(dataclasses.replace(claim, subject=wrong), BUDGET)
    assert "suspected violation" in report.evidence  # too near for the programs, not for fractions


@pytest.mark.parametrize("name", ["trimmed mean", "median", "lower median"])
def test_coefficients_of_rules_are_certified_for_many_sizes(name):
    (claim,) = (claim for claim in CLAIMS if claim.key == f"robustness/{name}, n ≤ 20")
    report = enumerated(claim, BUDGET)
    assert report.status is Status.CERTIFIED
    assert report.sides == (1.0, 1.0)


def test_bounds_of_rules_with_several_pieces_enclose_their_coefficient():
    """MeaMed is no selection of ranks: its pieces, and no formula, are known."""
    bounds = exact_kappa(meamed(1), 5, 1)
    assert bounds.below <= bounds.above
    found = robustness(meamed(1), 5, 1)
    assert found.computed
    assert float(bounds.above) == pytest.approx(found.ratio, rel=1e-6)


def scaled(function, by):
    """By a fraction, of quotients too."""
    top, bottom = by.as_integer_ratio()
    return lambda *given: top * function(*given) / bottom


def wrong_theorem(row, **by):
    """One closed form of a theorem times a number."""
    _, _, spare, step, noise = ROWS[row]
    own = {"step": step, "noise": noise, "start": lambda n: simplified.start(n.point, n.eta, 1)}
    assert not (spare and "start" in by)
    return theorem_claim(row, **{name: scaled(own[name], part) for name, part in by.items()})


def wrong_corollary(number, by):
    return corollary_claim(number, scaled(COROLLARIES[number][-1], by))


def with_sides(claim, sides):
    return dataclasses.replace(claim, reduction=dataclasses.replace(claim.reduction, sides=sides))


WRONG = {
    "A/c1, A a hundredth smaller": with_sides(
        constants.constants_a("c1"),
        lambda box: constants._c1(
            box.parameters()._replace(weight=box.parameters().weight * 99 / 100)
        ),
    ),
    "A/c2, A twice as large": with_sides(
        constants.constants_a("c2"),
        lambda box: constants._c2(
            box.parameters()._replace(weight=2 * box.parameters().weight), 1
        ),
    ),
    "A/N, 140": constants.constants_a("N", first=140.0),
    "A/N, 11.9": constants.constants_a("N", second=11.9),
    "B/N, 0.33": constants.constants_b("N", first=0.33),
    "B/N, 2.49": constants.constants_b("N", second=2.49),
    "B/c2', 2": constants.constants_b_doubled(2.0),
    **{f"T{row}, noise": wrong_theorem(row, noise=Fraction(1, 2)) for row in (1, 2, 3, 4)},
    **{f"T{row}, start": wrong_theorem(row, start=Fraction(1, 4)) for row in (1, 2)},
    **{f"T{row}, step": wrong_theorem(row, step=Fraction(101, 100)) for row in (1, 2, 3, 4)},
    **{f"C{number}": wrong_corollary(number, Fraction(99, 100)) for number in (1, 2, 3)},
    "S9": product_claim(rates.PRODUCT * (1 + 1.9e-9)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_constants_are_not_proved(name):
    """Constants of A and B are sharp, and so are those of steps and corollaries, by their formulas;
    those of noise and start errors have room by roundings, less than factors of two and four."""
    report = by_polynomials(WRONG[name], BUDGET)
    assert report.status is Status.INCONCLUSIVE, report


def test_lost_terms_of_the_lemmas_are_noticed():
    """A lemma with a larger coefficient has larger weights: closed forms are then too small."""
    steps, *rest = ROWS[1]
    wrong = lambda point, eta, beta: momentum_steps(point, eta, beta)._replace(  # noqa: E731
        rb_n=8 * eta**2 / point.honest
    )
    ROWS[1] = (wrong, *rest)
    try:
        assert by_polynomials(theorem_claim(1), BUDGET).status is Status.INCONCLUSIVE
    finally:
        ROWS[1] = (steps, *rest)
    assert by_polynomials(theorem_claim(1), BUDGET).status is Status.PROVED
