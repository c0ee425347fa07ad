"""Adversaries of the one-step claims: allowed, as strong as they should be, and named."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.audit import CLAIMS
from jaxbyz.theory.byz_dm21 import MOMENTUM, direction, lyapunov
from jaxbyz.theory.byz_dm21 import adversaries as byz
from jaxbyz.theory.byz_dm21 import descent as byz_descent
from jaxbyz.theory.byz_dm21.states import dispersion
from jaxbyz.theory.engines import Reach, engines_for, fixed, largest_ratio, worst_adversary
from jaxbyz.theory.engines.judge import failed_hypothesis
from jaxbyz.theory.rosdhb import adversaries, lemmas
from jaxbyz.theory.rosdhb.certificate import linear_kappa
from jaxbyz.theory.rosdhb.lyapunov import Planted, first_form, second_form
from jaxbyz.theory.rosdhb.states import bound_terms, mean_square

pytestmark = pytest.mark.usefixtures("x64")

BUDGET = Budget(starts=6, steps=80)
PLAYED = {  # claims of an error of the rule, with what puts an error into an instance
    "L4": (lemmas.descent(), adversaries.ADVERSARIES.by_name, adversaries.with_error),
    "L6": (first_form(), adversaries.ADVERSARIES.by_name, adversaries.with_error),
    "L6'": (second_form(), adversaries.ADVERSARIES.by_name, adversaries.with_error),
    "L2, DM21": (direction(), byz.BY_NAME, lambda state, e: state._replace(error=e)),
    "L3, DM21": (byz_descent(), byz.BY_NAME, lambda state, e: state._replace(error=e)),
}


def instances_of(claim, seeds=range(6)):
    family = claim.families[0]
    for seed in seeds:
        yield family.make(2 * jax.random.normal(jax.random.key(seed), (family.size,)))


def points(reach):
    """The centre and the ends of random ways through the ball of t."""
    ts = jax.random.normal(jax.random.key(7), (20, reach.span.shape[0]))
    ts = ts / jnp.linalg.norm(ts, axis=1, keepdims=True)
    return jnp.concatenate([reach.centre[None], reach.centre + ts @ reach.span])


@pytest.mark.parametrize("name", PLAYED)
def test_whatever_an_adversary_does_is_within_the_hypotheses(name):
    claim, players, replace = PLAYED[name]
    for state in instances_of(claim):
        for player in players.values():
            reach = player(state)
            for error in points(reach):
                assert failed_hypothesis(claim, replace(reach.instance, error)) is None


def test_linear_errors_are_those_of_linear_rules():
    for state in instances_of(first_form()):
        h, kappa = len(state.spread), state.parameters.kappa
        t = jax.random.normal(jax.random.key(1), (h,))
        t = t - t.mean()
        weights = 1 / h + jnp.sqrt(kappa / h) * t / jnp.linalg.norm(t)
        assert float(linear_kappa(weights)) == pytest.approx(float(kappa), rel=1e-12)
        reach = adversaries.linear(state)
        np.testing.assert_allclose(
            reach.centre + t / jnp.linalg.norm(t) @ reach.span,
            weights @ state.spread,
            atol=1e-12 * float(jnp.abs(weights).max() * jnp.abs(state.spread).max()),
        )


def test_the_stall_stands_still_and_uses_its_whole_ball():
    for state in instances_of(first_form()):
        stall = adversaries.stalled(state)
        state = adversaries.with_error(stall.instance, stall.centre)
        size = float(jnp.abs(state.error).max())
        np.testing.assert_allclose(state.aggregate, 0, atol=1e-14 * size)
        allowed = state.parameters.kappa * mean_square(state.spread)
        assert float((state.error**2).sum()) == pytest.approx(float(allowed), rel=1e-12)
        # ‖∇‖² = κ(G² + B²‖∇‖²): the floor κG²/(1-κB²).
        kappa, b_squared = state.parameters.kappa, state.parameters.b_squared
        floor = kappa * state.g_squared / (1 - kappa * b_squared)
        assert float((state.gradient**2).sum()) == pytest.approx(float(floor), rel=1e-9)


def test_the_stall_of_double_momentum_has_the_floor():
    for state in instances_of(direction()):
        stall = byz.stalled(state)
        state = stall.instance._replace(error=stall.centre)
        assert float((state.error**2).sum()) == pytest.approx(1, rel=1e-12)
        square = float((state.gradients.mean(axis=0) ** 2).sum())
        assert square == pytest.approx(float(state.kappa * dispersion(state.gradients)), rel=1e-12)
        # Nothing of the bound but the neighbourhood is left: 1/(1+θ)² of it.
        ratio = float(largest_ratio(direction(), state))
        assert ratio == pytest.approx(float(1 / (1 + state.theta) ** 2), rel=1e-12)


@pytest.mark.parametrize("name", often(PLAYED, ("L4",)))
def test_no_error_of_the_ball_is_worse_than_the_one_found(name):
    """left - right of the played instance against every error on a circle of the same state."""
    claim, players, replace = PLAYED[name]
    one = Budget(starts=1, steps=2)
    player = players["ball"]
    check = worst_adversary({"ball": player}, replace, lambda state: state.error)
    found = check(claim, one).instance
    reach = player(found)

    def excess(error):
        left, right = claim.sides(replace(found, error))
        return left - right

    angle = jnp.linspace(0, 2 * jnp.pi, 721)
    circle = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1) @ reach.span
    others = jax.vmap(excess)(jnp.concatenate([share * circle for share in (1.0, 0.7, 0.3)]))
    size = float(jnp.abs(others).max())
    assert float(excess(found.error)) >= float(others.max()) - 1e-9 * size


@pytest.mark.parametrize("name", often(PLAYED, ("L4",)))
def test_the_claim_holds_against_all_of_them_and_the_worst_is_named(name):
    claim, players, _ = PLAYED[name]
    report = engines_for(claim)[-1](claim, BUDGET)
    assert report.engine == "adversaries"
    assert report.status is Status.SEARCHED, report
    assert 0.9 < report.tightness <= 1 + 1e-9
    assert report.adversary in players
    said = report.evidence.split(";")[0].split(", ")
    assert {part.split()[0] for part in said} == {*players, "search"}
    assert said[0].startswith(report.adversary)
    assert failed_hypothesis(claim, report.instance) is None


WRONG = {
    "L4": lambda: lemmas.descent(power=0.95),
    "L6": lambda: first_form(Planted(floor=0.5)),
    "L7-DM": lambda: lyapunov(MOMENTUM, 300.0),
}


@pytest.mark.parametrize("name", often(WRONG, ("L4",)))
def test_a_wrong_claim_is_refuted_by_them(name):
    claim = WRONG[name]()
    assert engines_for(claim)[-1](claim, BUDGET).status is Status.REFUTED


@pytest.mark.long
def test_the_stall_alone_finds_a_floor_that_is_too_small():
    """The second form with half the floor, against the stall and nothing else."""
    claim = dataclasses.replace(second_form(Planted(floor=0.5)), recheck=None)
    check = worst_adversary(
        {"stall": adversaries.stalled}, adversaries.with_error, lambda state: state.error
    )
    report = check(dataclasses.replace(claim, families=claim.families[1:]), BUDGET)
    assert "suspected violation" in report.evidence
    assert report.adversary == "stall"
    floor = bound_terms(report.instance.parameters)[2]
    assert float(floor) > 0


def test_adversaries_of_different_reach_are_told_apart():
    """One that can do nothing, and one on a line through another centre."""
    claim = lemmas.descent()

    def still(state):
        return fixed(state, 0 * state.error)

    def line(state):
        return Reach(state, 0 * state.error, adversaries.ball(state).span[:1])

    check = worst_adversary(
        {"still": still, "line": line}, adversaries.with_error, lambda state: state.error
    )
    report = check(claim, Budget(starts=2, steps=2))
    assert report.adversary == "line"
    assert float(report.instance.error[1]) == 0


def test_every_inequality_of_the_aggregate_meets_all_adversaries():
    against = {
        claim.key
        for claim in CLAIMS
        if any("worst_adversary" in engine.__qualname__ for engine in engines_for(claim))
    }
    assert against == {
        "rosdhb/L4", "rosdhb/L5/linear", "rosdhb/L5/trimmed", "rosdhb/L6", "rosdhb/L6'",
        "byz_dm21/L2", "byz_dm21/L3", "byz_dm21/L7-DM", "byz_dm21/L7-VR", "byz_dm21/L7-DM-full",
        "byz_dm21/L7-DM-PL", "byz_dm21/L7-VR-PL",
    }  # fmt: skip
