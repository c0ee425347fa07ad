"""Theorem C: stored certificates are proved, their identity holds, and wrong ones do not pass."""

import json
import math
from fractions import Fraction

import pytest
from lengths import often

import jaxbyz.theory.proofs as proofs
from jaxbyz.theory import Budget, Status
from jaxbyz.theory.checker import certificates
from jaxbyz.theory.engines import engines_for
from jaxbyz.theory.proofs import second
from jaxbyz.theory.proofs.statements import proved_claim
from jaxbyz.theory.proofs.wanted import FOLDER
from jaxbyz.theory.rosdhb import identity, proved, theorem_a, theorem_b, theorem_c

STORED = dict(proofs.stored())
KAPPA = {"kappa": 1 / 8, "b_squared": 1.0, "g_squared": 1.0}


def test_the_certificates_of_the_package_are_those_that_are_wanted():
    assert set(STORED) == {wanted.name for wanted in proofs.WANTED}
    for wanted in proofs.WANTED:
        _, constants, _ = certificates.read(STORED[wanted.name])
        assert wanted.constants.items() <= constants.items()
    assert all(path.stat().st_size < 4000 for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("name", STORED)
def test_stored_certificates_are_proved(name):
    engine, *_ = engines_for(proved_claim(name, STORED[name]))
    report = engine(proved_claim(name, STORED[name]), Budget())
    assert report.status is Status.PROVED
    assert report.exact


def test_no_proved_floor_is_below_what_stands_still():
    # An instance that never moves has ‖∇L_H‖² = κG²/(1-κB²).
    for one in proved.certificates():
        assert one.floor >= 1 / (1 - one.kappa_b_squared)
        assert one.rate(Fraction(1), Fraction(1, 2)) >= 1


def test_floors_that_are_promised():
    floors = {
        (one.c, one.coupling, one.kappa_b_squared): one.floor for one in proved.certificates()
    }
    seventh = Fraction(1, 7)
    assert floors[23200, 24, seventh] <= Fraction(121, 100)
    assert floors[60, 24, seventh] <= Fraction(175, 100)


def test_gradient_descent_has_its_closed_form():
    # 1/(1-w) with all γL ≤ 1, and nearly the largest step size 2/(1+√w); no more is proved.
    record = STORED["gradient_descent-reach1-w1_7"]
    assert Fraction(record["constants"]["C"]) < Fraction(7, 6) * Fraction(1001, 1000)
    for constant, value in (("C", "7/6"), ("reach", "11/10"), ("kappa_b_squared", "1/6")):
        wrong = json.loads(json.dumps(record))
        wrong["constants"][constant] = value
        assert not certificates.prove(wrong).proved
    record = json.loads(json.dumps(STORED["gradient_descent-reach29_20-w1_7"]))
    record["constants"]["reach"] = "146/100"
    assert not certificates.prove(record).proved


def test_the_least_c_is_proved():
    # β² = 1-24γL ≥ 0 for every k/d needs c ≥ 24; the published c is 23200.
    least = min(one.c for one in proved.certificates() if one.coupling == 24)
    assert least == 24
    record = json.loads(json.dumps(STORED["rosdhb-c24-a24-w1_7"]))
    record["constants"]["c"] = "23"
    assert certificates.prove(record).sentence == "0 < coupling ≤ c does not hold"


def test_a_rejected_certificate_proves_nothing():
    record = json.loads(json.dumps(STORED["rosdhb-c23200-a24-w1_7"]))
    record["constants"]["C"] = "11/10"
    claim = proved_claim("lower", record)
    engine, *_ = engines_for(claim)
    report = engine(claim, Budget())
    assert report.status is Status.INCONCLUSIVE
    assert "is rejected: matrix" in report.evidence


# ---- theorem_c ---------------------------------------------------------------------------------


def test_theorem_c_needs_fewer_rounds_than_the_others_for_a_lower_floor():
    c, b = theorem_c(2.0, 0.1, **KAPPA), theorem_b(2.0, 0.1, **KAPPA)
    assert c.lowest < b.lowest
    assert c.rounds(b.lowest + 1.0, gap=3.0) * 3 < b.rounds(b.lowest + 1.0, gap=3.0)
    old, new = (theorem(2.0, 0.1, c=23200, **KAPPA) for theorem in (theorem_a, theorem_c))
    assert new.step_size == pytest.approx(old.step_size, rel=1e-15)
    assert new.momentum == pytest.approx(old.momentum, rel=1e-15)
    assert new.floor < old.floor / 2
    assert new.rate < old.rate


def test_parameters_are_those_of_the_certificate():
    promise = theorem_c(4.0, 0.25, c=60, **KAPPA)
    assert promise.step_size == pytest.approx(0.25 / (60 * 4), rel=1e-15)
    assert promise.momentum**2 == pytest.approx(1 - 24 * 0.25 / 60, rel=1e-14)
    assert promise.momentum + promise.one_minus_momentum == pytest.approx(1, rel=1e-15)
    smaller = theorem_c(4.0, 0.25, c=60, step_size=1e-4, **KAPPA)
    assert smaller.step_size == 1e-4
    assert smaller.momentum == pytest.approx(math.sqrt(1 - 24 * 4e-4), rel=1e-14)
    assert smaller.floor == promise.floor
    assert set(promise.arguments()) == {"optimizer", "ratio", "one_minus_momentum"}


def test_the_certificate_is_one_for_this_heterogeneity():
    small = theorem_c(1.0, 0.1, kappa=0.04, b_squared=1 / 2, g_squared=1.0)
    large = theorem_c(1.0, 0.1, kappa=0.5, b_squared=1.0, g_squared=1.0)
    assert small.floor < large.floor
    assert small.theorem.endswith("w1_25)")
    assert large.theorem.endswith("w1_2)")


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"smoothness": 0.0}, "smoothness"),
        ({"ratio": 1.5}, "ratio"),
        ({"kappa": -1.0}, "kappa"),
        ({"kappa": 0.6}, r"kappa b_squared must be <= 1/2, got 0\.6"),
        ({"c": 61}, r"c must be one of \[.*60\.0.*\], got 61"),
        ({"step_size": 1.0}, "step_size"),
        ({"step_size": 0.0}, "step_size"),
    ],
)
def test_wrong_arguments(wrong, match):
    with pytest.raises(ValueError, match=match):
        theorem_c(**({"smoothness": 1.0, "ratio": 0.1} | KAPPA | wrong))


