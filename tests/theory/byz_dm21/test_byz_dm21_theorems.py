"""Closed forms against weights, corollaries against theorems, bounds against exact averages."""

import pytest

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.byz_dm21 import simplified
from jaxbyz.theory.byz_dm21.theorems import (
    average_1,
    average_2,
    corollary_claim,
    theorem_claim,
)
from jaxbyz.theory.engines import sampled, searched

pytestmark = pytest.mark.usefixtures("x64")

FEW = Budget(random=4000, starts=8, steps=200)
CLAIMS = [
    *(theorem_claim(row) for row in (1, 2, 3, 4)),
    *(corollary_claim(number) for number in (1, 2, 3)),
    average_1(),
    average_2(),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_no_violation_at_random_points(claim):
    report = sampled()(claim, FEW)
    assert report.status is Status.SEARCHED, str(report)
    # The closed forms waste no more than a factor of two, the bounds no more than one of ten.
    assert report.tightness > (0.1 if claim.name.startswith("A") else 0.5)


@pytest.mark.parametrize(
    "claim",
    [pytest.param(c, marks=[] if c.name == "A2" else pytest.mark.long) for c in CLAIMS],
    ids=lambda claim: claim.name,
)
def test_no_violation_is_found_by_search(claim):
    report = searched()(claim, FEW)
    assert report.status is Status.SEARCHED, str(report)
    assert not report.tight
    if claim.name == "A2":  # the bound on averages is attained, near enough
        assert report.tightness > 0.9


WRONG = {
    "T1, gamma": theorem_claim(1, step=lambda n: 4 * simplified.step_1(n.point, n.eta)),
    "T1, K lost": theorem_claim(
        1, noise=lambda n: simplified.noise_1(n.point._replace(kappa=0 * n.eta), n.eta) / 2
    ),
    "T1, start": theorem_claim(1, start=lambda n: simplified.start(n.point, n.eta, 1) / 3),
    "T2, noise without eta^2": theorem_claim(
        2, noise=lambda n: 48 * n.eta * n.point.share * n.point.noise_variance / 2
    ),
    "T2, beta for sqrt(eta)": theorem_claim(
        2, step=lambda n: 17 * simplified.step_2(n.point, n.beta, n.beta)
    ),
    "T3, gamma": theorem_claim(3, step=lambda n: 4 * simplified.step_3(n.point, n.eta)),
    "T4, mu forgotten": theorem_claim(
        4, step=lambda n: 4 * simplified.step_4(n.point, n.eta, n.beta, 1e-6 * n.mu)
    ),
    "C1, k for sqrt(k)": corollary_claim(
        1, lambda p, t, d: simplified.corollary_bound_1(p, t, d) / 1.5
    ),
    "C2, order T^-1": corollary_claim(2, lambda p, t, d: simplified.corollary_bound_2(p, t * 4, d)),
    "A2, less than half": average_2(0.4),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_constant_is_found(name):
    report = sampled()(WRONG[name], FEW)
    assert report.status is Status.INCONCLUSIVE, str(report)
    assert report.tightness > 1.001
