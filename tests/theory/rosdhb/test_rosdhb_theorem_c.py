"""Theorem C against its certificates, in fractions: each alone, each number on its safe side."""

import itertools
import math
import sys
from fractions import Fraction

import pytest

from jaxbyz.theory.checker.certificates import rosdhb as method
from jaxbyz.theory.checker.certificates.multipliers import affine, rate, rate_at
from jaxbyz.theory.rosdhb import proved, theorem_b, theorem_c

ROWS = {one.name: one for one in proved.certificates()}
KAPPA = {"kappa": 1 / 8, "b_squared": 1.0, "g_squared": 1.0}


@pytest.fixture(params=ROWS)
def alone(request, monkeypatch):
    """A certificate, when there is no other."""
    one = ROWS[request.param]
    monkeypatch.setattr(proved, "certificates", lambda: (one,))
    return one


def exact_rate(one, x, s):
    """max(cf, cf + 2 p22) at a point, from the rows."""
    cf, p22 = (affine(one.rows[name], (x, s)) for name in ("cf", "p22"))
    return max(cf, cf + 2 * p22)


@pytest.mark.parametrize("ratio", [1.0, 0.25, 0.1])
@pytest.mark.parametrize("part", [None, 0.5, 1e-3])
def test_the_promise_is_that_of_the_certificate(alone, ratio, part):
    kappa = float(alone.kappa_b_squared / 2) * (1 - 2**-50)
    arguments = {"kappa": kappa, "b_squared": 2.0, "g_squared": 3.0}
    largest = theorem_c(3.0, ratio, **arguments).step_size
    step = None if part is None else part * largest
    promise = theorem_c(3.0, ratio, step_size=step, **arguments)
    assert alone.name in promise.theorem
    share, x = Fraction(ratio), Fraction(promise.step_size) * 3
    used = alone.c * x / share
    if part is None:
        assert 1 - Fraction(1, 10**12) <= used <= 1
    else:
        assert promise.step_size == step
    # β² = 1 - aγL, and 1-β from it. Beside 1 a float has an absolute error of 2^-53.
    assert promise.momentum**2 == pytest.approx(float(1 - alone.coupling * x), abs=1e-15)
    fresh = promise.one_minus_momentum * (1 + promise.momentum)
    assert fresh == pytest.approx(float(alone.coupling * x), rel=1e-15)
    for given, exact in (
        (promise.rate, exact_rate(alone, used, share)),
        (promise.floor, alone.floor),
        (promise.kappa_g_squared, Fraction(kappa) * 3),
    ):
        assert 0 <= Fraction(given) - exact < Fraction(1, 10**12)


def test_a_heterogeneity_just_above_is_refused(alone):
    border = float(alone.kappa_b_squared / 2)
    for kappa in (border * 1.05, border * (1 + 1e-12)):
        with pytest.raises(ValueError, match="kappa b_squared must be <= "):
            theorem_c(3.0, 0.25, kappa=kappa, b_squared=2.0, g_squared=3.0)


def test_a_product_that_prints_as_the_border_is_said_to_be_above_it():
    with pytest.raises(ValueError, match=r"<= 1/2, got 0\.5, above it as a fraction$"):
        theorem_c(1.0, 0.1, kappa=0.1, b_squared=5.0, g_squared=1.0)
    with pytest.raises(ValueError, match=r"<= 1/2, got 0\.6$"):
        theorem_c(1.0, 0.1, kappa=0.6, b_squared=1.0, g_squared=1.0)


@pytest.mark.parametrize("c", [24, 6, 60, None])
def test_no_step_size_is_above_its_largest(c):
    # Floats of k/(dcL) are above it for about half of all L; with c = 24 then 1 - 24γL < 0.
    for i in range(1, 60):
        smoothness, ratio = 0.1 + i / 7, 1 / (1 + i % 5)
        promise = theorem_c(smoothness, ratio, c=c, **KAPPA)
        one = ROWS[promise.theorem.split("(")[1][:-1]]
        assert Fraction(promise.step_size) * Fraction(smoothness) * one.c <= Fraction(ratio)
        again = theorem_c(smoothness, ratio, c=c, step_size=promise.step_size, **KAPPA)
        assert again == promise
        above = math.nextafter(promise.step_size, 1.0)
        with pytest.raises(ValueError, match="step_size"):
            theorem_c(smoothness, ratio, c=c, step_size=above, **KAPPA)


