"""An instance of one momentum that stays, and the certificate of two that promises less."""

from fractions import Fraction

import pytest

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.byz_dm21 import stall
from jaxbyz.theory.checker import certificates
from jaxbyz.theory.engines import engines_for
from jaxbyz.theory.proofs import stored
from jaxbyz.theory.proofs.statements import impossible_below, proved_claim

STORED = dict(stored())


def status(claim):
    (engine,) = engines_for(claim)
    return engine(claim, Budget()).status


def test_the_instance_stays_exactly_where_its_formula_says():
    (claim,) = [one for one in stall.STALL if "one momentum" in one.name]
    (engine,) = engines_for(claim)
    report = engine(claim, Budget())
    assert report.status is Status.CERTIFIED
    assert report.tightness == 1
    for scale in (Fraction(1001, 1000), Fraction(2)):
        assert status(stall.one_momentum_claim(scale)) is Status.REFUTED


def test_the_floor_of_what_stands_still_is_exact():
    claim = stall.floor_claim()
    (engine,) = engines_for(claim)
    report = engine(claim, Budget())
    assert report.status is Status.CERTIFIED
    assert report.tightness == 1
    assert status(stall.floor_claim(Fraction(1001, 1000))) is Status.REFUTED


@pytest.mark.parametrize("name", STORED)
def test_every_certificate_says_what_is_impossible(name):
    _, constants, _ = certificates.read(STORED[name])
    least = impossible_below(constants)
    assert least <= constants["C"]
    said = proved_claim(name, STORED[name]).statement
    assert said.endswith(f"; no C < {least} is possible")


@pytest.mark.parametrize("at", stall.STALLS)
def test_no_round_changes_anything(at):
    assert 0 < at.eta <= 1
    assert 0 < at.alpha <= 1
    found = stall.gradients(at, ((1, 1), (1, -1), (-1, 1)))
    assert set(found) == {stall.stalled_share(at.alpha, at.eta) * at.eta * at.sigma**2}


def test_a_contraction_that_keeps_less_moves():
    # The compressor of another α: the state is then not one that repeats itself.
    class Other(stall.Stall):
        @property
        def alpha(self):
            return 1 / (1 + (1 + self.sigma**2) * (2 * self.r) ** 2)

    with pytest.raises(ValueError, match="square of a fraction"):
        stall.gradients(Other(Fraction(3), Fraction(1, 4), Fraction(1, 2)), ((1, 1), (1, 1)))


@pytest.mark.parametrize("name", [name for name in STORED if name.startswith("byz_ef21_sgdm")])
def test_no_proved_noise_of_one_momentum_is_below_the_instance(name):
    _, constants, _ = certificates.read(STORED[name])
    # The largest of the box: η = ρα, α → 0, at any h.
    assert constants["N"] >= constants["ratio"]


@pytest.mark.parametrize("name", [name for name in STORED if name.startswith("byz_")])
def test_no_proved_floor_is_below_what_stands_still(name):
    # g_i = ∇f_i, e = -∇f: nothing is sent and nothing moves, at ‖∇f‖² = κG²/(1-κB²).
    _, constants, _ = certificates.read(STORED[name])
    assert constants["C"] >= 1 / (1 - constants["kappa_b_squared"])


def test_two_momenta_have_a_smaller_neighbourhood():
    claim = stall.two_momenta_claim()
    assert status(claim) is Status.CERTIFIED
    assert certificates.prove(STORED[stall.SMALLER]).proved
    assert status(stall.two_momenta_claim(workers=100)) is Status.REFUTED  # N'/h is too large
    with pytest.raises(ValueError, match="certificate of byz_dm21"):
        stall.two_momenta_claim(name="byz_ef21-c10-k1-w1_7")
    # With one momentum the certificate's constants are not proved.
    wrong = STORED[stall.SMALLER] | {"method": "byz_ef21_sgdm"}
    rows = {k: v for k, v in wrong["multipliers"].items() if k not in ("b1", "b2")}
    assert not certificates.prove(wrong | {"multipliers": rows}).proved
