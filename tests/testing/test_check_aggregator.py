import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often
from testing.planted import finds

from jaxbyz import aggregators
from jaxbyz.aggregators import coordinate_median, krum, stateless, trimmed_mean
from jaxbyz.core import Aggregated, Aggregator
from jaxbyz.testing import check_aggregator

ALL = ("permutation", "translation", "scale")
SOUND = trimmed_mean(2)


def rule(apply, init=lambda d: None):
    """A rule with all of it in one's own hands."""
    return Aggregator(init, apply)


def middle_sum(rows):
    return jnp.sort(rows, axis=0)[2:5].sum(axis=0)


def masked(key, state, rows):
    ok = jnp.isfinite(rows).all(axis=1)
    value = (ok[:, None] * rows / ok.sum()).sum(axis=0)
    return state, Aggregated(value, ~ok, {})


def unreported(key, state, rows):
    value, _ = SOUND.apply(key, state, rows)[1][:2]
    return state, Aggregated(value, jnp.zeros(rows.shape[0], bool), {})


def sorted_only(key, state, rows):
    value = (jnp.sort(rows, axis=0)[2:5] / 3).sum(axis=0)
    return state, Aggregated(value, aggregators.rejected_rows(rows), {})


def always_wide(key, state, rows):
    _, result = SOUND.apply(key, state, rows)
    return state, result._replace(value=result.value.astype(jnp.float32))


def counting():
    calls = []

    def apply(key, state, rows):
        calls.append(0)
        _, result = SOUND.apply(key, state, rows)
        return state, result._replace(value=result.value + len(calls))

    return rule(apply)


def farthest(rows):
    distance = ((rows - jnp.median(rows, axis=0)) ** 2).sum(axis=1)
    return (rows[jnp.argsort(distance)[-2:]] / 2).sum(axis=0)


def otherwise_compiled(key, state, rows):
    _, result = SOUND.apply(key, state, rows)
    return state, result._replace(
        value=result.value * (1.1 if isinstance(rows, jax.core.Tracer) else 1)
    )


def drifting(key, state, rows):
    return state.astype(jnp.int32), SOUND.apply(key, None, rows)[1]


def in_place(key, state, rows):
    if isinstance(rows, np.ndarray):
        rows[0] = 0
    return SOUND.apply(key, state, jnp.asarray(rows))


def clipped(rows):
    return jnp.clip(jnp.median(rows, axis=0), -0.1, 0.1)


def first_otherwise(rows):
    ordered = jnp.sort(rows, axis=0)
    return ordered[3].at[0].set(ordered[2, 0])


def detailed(key, state, rows):
    _, result = SOUND.apply(key, state, rows)
    return state, result._replace(details={"largest": rows.max()})


def by_chance(key, state, rows):
    one, other = (rule.apply(key, state, rows)[1] for rule in (SOUND, coordinate_median(2)))
    return state, one._replace(value=jnp.where(jax.random.bernoulli(key), one.value, other.value))


