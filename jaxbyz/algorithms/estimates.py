"""Mirrors: the server's copies of vectors that workers tell it piece by piece, as differences.

Shared by all methods in which worker i holds a vector g_i that changes only by what it sends:

    worker   sends c_i, a compressed difference;   g_i ← g_i + c_i
    server   g_i ← g_i + c_i;   x ← x - γ F(g_1, …, g_n)

so that both ends know the same g_i. The start is the same with g_i = 0 before it and with a
compressor of its own: `identity()` for a dense start.

| symbol | name                 | shape  |
|--------|----------------------|--------|
| x      | x                    | [d]    |
| g_i    | mirrors              | [n, d] |
| C      | compressor, start    |        |
| F      | aggregator           |        |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.descent import descend
from jaxbyz.compressors.identity import identity
from jaxbyz.core import Aggregator, Codec, Compressor, Key, Server, ServerInfo, Tree
from jaxbyz.entrance import heard, held

__all__ = [
    "DENSE",
    "MirrorsState",
    "compressed_codec",
    "mirrors_server",
    "taken_in",
]

DENSE = identity()  # what compresses the first message of a dense start


class MirrorsState(NamedTuple):
    """The model and the server's copy of every g_i."""

    x: jax.Array  # [d]
    mirrors: jax.Array  # [n, d]
    optimizer: Any
    aggregator: Any


def mirrors_server(
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    start: Compressor | None,
    announce: Callable[[Key, MirrorsState], Tree],
) -> Server:
    """The server that adds what it hears to its mirrors [n, d] and steps on their aggregate.

    Args:
        optimizer: what the aggregate is given to.
        aggregator: the robust rule F on the n mirrors.
        compressor: of the differences.
        start: of the first messages; None: nothing is sent at the start, and no step is taken.
        announce: (key, state) -> broadcast.
    """

    def begin(x: jax.Array, n: int) -> MirrorsState:
        mirrors = jnp.zeros((n, x.shape[0]), x.dtype)
        return MirrorsState(x, mirrors, optimizer.init(x), aggregator.init(x.shape[0]))

    def listen(spoken: Compressor) -> Callable[..., tuple[MirrorsState, ServerInfo]]:
        def step(
            key: Key, state: MirrorsState, broadcast: Tree, messages: Tree
        ) -> tuple[MirrorsState, ServerInfo]:
            del broadcast
            received, refused = heard(spoken.decompress, messages)
            state = state._replace(mirrors=held(state.mirrors + received))
            return descend(optimizer, aggregator, key, state, state.mirrors, refused)

        return step

    hello = None if start is None else listen(start)
    return Server(begin, hello, announce, listen(compressor))


def compressed_codec(compressor: Compressor) -> Codec:
    """The protocol: a message is a compressed vector, read without looking at the broadcast."""

    def encode(key: Key, broadcast: Tree, wanted: jax.Array) -> Tree:
        del broadcast
        return compressor.encode(key, wanted)

    def decode(broadcast: Tree, message: Tree) -> jax.Array:
        del broadcast
        return compressor.decompress(message)

    return Codec(encode, decode)


def taken_in(compressor: Compressor, message: Tree) -> jax.Array:
    """What the server adds to a mirror when it hears this message, as its sender knows it, [d].

    The rule of the entrance looks at nothing but the message, so that both ends always agree: one
    that the server refuses is a message of zeros for its sender too.

    >>> from jaxbyz.messages import Dense
    >>> taken_in(DENSE, Dense(jnp.array([1.0, jnp.nan]))).tolist()
    [0.0, 0.0]
    """
    batch = jax.tree.map(lambda leaf: leaf[None], message)  # of one
    return heard(compressor.decompress, batch)[0][0]
