"""Deviations that more than one code base has: one mask for all workers, coins by the clock.

`same_masks`      the random generator is set back before every worker's turn, so that all workers
                  draw the same coordinates in a round
`coin_by_clock`   full gradients in the first round of every epoch, and in no other

Both wrap an algorithm; its server state gets one more field, its broadcast too. What is added to
the broadcast is charged no bits: it stands for what the code shares by other means.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.core import Algorithm, Codec, Key, Oracle, Server, Tree, Worker


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KeyedBroadcast:
    """A broadcast, and a key that all workers see."""

    inner: Any
    key: jax.Array
    coin: Any = None  # that of the inner broadcast, where it has one

    def bits(self) -> Any:
        """Those of the inner broadcast."""
        return self.inner.bits()

    @property
    def x(self) -> jax.Array:
        """The model, [d]."""
        return self.inner.x

    def opened(self) -> Any:
        """The inner broadcast."""
        return self.inner if self.coin is None else dataclasses.replace(self.inner, coin=self.coin)


def same_masks(algorithm: Algorithm) -> Algorithm:
    """The algorithm with the same random coordinates for all workers of a round.

    Every worker compresses with the key of the round in place of its own. Samples are drawn with
    the worker's own key. The first messages (hello) are left as they are.

    Args:
        algorithm: whose workers split their key into one for samples and one for the compressor.

    >>> import jaxbyz as jb, optax
    >>> same_masks(jb.br_csgd(optimizer=optax.sgd(0.1), aggregator=jb.mean(),
    ...                       compressor=jb.seeded_rand_k(k=1))).name
    'BR-CSGD, same masks'
    """
    inner = algorithm

    def broadcast(key: Key, state: Tree) -> KeyedBroadcast:
        own, common = jax.random.split(key)
        said = inner.server.broadcast(own, state)
        return KeyedBroadcast(said, common, getattr(said, "coin", None))

    def init(key: Key, broadcast: KeyedBroadcast, oracle: Oracle) -> Any:
        return inner.worker.init(key, broadcast.opened(), oracle)

    def step(key: Key, state: Tree, broadcast: KeyedBroadcast, oracle: Oracle) -> Any:
        own = oracle._replace(draw=lambda _: oracle.draw(key))
        return inner.worker.step(broadcast.key, state, broadcast.opened(), own)

    unchanged = inner.worker.unchanged

    def again(state: Tree, broadcast: KeyedBroadcast, silent: Tree) -> Tree:
        assert unchanged is not None
        return unchanged(state, broadcast.opened(), silent)

    def served(function: Any) -> Any:
        if function is None:
            return None
        return lambda key, state, broadcast, said: function(key, state, broadcast.opened(), said)

    def encode(key: Key, broadcast: KeyedBroadcast, wanted: jax.Array) -> Tree:
        del key  # the coordinates are those of everybody
        _, compress_key = jax.random.split(broadcast.key)
        return inner.codec.encode(compress_key, broadcast.opened(), wanted)

    def plain(codec: Codec | None) -> Codec | None:
        if codec is None:
            return None
        return Codec(
            lambda key, broadcast, wanted: codec.encode(key, broadcast.opened(), wanted),
            lambda broadcast, message: codec.decode(broadcast.opened(), message),
        )

    decode = plain(inner.codec)
    assert decode is not None
    return inner._replace(
        name=f"{inner.name}, same masks",
        worker=Worker(init, step, None if unchanged is None else again),
        server=Server(
            inner.server.start, served(inner.server.hello), broadcast, served(inner.server.step)
        ),
        codec=Codec(encode, decode.decode),
        hello=plain(inner.hello),
        bind=None,
        recipe=None,
    )


class ClockedState(NamedTuple):
    """The server's state and the number of rounds that began."""

    inner: Any
    round: jax.Array  # [] int32

    @property
    def x(self) -> jax.Array:
        """The model, [d]."""
        return self.inner.x


def coin_by_clock(algorithm: Algorithm, every: int) -> Algorithm:
    """The algorithm with coin 1 in rounds 1, 1 + every, 1 + 2 every, …, and 0 in all others.

    Args:
        algorithm: whose broadcast has a field `coin`.
        every: rounds of an epoch.

    Raises:
        ValueError: every < 1; an algorithm without a coin.

    >>> import jaxbyz as jb, optax
    >>> coin_by_clock(jb.byz_vr_marina(optimizer=optax.sgd(0.1), aggregator=jb.mean(),
    ...     compressor=jb.seeded_rand_k(k=1), probability=0.1), every=68).name
    'Byz-VR-MARINA, coin by the clock'
    """
    inner = algorithm
    every = checks.count("every", every, minimum=1)
    if inner.coin is None:
        raise ValueError(f"algorithm must have a coin, got {inner.name!r}, which has none")

    def start(x: jax.Array, n: int) -> ClockedState:
        return ClockedState(inner.server.start(x, n), jnp.int32(0))

    def broadcast(key: Key, state: ClockedState) -> Any:
        said = inner.server.broadcast(key, state.inner)
        return dataclasses.replace(said, coin=state.round % every == 0)

    def hello(key: Key, state: ClockedState, broadcast: Tree, messages: Tree) -> Any:
        assert inner.server.hello is not None
        after, info = inner.server.hello(key, state.inner, broadcast, messages)
        return ClockedState(after, state.round), info

    def step(key: Key, state: ClockedState, broadcast: Tree, messages: Tree) -> Any:
        after, info = inner.server.step(key, state.inner, broadcast, messages)
        return ClockedState(after, state.round + 1), info

    return inner._replace(
        name=f"{inner.name}, coin by the clock",
        server=Server(start, None if inner.server.hello is None else hello, broadcast, step),
        bind=None,
        recipe=None,
    )
