"""Byz-EF14: classic error feedback behind a robust rule.

The mechanism of Seide, Fu, Droppo, Li, Yu, "1-bit stochastic gradient descent and its application
to data-parallel distributed training of speech DNNs", Interspeech 2014: what compression left out
is added to the next gradient. Start: e_i = 0. Per round:

    worker   z_i = e_i + s_i(x);   sends c_i = C(z_i);   e_i ← z_i - c_i
    server   x ← x - γ F(c_1, …, c_n)

The error e_i is that of gradients; the step size stands behind it, as γ is constant. The server
reads pieces of gradients, not estimates of them: compare `error_feedback`.

| symbol | name         | shape |
|--------|--------------|-------|
| e_i    | worker state | [d]   |
| C      | compressor   |       |
| F      | aggregator   |       |

Uplink the compressor's bits, k (b + ⌈log₂ d⌉) for Top-k; downlink d b.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.estimates import as_server_reads, compressed_codec
from jaxbyz.algorithms.requirements import require_contractive
from jaxbyz.algorithms.robust_sgd import ModelBroadcast, direct_server
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor, Key, Oracle, Worker


@part
def byz_ef14(
    *, optimizer: optax.GradientTransformation, aggregator: Aggregator, compressor: Compressor
) -> Algorithm:
    """Byz-EF14.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n compressed vectors c_i.
        compressor: contractive, for instance `top_k(ratio=0.1)`; `identity()` gives robust D-SGD.

    Raises:
        ValueError: a compressor without α.

    >>> import jaxbyz as jb
    >>> byz_ef14(compressor=jb.top_k(ratio=0.1), optimizer=optax.sgd(0.1),
    ...          aggregator=jb.trimmed_mean(3)).name
    'Byz-EF14'
    """
    require_contractive("compressor", compressor)

    def init(key: Key, broadcast: ModelBroadcast, oracle: Oracle) -> tuple[jax.Array, None]:
        del key, oracle
        return jnp.zeros_like(broadcast.x), None

    def step(
        key: Key, state: jax.Array, broadcast: ModelBroadcast, oracle: Oracle
    ) -> tuple[jax.Array, Any]:
        sample_key, compress_key = jax.random.split(key)
        wanted = state + oracle.grad(oracle.draw(sample_key), broadcast.x)  # [d] z_i
        message = compressor.compress(compress_key, wanted)
        return wanted - as_server_reads(compressor, message), message

    return Algorithm(
        name="Byz-EF14",
        worker=Worker(init, step),
        server=direct_server(optimizer, aggregator, compressor),
        codec=compressed_codec(compressor),
        hello=None,
    )
