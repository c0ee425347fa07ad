"""RoSDHB with local masks: every worker compresses by a draw of its own.

The method that Gupta, Honsell, Xu, Gupta, Neglia, "Reconciling communication compression and
Byzantine-robustness in distributed learning", AISTATS 2026 (arXiv 2508.17129), set their one mask
for everybody against. Per round:

    worker   s_i = one stochastic gradient at θ;   sends q_i = Q_i(s_i)
    server   m_i ← β m_i + (1-β) q_i     for all i, Byzantine ones included
             θ   ← θ - γ F(m_1, …, m_n)

With Q_i Rand-k, q_i = (d/k) scatter(s_i[M_i]), where the masks M_i are independent. Then momenta of
honest workers drift apart even where their data agree (derived here: for identical gradients, by
(1-β)² (d/k - 1)(1 - 1/h) ‖∇f‖² a round); with the mask of `rosdhb` they do not.

| symbol | name            | shape  |
|--------|-----------------|--------|
| θ      | x               | [d]    |
| Q_i    | compressor      |        |
| m_i    | momenta         | [n, d] |
| β, 1-β | momentum, fresh | []     |
| F      | aggregator      |        |

Uplink the compressor's bits: k b for `seeded_rand_k` (a seed agreed once per run), k (b + ⌈log₂ d⌉)
for `rand_k`; downlink d b.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.br_csgd import br_csgd
from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.momentum import fresh_weight
from jaxbyz.algorithms.robust_sgd import ModelBroadcast, broadcast_model
from jaxbyz.algorithms.rosdhb import RoSDHBState
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor, Key, Server, ServerInfo, Tree
from jaxbyz.sanitize import read_messages, saturated


@part
def rosdhb_local(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    momentum: Any = None,
    one_minus_momentum: Any = None,
) -> Algorithm:
    """RoSDHB with local masks and server momentum β.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n momenta.
        compressor: unbiased; `seeded_rand_k(ratio=0.1)` for masks that cross as a seed, `rand_k`
            for masks that cross as indices.
        momentum: β in [0, 1); give this or one_minus_momentum. 0 gives BR-CSGD.
        one_minus_momentum: 1-β in (0, 1], for β near 1.

    Raises:
        ValueError: an argument outside its range; a compressor without ω.

    >>> import jaxbyz as jb
    >>> rosdhb_local(compressor=jb.seeded_rand_k(ratio=0.1), momentum=0.9,
    ...              optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(3)).name
    'RoSDHB, local masks'
    """
    fresh = fresh_weight(momentum, one_minus_momentum)
    # The workers and what they say are those of BR-CSGD: only the server has a memory.
    plain = br_csgd(optimizer=optimizer, aggregator=aggregator, compressor=compressor)

    def start(x: jax.Array, n: int) -> RoSDHBState:
        momenta = jnp.zeros((n, x.shape[0]), x.dtype)
        return RoSDHBState(x, momenta, optimizer.init(x), aggregator.init(x.shape[0]))

    def step(
        key: Key, state: RoSDHBState, broadcast: ModelBroadcast, messages: Tree
    ) -> tuple[RoSDHBState, ServerInfo]:
        del broadcast
        received, rejected = read_messages(compressor.decompress, messages)
        # m + (1-β)(q - m): no bias from a rounded β.
        momenta = saturated((state.momenta - fresh * state.momenta) + fresh * received)  # [n, d]
        state = state._replace(momenta=momenta)
        return descend(optimizer, aggregator, key, state, momenta, rejected)

    return plain._replace(
        name="RoSDHB, local masks", server=Server(start, None, broadcast_model, step)
    )
