"""A hypothesis that is taken out of a claim is missed; so is one that is added."""

import dataclasses

import pytest

from jaxbyz.theory import Budget, Hypothesis, Status
from jaxbyz.theory.assumptions import ASSUMED, difference
from jaxbyz.theory.audit import CLAIMS, audit
from jaxbyz.theory.engines import sampled
from jaxbyz.theory.rosdhb import lemmas

HAVING = {claim.key: claim for claim in CLAIMS if claim.hypotheses}


def test_every_claim_assumes_what_it_must():
    assert set(HAVING) == set(ASSUMED)
    assert {key: difference(claim) for key, claim in HAVING.items()} == dict.fromkeys(HAVING, "")
    assert not any(difference(claim) for claim in CLAIMS)


@pytest.mark.parametrize("key", HAVING)
def test_each_hypothesis_is_missed(key):
    claim = HAVING[key]
    for one in claim.hypotheses:
        rest = tuple(other for other in claim.hypotheses if other is not one)
        assert difference(dataclasses.replace(claim, hypotheses=rest)) == f"without {one.name}"


def test_one_more_is_told_too():
    more = Hypothesis("the moon is full", lambda instance: 1.0)
    for claim in (HAVING["rosdhb/L4"], next(c for c in CLAIMS if not c.hypotheses)):
        wrong = dataclasses.replace(claim, hypotheses=(*claim.hypotheses, more))
        assert difference(wrong) == "with the moon is full"


@pytest.mark.usefixtures("x64")
def test_the_audit_reports_it():
    claim = lemmas.descent()
    wrong = dataclasses.replace(claim, hypotheses=claim.hypotheses[:-1])
    few = Budget(random=5)
    engines = lambda claim: (sampled(),)  # noqa: E731
    right, found = audit([claim, wrong], few, engines=engines)
    assert not right.suspected
    assert found.suspected
    assert found.reports[-1].status is Status.INCONCLUSIVE
    assert "its hypotheses are without L_H is L-smooth" in found.reports[-1].evidence
