"""BR-DIANA: compressed differences to learned shifts, behind a robust rule.

DIANA: Mishchenko, Gorbunov, Takáč, Richtárik, "Distributed learning with compressed gradient
differences", 2019 (arXiv 1901.09269), with a robust rule. Start: h_i = 0 at both ends. Per round:

    worker   s_i = its estimate at x;   sends q_i = Q(s_i - h_i);   h_i ← h_i + a q_i
    server   ĝ_i = h_i + q_i;   h_i ← h_i + a q_i
             x ← x - γ F(ĝ_1, …, ĝ_n)

with 0 < a ≤ 1/(1+ω). Where s_i is the full gradient, h_i tends to ∇f_i at the limit of x, and the
noise of compression vanishes.

| symbol | name              | shape        |
|--------|-------------------|--------------|
| s_i    | in `estimator`    | [d]          |
| h_i    | shift / shifts    | [d] / [n, d] |
| a      | rate              | []           |
| Q, ω   | compressor, omega |              |
| F      | aggregator        |              |

Uplink the compressor's bits, k b for Rand-k with a seed agreed once per run; downlink d b.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from jaxbyz import checks
from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.estimates import as_server_reads, compressed_codec
from jaxbyz.algorithms.estimators import Estimator, full_gradient, sampled_gradient
from jaxbyz.algorithms.requirements import require_unbiased
from jaxbyz.algorithms.robust_sgd import ModelBroadcast, broadcast_model
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
from jaxbyz.sanitize import read_messages, saturated


class DianaWorkerState(NamedTuple):
    """What a worker keeps."""

    estimator: Tree  # whatever the estimate needs
    shift: jax.Array  # [d] h_i


class DianaState(NamedTuple):
    """The model and the server's copy of every shift."""

    x: jax.Array  # [d]
    shifts: jax.Array  # [n, d]
    optimizer: Any
    aggregator: Any


@part
def br_diana(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    rate: Any = None,
) -> Algorithm:
    """BR-DIANA with sampled gradients.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n estimates ĝ_i.
        compressor: unbiased, for instance `seeded_rand_k(ratio=0.1)`; `identity()` gives robust
            D-SGD.
        rate: a in (0, 1], at most 1/(1+ω) when d is known; default 1/(1+ω).

    Raises:
        ValueError: an argument outside its range; a compressor without ω.

    >>> import jaxbyz as jb
    >>> br_diana(compressor=jb.seeded_rand_k(ratio=0.1), optimizer=optax.sgd(0.1),
    ...          aggregator=jb.trimmed_mean(3)).name
    'BR-DIANA'
    """
    return shifted("BR-DIANA", sampled_gradient(), optimizer, aggregator, compressor, rate)


@part
def br_diana_full(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    rate: Any = None,
) -> Algorithm:
    """BR-DIANA with full local gradients. Arguments as those of `br_diana`.

    Raises:
        ValueError: an argument outside its range; a compressor without ω.

    >>> import jaxbyz as jb
    >>> br_diana_full(compressor=jb.seeded_rand_k(ratio=0.1), optimizer=optax.sgd(0.1),
    ...               aggregator=jb.trimmed_mean(3)).name
    'BR-DIANA, full gradients'
    """
    return shifted(
        "BR-DIANA, full gradients", full_gradient(), optimizer, aggregator, compressor, rate
    )


@part
def shifted(
    name: str,
    estimator: Estimator,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    rate: Any,
) -> Algorithm:
    """DIANA with this estimate and this robust rule; the rest as in `br_diana`.

    Raises:
        ValueError: an argument outside its range; a compressor without ω.

    >>> import jaxbyz as jb
    >>> shifted("mine", full_gradient(), optimizer=optax.sgd(0.1), compressor=jb.rand_k(k=1),
    ...         aggregator=jb.trimmed_mean(3), rate=0.1).hello is None
    True
    """
    omega = require_unbiased("compressor", compressor)
    if rate is not None:
        checks.interval("rate", rate, 0, 1, closed="right")

    def rate_for(d: int) -> Any:
        largest = 1 / (1 + omega(d))
        if rate is None:
            return largest
        known = not (checks.is_traced(rate) or checks.is_traced(largest))
        if known and rate > largest * (1 + 1e-9):  # k/d itself is allowed, however it is rounded
            raise ValueError(f"rate must lie in (0, 1/(1+omega)] = (0, {largest}], got {rate!r}")
        return rate

    # ---- worker ----------------------------------------------------------------------------
    def worker_init(
        key: Key, broadcast: ModelBroadcast, oracle: Oracle
    ) -> tuple[DianaWorkerState, None]:
        memory, _ = estimator.init(key, broadcast.x, oracle)
        return DianaWorkerState(memory, jnp.zeros_like(broadcast.x)), None

    def worker_step(
        key: Key, state: DianaWorkerState, broadcast: ModelBroadcast, oracle: Oracle
    ) -> tuple[DianaWorkerState, Tree]:
        sample_key, compress_key = jax.random.split(key)
        memory, estimate = estimator.step(sample_key, state.estimator, broadcast.x, oracle)
        message = compressor.compress(compress_key, estimate - state.shift)
        a = rate_for(estimate.shape[0])
        shift = saturated(state.shift + a * as_server_reads(compressor, message))
        return DianaWorkerState(memory, shift), message

    # ---- server ----------------------------------------------------------------------------
    def start(x: jax.Array, n: int) -> DianaState:
        shifts = jnp.zeros((n, x.shape[0]), x.dtype)
        return DianaState(x, shifts, optimizer.init(x), aggregator.init(x.shape[0]))

    def server_step(
        key: Key, state: DianaState, broadcast: ModelBroadcast, messages: Tree
    ) -> tuple[DianaState, ServerInfo]:
        del broadcast
        received, rejected = read_messages(compressor.decompress, messages)
        chex.assert_equal_shape([received, state.shifts])
        estimates = saturated(state.shifts + received)  # [n, d] ĝ_i
        shifts = saturated(state.shifts + rate_for(state.x.shape[0]) * received)
        state = state._replace(shifts=shifts)
        return descend(optimizer, aggregator, key, state, estimates, rejected)

    return Algorithm(
        name=name,
        worker=Worker(worker_init, worker_step),
        server=Server(start, None, broadcast_model, server_step),
        codec=compressed_codec(compressor),
        hello=None,
    )
