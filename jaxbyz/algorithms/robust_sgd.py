"""Robust distributed SGD, and with worker momentum robust D-SHB: the uncompressed reference.

Per round:

    worker   s_i = one stochastic gradient at x;   m_i ← β m_i + (1-β) s_i;   sends m_i
    server   x ← x - γ F(m_1, …, m_n)

With β = 0 this is D-SGD with a robust rule; with β > 0 the distributed heavy ball whose analysis
is due to Farhadkhani et al. (ICML 2022) and Karimireddy et al. (ICML 2021).

| symbol | name            | shape |
|--------|-----------------|-------|
| m_i    | worker state    | [d]   |
| β, 1-β | momentum, fresh | []    |
| F      | aggregator      |       |

Uplink d b bits per worker; downlink d b bits.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.estimates import DENSE, compressed_codec
from jaxbyz.algorithms.momentum import fresh_weight
from jaxbyz.contracts.constructors import part
from jaxbyz.core import (
    Aggregator,
    Algorithm,
    Compressor,
    Key,
    Oracle,
    Server,
    ServerInfo,
    Tree,
    Worker,
)
from jaxbyz.messages import Dense, float_bits
from jaxbyz.sanitize import read_messages


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ModelBroadcast:
    """The model, and nothing else."""

    x: jax.Array  # [d]

    def bits(self) -> int:
        """d b."""
        return self.x.shape[-1] * float_bits(self.x)


def broadcast_model(key: Key, state: Any) -> ModelBroadcast:
    """What a server with nothing else to say broadcasts."""
    del key
    return ModelBroadcast(state.x)


class RobustSGDState(NamedTuple):
    """The server keeps the model only."""

    x: jax.Array  # [d]
    optimizer: Any
    aggregator: Any


def direct_server(
    optimizer: optax.GradientTransformation, aggregator: Aggregator, compressor: Compressor
) -> Server:
    """The server that aggregates what it reads in this round, and remembers nothing of it."""

    def start(x: jax.Array, n: int) -> RobustSGDState:
        del n
        return RobustSGDState(x, optimizer.init(x), aggregator.init(x.shape[0]))

    def step(
        key: Key, state: RobustSGDState, broadcast: Tree, messages: Tree
    ) -> tuple[RobustSGDState, ServerInfo]:
        del broadcast
        received, rejected = read_messages(compressor.decompress, messages)
        return descend(optimizer, aggregator, key, state, received, rejected)

    return Server(start, None, broadcast_model, step)


@part
def robust_sgd(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    momentum: Any = None,
    one_minus_momentum: Any = None,
) -> Algorithm:
    """Robust D-SGD; with `momentum` β in [0, 1) (or 1-β in (0, 1]) at the workers, robust D-SHB.

    Raises:
        ValueError: momentum outside its range, or given in both forms.

    >>> import jaxbyz as jb
    >>> robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.coordinate_median()).name
    'robust D-SGD'
    """
    plain = momentum is None and one_minus_momentum is None
    fresh = 1.0 if plain else fresh_weight(momentum, one_minus_momentum)

    # ---- worker ----------------------------------------------------------------------------
    def worker_init(key: Key, broadcast: ModelBroadcast, oracle: Oracle) -> tuple[Tree, None]:
        del key, oracle
        return () if plain else jnp.zeros_like(broadcast.x), None

    def worker_step(
        key: Key, state: Tree, broadcast: ModelBroadcast, oracle: Oracle
    ) -> tuple[Tree, Dense]:
        sample_key, _ = jax.random.split(key)  # every worker draws its batch from the first half
        gradient = oracle.grad(oracle.draw(sample_key), broadcast.x)  # [d]
        if plain:  # no memory, of a gradient that overflowed neither
            return state, Dense(gradient)
        state = (state - fresh * state) + fresh * gradient
        return state, Dense(state)

    def again(state: Tree, broadcast: ModelBroadcast, silent: Dense) -> Dense:
        del broadcast
        return silent if plain else Dense(state)

    return Algorithm(
        name="robust D-SGD" if plain else "robust D-SHB",
        worker=Worker(worker_init, worker_step, again),
        server=direct_server(optimizer, aggregator, DENSE),
        codec=compressed_codec(DENSE),
        hello=None,
    )
