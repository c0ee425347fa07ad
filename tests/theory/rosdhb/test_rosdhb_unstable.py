"""Step sizes at which RoSDHB diverges, and larger c at which the same instance does not."""

from fractions import Fraction

import numpy as np
import pytest

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.engines import engines_for
from jaxbyz.theory.rosdhb import unstable
from jaxbyz.theory.rosdhb.proved import certificates


def status(claim):
    (engine,) = engines_for(claim)
    return engine(claim, Budget()).status


def test_the_instances_diverge():
    assert status(unstable.diverges()) is Status.CERTIFIED
    assert all(at.alpha >= 1 for at in unstable.CASES)


def test_a_fifth_above_the_limit_they_do_not():
    for at in unstable.CASES:
        above = at._replace(c=at.c * Fraction(3, 2))
        assert unstable.growth(above) < 1
        assert status(unstable.diverges((above,))) is Status.REFUTED


@pytest.mark.parametrize("at", unstable.CASES[::3])
def test_the_growth_is_the_spectral_radius(at):
    columns = [unstable.after(at, unit) for unit in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    matrix = np.array(columns, dtype=float).T
    # Twenty bisections of [0, 2], and an S that 400 rounds leave near its limit.
    assert float(unstable.growth(at)) == pytest.approx(
        abs(np.linalg.eigvals(matrix)).max(), abs=1e-5
    )


def test_moments_are_those_of_both_masks():
    at = unstable.CASES[2]
    speed, fresh, chance = at.step * (1 + at.root), (1 - at.beta) * at.alpha, 1 / at.alpha
    theta, m = Fraction(3, 7), Fraction(-2, 5)
    new = theta - speed * m
    met = [(chance, at.beta * m + fresh * new), (1 - chance, at.beta * m)]
    cross, last = sum(p * new * one for p, one in met), sum(p * one**2 for p, one in met)
    assert unstable.after(at, (theta**2, theta * m, m**2)) == (new**2, cross, last)


def test_every_certificate_is_above_both_limits():
    for one in certificates():
        # √w rounded up.
        root = Fraction(int(float(one.kappa_b_squared) ** 0.5 * 1000) + 1, 1000)
        assert one.c > (1 + root) / 2
        assert one.c >= one.coupling
