"""Quotients of polynomials compute as fractions do; Bernstein's coefficients decide signs."""

import random
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from jaxbyz.theory.checker.bernstein import (
    halves,
    in_bernstein_basis,
    nowhere_negative,
    quotient_nowhere_negative,
)
from jaxbyz.theory.checker.polynomials import Polynomial, Quotient

X, Y = Polynomial.variables(2)
ONE = Polynomial.constant(1, 2)


def fraction(rng):
    return Fraction(rng.randint(-9, 9), rng.randint(1, 9))


FORMULAS = {
    "sums": lambda x, y: 3 * x - y / 2 + Fraction(1, 7) - (2 - x),
    "products": lambda x, y: (x + y) * (x - y) ** 2 * x**0,
    "quotients": lambda x, y: 1 / (1 + x * x) + (x / (2 + y * y)) / (1 + x * x) - 1,
    "nested": lambda x, y: 2 / (1 + 1 / (3 + x * x)) - 1.0 * y,
    "by a number": lambda x, y: x / (Fraction(3, 2) + 0 * x) + y / 4.0,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_quotients_are_what_fractions_give(name):
    """Fifty random points; the formulas have degrees below 10 in each variable."""
    rng, formula = random.Random(0), FORMULAS[name]
    made = formula(*Quotient.variables(2))
    for _ in range(50):
        x, y = fraction(rng), fraction(rng)
        plain = formula(x, y)
        exact = Fraction(plain) if not isinstance(plain, float) else None
        if exact is None:  # a float beside fractions: of these formulas the numbers are small
            assert float(made.at(x, y)) == pytest.approx(plain, rel=1e-12, abs=1e-12)
        else:
            assert made.at(x, y) == exact


@pytest.mark.parametrize("wrong", [0.1, "1", None, 1j, True, float("nan"), float("inf")])
def test_quotients_refuse_what_is_not_exact(wrong):
    (x,) = Quotient.variables(1)
    for attempt in (lambda: x + wrong, lambda: wrong * x, lambda: x / wrong, lambda: x**0.5):
        with pytest.raises(TypeError):
            attempt()


def test_quotients_have_no_truth_and_are_not_compared():
    """A formula with cases would be proved for one of them alone."""
    (x,) = Quotient.variables(1)
    for attempt in (lambda: x == 1, lambda: x != x, lambda: bool(x), lambda: {x}, lambda: x < 1):
        with pytest.raises(TypeError):
            attempt()


def test_whole_numbers_of_numpy_do_not_overflow():
    (x,) = Quotient.variables(1)
    large = Fraction(np.int64(2**62))
    assert (1 + x - 4 * (large + 0 * x)).at(1) == 2 - 2**64


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: Polynomial({(1,): 0.5}),
        lambda: Polynomial({(1,): float("inf")}),
        lambda: Polynomial({(-1,): 1}),
        lambda: Quotient(X, {Polynomial({}): 1}, 2),
        lambda: Quotient(X, {Y: -1}, 2),
        lambda: Quotient.variables(1)[0] * Quotient.variables(2)[1],
        lambda: Quotient.variables(1)[0] ** 1000,
        lambda: X * Polynomial({(1,): 1}),
    ],
)
def test_what_is_no_polynomial_or_quotient(attempt):
    with pytest.raises((TypeError, ValueError)):
        attempt()


def test_numbers_below_stay_where_they_are():
    x, y = Quotient.variables(2)
    three = Quotient(Polynomial.constant(3, 2), (1 / (2 + y)).below, 2)  # 3/(2+y)
    assert (x / three).at(1, 2) == Fraction(4, 3)


def test_division_by_nothing():
    (x,) = Quotient.variables(1)
    with pytest.raises(ZeroDivisionError):
        1 / (x - x)


def random_polynomial(rng, degrees):
    terms = {(i, j): fraction(rng) for i in range(degrees[0] + 1) for j in range(degrees[1] + 1)}
    return Polynomial(terms)


def from_bernstein(found, degrees, x, y):
    return sum(
        b * comb(degrees[0], i) * x**i * (1 - x) ** (degrees[0] - i)
        * comb(degrees[1], j) * y**j * (1 - y) ** (degrees[1] - j)
        for (i, j), b in found.items()
    )  # fmt: skip


