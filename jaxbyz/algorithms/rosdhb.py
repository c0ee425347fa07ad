"""RoSDHB: robust sparsified distributed heavy ball.

Gupta, Honsell, Xu, Gupta, Neglia, "Reconciling communication compression and Byzantine-robustness
in distributed learning", AISTATS 2026 (arXiv 2508.17129), Algorithm 1. Per round t:

    server   draws one mask M, |M| = k, for everybody, and broadcasts it with θ
    worker   g_i = ∇L_i(θ), sends the k numbers g_i[M]
    server   m_i ← β m_i + (1-β) (d/k) scatter(g_i[M])     for all i, Byzantine ones included
             θ   ← θ - γ F(m_1, …, m_n)

| symbol | name            | shape  |
|--------|-----------------|--------|
| θ      | x               | [d]    |
| M      | subset          | [k]    |
| m_i    | momenta         | [n, d] |
| β, 1-β | momentum, fresh | []     |
| γ      | in `optimizer`  |        |
| F      | aggregator      |        |

Uplink k b bits per worker (no indices); downlink d b + 64 bits (the seed of the mask).
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.momentum import fresh_weight
from jaxbyz.compressors import shared_mask
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Codec, Key, Oracle, Server, ServerInfo, Worker
from jaxbyz.messages import SEED_BITS, SharedSupport, float_bits
from jaxbyz.sanitize import read_messages, saturated


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class RoSDHBBroadcast:
    """The model and the round's mask, which crosses as a seed."""

    x: jax.Array  # [d]
    subset: jax.Array  # [k]

    def bits(self) -> int:
        """d b + 64."""
        return self.x.shape[-1] * float_bits(self.x) + SEED_BITS


class RoSDHBState(NamedTuple):
    """Everything the server keeps; a worker keeps nothing."""

    x: jax.Array  # [d]
    momenta: jax.Array  # [n, d]
    optimizer: Any
    aggregator: Any


@part
def rosdhb(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    ratio: float | None = None,
    k: int | None = None,
    momentum: Any = None,
    one_minus_momentum: Any = None,
) -> Algorithm:
    """RoSDHB with k of d coordinates a round (or ratio = k/d) and server momentum β.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n momenta.
        ratio: k/d in (0, 1]; give this or k.
        k: coordinates per round, 1 ≤ k ≤ d.
        momentum: β in [0, 1); give this or one_minus_momentum.
        one_minus_momentum: 1-β in (0, 1], where β is so near 1 that the subtraction would lose
            digits (at the theorems' parameters up to 0.2 % in float32).

    Gradients are those of one `draw` of the worker's oracle: full local gradients (the published
    analysis) where the problem draws all local data.

    Raises:
        ValueError: an argument outside its range; k > d when d is known.

    >>> import jaxbyz as jb
    >>> rosdhb(ratio=0.1, momentum=0.9, optimizer=optax.sgd(0.1),
    ...        aggregator=jb.trimmed_mean(3)).name
    'RoSDHB'
    """
    mask = shared_mask(k, ratio=ratio)
    fresh = fresh_weight(momentum, one_minus_momentum)

    # ---- worker: no memory -----------------------------------------------------------------
    def worker_init(key: Key, broadcast: RoSDHBBroadcast, oracle: Oracle) -> tuple[tuple[()], None]:
        del key, broadcast, oracle
        return (), None

    def worker_step(
        key: Key, state: tuple[()], broadcast: RoSDHBBroadcast, oracle: Oracle
    ) -> tuple[tuple[()], SharedSupport]:
        sample_key, _ = jax.random.split(key)  # every worker draws its batch from the first half
        gradient = oracle.grad(oracle.draw(sample_key), broadcast.x)  # [d]
        return state, mask.restrict(gradient, broadcast.subset)

    # ---- server ----------------------------------------------------------------------------
    def start(x: jax.Array, n: int) -> RoSDHBState:
        momenta = jnp.zeros((n, x.shape[0]), x.dtype)
        return RoSDHBState(x, momenta, optimizer.init(x), aggregator.init(x.shape[0]))

    def broadcast(key: Key, state: RoSDHBState) -> RoSDHBBroadcast:
        return RoSDHBBroadcast(state.x, mask.draw(key, state.x.shape[0]))

    def server_step(
        key: Key, state: RoSDHBState, broadcast: RoSDHBBroadcast, messages: SharedSupport
    ) -> tuple[RoSDHBState, ServerInfo]:
        d = state.x.shape[0]
        weight = fresh * (d / mask.keep(d))
        received, rejected = read_messages(
            lambda message: weight * message.values, messages
        )  # [n, k]
        # m += (1-β)(g̃ - m), on the mask and off it: no bias from a rounded β.
        faded = state.momenta - fresh * state.momenta  # [n, d]
        told = saturated(faded[:, broadcast.subset] + received)
        momenta = faded.at[:, broadcast.subset].set(told, unique_indices=True)
        state = state._replace(momenta=momenta)
        return descend(optimizer, aggregator, key, state, momenta, rejected)

    # ---- protocol --------------------------------------------------------------------------
    def encode(key: Key, broadcast: RoSDHBBroadcast, wanted: jax.Array) -> SharedSupport:
        del key
        d = wanted.shape[0]
        return SharedSupport(wanted[broadcast.subset] * (mask.keep(d) / d))

    def decode(broadcast: RoSDHBBroadcast, message: SharedSupport) -> jax.Array:
        return mask.extend(message, broadcast.subset, broadcast.x.shape[0])

    return Algorithm(
        name="RoSDHB",
        worker=Worker(worker_init, worker_step),
        server=Server(start, None, broadcast, server_step),
        codec=Codec(encode, decode),
        hello=None,
    )
