"""Every function that gives users parameters, bounds, rates or rounds is what a claim is about."""

import functools
import importlib
import inspect
import sys

import jax
import pytest

from jaxbyz.theory import Claim, byz_dm21, rosdhb
from jaxbyz.theory.audit import CLAIMS

pytestmark = pytest.mark.usefixtures("x64")

MODULES = [
    "guarantees",
    *(f"rosdhb.{name}" for name in ("parameters", "guarantees", "proved", "certification")),
    *(f"byz_dm21.{name}" for name in ("parameters", "guarantees", "rates", "limits", "simplified",
                                      "weights", "certification")),
]  # fmt: skip
NOT_ABOUT = {  # what no claim is about, and why
    "check_problem": "returns nothing",
    "setting": "the constants of a problem: tests/theory/byz_dm21/test_byz_dm21_weights.py",
    "worst_population": "a problem: tests/theory/byz_dm21/test_byz_dm21_population.py",
    "certificate": "a matrix: tests/theory/rosdhb/test_rosdhb_certificate.py",
    "exact_certificate": "a matrix: the same",
    "linear_kappa": "of a rule: the same",
    "tilted_weights": "a rule: the same",
    **dict.fromkeys(
        ("dynamics", "linear_attack", "long_run", "run_moments", "bernoulli_mask", "global_mask",
         "local_masks"),
        "expectations of runs: tests/theory/rosdhb/test_rosdhb_moments.py",
    ),
    "Weights.potential": "the Lyapunov function, which claims L7 evaluate",
    "Method.planted": "for tests of the checks",
    "Method.coefficients": "coefficients, which claims L4-L7 evaluate",
}  # fmt: skip


def makes_a_claim(function):
    return inspect.signature(function).return_annotation in ("Claim", Claim)


def members(of):
    """Public functions, methods and properties by name: those that are defined there."""
    for name, one in vars(of).items():
        if name.startswith("_"):
            continue
        if isinstance(one, property):
            yield name, one
            continue
        function = inspect.isfunction(one) or isinstance(one, functools._lru_cache_wrapper)
        if function and one.__module__ == getattr(of, "__module__", of.__name__):
            yield name, one


def received():
    """What users can call in the modules above, and all that the two packages offer."""
    found = {}
    for module in (importlib.import_module(f"jaxbyz.theory.{name}") for name in MODULES):
        found |= dict(members(module))
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__:
                found |= {f"{name}.{part}": one for part, one in members(kind)}
    for package in (rosdhb, byz_dm21):
        for name in package.__all__:
            if inspect.isfunction(getattr(package, name)):
                found[f"{package.__name__}.{name}"] = getattr(package, name)
    return {name: one for name, one in found.items() if not made_for_claims(one)}


def made_for_claims(one):
    return inspect.isfunction(one) and makes_a_claim(one)


def known(name):
    """The reason why no claim is about it; abstract parts have none, but those of their kinds."""
    return NOT_ABOUT.get(name) or NOT_ABOUT.get(name.split(".")[-1])


SUBJECTS = [one for claim in CLAIMS for one in claim.about]
RECEIVED = received()


def is_subject(one):
    return any(one is other for other in SUBJECTS)


def abstract(one):
    return getattr(one, "__isabstractmethod__", False)


def test_everything_that_users_receive_is_the_subject_of_a_claim():
    missing = [
        name
        for name, one in RECEIVED.items()
        if not is_subject(one) and not known(name) and not abstract(one)
    ]
    assert not missing, f"no claim is about {missing}: a claim's `about` names what it calls"


def test_no_exception_is_needless():
    names = {name.split(".")[-1]: one for name, one in RECEIVED.items()} | RECEIVED
    for name in NOT_ABOUT:
        assert not is_subject(names[name]), name


def test_the_listing_sees_functions_methods_and_properties():
    expected = {"theorem_a", "best_c", "corollary_2", "average_square", "step_4", "certificates",
                "LinearGuarantee.floor", "Guarantee.rounds", "RoSDHBGuarantee.uplink_bits",
                "Factors.at", "jaxbyz.theory.rosdhb.certify"}  # fmt: skip
    assert expected <= set(RECEIVED)
    assert not any("claim" in name for name in RECEIVED)


def code_of(one):
    one = one.fget if isinstance(one, property) else inspect.unwrap(one)
    return one.__code__


def called(claim):
    """The code that runs while the sides of a claim are evaluated once or, of cases, often."""
    if claim.families:
        family = claim.families[0]
        instances = [family.make(jax.random.normal(jax.random.key(0), (family.size,)))]
    else:
        instances = claim.subject.instances
    for one in claim.about:
        getattr(one, "cache_clear", lambda: None)()
    seen = set()
    sys.setprofile(lambda frame, event, _: seen.add(frame.f_code) if event == "call" else None)
    try:
        for instance in instances:
            claim.sides(instance)
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.about], ids=lambda claim: claim.key)
def test_a_claim_calls_what_it_is_about(claim):
    seen = called(claim)
    for one in claim.about:
        assert code_of(one) in seen, f"{claim.key} does not call {code_of(one).co_qualname}"
