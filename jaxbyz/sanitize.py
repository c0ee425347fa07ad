"""What the server does with messages first: those that are not finite are rejected.

A message is rejected if and only if one of its numbers, or one of the numbers that the server reads
from it, is NaN or ±Inf. So a message is judged without looking at any other, and every finite
number is accepted, however large. The steps that follow can deal with all finite numbers: a sum
that would overflow stays at the largest number of its dtype (`saturated`), and rules scale rows
before they square them.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Tree = Any  # a pytree of arrays: a message, or many


def all_finite(tree: Tree) -> jax.Array:
    """Whether all numbers of a tree are finite, [] bool; integers and keys are.

    >>> all_finite({"a": jnp.array([1.0, jnp.inf]), "b": 3}).item(), all_finite(()).item()
    (False, True)
    """
    finite = jnp.array(True)
    for leaf in map(jnp.asarray, jax.tree.leaves(tree)):
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            finite &= jnp.isfinite(leaf).all()
    return finite


def sanitize_messages(messages: Tree) -> tuple[Tree, jax.Array]:
    """Replace messages that are not finite by messages of zeros.

    In a rejected message all floating-point numbers become 0. Its signs, levels and indices stay as
    they are, because they only multiply or place these zeros. A message `Signs` holds no such
    number, and is never rejected.

    Args:
        messages: a batch of messages, every array [n, ...].

    Returns:
        The messages with rejected ones zeroed, and which were rejected, [n] bool.

    >>> from jaxbyz.messages import Dense
    >>> batch = Dense(jnp.array([[1.0, 2.0], [jnp.nan, 0.0], [1e-30, 3e38], [2.0, jnp.inf]]))
    >>> batch, rejected = sanitize_messages(batch)
    >>> rejected.tolist(), batch.values[1].tolist()
    ([False, True, False, True], [0.0, 0.0])
    """
    rejected = ~jax.vmap(all_finite)(messages)  # [n]
    return _zeroed(rejected, messages), rejected


def read_messages(read: Callable[[Tree], jax.Array], messages: Tree) -> tuple[jax.Array, jax.Array]:
    """What a server reads from a batch of messages, [n, ...], and which were rejected, [n] bool.

    What is read from a rejected message is 0.

    Args:
        read: one message -> the numbers that the server computes with; a message of zeros must be
            read as zeros.
        messages: every array [n, ...].

    >>> from jaxbyz.messages import Dense
    >>> batch = Dense(jnp.array([[1.0], [jnp.nan], [2.0], [3e38]]))
    >>> received, rejected = read_messages(lambda message: 2 * message.values, batch)
    >>> received.tolist(), rejected.tolist()
    ([[2.0], [0.0], [4.0], [0.0]], [False, True, False, True])
    """
    sanitized, rejected = sanitize_messages(messages)
    received = jax.vmap(read)(sanitized)
    unreadable = ~jax.vmap(all_finite)(received)  # [n]
    return _zeroed(unreadable, received), rejected | unreadable


def saturated(values: jax.Array) -> jax.Array:
    """A sum of finite numbers, in which ±Inf (an overflow) becomes ± the largest finite number.

    >>> saturated(jnp.float16([60000]) + jnp.float16([60000])).item()
    65504.0
    """
    largest = jnp.finfo(values.dtype).max
    return jnp.clip(values, -largest, largest)


def _zeroed(which: jax.Array, messages: Tree) -> Tree:
    """A batch of messages, all numbers of those with which [n] true set to 0."""

    def keep(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        shape = (-1,) + (1,) * (leaf.ndim - 1)
        return jnp.where(which.reshape(shape), jnp.zeros((), leaf.dtype), leaf)

    return jax.tree.map(keep, messages)
