"""BR-CSGD: compressed stochastic gradients behind a robust rule; no memory anywhere.

Compressed SGD (Alistarh, Grubic, Li, Tomioka, Vojnović, "QSGD: communication-efficient SGD via
gradient quantization and encoding", NeurIPS 2017) with a robust rule. Per round:

    worker   sends q_i = Q(s_i(x))
    server   x ← x - γ F(q_1, …, q_n)

Honest messages differ by the noise of compression, of size ω ‖s_i‖², even where data agree: that is
what the rule has to see through, and what the methods with a memory avoid.

| symbol | name       | shape |
|--------|------------|-------|
| q_i    | message    |       |
| Q, ω   | compressor |       |
| F      | aggregator |       |

Uplink the compressor's bits, k b for Rand-k with a seed agreed once per run; downlink d b.
"""

from __future__ import annotations

from typing import Any

import jax
import optax

from jaxbyz.algorithms.estimates import compressed_codec
from jaxbyz.algorithms.requirements import require_unbiased
from jaxbyz.algorithms.robust_sgd import ModelBroadcast, direct_server
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor, Key, Oracle, Worker


@part
def br_csgd(
    *, optimizer: optax.GradientTransformation, aggregator: Aggregator, compressor: Compressor
) -> Algorithm:
    """BR-CSGD.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n compressed gradients.
        compressor: unbiased, for instance `seeded_rand_k(ratio=0.1)`; `identity()` gives robust
            D-SGD.

    Raises:
        ValueError: a compressor without ω.

    >>> import jaxbyz as jb
    >>> br_csgd(compressor=jb.seeded_rand_k(ratio=0.1), optimizer=optax.sgd(0.1),
    ...         aggregator=jb.trimmed_mean(3)).name
    'BR-CSGD'
    """
    require_unbiased("compressor", compressor)

    def init(key: Key, broadcast: ModelBroadcast, oracle: Oracle) -> tuple[tuple[()], None]:
        del key, broadcast, oracle
        return (), None

    def step(
        key: Key, state: tuple[()], broadcast: ModelBroadcast, oracle: Oracle
    ) -> tuple[tuple[()], Any]:
        sample_key, compress_key = jax.random.split(key)
        gradient = oracle.grad(oracle.draw(sample_key), broadcast.x)  # [d]
        return state, compressor.compress(compress_key, gradient)

    return Algorithm(
        name="BR-CSGD",
        worker=Worker(init, step),
        server=direct_server(optimizer, aggregator, compressor),
        codec=compressed_codec(compressor),
        hello=None,
    )
