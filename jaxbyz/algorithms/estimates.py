"""The server's estimates of vectors that workers tell it piece by piece, as compressed differences.

Shared by all methods in which worker i holds a vector g_i that changes only by what it sends:

    worker   sends c_i, a compressed difference;   g_i ← g_i + c_i
    server   g_i ← g_i + c_i;   x ← x - γ F(g_1, …, g_n)

Both ends start from the same g_i and add the same c_i, so they always know the same g_i. In round 0
(the hello) g_i = 0 before it, and the message has a compressor of its own: `identity()` for a dense
start.

| symbol | name                         | shape        |
|--------|------------------------------|--------------|
| x      | x                            | [d]          |
| g_i    | server_estimate / estimates  | [d] / [n, d] |
| C      | compressor, hello_compressor |              |
| F      | aggregator                   |              |
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.descent import descend
from jaxbyz.compressors.identity import identity
from jaxbyz.core import Aggregator, Codec, Compressor, Key, Server, ServerInfo, Tree
from jaxbyz.deprecations import renamed_field
from jaxbyz.sanitize import read_messages, saturated

DENSE = identity()  # what compresses the first message of a dense start


class EstimatesState(NamedTuple):
    """The model, and the server's copy of every worker's g_i."""

    x: jax.Array  # [d]
    estimates: jax.Array  # [n, d]
    optimizer: Any
    aggregator: Any

    @property
    def mirrors(self) -> jax.Array:
        """The old name of `estimates`, kept for one release."""
        return renamed_field(self, "mirrors", "estimates")


def estimates_server(
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    hello_compressor: Compressor | None,
    broadcast: Callable[[Key, EstimatesState], Tree],
) -> Server:
    """The server that adds every message to its estimates [n, d] and steps on their aggregate.

    Args:
        optimizer: what the aggregate is given to.
        aggregator: the robust rule F on the n estimates.
        compressor: of the differences.
        hello_compressor: of the first messages; None: nothing is sent in round 0, and no step is
            taken.
        broadcast: (key, state) -> broadcast.
    """

    def start(x: jax.Array, n: int) -> EstimatesState:
        estimates = jnp.zeros((n, x.shape[0]), x.dtype)
        return EstimatesState(x, estimates, optimizer.init(x), aggregator.init(x.shape[0]))

    def reading(used: Compressor) -> Callable[..., tuple[EstimatesState, ServerInfo]]:
        def step(
            key: Key, state: EstimatesState, broadcast: Tree, messages: Tree
        ) -> tuple[EstimatesState, ServerInfo]:
            del broadcast
            received, rejected = read_messages(used.decompress, messages)
            chex.assert_equal_shape([received, state.estimates])  # [n, d]
            state = state._replace(estimates=saturated(state.estimates + received))
            return descend(optimizer, aggregator, key, state, state.estimates, rejected)

        return step

    hello = None if hello_compressor is None else reading(hello_compressor)
    return Server(start, hello, broadcast, reading(compressor))


def compressed_codec(compressor: Compressor) -> Codec:
    """The protocol in which a message is a compressed vector, decoded without the broadcast."""

    def encode(key: Key, broadcast: Tree, wanted: jax.Array) -> Tree:
        del broadcast
        return compressor.encode(key, wanted)

    def decode(broadcast: Tree, message: Tree) -> jax.Array:
        del broadcast
        return compressor.decompress(message)

    return Codec(encode, decode)


def as_server_reads(compressor: Compressor, message: Tree) -> jax.Array:
    """What the server reads from this message, computed by its sender, [d].

    A message that the server rejects counts as a message of zeros. The server decides this by the
    message alone. So the worker can apply the same rule, and both ends keep the same g_i.

    >>> from jaxbyz.messages import Dense
    >>> as_server_reads(DENSE, Dense(jnp.array([1.0, jnp.nan]))).tolist()
    [0.0, 0.0]
    """
    batch = jax.tree.map(lambda leaf: leaf[None], message)  # of one
    return read_messages(compressor.decompress, batch)[0][0]
