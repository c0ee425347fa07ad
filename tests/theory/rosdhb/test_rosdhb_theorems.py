import numpy as np
import pytest

from jaxbyz.theory import Budget, Provenance, Status
from jaxbyz.theory.engines import engines_for, gridded, sampled
from jaxbyz.theory.rosdhb import CLAIMS, constants, theorems

pytestmark = pytest.mark.usefixtures("x64")
BUDGET = Budget(random=300, starts=12, steps=60)


def test_all_claims_are_told_apart_and_labelled():
    keys = [claim.key for claim in CLAIMS]
    assert len(keys) == len(set(keys))
    papers = [claim.name for claim in CLAIMS if claim.provenance is not Provenance.DERIVED]
    assert papers == ["paper/1", "paper/1/setting"]
    assert all(engines_for(claim) for claim in CLAIMS)


@pytest.mark.parametrize("claim", constants.CONSTANTS, ids=lambda claim: claim.name)
def test_constants(claim):
    for engine in engines_for(claim)[
        :2
    ]:  # samples and grid; the search is a long version of the grid
        assert engine(claim, BUDGET).status is Status.SEARCHED


@pytest.mark.parametrize(
    "claim",
    [
        constants.constants_a("N", first=140.0),
        constants.constants_a("N", second=11.9),
        constants.constants_a("N", least_c=10.0),
        constants.constants_b("N", first=0.33),
        constants.constants_b("N", second=2.49),
        constants.table_a([(24, 83.9, 115.5)]),
    ],
    ids=["144", "12", "c", "1/3", "5/2", "84"],
)
def test_wrong_constants_are_noticed(claim):
    assert engines_for(claim)[:2][-1](claim, BUDGET).status is Status.INCONCLUSIVE


def test_theorem_b_needs_its_range_of_kappa_b_squared():
    # (c2') holds with room at κB² ≤ 1/7 and fails nowhere up to 4/15 either.
    for most, limit in ((1 / 7, 0.84), (4 / 15, 1.0)):
        report = gridded()(constants.constants_b_doubled(most), BUDGET)
        assert report.tightness < limit


@pytest.mark.parametrize(
    "make",
    [
        theorems.master,
        theorems.measured,
        theorems.theorem_a_runs,
        theorems.theorem_b_runs,
        pytest.param(theorems.corollary, marks=pytest.mark.long),
    ],
    ids=lambda make: make.__name__,
)
def test_theorems_on_exact_runs(make):
    claim = make(rounds=32)
    report = sampled()(claim, BUDGET)
    assert report.status is Status.SEARCHED
    assert report.tightness > 0.05  # not an empty statement


def test_a_bound_that_is_too_small_is_noticed():
    # Runs that hardly move use most of the bound: 2(1+Aβ²)D0 against 2(L_H(θ_T)-L_*).
    report = sampled()(theorems.master(rounds=32, power=0.8), BUDGET)
    assert report.status is Status.INCONCLUSIVE


def test_stall():
    claim = theorems.stall()
    assert engines_for(claim)[0](claim, BUDGET).status is Status.SEARCHED


@pytest.mark.parametrize("step", [-8.0, 0.0, 8.0])
def test_roundings_of_a_stall_do_not_grow(step):
    # With unbounded step sizes the rounds after the first were those of an unstable method.
    claim = theorems.stall()
    for tilt, fresh in ((-3.0, 4.0), (3.0, 4.0), (0.0, -4.0)):
        instance = claim.families[0].make(np.array([tilt, 0.5, 1.0, step, fresh]))
        gradient, floor = claim.sides(instance)
        # 64 roundings of 1e-15, times (1 - 0.9)⁻².
        np.testing.assert_allclose(gradient, floor, rtol=1e-11)


def test_nothing_is_said_of_the_paper():
    claim = theorems.paper_theorem()
    report = engines_for(claim)[0](claim, BUDGET)
    assert report.status is Status.INCONCLUSIVE
    assert "not public" in report.evidence
    assert np.isnan(claim.sides(None)).all()
