"""Rules and compressors of the catalogue through the battery that users have for theirs."""

import pytest
from catalogue import AGGREGATORS, COMPRESSORS
from lengths import often

from jaxbyz import aggregators, attacks, compressors
from jaxbyz.testing import check_aggregator, check_attack, check_compressor

CLAIMS = {
    "P": "permutation",
    "T": "translation",
    "S": "scale",
    "O": "orthogonal",
    "L": "coordinate-local",
}


OFTEN = ("trimmed mean", "nnm, trimmed mean")


@pytest.mark.parametrize("entry", often(AGGREGATORS, OFTEN))
def test_aggregator(entry):
    claims = [CLAIMS[letter] for letter in entry.invariances]
    if entry.name == "mda":  # its best subsets tie: they share their farthest pair
        claims.remove("permutation")
    report = check_aggregator(
        entry.make(2),
        n=7,
        f=2,
        d=4,
        equivariances=claims,
        unanimous=entry.unanimous,
        majority=entry.majority,
        any_size=entry.any_size,
        # A residual of 1e-5 beside a flat objective, in float32; else roundings.
        tolerance=1e-2 if "geometric" in entry.name else None,
    )
    assert set(claims) <= set(report.checked)
    local = {"permutation", "coordinate-local", "scale"} <= set(claims)  # and no chance
    assert ("by coordinate" in report.checked) == local
    assert ("never further than κ allows" in report.checked) >= (entry.kappa is not None)


@pytest.mark.parametrize("entry", often(COMPRESSORS, ("top-k",)))
def test_compressor(entry):
    report = check_compressor(entry.make(3), d=6, zero=entry.name != "sign")
    assert ("unbiased" in report.checked, "contractive" in report.checked) == (
        entry.unbiased,
        entry.contractive,
    )


# Every attack goes through three algorithms in test_attacks.py, without compilation; here a few.
@pytest.mark.parametrize(
    "attack",
    [
        attacks.sign_flip(),
        pytest.param(attacks.not_a_number(), marks=pytest.mark.long),
        pytest.param(attacks.ipm_search(), marks=pytest.mark.long),
    ],
)
def test_attack_in_the_whole_battery(attack):
    rejected = attack.name == attacks.not_a_number().name
    eager = attack.name != attacks.ipm_search().name
    check_attack(attack, rejected=rejected, eager=eager, algorithms=["RoSDHB"])


def test_parts_of_other_sizes():
    check_aggregator(aggregators.trimmed_mean(0), n=3, f=0, d=2, mean=True)
    check_compressor(compressors.natural(), d=1)
