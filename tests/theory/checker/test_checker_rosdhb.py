"""Wrong claims are refuted by files that a separate program verifies; right ones never are."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from lengths import often

from jaxbyz.theory import Budget, Status, checker, counterexamples
from jaxbyz.theory.engines import searched
from jaxbyz.theory.rosdhb.lemmas import descent, deviation_bound, drift_bound
from jaxbyz.theory.rosdhb.lyapunov import Planted, first_form, second_form

pytestmark = pytest.mark.usefixtures("x64")
BUDGET = Budget(random=200, starts=8, steps=150)
WRONG = {
    "L2<=": (drift_bound, {"power": 0.9}),
    "L3<=": (deviation_bound, {"power": 0.9}),
    "L4": (descent, {"power": 0.9}),
    "L6": (lambda **c: first_form(Planted(**c)), {"floor": 0.5}),
    "L6'": (lambda **c: second_form(Planted(**c)), {"decrease": 3.0}),
}


@pytest.mark.parametrize("name", often(WRONG, ("L4", "L6")))
def test_a_wrong_constant_is_refuted_exactly(name, tmp_path):
    make, constants = WRONG[name]
    report = searched()(make(**constants), BUDGET)
    assert report.status is Status.REFUTED, report
    stated = Planted(**constants)._asdict() if name.startswith("L6") else constants
    record = counterexamples.record_of(f"rosdhb/{name}", stated, report.instance)
    path = counterexamples.save(tmp_path / "found.json", record)
    # The program alone, what a reader would run; -I -S: no other package can be imported.
    program = Path(checker.__file__).parent
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "violated: left" in done.stdout
    # The same instance violates nothing if the claim is stated rightly.
    right = {constant: 1.0 for constant in stated}
    record = counterexamples.record_of(f"rosdhb/{name}", right, report.instance)
    verdict = checker.verify(record)
    assert verdict.failed is None
    assert not verdict.violated
    path = counterexamples.save(tmp_path / "right.json", record)
    assert checker.main([str(path)]) == 1


@pytest.mark.parametrize("name", WRONG)
def test_the_checker_and_the_claim_agree(name):
    stated = Planted()._asdict() if name.startswith("L6") else {"power": 1.0}
    claim = WRONG[name][0](**stated)
    for seed in range(3):
        family = claim.families[0]
        state = family.make(jax.random.normal(jax.random.key(seed), (family.size,)))
        left, right = claim.sides(state)
        verdict = checker.verify(counterexamples.record_of(claim.key, stated, state))
        assert verdict.failed is None
        # The verified instance has vectors shorter by 2^-36.
        size = abs(float(left)) + abs(float(right))
        assert float(verdict.left) == pytest.approx(float(left), abs=1e-8 * size)
        assert float(verdict.right) == pytest.approx(float(right), abs=1e-8 * size)


def state_of(claim, seed=0):
    family = claim.families[0]
    return family.make(jax.random.normal(jax.random.key(seed), (family.size,)))


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (lambda s: s._replace(curvature=20 * jnp.ones(2)), "L_H is L-smooth"),
        (lambda s: s._replace(difference=2 * s.difference), "(G, B)-dissimilarity"),
        (lambda s: s._replace(error=1e3 * (1 + s.error)), "error in the ball"),
        (
            lambda s: s._replace(parameters=s.parameters._replace(weight=s.parameters.x / 1e6)),
            "(c1)",
        ),
    ],
)
def test_an_instance_outside_the_hypotheses_is_no_counterexample(change, failed):
    claim = first_form(Planted(floor=0.0))
    state = change(state_of(claim))
    verdict = checker.verify(
        counterexamples.record_of(claim.key, Planted(floor=0.0)._asdict(), state)
    )
    assert verdict.failed == failed
    assert not verdict.violated


def test_files_hold_every_bit(tmp_path):
    record = counterexamples.record_of("rosdhb/L4", {"power": 1 / 3}, state_of(descent()))
    path = counterexamples.save(tmp_path / "a.json", record)
    assert json.loads(path.read_text()) == record
    assert checker.exact(record["constants"])["power"] == 1 / 3


def test_numbers_that_are_not_finite_are_no_counterexample():
    state = state_of(descent())
    for wrong in (jnp.inf, jnp.nan):
        bad = state._replace(error=state.error * wrong)
        verdict = checker.verify(counterexamples.record_of("rosdhb/L4", {"power": 0.1}, bad))
        assert verdict.failed == "all numbers are finite"
        assert not verdict.violated


def test_an_unknown_claim_is_an_error():
    with pytest.raises(ValueError, match="claim must be one of"):
        checker.verify({"claim": "rosdhb/L99", "constants": {}, "instance": {}})
