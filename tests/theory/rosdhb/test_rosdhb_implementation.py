"""The shipped code against the closed forms, and planted errors in the code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.algorithms import rosdhb
from jaxbyz.messages import SharedSupport
from jaxbyz.theory import Budget, Status
from jaxbyz.theory.engines import engines_for, largest_ratio
from jaxbyz.theory.rosdhb import implementation
from jaxbyz.theory.rosdhb.mask_law import mask_share, masks_of_runs, uniform_masks

pytestmark = pytest.mark.usefixtures("x64")


def draws(family, count):
    return jax.random.normal(jax.random.key(7), (count, family.size))


def test_the_shipped_round_is_that_of_the_lemmas():
    # All three identities in one program.
    claims = implementation.IMPLEMENTATION
    family = claims[0].families[0]

    def all_of(z):
        return jnp.stack([largest_ratio(claim, family.make(z)) for claim in claims])

    errors = np.asarray(jax.jit(jax.vmap(all_of))(draws(family, 100)))
    assert errors.max() < 1e-12  # rounding of some hundred operations


def test_planted_errors_in_the_code_are_noticed():
    def error(z, scale):
        def planted(**arguments):
            """The messages are read with a wrong factor."""
            shipped = rosdhb(**arguments)

            def step(key, state, broadcast, messages):
                messages = SharedSupport(messages.values * scale)
                return shipped.server.step(key, state, broadcast, messages)

            return shipped._replace(server=shipped.server._replace(step=step))

        claim = implementation.code_drift(planted)
        return largest_ratio(claim, family.make(z))

    family = implementation.code_drift().families[0]
    # Forgotten: d/k (at k = 1), nothing, and 1-β (at β = 0.9).
    scales = jnp.array([1 / 3, 1.0, 10.0])
    errors = jax.vmap(error, (None, 0))
    forgotten, nothing, undamped = jax.jit(jax.vmap(errors, (0, None)))(draws(family, 20), scales).T
    assert float(nothing.max()) < 1e-12
    assert float(forgotten.min()) > 1e-3
    assert float(undamped.min()) > 1e-3


def test_masks_of_runs_are_uniform_and_fresh():
    report = engines_for(uniform_masks())[0](uniform_masks(), Budget(random=1000))
    assert report.status is Status.CONFIDENT


def repeated(**arguments):
    """A server that draws every mask from one key."""
    shipped = rosdhb(**arguments)
    key = jax.random.key(0)
    server = shipped.server._replace(
        broadcast=lambda _, state: shipped.server.broadcast(key, state)
    )
    return shipped._replace(server=server)


def test_a_mask_that_is_not_fresh_is_noticed():
    claim = uniform_masks(make=repeated)
    report = engines_for(claim)[0](claim, Budget(random=100))
    assert report.status is Status.INCONCLUSIVE
    assert "suspected violation" in report.evidence
    assert report.tightness > 10


def preferring(**arguments):
    """A server that puts coordinate 0 into every mask."""
    shipped = rosdhb(**arguments)

    def broadcast(key, state):
        drawn = shipped.server.broadcast(key, state)
        there = (drawn.subset == 0).any()
        subset = jnp.where(there, drawn.subset, drawn.subset.at[0].set(0))
        return type(drawn)(drawn.x, subset)

    return shipped._replace(server=shipped.server._replace(broadcast=broadcast))


@pytest.mark.parametrize(
    ("make", "status", "words"),
    [
        pytest.param(rosdhb, Status.CONFIDENT, "level", marks=pytest.mark.long),
        (preferring, Status.INCONCLUSIVE, "suspected violation"),
    ],
    ids=["shipped", "preferring"],
)
def test_no_coordinate_is_preferred(make, status, words):
    claim = mask_share(make=make)
    report = engines_for(claim)[0](claim, Budget())
    assert report.status is status
    assert words in report.evidence


@pytest.mark.long
def test_rounds_and_runs_have_masks_of_their_own():
    # d = 64, k = 32: two equal masks among 20 would be a coincidence of 1e-16.
    masks = np.asarray(masks_of_runs(64, 32, 10, 2, seed=3)).reshape(20, 64)
    assert len({mask.tobytes() for mask in masks}) == 20
    assert (masks.sum(axis=1) == 32).all()
