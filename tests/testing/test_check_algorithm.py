import jax
import jax.numpy as jnp
import optax
import pytest
from lengths import often
from testing.planted import finds

import jaxbyz as jb
from jaxbyz.messages import Masked
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
    return state, info._replace(bad=jnp.zeros_like(info.bad))


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


FAULTS = {
    "a state that drifts": ("state of one type", lambda: serving(drifting), {}),
    "traced again": ("traced once", lambda: serving(strong, weak), {}),
    "a memory": ("a run cut in two", counting, {}),
    "another step compiled": ("eager = jit = vmap", lambda: serving(compiled), {}),
    "lies are cheaper": ("bits as honest workers", short_lies, {}),
    "NaN is let in": ("NaN and Inf reach no state", lambda: serving(trusting), {}),
    "liars are not named": ("liars are counted as bad", lambda: serving(silent), {}),
    "liars are needed": ("works with f = 0", lambda: serving(majority_only), {}),
    "a trimmed mean, said to be a mean": ("gradient descent", lambda: SGD, {"descent": 0.1}),
}


OFTEN = ("NaN is let in",)


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