def test_coefficients_are_those_of_the_basis_on_the_box_and_on_both_halves():
    rng, degrees = random.Random(1), (3, 2)
    for _ in range(10):
        polynomial = random_polynomial(rng, degrees)
        found = in_bernstein_basis(polynomial, degrees)
        for place in (0, 1):
            low, high = halves(found, degrees, place)
            for _ in range(5):
                at = [Fraction(rng.randint(0, 9), 9) for _ in range(2)]
                assert from_bernstein(found, degrees, *at) == polynomial.at(*at)
                for half, shift in ((low, 0), (high, 1)):
                    inside = list(at)
                    inside[place] = (at[place] + shift) / 2
                    assert from_bernstein(half, degrees, *at) == polynomial.at(*inside)


def number(value):
    return Polynomial.constant(Fraction(value), 2)


@pytest.mark.parametrize(
    ("polynomial", "rays", "holds"),
    [
        (X * Y, (), True),
        (X * (X * X - X + number("1/4") + number("1/1000")), (), True),  # 0 at a corner, halved
        (number(0), (), True),
        (X - X * X, (), True),  # 0 at both ends
        (X * X - X + number("1/4") + number("1/1000000"), (), True),  # by a millionth
        (X * X - X + number("1/4") - number("1/1000000"), (), False),
        (X - number("1/1000000000"), (), False),  # at a corner
        (X * X - X * Y * number(2) + Y * Y + number("1/1000"), (), True),  # only after halving
        (ONE - Y, (1,), False),  # on the ray, beyond 1
        (ONE + Y * Y, (1,), True),
        (X * Y - Y * Y, (1,), False),
        (ONE - X * Y, (0, 1), False),
    ],
)
def test_signs_on_the_box(polynomial, rays, holds):
    assert nowhere_negative(polynomial, frozenset(rays)).holds is holds


def test_it_never_holds_for_what_is_somewhere_negative():
    """Eighty random polynomials against their values on a grid of 11 × 11 points."""
    rng = random.Random(2)
    grid = [Fraction(i, 10) for i in range(11)]
    seen = {True: 0, False: 0}
    for _ in range(80):
        polynomial = random_polynomial(rng, (2, 1)) + number(rng.randint(0, 9))
        least = min(polynomial.at(x, y) for x in grid for y in grid)
        holds = nowhere_negative(polynomial).holds
        seen[holds] += 1
        if holds:
            assert least >= 0
        elif least > Fraction(1, 2):  # far from 0: it has to be found
            raise AssertionError(f"{polynomial.terms} is at least {least}, and that was not seen")
    assert min(seen.values()) > 8


def test_a_quotient_needs_divisors_above_zero():
    x, y = Quotient.variables(2)
    assert quotient_nowhere_negative(x / (1 + y)).holds
    assert quotient_nowhere_negative(x / y).holds  # y > 0 inside the box
    assert not quotient_nowhere_negative(x / (y - Fraction(1, 2))).holds
    assert not quotient_nowhere_negative(x / (y - Fraction(1, 2)) ** 2).holds  # 0 inside the box
    assert not quotient_nowhere_negative(x / (1 + y) / (y - Fraction(1, 2)) / (y - 2)).holds
    assert not quotient_nowhere_negative(-x / (1 + y)).holds
    assert not quotient_nowhere_negative(x / (1 - y), frozenset({1})).holds


def test_it_ends():
    """A polynomial that touches 0 inside the box is never shown, and the search stops."""
    answer = nowhere_negative((X - number("1/3")) * (X - number("1/3")), most_boxes=50)
    assert not answer.holds
    assert answer.boxes <= 50
    square = (X - number("1/3")) * (X - number("1/3"))
    assert not nowhere_negative(square - number(Fraction(1, 10**30))).holds  # the smallest box
    large = Polynomial({(300, 0): 1, (0, 300): 1, (0, 0): -3})
    assert "more than 200000" in nowhere_negative(large * large).reason


def test_reasons_name_what_they_say():
    assert nowhere_negative(X - Y).reason == "negative at (0, 1)"
    along = nowhere_negative(ONE - Y * number(2) + Y * Y, frozenset({1})).reason
    assert along.startswith("a coefficient of the rays' powers is negative")