# ---- the identity ------------------------------------------------------------------------------


def test_the_identity_holds_exactly():
    claim = identity.identity_claim()
    engine, *_ = engines_for(claim)
    report = engine(claim, Budget())
    assert report.status is Status.CERTIFIED
    assert report.tightness == 1


ENTRIES = [("Q", i, j) for i in range(5) for j in range(i, 5)] + [
    ("Z", 0, 0), ("Z", 0, 1), ("Z", 1, 1)
]  # fmt: skip


@pytest.mark.parametrize("entry", often({str(e): e for e in ENTRIES}, ("('Q', 0, 4)",)))
def test_every_entry_is_needed(entry):
    key, i, j = dict((str(e), e) for e in ENTRIES)[entry]
    one = identity.Exact(Fraction(1, 1000))
    wrong = identity.changed(key, i, j, lambda part, given: part + one)
    left, right = identity.both_sides(identity.instance(4, 1, 0), wrong)
    # Products of noise with what is fixed vanish in the mean: any multiplier of them is right.
    assert (left == right) is ((key, i, j) in {("Q", 0, 2), ("Q", 1, 2)})


def test_roots_of_fractions_are_exact_or_errors():
    with pytest.raises(ValueError, match="square of a fraction, got 1/2"):
        identity.Exact(Fraction(1, 2)).root()


# ---- a second verifier --------------------------------------------------------------------------


def test_another_verifier_agrees():
    pytest.importorskip("flint", reason="the extra proof is not installed")
    for record in STORED.values():
        if record["method"] not in ("rosdhb", "rosdhb_local"):
            continue
        assert second.proved(record)
        # Another c than its own: one between 8 and 12 would be smaller a box that is proved, too.
        lower = "12" if Fraction(record["constants"]["c"]) > 12 else "5"
        for constant, value in (("C", "101/100"), ("c", lower), ("kappa_b_squared", "9/10")):
            wrong = json.loads(json.dumps(record))
            wrong["constants"][constant] = value
            assert not second.proved(wrong, most_boxes=300)
            assert not certificates.prove(wrong, most_boxes=300).proved


# ---- search ------------------------------------------------------------------------------------


def test_the_search_returns_what_the_verifier_has_accepted():
    pytest.importorskip("cvxpy", reason="the extra sdp is not installed")
    constants = {"c": Fraction(2000), "coupling": Fraction(24), "kappa_b_squared": Fraction(1, 7)}
    found = proofs.find("rosdhb", constants, slack=Fraction(1, 10))
    assert found is not None
    assert certificates.prove(found.record).proved
    # Nothing can be below κG²/(1-κB²).
    assert proofs.find("rosdhb", constants | {"C": Fraction(116, 100)}) is None
