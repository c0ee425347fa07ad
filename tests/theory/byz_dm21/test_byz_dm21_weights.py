"""The weights: rounded-up closed forms, special cases, fractions, and the equations they solve."""

import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import pytest

from jaxbyz.theory.byz_dm21 import Setting, momentum_steps, recursive_steps, weights

POINTS = [
    Setting(alpha, kappa, honest, 1.0, ratio, ell, 1.0)
    for alpha, kappa, honest, ratio, ell in itertools.product(
        (0.01, 0.5, 1.0), (0.0, 0.25, 3.0), (1, 20), (1.0, 4.0), (0.0, 0.3, 10.0)
    )
]
RATES = [(1e-3, 1e-3), (1e-3, 0.03), (0.1, 0.1), (0.2, 0.05), (0.1, 1.0), (1.0, 1.0)]


def rounded(point, recursive, eta, beta, theta, spare):
    """The weights with every product of Young's inequality rounded up, as one would print them."""
    kappa, honest, alpha = point.kappa, point.honest, point.alpha
    young, m = 1 + 1 / theta, 1 / (1 - spare)
    a_p, a_q = 1.5 * young * (1 + (1 + theta) * kappa), 1.5 * young * (1 + theta) * kappa
    a_b = 1.5 * young
    a = m * 2 * a_p / alpha
    b = m * (a_q + 6 * a * beta**2 / alpha) / beta
    c = m * (a_q + 2 * b * eta**2 / beta + 6 * a * beta**2 * eta**2 / alpha) / eta
    b_bar = m * a_b / beta
    c_bar = m * (a_b + 2 * b_bar * eta**2 / beta) / eta
    one, two, ell = (
        point.smoothness**2,
        point.mean_square_smoothness**2,
        point.sample_smoothness**2,
    )
    if recursive:
        k_s = (
            a * (6 * beta**2 * two / alpha + 2 * beta**2 * ell)
            + b * (2 * two / beta + 2 * ell)
            + 2 * c * ell
            + b_bar * (2 * one / beta + 2 * ell / honest)
            + 2 * c_bar * ell / honest
        )
    else:
        k_s = (
            eta**2 * two * (6 * a * beta**2 / alpha + 2 * b / beta)
            + c * two / eta
            + 2 * b_bar * eta**2 * one / beta
            + c_bar * one / eta
        )
    fresh = (2 if recursive else 1) * eta**2 * point.noise_variance
    noise = (a * beta**2 + b + c) * fresh + (b_bar + c_bar) * fresh / honest
    step = min(1 / (2 * point.smoothness), 1 / (2 * math.sqrt(k_s)))
    return a, b, c, b_bar, c_bar, k_s, noise, step


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("spare", [0, 0.5])
def test_the_printed_weights_are_these_rounded_up(recursive, spare):
    make = recursive_steps if recursive else momentum_steps
    for point, (eta, beta), theta in itertools.product(POINTS, RATES, (0.1, 1.0)):
        ours = weights(point, make(point, eta, beta), theta=theta, spare=spare)
        printed = rounded(point, recursive, eta, beta, theta, spare)
        sharp = (ours.a, ours.b, ours.c, ours.b_bar, ours.c_bar, ours.k_s, ours.noise)
        assert all(x <= y * (1 + 1e-14) for x, y in zip(sharp, printed[:-1], strict=True))
        assert ours.step_size >= printed[-1] * (1 - 1e-14)


def test_they_agree_for_small_parameters():
    """η² is lost against 1: the rounding up costs nothing but what it rounds."""
    point = Setting(1e-4, 0.25, 10, 1.0, 2.0, 0.5, 1.0)
    for make, recursive in ((momentum_steps, False), (recursive_steps, True)):
        ours = weights(point, make(point, 1e-4, 1e-4))
        printed = rounded(point, recursive, 1e-4, 1e-4, 1.0, 0)
        # E R⁺ of the recursive estimate shrinks by (1-η)², not 1-η: its weights are half.
        assert ours.a == pytest.approx(printed[0], rel=1e-3)
        assert ours.b == pytest.approx(printed[1], rel=1e-3)
        assert ours.c == pytest.approx(printed[2] / (2 if recursive else 1), rel=1e-3)
        assert ours.c_bar == pytest.approx(printed[4] / (2 if recursive else 1), rel=1e-3)


