from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest
from lengths import often
from testing.planted import finds

import jaxbyz as jb
from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.robust_sgd import RobustSGDState
from jaxbyz.messages import Dense, Masked
from jaxbyz.sanitize import read_messages
from jaxbyz.testing import check_algorithm

SGD = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(2))
MEAN = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.aggregators.mean())


def serving(step=None, start=None):
    server = SGD.server
    return SGD._replace(
        server=server._replace(step=step or server.step, start=start or server.start)
    )


def drifting(key, state, broadcast, messages):
    state, info = SGD.server.step(key, state, broadcast, messages)
    return state._replace(x=state.x.astype(jnp.float16)), info


def trusting(key, state, broadcast, messages):
    _, info = SGD.server.step(key, state, broadcast, messages)
    return state._replace(x=state.x - 0.1 * messages.values.mean(axis=0)), info


def silent(key, state, broadcast, messages):
    state, info = SGD.server.step(key, state, broadcast, messages)
    return state, info._replace(rejected=jnp.zeros_like(info.rejected))


def counting():
    traces = []

    def step(key, state, broadcast, messages):
        traces.append(0)
        state, info = SGD.server.step(key, state, broadcast, messages)
        return state._replace(x=state.x + len(traces)), info

    return serving(step)


def compiled(key, state, broadcast, messages):
    traced = isinstance(messages.values, jax.core.Tracer)
    state, info = SGD.server.step(key, state, broadcast, messages)
    return state._replace(x=state.x + (1 if traced else 0)), info


def majority_only(key, state, broadcast, messages):
    if messages.values.shape[0] < 6:
        raise ValueError("too few")
    return SGD.server.step(key, state, broadcast, messages)


def short_lies():
    def masked(key, state, broadcast, oracle):
        state, message = SGD.worker.step(key, state, broadcast, oracle)
        return state, Masked(message.values, jnp.ones(message.values.shape, bool))

    def encode(key, broadcast, wanted):
        return Masked(wanted, jnp.zeros(wanted.shape, bool))

    codec = SGD.codec._replace(encode=encode)
    return SGD._replace(worker=SGD.worker._replace(step=masked), codec=codec)


def weak(x, n):
    return SGD.server.start(x, n)._replace(aggregator=0.0)


def strong(key, state, broadcast, messages):
    after, info = SGD.server.step(key, state._replace(aggregator=None), broadcast, messages)
    return after._replace(aggregator=jnp.ones((), jnp.float32)), info


SHB = jb.robust_sgd(optimizer=optax.sgd(0.1), momentum=0.5, aggregator=jb.trimmed_mean(2))


def reading_nan_as_zero():
    """A worker with a defence of its own, for which a faulty round is one of zero gradients."""

    def step(key, state, broadcast, oracle):
        def gradient(batch, x):
            return jnp.nan_to_num(oracle.grad(batch, x), nan=0, posinf=0, neginf=0)

        return SHB.worker.step(key, state, broadcast, oracle._replace(grad=gradient))

    return SHB._replace(worker=SHB.worker._replace(step=step))


class Muting(NamedTuple):
    """A server that hears nobody again who said nothing once."""

    x: jax.Array
    optimizer: tuple
    aggregator: None
    muted: jax.Array


def muting():
    def start(x, n):
        return Muting(*SGD.server.start(x, n), jnp.zeros(n, bool))

    def step(key, state, broadcast, messages):
        muted = state.muted | ~messages.values.any(axis=1)
        heard = Dense(jnp.where(muted[:, None], 0, messages.values))
        after, info = SGD.server.step(key, RobustSGDState(*state[:3]), broadcast, heard)
        return Muting(*after, muted), info

    return serving(step, start)


def overflowing():
    """Estimates that say nothing of the largest number, added twice."""
    algorithm = jb.byz_ef21_sgd(
        optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(2), compressor=jb.identity()
    )

    def step(key, state, broadcast, messages):
        received, rejected = read_messages(lambda message: message.values, messages)
        state = state._replace(estimates=state.estimates + received)
        rule = jb.trimmed_mean(2)
        return descend(optax.sgd(0.1), rule, key, state, state.estimates, rejected)

    return algorithm._replace(server=algorithm.server._replace(step=step))


def loud():
    """An `unchanged` that is no legal message."""

    def unchanged(state, broadcast, silent):
        return Dense(jnp.full_like(silent.values, jnp.nan))

    def step(key, state, broadcast, messages):
        state, info = MEAN.server.step(key, state, broadcast, messages)
        return state._replace(x=state.x - 0.1 * messages.values[0]), info

    return SGD._replace(
        worker=SGD.worker._replace(unchanged=unchanged), server=SGD.server._replace(step=step)
    )


FAULTS = {
    "a state that drifts": ("state of one type", lambda: serving(drifting), {}),
    "traced again": ("traced once", lambda: serving(strong, weak), {}),
    "a memory": ("a run cut in two", counting, {}),
    "another step compiled": ("eager = jit = vmap", lambda: serving(compiled), {}),
    "lies are cheaper": ("bits as honest workers", short_lies, {}),
    "NaN is let in": ("NaN and Inf reach no state", lambda: serving(trusting), {}),
    "liars are not named": ("liars are counted as rejected", lambda: serving(silent), {}),
    "an estimate that overflows": ("NaN and Inf reach no state", overflowing, {}),
    "no number is said": ("carries on after a faulty round", loud, {}),
    "NaN is read as 0": ("a faulty round is counted apart", reading_nan_as_zero, {}),
    "who was quiet is muted": ("is heard after a faulty round", muting, {}),
    "liars are needed": ("works with f = 0", lambda: serving(majority_only), {}),
    "a trimmed mean, said to be a mean": ("gradient descent", lambda: SGD, {"descent": 0.1}),
}


OFTEN = ("NaN is let in", "NaN is read as 0")


@pytest.mark.parametrize("fault", often(FAULTS, OFTEN))
def test_planted_faults_are_found(fault):
    property, make, claims = FAULTS[fault]
    sound = MEAN if claims else SGD
    try:
        finds(check_algorithm, property, "algorithm", make(), sound=sound, **claims)
    finally:  # one reproducer switches 64 bits on
        jax.config.update("jax_enable_x64", False)


@pytest.mark.long
def test_several_devices():
    report = check_algorithm(
        SGD, problem=jb.problems.quadratics(honest=8, byzantine=2, dimension=3)
    )
    assert jax.device_count() == 1 or "one device = several" in report.checked


@pytest.mark.long
def test_gradient_descent():
    assert "gradient descent" in check_algorithm(MEAN, descent=0.1).checked


def test_bad_claims_are_refused():
    with pytest.raises(ValueError, match=r"problem\.byzantine must be an integer >= 1, got 0"):
        check_algorithm(SGD, problem=jb.problems.quadratics(honest=5, dimension=3))