FAULTS = {
    "a sum": ("translation", lambda: stateless(middle_sum), {}),
    "a sum, nothing claimed": ("unanimous", lambda: stateless(middle_sum), {"equivariances": ()}),
    "mask times NaN": ("finite whatever f rows are", lambda: rule(masked), {}),
    "an overflowing mean": (
        "finite whatever f rows are", lambda: stateless(lambda rows: rows.mean(axis=0)), {},
    ),
    "bad rows are not named": ("rejected rows are reported", lambda: rule(unreported), {}),
    "too many NaN": ("finite with more than f rejected rows", lambda: rule(sorted_only), {}),
    "32 bits from 16": ("16-bit rows", lambda: rule(always_wide), {}),
    "a memory": ("pure", counting, {}),
    "rows changed": ("pure", lambda: rule(in_place), {}),
    "keeps what it should drop": (
        "n-f rows 0 win", lambda: stateless(farthest),
        {"majority": True, "equivariances": ("permutation",)},
    ),
    "one row by its number": ("permutation", lambda: stateless(lambda rows: rows[3]), {}),
    "another result compiled": ("eager = jit = vmap", lambda: rule(otherwise_compiled), {}),
    "a state that drifts": (
        "shape, dtype and state", lambda: rule(drifting, init=lambda d: jnp.zeros(d)), {},
    ),
    "one number": (
        "shape, dtype and state", lambda: stateless(lambda rows: jnp.median(rows)), {},
    ),
    "rows clipped": (
        "scale", lambda: aggregators.clip(1.0, SOUND), {"equivariances": ("scale",)},
    ),
    "coordinates one by one": (
        "orthogonal", lambda: SOUND, {"equivariances": ("orthogonal",)},
    ),
    "a whole row": ("coordinate-local", lambda: krum(2), {"equivariances": ("coordinate-local",)}),
    "κ too small": ("never further than κ allows", lambda: SOUND, {"kappa": 0.6}),
    "a median, said to be a mean": (
        "the mean for f = 0", coordinate_median, {"f": 0, "mean": True},
    ),
    "a whole row, said to be by coordinate": (
        "coordinate-local", lambda: stateless(lambda rows: krum(2)(rows), by_coordinate=True), {},
    ),
    "clipped at a length, said to be by coordinate": (
        "scale", lambda: stateless(clipped, by_coordinate=True), {"equivariances": ()},
    ),
    "another rule for the first coordinate": (
        "by coordinate", lambda: stateless(first_otherwise, by_coordinate=True), {},
    ),
    "a detail of a rule by coordinate": (
        "by coordinate", lambda: dataclasses.replace(rule(detailed), by_coordinate=True), {},
    ),
    "a state of a rule by coordinate": (
        "by coordinate",
        lambda: dataclasses.replace(rule(SOUND.apply, jnp.zeros), by_coordinate=True),
        {},
    ),
    "chance in a rule by coordinate": (
        "by coordinate", lambda: dataclasses.replace(rule(by_chance), by_coordinate=True), {},
    ),
}  # fmt: skip


OFTEN = ("a sum", "mask times NaN", "32 bits from 16", "one row by its number", "κ too small")


@pytest.mark.parametrize("fault", often(FAULTS, OFTEN))
def test_planted_faults_are_found(fault):
    property, make, claims = FAULTS[fault]
    part = make()
    claimed_too_much = part is SOUND or property in ("the mean for f = 0", "coordinate-local")
    sound = None if claimed_too_much else SOUND
    failure = finds(check_aggregator, property, "rule", part, sound=sound, **claims)
    assert failure.part == "aggregator"


def test_a_failure_says_what_by_how_much_and_why():
    failure = finds(
        check_aggregator, "never further than κ allows", "rule", SOUND, sound=None, kappa=0.25
    )
    assert failure.measured > failure.allowed > 0
    # The least κ of all rules is 2/3: the error is √(2/3 Var) where √(1/4 Var) was claimed.
    assert failure.measured / failure.allowed == pytest.approx((0.25 / (2 / 3)) ** -0.5, rel=1e-2)
    assert "kappa = 0.25" in failure.reason
    assert "values 1" in failure.input


def test_the_report_says_what_was_skipped_and_why():
    report = check_aggregator(coordinate_median(1), n=3, f=1, d=2, equivariances=("scale",))
    assert "scale" in report.checked
    assert "never further than κ allows" in report.checked
    assert report.skipped["translation"] == "not claimed"
    assert not set(report.checked) & set(report.skipped)
    assert str(report).startswith(f"aggregator: {len(report.checked)} properties hold")


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"n": 4}, "n must be an integer >= 5, got 4"),
        ({"d": 1}, "d must be an integer >= 2, got 1"),
        ({"equivariances": ("rotation",)}, "equivariances must be among .*got 'rotation'"),
        ({"kappa": -1.0}, r"kappa must lie in \[0, inf\), got -1.0"),
        ({"tolerance": 0.0}, r"tolerance must lie in \(0, 1\], got 0.0"),
    ],
)
def test_bad_claims_are_refused(claims, message):
    with pytest.raises(ValueError, match=message):
        check_aggregator(SOUND, **claims)
