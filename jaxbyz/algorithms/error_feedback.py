"""Error feedback (EF21) behind a robust rule: compressed differences of a worker's estimates.

The mechanism is that of Richtárik, Sokolov, Fatkhullin, "EF21: a new, simpler, theoretically
better, and practically faster error feedback", NeurIPS 2021. Every method of the family is this
core with an estimate u_i of its own (see `estimators`). Start: u_i = the estimate at x⁰ and, sent
to the server, g_i = u_i, or g_i = C(u_i); or g_i = 0, and nothing is sent. Per round:

    server   x⁺ = x - γ F(g_1, …, g_n)
    worker   u_i⁺ = its estimate at x⁺
             sends c_i = C(u_i⁺ - g_i);   g_i ← g_i + c_i
    server   g_i ← g_i + c_i

| symbol | name                        | shape        |
|--------|-----------------------------|--------------|
| u_i    | in `estimator`              | [d]          |
| g_i    | server_estimate / estimates | [d] / [n, d] |
| C      | compressor                  |              |
| F      | aggregator                  |              |
| γ      | in `optimizer`              |              |

Uplink the compressor's bits, k (b + ⌈log₂ d⌉) for Top-k, and once those of the start (d b for a
dense one); downlink d b.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.estimates import as_server_reads, compressed_codec, estimates_server
from jaxbyz.algorithms.estimators import Estimator
from jaxbyz.algorithms.requirements import require_contractive
from jaxbyz.algorithms.robust_sgd import ModelBroadcast, broadcast_model
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor, Key, Oracle, Tree, Worker
from jaxbyz.deprecations import renamed_field
from jaxbyz.sanitize import saturated


class ErrorFeedbackState(NamedTuple):
    """What a worker keeps."""

    estimator: Tree  # whatever the estimate needs
    server_estimate: jax.Array  # [d] g_i

    @property
    def mirror(self) -> jax.Array:
        """The old name of `server_estimate`, kept for one release."""
        return renamed_field(self, "mirror", "server_estimate")


@part
def error_feedback(
    name: str,
    estimator: Estimator,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    start: Compressor | None,
) -> Algorithm:
    """EF21 with this estimate and this robust rule.

    Args:
        name: of the algorithm.
        estimator: what the worker wants the server to know.
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n estimates g_i.
        compressor: contractive, for instance `top_k(ratio=0.1)`; `scaled` makes an unbiased one so.
        start: what compresses the first estimates: `identity()` (a dense start) or the compressor;
            None: nothing is sent, and g_i = 0.

    Raises:
        ValueError: a compressor without α.

    >>> import jaxbyz as jb
    >>> from jaxbyz.algorithms.estimators import full_gradient
    >>> error_feedback("mine", full_gradient(), optimizer=optax.sgd(0.1), start=None,
    ...                aggregator=jb.trimmed_mean(3), compressor=jb.top_k(ratio=0.1)).hello is None
    True
    """
    require_contractive("compressor", compressor)
    if start is not None:
        require_contractive("start", start)

    def send(
        used: Compressor, key: Key, memory: Tree, estimate: jax.Array, server_estimate: jax.Array
    ) -> tuple[ErrorFeedbackState, Tree]:
        chex.assert_equal_shape([estimate, server_estimate])  # [d]
        message = used.compress(key, estimate - server_estimate)
        server_estimate = saturated(server_estimate + as_server_reads(used, message))
        return ErrorFeedbackState(memory, server_estimate), message

    def worker_init(
        key: Key, broadcast: ModelBroadcast, oracle: Oracle
    ) -> tuple[ErrorFeedbackState, Tree]:
        sample_key, compress_key = jax.random.split(key)
        memory, estimate = estimator.init(sample_key, broadcast.x, oracle)
        nothing = jnp.zeros_like(estimate)
        if start is None:
            return ErrorFeedbackState(memory, nothing), None
        return send(start, compress_key, memory, estimate, nothing)

    def worker_step(
        key: Key, state: ErrorFeedbackState, broadcast: ModelBroadcast, oracle: Oracle
    ) -> tuple[ErrorFeedbackState, Tree]:
        sample_key, compress_key = jax.random.split(key)
        memory, estimate = estimator.step(sample_key, state.estimator, broadcast.x, oracle)
        return send(compressor, compress_key, memory, estimate, state.server_estimate)

    return Algorithm(
        name=name,
        worker=Worker(worker_init, worker_step),
        server=estimates_server(optimizer, aggregator, compressor, start, broadcast_model),
        codec=compressed_codec(compressor),
        hello=None if start is None else compressed_codec(start),
    )
