"""Instances beside certificates: their ratio is that of the definition, and wrong ones exceed 1."""

import copy
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.audit import CLAIMS
from jaxbyz.theory.checker.certificates import read, rosdhb
from jaxbyz.theory.engines import instances as engine
from jaxbyz.theory.engines.instances import worst_instances
from jaxbyz.theory.proofs.statements import proved_claim
from jaxbyz.theory.rosdhb import instances
from jaxbyz.theory.subjects import Certificate

pytestmark = pytest.mark.usefixtures("x64")
FEW = Budget(starts=8, steps=150)
CERTIFICATES = [c for c in CLAIMS if isinstance(c.subject, Certificate)]
OF_ROSDHB = [c for c in CERTIFICATES if c.subject.record["method"] == rosdhb.NAME]


@pytest.fixture(autouse=True)
def two_sizes(monkeypatch):
    """The third takes half of the compiling."""
    monkeypatch.setattr(engine, "SIZES", engine.SIZES[:2])


@pytest.mark.parametrize("claim", CERTIFICATES, ids=lambda claim: claim.key)
def test_no_instance_uses_more_than_was_proved(claim):
    report = worst_instances(claim, FEW)
    assert report.status is Status.SEARCHED
    # The least share that was found is 0.80; GD with γL ≤ 29/20 is stated for its step size alone.
    assert (0.75 if claim in OF_ROSDHB else 0) < report.tightness <= 1


def altered(claim, part, name, by):
    record = copy.deepcopy(dict(claim.subject.record))
    old = record[part][name]
    record[part][name] = (
        [str(Fraction(text) * by) for text in old] if isinstance(old, list)
        else str(Fraction(old) * by)
    )  # fmt: skip
    return proved_claim("wrong", record)


WRONG = {
    "C": ("constants", "C", Fraction(3, 4)),
    "b0": ("multipliers", "b0", Fraction(1, 2)),
    "p12": ("multipliers", "p12", Fraction(-1)),
    "p11": ("multipliers", "p11", Fraction(1, 4)),
    "cf": ("multipliers", "cf", Fraction(1, 2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_certificates_are_exceeded(name):
    (claim,) = (c for c in OF_ROSDHB if c.subject.name == "rosdhb-c60-a24-w1_7")
    report = worst_instances(altered(claim, *WRONG[name]), FEW)
    assert report.tightness > 1, report
    assert "suspected violation" in report.evidence


def direct(given, z, d, k):
    """(E V⁺ - V)/γ + ‖g‖² over C at e = 0, from V itself: for γ that are not small."""
    c, coupling, w, floor = np.asarray(given.constants)
    scalars, rest = z[:4], z[4:]
    matrix, g, m, spread, difference = np.split(rest, np.cumsum([d * d, d, d, 3 * d]))
    x = 1 / (1 + np.exp(-scalars[0] - 2))
    gamma, alpha = x * k / (c * d), d / k
    beta = np.sqrt(1 - coupling * gamma)
    matrix = matrix.reshape(d, d)
    skew = matrix - matrix.T
    basis = np.linalg.inv(np.eye(d) + skew) @ (np.eye(d) - skew)
    hessian = basis @ np.diag(np.tanh(matrix[0])) @ basis.T
    mu, nu = (rows.reshape(3, d) - rows.reshape(3, d).mean(0) for rows in (spread, difference))
    nu = nu * np.sqrt((1 + w * g @ g) / (nu**2).sum(1).mean())
    cf, p11, p12, p22, b0 = np.asarray(given.rows) @ np.array([1, x, k / d])

    def potential(loss, m, g, mu):
        inner = p11 * m @ m + 2 * p12 * m @ g + p22 * g @ g
        return cf * loss + inner + b0 * (mu**2).sum(1).mean()

    total = 0.0
    for one in range(d):  # k = 1
        mask = alpha * np.eye(d)[one]
        fresh = beta * m + (1 - beta) * mask * g
        loss = -gamma * g @ fresh + gamma**2 / 2 * fresh @ hessian @ fresh
        now = g - gamma * hessian @ fresh
        total += potential(loss, fresh, now, beta * mu + (1 - beta) * mask * nu) / d
    return ((total - potential(0.0, m, g, mu)) / gamma + g @ g) / floor


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_ratio_is_that_of_its_definition(d):
    _, constants, rows = read(OF_ROSDHB[0].subject.record)
    given = instances.weights_of(constants, rows)
    for z in np.random.default_rng(d).normal(size=(5, instances.size(d))):
        still = lambda excess, d, radius: excess(jnp.zeros(d))  # noqa: E731
        ours = instances.ratio(given, jnp.asarray(z), d, 1, still)
        # (V⁺ - V)/γ loses digits like 1/γ, here below 100.
        np.testing.assert_allclose(ours, direct(given, z, d, 1), rtol=1e-9)
    assert jax.config.jax_enable_x64
