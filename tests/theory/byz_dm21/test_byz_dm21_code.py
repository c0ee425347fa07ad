"""The shipped workers against the recursions, by enumeration; wrong workers are flagged."""

import itertools

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxbyz.aggregators import mean
from jaxbyz.algorithms import byz_dm21, byz_vr_dm21
from jaxbyz.algorithms.error_feedback import ErrorFeedbackState
from jaxbyz.algorithms.estimators import AveragedState, StormState
from jaxbyz.core import Worker
from jaxbyz.theory import Budget, Status
from jaxbyz.theory.byz_dm21.code import code_matches, code_ratio
from jaxbyz.theory.byz_dm21.lemmas import MOMENTUM, RECURSIVE
from jaxbyz.theory.engines import measure, searched

pytestmark = pytest.mark.usefixtures("x64")

FEW = Budget(random=50, starts=4, steps=150)
ROUNDING = 1e-12  # sums of squares of some hundred terms, relative


def written(method, *, old=None, eta=None, beta=None, compressed=None, keep=None, sent=None):
    """A worker written by hand from the recursion, of which single lines can be replaced."""
    make = byz_vr_dm21 if method.recursive else byz_dm21

    def maker(eta_, beta_, compressor):
        algorithm = make(
            eta=eta_, beta=beta_, compressor=compressor, optimizer=optax.sgd(1.0), aggregator=mean()
        )
        weight = eta_ if eta is None else eta(eta_, beta_)
        second = beta_ if beta is None else beta(eta_, beta_)

        def step(key, state, broadcast, oracle):
            inner, u, g = state.estimator.inner, state.estimator.average, state.mirror
            j, x = oracle.draw(key), broadcast.x
            fresh = oracle.grad(j, x)
            if method.recursive:
                before = oracle.grad(j, inner.previous) if old is None else old(oracle, key, inner)
                v = fresh + (1 - weight) * (inner.estimate - before)
                inner = StormState(v, x if keep is None else inner.previous)
            else:
                v = (1 - weight) * inner.average + weight * fresh
                inner = AveragedState((), v)
            u = (1 - second) * u + second * v
            what = u - g if compressed is None else compressed(u, g, v)
            message = compressor.compress(key, what)
            mirror = g + compressor.decompress(message) if sent is None else sent(g, message)
            return ErrorFeedbackState(AveragedState(inner, u), mirror), message

        return algorithm._replace(worker=Worker(algorithm.worker.init, step))

    return maker


def stored(oracle, key, inner):
    """The gradient that was computed a round ago, on the sample of that round."""
    return oracle.grad(0, inner.previous)


WRONG = {
    # The old sample is that of the last round: v is then s(x⁺; ξ) for ever.
    "stored gradient": (RECURSIVE, {"old": stored}),
    "new sample at the old point": (
        RECURSIVE,
        {"old": lambda oracle, key, inner: oracle.grad(oracle.draw(key), inner.previous)},
    ),
    "full gradient at the old point": (
        RECURSIVE,
        {"old": lambda oracle, key, inner: oracle.full(inner.previous)},
    ),
    "old point not moved": (RECURSIVE, {"keep": True}),
    "1-eta dropped": (RECURSIVE, {"eta": lambda eta, beta: 0.0}),
    "eta for 1-eta": (RECURSIVE, {"eta": lambda eta, beta: 1 - eta}),
    "eta for 1-eta, momentum": (MOMENTUM, {"eta": lambda eta, beta: 1 - eta}),
    "eta and beta exchanged": (
        RECURSIVE,
        {"eta": lambda eta, beta: beta, "beta": lambda eta, beta: eta},
    ),
    "eta and beta exchanged, momentum": (
        MOMENTUM,
        {"eta": lambda eta, beta: beta, "beta": lambda eta, beta: eta},
    ),
    "one parameter": (MOMENTUM, {"beta": lambda eta, beta: eta}),
    "one momentum": (MOMENTUM, {"beta": lambda eta, beta: 1.0}),
    "u compressed": (MOMENTUM, {"compressed": lambda u, g, v: u}),
    "v - g compressed": (MOMENTUM, {"compressed": lambda u, g, v: v - g}),
    "state not updated": (MOMENTUM, {"sent": lambda g, message: g}),
    "state without the old one": (
        MOMENTUM,
        {"sent": lambda g, message: jnp.zeros_like(g).at[message.indices].set(message.values)},
    ),
}


def error(claim):
    (check,) = claim.checks
    return check(claim, FEW)


def at_one_instance(claim):
    """The relative error at one random instance, without compiling the whole."""
    (family,) = claim.families
    return float(measure(claim, family.make(jax.random.normal(jax.random.key(3), (family.size,)))))


@pytest.mark.parametrize("method", [MOMENTUM, RECURSIVE], ids=lambda method: method.name)
def test_the_shipped_worker_does_what_the_recursion_says(method):
    report = error(code_matches(method))
    assert report.status is Status.SEARCHED
    assert report.tightness < ROUNDING


@pytest.mark.parametrize("method", [MOMENTUM, RECURSIVE], ids=lambda method: method.name)
def test_the_hand_written_worker_is_right_when_no_line_is_replaced(method):
    assert at_one_instance(code_matches(method, written(method))) < ROUNDING


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_error_is_flagged(name):
    method, lines = WRONG[name]
    # The wrong moments are off by a part of their size, not by rounding.
    assert at_one_instance(code_matches(method, written(method, **lines))) > 1e-2


def test_a_planted_error_is_reported_as_a_suspected_violation():
    method, lines = WRONG["stored gradient"]
    report = error(code_matches(method, written(method, **lines)))
    assert report.status is Status.INCONCLUSIVE
    assert "suspected violation" in report.evidence


def test_the_ratio_of_the_recursive_estimate_never_exceeds_one_and_comes_close():
    """Objection: variance that grows after compression and aggregation. It does not."""
    report = searched()(code_ratio(), FEW)
    assert report.status in (Status.TIGHT, Status.SEARCHED)
    assert 0.99 < report.tightness <= 1 + 1e-9  # the bound is attained in the limit


def test_the_ratio_sees_a_wrong_estimate():
    method, lines = WRONG["new sample at the old point"]
    assert searched()(code_ratio(written(method, **lines)), FEW).tightness > 1.05


def test_stored_gradients_never_average():
    """From v = s at the start, v is the last sampled gradient for ever (induction)."""
    eta, key = 0.25, jax.random.key(0)
    gradients = jax.random.normal(key, (20, 3))  # s(xᵗ; ξᵗ)
    v = gradients[0]
    for before, now in itertools.pairwise(gradients):
        v = now + (1 - eta) * (v - before)
        assert jnp.abs(v - now).max() == 0
