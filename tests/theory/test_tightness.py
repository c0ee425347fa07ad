"""Each side of a claim has its own tightness, and the weakest is what is printed."""

import dataclasses

import jax.numpy as jnp
import pytest

from jaxbyz.theory import Budget, Claim, Family, Provenance, Scope
from jaxbyz.theory.audit import Finding, audit, line
from jaxbyz.theory.engines import gridded, sampled, searched
from jaxbyz.theory.engines.search import evaluated
from jaxbyz.theory.subjects import Cases

pytestmark = pytest.mark.usefixtures("x64")
FEW = Budget(random=20, starts=2, steps=30)


def claim_of(*used, **more):
    """Statements of which each uses so much of its bound, everywhere."""
    return Claim(
        paper="test",
        name="t",
        title="several statements",
        statement="left ≤ right, side by side",
        provenance=Provenance.DERIVED,
        source="here",
        scope=Scope.ONE_STEP,
        sides=lambda z: (jnp.array(used), jnp.ones(len(used))),
        unconditional="a test",
        **({"families": (Family("numbers", 1, lambda z: z),)} | more),
    )


ENGINES = {"sampled": sampled(), "gridded": gridded((0.0, 1.0)), "searched": searched()}


@pytest.mark.parametrize("name", ENGINES)
def test_every_side_is_measured(name):
    report = ENGINES[name](claim_of(1.0, 0.5, 0.75), FEW)
    assert report.sides == (1.0, 0.5, 0.75)
    assert report.tightness == 1.0
    assert report.weakest == 0.5
    assert not report.tight


def test_cases_have_the_largest_of_each_side():
    """Each of two statements is attained at one of two cases."""
    claim = claim_of(families=(), subject=Cases("two", (jnp.array([1.0, 0.2]),
                                                        jnp.array([0.3, 1.0]))))  # fmt: skip
    claim = dataclasses.replace(claim, sides=lambda used: (used, 1.0))
    report = evaluated(claim, FEW)
    assert report.sides == (1.0, 1.0)
    assert report.tight


def test_a_loose_side_beside_a_tight_one_is_printed_and_not_tight():
    (loose,) = audit([claim_of(1.0, 0.7)], FEW)
    assert loose.tightness == 0.7
    assert not loose.tight
    assert " 0.7 " in line(loose)
    (tight,) = audit([claim_of(1.0, 0.9995)], FEW)
    assert tight.tight
    # A violation of one side is what is printed, not the weak one.
    (wrong,) = audit([claim_of(2.0, 0.7)], FEW)
    assert wrong.suspected
    assert wrong.tightness == 2.0


def test_what_several_engines_attain_counts_together():
    claim = claim_of(1.0, 1.0)
    reports = [
        dataclasses.replace(searched()(claim, FEW), sides=sides, tight=False)
        for sides in ((1.0, 0.4), (0.6, 0.9))
    ]
    assert Finding(claim, tuple(reports), 0.0).tightness == 0.9


def test_an_identity_has_one_error():
    claim = dataclasses.replace(claim_of(1.0, 1.0), scope=Scope.IDENTITY)
    claim = dataclasses.replace(claim, sides=lambda z: (jnp.ones(2), jnp.array([1.0, 3.0])))
    report = sampled()(claim, FEW)
    assert report.sides == (0.5,)
