import jax
import jax.numpy as jnp
import pytest
from lengths import often
from testing.planted import finds

from jaxbyz import attacks
from jaxbyz.core import Attack
from jaxbyz.testing import check_attack

ONE = {"algorithms": ["robust D-SGD"]}


def forging(forge, init=lambda key, d: None, poison=None):
    return Attack("planted", init, forge, poison)


def one_row(key, state, view):
    return state, view.honest[0]


def wide_state(key, state, view):
    return state + 1.0, -view.honest[: view.byzantine]


def honest_copy():
    return forging(lambda key, state, view: (state, view.own), poison=lambda data: data)


def compiled(honest):
    return honest[0] * (5 if isinstance(honest, jax.core.Tracer) else -5)


FAULTS = {
    "one row": ("rows [f, d] and state", lambda: forging(one_row), {}),
    "a state that drifts": (
        "rows [f, d] and state",
        lambda: forging(wide_state, init=lambda key, d: jnp.zeros((), jnp.int32)), {},
    ),
    "nothing": ("changes the rows", honest_copy, {}),
    "a harmless one, said to harm": ("changes the rows", attacks.no_attack, {}),
    "sign flip, said to be harmless": (
        "leaves the rows alone", attacks.sign_flip, {"harmless": True},
    ),
    "NaN, said to be heard": ("rejected rows", attacks.not_a_number, {}),
    "sign flip, said to be rejected": ("rejected rows", attacks.sign_flip, {"rejected": True}),
    "another attack compiled": (
        "eager = jit", lambda: attacks.forged("compiled", compiled), {},
    ),
}  # fmt: skip


OFTEN = ("nothing", "a state that drifts")


@pytest.mark.parametrize("fault", often(FAULTS, OFTEN))
def test_planted_faults_are_found(fault):
    property, make, claims = FAULTS[fault]
    sound = None if claims else attacks.sign_flip()
    failure = finds(check_attack, property, "attack", make(), sound=sound, **claims, **ONE)
    assert failure.part == "attack"


@pytest.mark.long
def test_attacks_on_data_need_labels():
    report = check_attack(attacks.label_flip(10), labels=True, **ONE)
    assert report.skipped["rows [f, d] and state"] == "it forges no messages"
    assert "changes the model" in report.checked


@pytest.mark.long
def test_all_three_algorithms():
    report = check_attack(attacks.forged("busy", lambda honest: -2 * honest.mean(axis=0)))
    assert len(report.checked) == 10
    assert not report.skipped


def test_bad_claims_are_refused():
    with pytest.raises(ValueError, match=r"algorithms must be among .* got 'D-SGD'"):
        check_attack(attacks.sign_flip(), algorithms=["D-SGD"])
    with pytest.raises(ValueError, match="honest must be an integer >= 3, got 2"):
        check_attack(attacks.sign_flip(), honest=2)


def test_the_old_name_of_rejected_is_there_for_one_release():
    with pytest.warns(DeprecationWarning, match=r"is now check_attack\(rejected=\)"):
        report = check_attack(attacks.not_a_number(), refused=True, eager=False, **ONE)
    assert "rejected rows" in report.checked