def test_products_of_small_numbers_are_rounded_up():
    # 0.1 · 0.1 and 1e-200 · 1e-200: the nearest floats are below the products, the second is 0.
    for kappa, g_squared in ((1e-200, 1e-200), (0.1, 0.3), (0.1, 0.7)):
        promise = theorem_c(1.0, 0.1, kappa=kappa, b_squared=1.0, g_squared=g_squared)
        assert Fraction(promise.kappa_g_squared) >= Fraction(kappa) * Fraction(g_squared)


def test_extreme_arguments_are_errors_or_true():
    assert theorem_c(5e-324, 1.0, **KAPPA).step_size == sys.float_info.max
    with pytest.raises(ValueError, match="step_size"):
        theorem_c(1e308, 5e-324, **KAPPA)  # the largest step size is no float
    for c in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"c must be one of"):
            theorem_c(1.0, 0.1, c=c, **KAPPA)
    huge = theorem_c(1.0, 0.1, kappa=1e-10, b_squared=1.0, g_squared=1.7e308)
    assert math.isfinite(huge.kappa_g_squared)
    assert theorem_c(1.0, 0.1, kappa=4.0, b_squared=0.0, g_squared=1e308).lowest == math.inf


def test_rounds_against_theorem_b():
    # Of the factor of D0/T, and of rounds until the bound is at Theorem B's floor and 1, G² = 1.
    known = {
        0.0: (0.386, 0.386),
        0.041: (0.485, 0.462),
        1 / 8: (0.304, 0.205),
        1 / 7: (0.266, 0.157),
        0.15: (0.368, 0.200),
        0.2: (0.285, 0.0835),
        0.22: (0.200, 0.0394),
    }
    for kappa, (of_factors, of_rounds) in known.items():
        problem = {"kappa": kappa, "b_squared": 1.0, "g_squared": 1.0}
        b, c = theorem_b(1.0, 0.1, **problem), theorem_c(1.0, 0.1, **problem)
        factors = c.rate / c.step_size / (b.rate / b.step_size)
        assert factors == pytest.approx(of_factors, rel=0.01), kappa
        assert c.floor < b.floor
        rounds = [promise.rounds(b.lowest + 1, gap=100.0) for promise in (c, b)]
        assert rounds[0] / rounds[1] == pytest.approx(of_rounds, rel=0.02), kappa


# ---- the start ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_the_rate_bounds_the_lyapunov_function_at_the_start(name):
    # m = 0 and Υ = 0: V - cf inf f = cf (f - inf f) + p22 ‖g‖²/L, and 0 ≤ ‖g‖²/L ≤ 2 (f - inf f).
    one = ROWS[name]
    largest = rate(method, one.rows)
    places = (Fraction(0), Fraction(1, 3), Fraction(1))
    for x, s in itertools.product(places, places):
        exact = exact_rate(one, x, s)
        assert one.rate(x, s) == exact <= largest
        cf, p22 = (affine(one.rows[key], (x, s)) for key in ("cf", "p22"))
        assert all(cf + p22 * gradient <= largest for gradient in (0, 1, 2))


def test_a_negative_p22_lowers_no_rate():
    # ‖g‖² may be 0 at the start. Stored certificates have p22 > 0 where their rate is taken.
    rows = {"cf": [Fraction(2)], "p22": [Fraction(-1, 4), Fraction(1, 2)]}
    assert rate_at(method, rows, (Fraction(0), Fraction(0))) == 2
    assert rate_at(method, rows, (Fraction(1), Fraction(0))) == Fraction(5, 2)
    assert rate(method, rows) == Fraction(5, 2)
    assert rate(method, rows | {"p22": [Fraction(-1, 4)]}) == 2
