"""The effect report: what differs, and a warning where nothing does."""

import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.attacks import forged, no_attack
from jaxbyz.core import Attack
from jaxbyz.effects import effect

PROBLEM = jb.problems.quadratics(honest=5, byzantine=2, dimension=3, seed=0)


def descent(aggregator, step=0.1):
    return jb.robust_sgd(optimizer=optax.sgd(step), aggregator=aggregator)


def test_numbers_of_the_first_round():
    # The mean of n rows moves by f/n of what every Byzantine row does, the model by step times it.
    lie = forged("constant", lambda honest: 0 * honest[0] + 100.0)
    report = effect(descent(jb.mean()), PROBLEM, lie, rounds=3)
    assert all(values.shape == (3,) for values in report[:5])
    assert report.kept is None
    moved = report.aggregate[0] * 7
    assert moved <= report.rows[0] * 2**0.5 * (1 + 1e-5)  # the triangle inequality; float32
    assert moved > 0.9 * report.rows[0]
    assert report.model[0] == pytest.approx(0.1 * report.aggregate[0], rel=1e-5)
    assert (report.error > report.error_without).all()


def test_it_is_the_run_of_train():
    rule = jb.trimmed_mean(f=2)
    report = effect(descent(rule), PROBLEM, jb.sign_flip(), rounds=4, seed=3)
    ends = [
        jb.train(
            descent(rule), PROBLEM, attack=attack, rounds=4, seeds=[3], progress=False
        ).parameters[0]
        for attack in (jb.sign_flip(), None)
    ]
    apart = np.linalg.norm(ends[0] - ends[1])
    assert report.model[-1] == pytest.approx(apart, rel=1e-4)  # a difference in float32


def test_how_often_byzantine_rows_are_kept():
    far = forged("far", lambda honest: 0 * honest[0] + 1e4)
    with pytest.warns(UserWarning, match="the aggregates do not"):  # the rule did its work
        report = effect(descent(jb.krum(f=2)), PROBLEM, far, rounds=3)
    assert report.kept.tolist() == [0, 0, 0]
    middle = forged("middle", lambda honest: honest.mean(axis=0))
    report = effect(descent(jb.krum(f=2)), PROBLEM, middle, rounds=3)
    assert report.kept.tolist() == [0.5, 0.5, 0.5]  # one row of two


def test_an_attack_that_is_bypassed_is_warned_of():
    bypassed = Attack("label map that is not used", no_attack().init, None, lambda data: data)
    with pytest.warns(UserWarning, match="'label map.*no effect on .* in 2 rounds with 2 .* rows"):
        report = effect(descent(jb.mean()), PROBLEM, bypassed, rounds=2)
    assert not report.model.any()


def test_rows_that_reach_no_aggregate_are_warned_of():
    still = jb.forged("huge", lambda honest: 0 * honest[0] + 1e4)
    first = jb.stateless(lambda rows: rows[0])
    with pytest.warns(UserWarning, match="its rows differ, but the aggregates do not"):
        report = effect(descent(first), PROBLEM, still, rounds=2)
    assert (report.rows > 1e4).all()


@pytest.mark.parametrize(("rounds", "seed", "name"), [(0, 0, "rounds"), (1, -1, "seed")])
def test_bad_arguments_are_refused(rounds, seed, name):
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        effect(descent(jb.mean()), PROBLEM, jb.sign_flip(), rounds=rounds, seed=seed)