@pytest.mark.parametrize("make", [momentum_steps, recursive_steps])
@pytest.mark.parametrize("spare", [0, 0.5])
def test_the_equations_hold(make, spare):
    """Each error's weight times its contraction pays for L2 and for what it feeds."""
    for point, (eta, beta) in itertools.product(POINTS, RATES):
        s = make(point, eta, beta)
        w = weights(point, s, theta=0.5, spare=spare)
        left = 1 - spare
        a_p = 1.5 * 3 * (1 + 1.5 * point.kappa)
        a_q, a_b = 1.5 * 3 * 1.5 * point.kappa, 1.5 * 3
        equations = [
            (w.a * (1 - s.p_p) * left, a_p),
            (w.b * (1 - s.q_q) * left, a_q + w.a * s.p_q),
            (w.c * (1 - s.r_r) * left, a_q + w.a * s.p_r + w.b * s.q_r),
            (w.b_bar * (1 - s.qb_qb) * left, a_b),
            (w.c_bar * (1 - s.rb_rb) * left, a_b + w.b_bar * s.qb_rb),
            (2 * w.step_size**2 * w.k_s + w.step_size * point.smoothness, 1),
        ]
        for one, other in equations:
            assert one == pytest.approx(other, rel=1e-12)


def test_one_momentum_needs_no_weights_of_its_own():
    """β = 1 and u⁰ = v⁰: Q stays 0, and neither b nor b' changes the step size or the noise."""
    point = Setting(0.1, 0.25, 10, 1.0, 2.0, 0.5, 1.0)
    for make in (momentum_steps, recursive_steps):
        steps = make(point, 0.1, 1.0)
        assert steps.q_q == steps.q_r == steps.q_s == steps.q_n == 0
        assert steps.qb_qb == steps.qb_rb == steps.qb_s == steps.qb_n == 0
    found, kappa, alpha, eta = weights(point, momentum_steps(point, 0.1, 1.0)), 0.25, 0.1, 0.1
    spread = 1 + 2 * kappa
    assert found.a <= 6 * spread / alpha
    assert found.c <= (6 * kappa + 36 * spread * eta**2 / alpha**2) / eta
    # Its noise is (12Kη²/α + 72Kη³/α² + 6ηk)σ² at most, and the step size at least the printed one.
    bound = 12 * spread * eta**2 / alpha + 72 * spread * eta**3 / alpha**2 + 6 * eta * point.share
    assert 0.4 * bound < 2 * found.noise <= bound
    printed = min(alpha / (24.5 * spread**0.5 * 2), eta / (5 * point.smoothness_kappa))
    assert printed <= found.step_size < 4 * printed


def test_full_communication_and_full_gradients_leave_gradient_descent():
    """α = η = β = 1: no coefficient of S is left, and γ may be 1/L, the most that L3 allows."""
    point = Setting(1.0, 0.25, 10, 2.0, 2.0)
    found = weights(point, momentum_steps(point, 1.0, 1.0))
    assert (found.k_s, found.step_size, found.noise) == (0, 1 / 2, 0)


def test_fractions_stay_exact():
    half = Fraction(1, 2)
    point = Setting(half, Fraction(1, 4), Fraction(4), Fraction(1), Fraction(2), half, Fraction(1))
    found = weights(point, recursive_steps(point, half, half), theta=Fraction(1))
    assert isinstance(found.k_s, Fraction)
    assert isinstance(found.noise, Fraction)
    assert found.a == Fraction(12)


@pytest.mark.usefixtures("x64")
def test_a_sweep_is_a_vmap_and_gives_the_same_numbers():
    point = Setting(0.1, 0.25, 10, 1.0, 2.0, 0.5, 1.0)

    def step(eta, beta):
        return weights(point, recursive_steps(point, eta, beta)).step_size

    etas = jnp.array([0.01, 0.1, 1.0])
    found = jax.jit(jax.vmap(step))(etas, jnp.sqrt(etas))
    expected = [step(float(eta), float(eta) ** 0.5) for eta in etas]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


def test_a_smaller_theta_lowers_the_floor_and_costs_step_size():
    point = Setting(0.1, 0.25, 10, 1.0, 2.0, 0.0, 1.0)
    steps = momentum_steps(point, 0.1, 0.1)
    small, large = weights(point, steps, theta=0.1), weights(point, steps, theta=1.0)
    assert small.step_size < large.step_size
    assert small.noise > large.noise
