"""Faulty rounds: an honest worker's own gradient is not finite. The worker sits the round out.

A gradient that holds NaN or ±Inf is replaced by NaN in all coordinates, so that no part of it is
used. A round is *faulty* for a worker if its message, or its next state, then holds NaN or ±Inf. In
a faulty round the worker

    keeps the state that it had before the round, with what the broadcast told it,
    sends the message that changes the server's state least,

and continues in the next round as if this one had not happened. In round 0 there is no earlier
state: vectors of the new state that are not finite start at 0.

Which message? By default one of zeros, which leaves the server's estimates and shifts unchanged. A
method for which zeros mean something else chooses another by `Worker.unchanged`. Robust D-SHB
repeats its momentum. Byz-VR-MARINA, in rounds in which gradients are sent anew, sends NaN: the
server rejects that and keeps its old estimate. Where the server has no memory of a worker (robust
D-SGD, BR-CSGD, Byz-EF14), the worker's row is 0 in that round. Under RoSDHB its momentum is
multiplied by β. Methods that send differences of gradients at two points remember the old point, so
the next difference spans both rounds.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.core import Key, Oracle, Tree, Worker
from jaxbyz.sanitize import all_finite


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
        if worker.received is not None:  # what the server said is not lost
            state = worker.received(state, broadcast)
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

    return oracle._replace(
        full=lambda x: checked(oracle.full(x)),
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
