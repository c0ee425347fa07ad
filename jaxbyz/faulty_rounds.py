"""A worker survives a faulty round: one in which its own gradient is no number.

The oracle of a worker is asked as always, but a gradient with a number that is NaN or ±Inf is NaN
everywhere, so that nothing of it is used. A round is *faulty* for a worker if its message, or what
it would remember, then holds such a number. In a faulty round the worker

    keeps its memory as it was,
    says what changes nothing at the server, or the legal message nearest to it (see below),

and goes on in the next round as if this one had not been. At the start there is no older memory:
there every vector that is not finite begins at 0.

What is said: a message of zeros, which leaves mirrors and shifts as they are. A method for which
zeros are a statement says it otherwise, by `Worker.unchanged`: robust D-SHB repeats its momentum;
Byz-VR-MARINA, where gradients are sent anew, sends no number at all, which the server refuses, and
keeps what it had. Without any memory (robust D-SGD, BR-CSGD, Byz-EF14) the row of the worker is 0
in that round, and under RoSDHB its momentum fades by β. With a difference of gradients at two
points the next one spans both rounds, as the old point is remembered too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.core import Key, Oracle, Tree, Worker
from jaxbyz.sanitize import all_finite

__all__ = ["Answer", "answering", "beginning", "whole"]


class Answer(NamedTuple):
    """What a worker has after a round."""

    state: Tree
    message: Tree
    faulty: jax.Array  # [] bool


def beginning(worker: Worker) -> Callable[[Key, Tree, Oracle], Answer]:
    """`worker.init` as an `Answer`: (key, broadcast, oracle) -> answer."""

    def init(key: Key, broadcast: Tree, oracle: Oracle) -> Answer:
        state, message = worker.init(key, broadcast, whole(oracle))
        faulty = ~all_finite((state, message))
        state = jax.tree.map(lambda leaf: _choose(~all_finite(leaf), _zeros(leaf), leaf), state)
        return Answer(state, _choose(faulty, _zeros(message), message), faulty)

    return init


def answering(worker: Worker) -> Callable[[Key, Tree, Tree, Oracle], Answer]:
    """`worker.step` as an `Answer`: (key, state, broadcast, oracle) -> answer.

    >>> import optax
    >>> from jaxbyz.aggregators import mean
    >>> from jaxbyz.algorithms import robust_sgd
    >>> shb = robust_sgd(momentum=0.5, optimizer=optax.sgd(0.1), aggregator=mean())
    >>> broken = Oracle(lambda x: x, lambda key: None, lambda batch, x: x / 0)
    >>> x, momentum = jnp.ones(2), jnp.array([3.0, 4.0])
    >>> from jaxbyz.algorithms.robust_sgd import ModelBroadcast
    >>> answer = answering(shb.worker)(jax.random.key(0), momentum, ModelBroadcast(x), broken)
    >>> answer.state.tolist(), answer.message.values.tolist(), answer.faulty.item()
    ([3.0, 4.0], [3.0, 4.0], True)
    """

    def step(key: Key, state: Tree, broadcast: Tree, oracle: Oracle) -> Answer:
        after, message = worker.step(key, state, broadcast, whole(oracle))
        faulty = ~all_finite((after, message))
        silent = _zeros(message)
        if worker.unchanged is not None:
            silent = worker.unchanged(state, broadcast, silent)
        return Answer(_choose(faulty, state, after), _choose(faulty, silent, message), faulty)

    return step


def whole(oracle: Oracle) -> Oracle:
    """The same oracle; a gradient of which one number is not finite is NaN everywhere.

    >>> oracle = Oracle(lambda x: 1 / x, lambda key: None, lambda batch, x: x)
    >>> whole(oracle).full(jnp.array([0.0, 1.0])).tolist()
    [nan, nan]
    """

    def checked(gradient: jax.Array) -> jax.Array:
        return jnp.where(jnp.isfinite(gradient).all(), gradient, jnp.nan)

    return Oracle(
        full=lambda x: checked(oracle.full(x)),
        draw=oracle.draw,
        grad=lambda batch, x: checked(oracle.grad(batch, x)),
    )


def _choose(condition: jax.Array, yes: Tree, no: Tree) -> Tree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _zeros(tree: Tree) -> Tree:
    """The same tree, all its floats 0."""

    def zero(leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        return jnp.zeros_like(leaf) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(zero, tree)
