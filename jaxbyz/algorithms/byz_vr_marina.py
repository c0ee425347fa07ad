"""Byz-VR-MARINA: now and then full gradients, else compressed differences of sampled ones.

Gorbunov, Horváth, Richtárik, Gidel, "Variance reduction is an antidote to Byzantines", ICLR 2023.
Start: g_i = ∇f_i(x⁰), sent densely. Per round, with one coin for everybody:

    server   x⁺ = x - γ g,   g = F(g_1, …, g_n);   broadcasts x⁺ and the coin, 1 with probability p
    worker   sends ∇f_i(x⁺)                       if the coin is 1
             sends q_i = Q(s_i(x⁺; ξ) - s_i(x; ξ)) else, the same sample ξ at both points
    server   g_i = ∇f_i(x⁺)                       if the coin is 1
             g_i = g + q_i                        else (`byz_vr_marina`)
             g_i ← g_i + q_i                      else (`byz_vr_marina_no_sync`)

A gradient that is rejected by the server leaves g_i (or g in its place) as it was.

In the published method all estimates start again from the common g; without synchronisation every
one goes on from its own, so that the server keeps them all.

| symbol | name                              | shape  |
|--------|-----------------------------------|--------|
| x⁺, x  | x, worker state                   | [d]    |
| g      | server state, aggregate           | [d]    |
| g_i    | estimates (without synchronising) | [n, d] |
| p      | probability                       | []     |
| Q, ω   | compressor                        |        |
| F      | aggregator                        |        |

Uplink d b bits at the start and where the coin is 1, else the compressor's; downlink d b + 1 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.byz_dasha_page import PageBroadcast, tossing
from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.estimates import DENSE, EstimatesState, compressed_codec
from jaxbyz.algorithms.requirements import require_unbiased
from jaxbyz.contracts.constructors import part
from jaxbyz.core import (
    Aggregator,
    Algorithm,
    Codec,
    Compressor,
    Key,
    Oracle,
    Server,
    ServerInfo,
    Worker,
)
from jaxbyz.messages import Dense, Either, either
from jaxbyz.sanitize import read_messages, saturated


class MarinaState(NamedTuple):
    """The model and the last aggregate."""

    x: jax.Array  # [d]
    aggregate: jax.Array  # [d] g
    optimizer: Any
    aggregator: Any


@part
def byz_vr_marina(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    probability: Any,
) -> Algorithm:
    """Byz-VR-MARINA: differences are added to the last aggregate.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n estimates g_i.
        compressor: unbiased, for instance `seeded_rand_k(ratio=0.1)`.
        probability: p in (0, 1], of a full local gradient sent densely; 1 gives robust gradient
            descent.

    Raises:
        ValueError: an argument outside its range; a compressor without ω.

    >>> import jaxbyz as jb
    >>> byz_vr_marina(compressor=jb.seeded_rand_k(ratio=0.1), probability=0.1,
    ...               optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(3)).name
    'Byz-VR-MARINA'
    """

    def start(x: jax.Array, n: int) -> MarinaState:
        del n
        return MarinaState(x, jnp.zeros_like(x), optimizer.init(x), aggregator.init(x.shape[0]))

    def update(
        key: Key, state: MarinaState, received: jax.Array, rejected: jax.Array, anew: Any
    ) -> tuple[MarinaState, ServerInfo]:
        told = jnp.where(anew, received, saturated(state.aggregate + received))
        rows = jnp.where((anew & rejected)[:, None], state.aggregate, told)
        state, info = descend(optimizer, aggregator, key, state, rows, rejected)
        return state._replace(aggregate=info.aggregate), info

    return _marina("Byz-VR-MARINA", compressor, probability, start, update)


@part
def byz_vr_marina_no_sync(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    probability: Any,
) -> Algorithm:
    """Byz-VR-MARINA without synchronisation: differences are added to the worker's own estimate.

    Arguments as those of `byz_vr_marina`. The estimates g_i are kept by the server.

    Raises:
        ValueError: an argument outside its range; a compressor without ω.

    >>> import jaxbyz as jb
    >>> byz_vr_marina_no_sync(compressor=jb.seeded_rand_k(ratio=0.1), probability=0.1,
    ...                       optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(3)).name
    'Byz-VR-MARINA, no synchronisation'
    """

    def start(x: jax.Array, n: int) -> EstimatesState:
        estimates = jnp.zeros((n, x.shape[0]), x.dtype)
        return EstimatesState(x, estimates, optimizer.init(x), aggregator.init(x.shape[0]))

    def update(
        key: Key, state: EstimatesState, received: jax.Array, rejected: jax.Array, anew: Any
    ) -> tuple[EstimatesState, ServerInfo]:
        told = jnp.where(anew, received, saturated(state.estimates + received))
        estimates = jnp.where((anew & rejected)[:, None], state.estimates, told)
        state = state._replace(estimates=estimates)
        return descend(optimizer, aggregator, key, state, estimates, rejected)

    return _marina("Byz-VR-MARINA, no synchronisation", compressor, probability, start, update)


def _marina(
    name: str,
    compressor: Compressor,
    probability: Any,
    start: Callable[[jax.Array, int], Any],
    update: Callable[..., tuple[Any, ServerInfo]],
) -> Algorithm:
    """The workers and the protocol of both; `update` says what the server makes of what it hears.

    update(key, state, received [n, d], rejected [n], anew): `anew` where gradients were sent.
    """
    broadcast = tossing(probability)
    require_unbiased("compressor", compressor)

    # ---- protocol --------------------------------------------------------------------------
    def encode(key: Key, broadcast: PageBroadcast, wanted: jax.Array) -> Either:
        return either(broadcast.coin, Dense(wanted), compressor.encode(key, wanted))

    def decode(broadcast: PageBroadcast, message: Either) -> jax.Array:
        difference = compressor.decompress(message.second)
        return jnp.where(broadcast.coin, message.first.values, difference)

    # ---- worker: remembers where it was ----------------------------------------------------
    def worker_init(key: Key, broadcast: PageBroadcast, oracle: Oracle) -> tuple[jax.Array, Dense]:
        del key
        return broadcast.x, Dense(oracle.full(broadcast.x))

    def worker_step(
        key: Key, previous: jax.Array, broadcast: PageBroadcast, oracle: Oracle
    ) -> tuple[jax.Array, Either]:
        sample_key, compress_key = jax.random.split(key)
        x = broadcast.x

        def difference() -> jax.Array:
            batch = oracle.draw(sample_key)  # one sample, used at both points
            return oracle.grad(batch, x) - oracle.grad(batch, previous)

        wanted = jax.lax.cond(broadcast.coin, lambda: oracle.full(x), difference)
        short = compressor.compress(compress_key, wanted)
        return x, either(broadcast.coin, Dense(wanted), short)

    def unchanged(previous: jax.Array, broadcast: PageBroadcast, silent: Either) -> Either:
        # A gradient of zeros would be one. Without any number the server keeps what it had.
        del previous
        nothing = jnp.full_like(silent.first.values, jnp.nan)
        return either(broadcast.coin, Dense(nothing), silent.second)

    # ---- server ----------------------------------------------------------------------------
    def hello(
        key: Key, state: Any, broadcast: PageBroadcast, messages: Dense
    ) -> tuple[Any, ServerInfo]:
        del broadcast
        return update(key, state, *read_messages(DENSE.decompress, messages), True)

    def step(
        key: Key, state: Any, broadcast: PageBroadcast, messages: Either
    ) -> tuple[Any, ServerInfo]:
        received, rejected = read_messages(lambda message: decode(broadcast, message), messages)
        return update(key, state, received, rejected, broadcast.coin)

    return Algorithm(
        name=name,
        worker=Worker(worker_init, worker_step, unchanged),
        server=Server(start, hello, broadcast, step),
        codec=Codec(encode, decode),
        hello=compressed_codec(DENSE),
        coin=probability,
    )
