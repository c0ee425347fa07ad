"""Byz-DM21 and Byz-VR-DM21 with one line wrong each, written by hand from the recursions."""

import jax.numpy as jnp
import optax

from jaxbyz.aggregators import mean
from jaxbyz.algorithms import byz_dm21, byz_vr_dm21
from jaxbyz.algorithms.error_feedback import ErrorFeedbackState
from jaxbyz.algorithms.estimators import AveragedState, StormState
from jaxbyz.core import Worker
from jaxbyz.theory.byz_dm21.weights import MOMENTUM, RECURSIVE


def written(method, *, old=None, eta=None, beta=None, compressed=None, keep=None, sent=None):
    """A worker written by hand from the recursion, of which single lines can be replaced."""
    make = byz_vr_dm21 if method.recursive else byz_dm21

    def maker(eta_, beta_, compressor):
        algorithm = make(
            eta=eta_, beta=beta_, compressor=compressor, optimizer=optax.sgd(1.0), aggregator=mean()
        )
        weight = eta_ if eta is None else eta(eta_, beta_)
        second = beta_ if beta is None else beta(eta_, beta_)

        def step(key, state, broadcast, oracle):
            inner, u, g = state.estimator.inner, state.estimator.average, state.server_estimate
            j, x = oracle.draw(key), broadcast.x
            fresh = oracle.grad(j, x)
            if method.recursive:
                before = oracle.grad(j, inner.previous) if old is None else old(oracle, key, inner)
                v = fresh + (1 - weight) * (inner.estimate - before)
                inner = StormState(v, x if keep is None else inner.previous)
            else:
                v = (1 - weight) * inner.average + weight * fresh
                inner = AveragedState((), v)
            u = (1 - second) * u + second * v
            what = u - g if compressed is None else compressed(u, g, v)
            message = compressor.compress(key, what)
            g = g + compressor.decompress(message) if sent is None else sent(g, message)
            return ErrorFeedbackState(AveragedState(inner, u), g), message

        return algorithm._replace(worker=Worker(algorithm.worker.init, step))

    return maker


def stored(oracle, key, inner):
    """The gradient that was computed a round ago, on the sample of that round."""
    return oracle.grad(0, inner.previous)


WRONG = {
    # The old sample is that of the last round: v is then s(x⁺; ξ) for ever.
    "stored gradient": (RECURSIVE, {"old": stored}),
    "new sample at the old point": (
        RECURSIVE,
        {"old": lambda oracle, key, inner: oracle.grad(oracle.draw(key), inner.previous)},
    ),
    "full gradient at the old point": (
        RECURSIVE,
        {"old": lambda oracle, key, inner: oracle.full(inner.previous)},
    ),
    "old point not moved": (RECURSIVE, {"keep": True}),
    "1-eta dropped": (RECURSIVE, {"eta": lambda eta, beta: 0.0}),
    "eta for 1-eta": (RECURSIVE, {"eta": lambda eta, beta: 1 - eta}),
    "eta for 1-eta, momentum": (MOMENTUM, {"eta": lambda eta, beta: 1 - eta}),
    "eta and beta exchanged": (
        RECURSIVE,
        {"eta": lambda eta, beta: beta, "beta": lambda eta, beta: eta},
    ),
    "eta and beta exchanged, momentum": (
        MOMENTUM,
        {"eta": lambda eta, beta: beta, "beta": lambda eta, beta: eta},
    ),
    "one parameter": (MOMENTUM, {"beta": lambda eta, beta: eta}),
    "one momentum": (MOMENTUM, {"beta": lambda eta, beta: 1.0}),
    "u compressed": (MOMENTUM, {"compressed": lambda u, g, v: u}),
    "v - g compressed": (MOMENTUM, {"compressed": lambda u, g, v: v - g}),
    "state not updated": (MOMENTUM, {"sent": lambda g, message: g}),
    "state without the old one": (
        MOMENTUM,
        {"sent": lambda g, message: jnp.zeros_like(g).at[message.indices].set(message.values)},
    ),
}
