"""How large a step may be on a quadratic: exact limits, and the shipped algorithms on both sides.

f(x) = ½ L (x - x*)², no noise, one honest worker, h = γL. With y = ∇f(x) a round is linear:

    y⁺ = y - h g
    v⁺ = (1-η) v + η y⁺      (momentum)      or   y⁺ + (1-η)(v - y)      (recursive estimate)
    u⁺ = (1-β) u + β v⁺
    g⁺ = g + a (u⁺ - g)

with the compressor C(z) = a z, a in (0, 1], for which ‖C(z) - z‖² = (1-a)² ‖z‖²; a = 1 is none. A
method is stable if the spectral radius is less than one. For a = 1, by Jury's conditions (derived;
the case β = η is that of the algorithms' documentation),

    momentum             h < min{ (1 - (1-η)(1-β)) / ((1-η)(1-β)),  2(2-η)(2-β)/(ηβ) }
    recursive estimate   h < 2(2-β)/β,   whatever η is
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play

from jaxbyz import aggregators, algorithms
from jaxbyz.core import Compressor
from jaxbyz.messages import Dense
from jaxbyz.problems.quadratics import quadratics_from_arrays

ETAS = (0.05, 0.1, 0.3, 0.7, 1.0)
ROUNDS = 8000


def recursion(h, eta, beta, a, recursive):
    """The matrix [4, 4] of one round of (y, v, u, g)."""
    y, v, u, g = np.eye(4)
    new = y - h * g
    v = new + (1 - eta) * (v - y) if recursive else (1 - eta) * v + eta * new
    u = (1 - beta) * u + beta * v
    g = g + a * (u - g)
    return np.array([new, v, u, g])


def radius(*parameters):
    return np.abs(np.linalg.eigvals(recursion(*parameters))).max()


def limit(eta, beta, a, recursive):
    """The h at which the spectral radius becomes one, by bisection."""
    low, high = 0.0, 1e-3
    while radius(high, eta, beta, a, recursive) < 1:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if radius(middle, eta, beta, a, recursive) < 1:
            low = middle
        else:
            high = middle
    return low


def closed_form(eta, beta, recursive):
    if recursive:
        return 2 * (2 - beta) / beta
    kept = (1 - eta) * (1 - beta)
    oscillating = (1 - kept) / kept if kept else np.inf
    return min(oscillating, 2 * (2 - eta) * (2 - beta) / (eta * beta))


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("beta", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("eta", ETAS)
def test_closed_forms_are_where_the_spectral_radius_is_one(eta, beta, recursive):
    # Roots that lie within 0.05 of each other lose some four of sixteen digits.
    ours = closed_form(eta, beta, recursive)
    np.testing.assert_allclose(limit(eta, beta, 1.0, recursive), ours, rtol=1e-9)


@pytest.mark.parametrize("a", [0.05, 0.4])
@pytest.mark.parametrize("weight", ETAS)
def test_compression_is_one_more_average(weight, a):
    """With one momentum g_i is the second: a limit near 4/η becomes one near η + a."""
    ours = closed_form(weight, a, False)
    np.testing.assert_allclose(limit(weight, 1.0, a, False), ours, rtol=1e-9)
    np.testing.assert_allclose(limit(0.3, weight, a, True), ours, rtol=1e-9)


@pytest.mark.parametrize("eta", ETAS)
def test_closed_forms_of_the_published_methods(eta):
    """One parameter: Byz-DM21, Byz-VR-DM21 and Byz-EF21-SGDM."""
    double = 2 * (2 - eta) ** 2 / eta**2
    if eta < 1:
        double = min(double, eta * (2 - eta) / (1 - eta) ** 2)
    assert closed_form(eta, eta, False) == pytest.approx(double, rel=1e-13)
    assert closed_form(eta, 1.0, False) == pytest.approx(2 * (2 - eta) / eta, rel=1e-13)
    assert closed_form(eta, eta, True) == pytest.approx(2 * (2 - eta) / eta, rel=1e-13)
    assert closed_form(0.1, 0.1, False) == pytest.approx(0.19 / 0.81)


def shrink(a):
    """C(z) = a z."""
    return Compressor(
        lambda key, x: Dense(a * x),
        lambda message: message.values,
        lambda key, wanted: Dense(wanted),
        None,
        lambda d: 1 - (1 - a) ** 2,
    )


METHODS = {  # name -> (constructor, how its parameters η, β are given, recursive)
    "dm21": (algorithms.byz_dm21, lambda eta, beta: {"eta": eta, "beta": beta}, False),
    "vr-dm21": (algorithms.byz_vr_dm21, lambda eta, beta: {"eta": eta, "beta": beta}, True),
    "sgdm": (algorithms.byz_ef21_sgdm, lambda eta, beta: {"eta": eta}, False),
    "storm": (algorithms.byz_ef21_storm, lambda eta, beta: {"eta": eta}, True),
    "sgd": (algorithms.byz_ef21_sgd, lambda eta, beta: {}, False),
}


def settings(name):
    """(η, β, a) of the runs of one method."""
    if name == "sgd":
        pairs = [(1.0, 1.0)]
    elif name in {"sgdm", "storm"}:
        pairs = [(eta, 1.0) for eta in ETAS]
    else:  # published, accelerated, and β > η
        pairs = [(eta, eta) for eta in ETAS] + [(0.1, 0.1**0.5), (0.04, 0.2)]
    return [(eta, beta, a) for eta, beta in pairs for a in (1.0, 0.4)]


@functools.cache
def ran(name):
    """Steps 5 % inside and outside the limit: (cases [c, 4] as h, η, β, a; y [c, T + 1])."""
    make, given, recursive = METHODS[name]
    cases = np.array(
        [
            (scale * limit(eta, beta, a, recursive), eta, beta, a)
            for eta, beta, a in settings(name)
            for scale in (0.95, 1.05)
        ]
    )
    with jax.enable_x64(True):
        problem = quadratics_from_arrays(np.ones((1, 1, 1)), np.ones((1, 1)))

        def gradients(h, eta, beta, a):
            algorithm = make(
                optimizer=optax.sgd(h),
                aggregator=aggregators.mean(),
                compressor=shrink(a),
                **given(eta, beta),
            )
            (first, _), (states, _) = play(algorithm, problem, rounds=ROUNDS)(jax.random.key(0))
            return jnp.concatenate([first.server.x, states.server.x[:, 0]]) - 1

        return cases, np.asarray(jax.jit(jax.vmap(gradients))(*cases.T))


@pytest.mark.parametrize("name", METHODS)
def test_the_shipped_algorithm_makes_this_recursion(name):
    cases, y = ran(name)
    for case, run in zip(cases, y, strict=True):
        matrix, state, size = recursion(*case, METHODS[name][2]), np.full(4, -1.0), 1.0
        for t in range(50):
            state = matrix @ state
            size = max(size, np.abs(state).max() * max(1, case[0]))
            # Fifty rounds in another order of operations: some ulps of the largest step each.
            assert abs(run[t] - state[0]) < 1e-12 * size


@pytest.mark.parametrize("name", METHODS)
def test_the_shipped_algorithm_decays_inside_the_limit_and_grows_outside(name):
    cases, y = ran(name)
    late, inside = np.abs(y[:, -500:]).max(axis=1), np.arange(len(cases)) % 2 == 0
    # The slowest has the radius 1 ± 0.0005: a factor of 40 in 8000 rounds. It begins at 1.
    assert (late[inside] < 0.1).all()
    assert not (late[~inside] < 10).any()  # NaN and infinity have grown too
