"""The shipped workers against the recursions, by enumeration; wrong workers are flagged."""

import itertools

import jax
import jax.numpy as jnp
import pytest
from mutants.workers import WRONG, written

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.byz_dm21.implementation import code_matches, code_ratio
from jaxbyz.theory.byz_dm21.weights import MOMENTUM, RECURSIVE
from jaxbyz.theory.engines import engines_for, largest_ratio, searched

pytestmark = pytest.mark.usefixtures("x64")

FEW = Budget(random=50, starts=4, steps=150)
ROUNDING = 1e-12  # sums of squares of some hundred terms, relative


def error(claim):
    (engine,) = engines_for(claim)
    return engine(claim, FEW)


def at_one_instance(claim):
    """The relative error at one random instance, without compiling the whole."""
    (family,) = claim.families
    return float(
        largest_ratio(claim, family.make(jax.random.normal(jax.random.key(3), (family.size,))))
    )


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
    assert report.status is Status.SEARCHED
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
