import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.aggregators import mean
from jaxbyz.algorithms import rosdhb
from jaxbyz.algorithms.rosdhb import RoSDHBBroadcast
from jaxbyz.messages import SharedSupport
from jaxbyz.theory.claims import Provenance
from jaxbyz.theory.rosdhb.certification import certify, factors
from jaxbyz.theory.rosdhb.parameters import (
    best_c,
    published_setting,
    theorem_a,
    theorem_b,
)

USUAL = {"kappa": 1 / 7, "b_squared": 1.0, "g_squared": 1.0}


@pytest.mark.parametrize(
    ("c", "rate", "floor"), [(24, 84, 115.5), (48, 5.8947, 6.7544), (23200, 3.0576, 2.8042)]
)
def test_the_table_of_theorem_a(c, rate, floor):
    promise = theorem_a(1.0, 0.1, c=c, **USUAL)
    assert promise.rate == pytest.approx(rate, rel=2e-5)  # printed with five digits
    assert promise.floor == pytest.approx(floor, rel=2e-5)


def test_best_c_is_the_minimum():
    def cost(c):
        return c * theorem_a(1.0, 0.1, c=c, **USUAL).rate

    c = best_c(1 / 7)
    assert cost(c) == pytest.approx(282.573, abs=1e-3)
    assert min(cost(c * 0.99), cost(c * 1.01)) > cost(c)
    assert theorem_a(1.0, 0.1, **USUAL).rate * c == pytest.approx(cost(c))


def test_momentum_is_exact_where_subtraction_loses_digits():
    promise = theorem_a(1.0, 1e-9, c=1e4, **USUAL)
    x = 1e-13
    # 1 - √(1-24x) = 12x + 72x² + …; the second term is 1e-12 of the first.
    assert promise.one_minus_momentum == pytest.approx(12 * x, rel=1e-11, abs=0)
    assert 1 - promise.momentum != pytest.approx(12 * x, rel=1e-6, abs=0)


def test_arguments_make_the_algorithm():
    promise = theorem_b(2.0, 0.5, **USUAL)
    algorithm = rosdhb(**promise.arguments(), aggregator=mean())
    state = algorithm.server.start(jnp.zeros(4), 2)
    broadcast = RoSDHBBroadcast(state.x, jnp.array([1, 3]))
    messages = SharedSupport(jnp.ones((2, 2)))
    after, _ = algorithm.server.step(jax.random.key(0), state, broadcast, messages)
    sent = after.momenta[0, 1].item()
    assert sent == pytest.approx(promise.one_minus_momentum * 2, rel=1e-6)  # float32
    moved = after.x[1].item()
    assert moved == pytest.approx(-promise.step_size * sent, rel=1e-6)


@pytest.mark.parametrize("make", [theorem_a, theorem_b])
def test_rounds_and_bits_invert_the_bound(make):
    promise = make(1.0, 0.1, **USUAL)
    epsilon = promise.floor * promise.kappa_g_squared + 0.01
    rounds = promise.rounds(epsilon, gap=1.0)
    # One unit of rounding in the bound.
    assert promise.bound(rounds, 1.0) <= epsilon * (1 + 1e-12)
    assert promise.bound(rounds - 1, 1.0) > epsilon
    assert promise.uplink_bits(epsilon, 1.0, k=10) == rounds * 320
    with pytest.raises(ValueError, match="epsilon"):
        promise.rounds(promise.floor * promise.kappa_g_squared, gap=1.0)


