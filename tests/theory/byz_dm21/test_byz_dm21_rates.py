"""Stability limits, J and V∞, the moment recursion, the slopes."""

import math

import numpy as np
import pytest

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.byz_dm21 import (
    Setting,
    corollary_1,
    corollary_2,
    corollary_3,
    momentum_limit,
    recursive_limit,
    theorem_2,
)
from jaxbyz.theory.byz_dm21.limits import lyapunov_equations, product_claim, stability
from jaxbyz.theory.byz_dm21.rates import (
    PRODUCT,
    average_square,
    best_average,
    momentum_recursion,
    recursive_recursion,
    start_moments,
    stationary_variance,
    transient,
)
from jaxbyz.theory.byz_dm21.simplified import step_2
from jaxbyz.theory.engines import engines_for

ETAS = (0.02, 0.1, 0.5, 0.9, 1.0)
CONSTANT = 2 * math.sqrt(PRODUCT)  # 0.7635…


def radius(recursion, *parameters):
    return np.abs(np.linalg.eigvals(recursion(*parameters)[0])).max()


@pytest.mark.parametrize("eta", ETAS)
@pytest.mark.parametrize("beta", [0.05, 0.3, 1.0])
def test_the_spectral_radius_crosses_one_at_the_limit(eta, beta):
    for recursion, limit in (
        (momentum_recursion, momentum_limit(eta, beta)),
        (recursive_recursion, recursive_limit(beta)),
    ):
        # Away from double roots; where two roots nearly meet, half of the digits are lost.
        assert radius(recursion, limit, eta, beta) == pytest.approx(1, abs=1e-9)
        assert radius(recursion, limit * 0.99, eta, beta) < 1
        assert radius(recursion, limit * 1.01, eta, beta) > 1


def test_the_limits_of_the_published_methods():
    for eta in ETAS:
        published = 2 * (2 - eta) ** 2 / eta**2
        if eta < 1:
            published = min(published, eta * (2 - eta) / (1 - eta) ** 2)
        assert momentum_limit(eta, eta) == pytest.approx(published, rel=1e-13)
    assert momentum_limit(1e-6, 1e-6) == pytest.approx(2e-6, rel=1e-5)
    assert recursive_limit(1e-6) == pytest.approx(4e6, rel=1e-5)


def test_limits_take_arrays_of_numpy_as_the_recursions_do():
    etas = np.array(ETAS)
    one_by_one = [momentum_limit(eta, eta) for eta in ETAS if eta < 1]
    np.testing.assert_array_equal(momentum_limit(etas[:-1], etas[:-1]), one_by_one)


def test_moments_are_those_of_a_loop():
    for recursion in (momentum_recursion, recursive_recursion):
        transition, noise = recursion(0.03, 0.1, 0.2)
        moments, total = start_moments(0.3), 0.0
        for _ in range(1000):
            total += moments[0, 0]
            moments = transition @ moments @ transition.T + np.outer(noise, noise)
        ours = average_square(transition, noise, start_moments(0.3), 1000)
        assert ours == pytest.approx(total / 1000, rel=1e-11)


@pytest.mark.usefixtures("x64")
def test_claims_hold_and_wrong_formulas_are_found():
    few = Budget(random=300, starts=8, steps=200)
    for claim in (stability(False), stability(True), lyapunov_equations(), product_claim()):
        for engine in engines_for(claim):
            assert engine(claim, few).status in (Status.SEARCHED, Status.PROVED)
    wrong = (
        stability(False, lambda eta, beta: momentum_limit(eta, eta)),
        stability(True, lambda eta, beta: recursive_limit(eta)),
        lyapunov_equations(j=lambda h, eta: transient(h, eta) * (1 + 1e-6)),
        lyapunov_equations(v=lambda h, eta: stationary_variance(h, eta) * (1 - 1e-6)),
        product_claim(PRODUCT * 1.01),
    )
    for claim in wrong:
        assert engines_for(claim)[-1](claim, few).status is Status.INCONCLUSIVE


def test_the_constant_is_the_infimum():
    ratio = math.sqrt(7) - 2
    for eta in (1e-4, 1e-6):
        product = transient(ratio * eta, eta) * stationary_variance(ratio * eta, eta)
        assert product == pytest.approx(PRODUCT, rel=5 * eta)  # of first order in η
    r = np.linspace(0.01, 20, 10_000)
    assert ((1 - r + r**2) / (2 * (2 + r))).min() >= PRODUCT
    np.testing.assert_allclose(CONSTANT, 0.763548, atol=1e-6)


def test_the_best_constant_parameters_tend_to_the_constant_from_below():
    rounds = [10**k for k in range(2, 8)]
    scaled = [best_average(t)[0] * t**0.5 for t in rounds]
    assert scaled == sorted(scaled)
    assert scaled[0] == pytest.approx(0.748, abs=1e-3)
    assert scaled[-1] == pytest.approx(CONSTANT, abs=1e-4)
    slopes = np.diff(np.log(scaled)) / math.log(10) - 0.5
    assert np.abs(slopes[1:] + 0.5).max() < 0.005
    value, h, eta = best_average(10**7)
    assert h / eta == pytest.approx(math.sqrt(7) - 2, abs=0.01)
    # A first batch of one sample costs a quarter more.
    assert best_average(10**7, start_variance=1.0)[0] * 10**3.5 == pytest.approx(0.944, abs=1e-3)
    assert value < best_average(10**7, start_variance=1.0)[0]


def test_no_grid_point_beats_the_best_average():
    t = 10_000
    best, _, _ = best_average(t)
    h, eta = (x.ravel() for x in np.meshgrid(np.geomspace(1e-5, 4, 80), np.geomspace(1e-5, 1, 80)))
    stable = h < recursive_limit(eta)
    values = average_square(
        *recursive_recursion(h[stable], eta[stable], eta[stable]), start_moments(), t
    )
    assert best <= values.min() * (1 + 1e-9)


POINT = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)


def fast_forgetting(point, *, rounds, gap):
    """The published method with the η of the accelerated one, of order T^(-2/3)."""
    eta = rounds ** (-2 / 3)
    batch = max(1, math.ceil(1 / (eta**2 * rounds)))
    return theorem_2(point, eta=eta, step_size=step_2(point, eta, eta), start_batch=batch)


SLOPES = {
    "DM": (corollary_1, momentum_recursion, -1 / 2),
    "VR, beta = sqrt(eta)": (corollary_2, recursive_recursion, -2 / 3),
    "VR, beta = eta": (corollary_3, recursive_recursion, -1 / 2),
    "VR, beta = eta, fast forgetting": (fast_forgetting, recursive_recursion, -1 / 3),
}


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_at_the_parameters_of_the_theory(name):
    make, recursion, slope = SLOPES[name]
    values = []
    for rounds in (10**6, 4 * 10**6, 16 * 10**6):
        promise = make(POINT, rounds=rounds, gap=0.5)  # y₀ = 1
        transition, noise = recursion(promise.step_size, promise.eta, promise.beta)
        start = start_moments(0.1 / promise.start_batch)
        average = average_square(transition, noise * 0.1**0.5, start, rounds)
        assert average <= promise.bound(rounds, 0.5)
        values.append(math.log(average))
    assert np.abs(np.diff(values) / math.log(4) - slope).max() < 0.005