@pytest.mark.parametrize(
    ("make", "changes", "word"),
    [
        (theorem_a, {"c": 23.9}, "c must"),
        (theorem_a, {"s": 30.0, "rho": 1.0}, "s and rho"),
        (theorem_a, {"kappa": 0.6}, "kappa_b_squared"),
        (theorem_a, {"kappa": 0.6, "c": 100}, "kappa b_squared"),
        (theorem_b, {"kappa": 4 / 15}, "4/15"),
        (theorem_b, {"step_size": 0.2}, "step_size"),
        (theorem_a, {"ratio": 0.0}, "ratio"),
        (theorem_b, {"smoothness": -1.0}, "smoothness"),
        (published_setting, {"kappa": 0.2}, "1/7"),
    ],
)
def test_outside_the_hypotheses(make, changes, word):
    arguments = {"smoothness": 1.0, "ratio": 0.5, **USUAL, **changes}
    with pytest.raises(ValueError, match=word):
        make(**arguments)


def test_the_published_setting_has_parameters_and_no_bound():
    promise = published_setting(1.0, 0.1, **USUAL)
    assert promise.provenance is Provenance.PAPER
    assert promise.step_size == pytest.approx(0.1 / 23200)
    ours = theorem_a(1.0, 0.1, c=23200, **USUAL)
    assert promise.one_minus_momentum == ours.one_minus_momentum
    assert ours.provenance is Provenance.DERIVED
    with pytest.raises(ValueError, match="not public"):
        promise.bound(10, 1.0)


@pytest.mark.parametrize("theorem", ["A24", "A48", "A23200", "B"])
def test_certify_is_never_worse_than_the_theorems(theorem):
    make = theorem_b if theorem == "B" else theorem_a
    extra = {} if theorem == "B" else {"c": float(theorem[1:])}
    promise = make(1.0, 0.1, **USUAL, **extra)
    found = certify(
        step_size=promise.step_size,
        smoothness=1.0,
        ratio=0.1,
        kappa_b_squared=1 / 7,
        one_minus_momentum=promise.one_minus_momentum,
    )
    assert found.best_rate.rate <= promise.rate
    assert found.best_floor.floor <= promise.floor
    assert found.best_rate.rate <= found.best_floor.rate
    assert found.best_floor.floor <= found.best_rate.floor


def scanned(x, omega, a, w, s):
    """The best factors at one s by brute force over p."""
    best = math.inf, math.inf
    square = (1 - omega) ** 2
    for p in np.geomspace(1e-9, 10, 4001):
        room = 1 - square * (1 + p)
        if room <= 0:
            continue
        weight = (1 + s) * x / room
        drift = (1 + 1 / s) * (1 + omega * (a - 1))
        q = 1 - weight / x * omega**2 * (a - 1) - drift * w
        if 1 - x - weight * square * (1 + 1 / p) * x >= 0 and q > 0:
            best = min(best[0], 2 * (1 + weight * square) / q), min(best[1], drift / q)
    return best


@pytest.mark.parametrize("s", [0.3, 1.0, 5.0])
def test_p_in_closed_form_is_the_best_p(s):
    x, omega, a, w = 0.01, 0.025, 10.0, 0.1
    table = factors(x, omega, a, w, np.array([s]))
    rate, floor = scanned(x, omega, a, w, s)
    # The scan has 4001 points over ten decades: 0.6 % in p, less in the factors.
    assert table["rate"][0] <= rate * (1 + 1e-9)
    assert table["rate"][0] == pytest.approx(rate, rel=0.01)
    assert table["floor"][0] == pytest.approx(floor, rel=0.01)


def test_certify_says_nothing_where_the_proof_fails():
    usual = {"step_size": 1e-4, "smoothness": 1.0, "ratio": 0.1, "momentum": 0.9}
    assert certify(kappa_b_squared=1 / 7, **usual) is None
    assert certify(kappa_b_squared=0.02, **usual) is not None
    assert certify(kappa_b_squared=0.0, **{**usual, "step_size": 1.5}) is None
    # Without compression and momentum: gradient descent with an error.
    plain = certify(step_size=0.5, smoothness=1.0, ratio=1.0, kappa_b_squared=0.1, momentum=0.0)
    assert plain.best_floor.floor < 1.2  # 1/(1-w) = 1.11 is the least possible
