"""Byz-DASHA-PAGE: compressed differences with the DASHA correction, and PAGE estimates.

Rammal, Gruntkowska, Fedin, Gorbunov, Richtárik, "Communication compression for Byzantine robust
learning: new efficient algorithms and improved rates", AISTATS 2024. Start: h_i = g_i = ∇f_i(x⁰),
sent densely. Per round, with one coin for everybody and a mask of its own for every worker:

    server   x⁺ = x - γ F(g_1, …, g_n);   broadcasts x⁺ and the coin, 1 with probability p
    worker   h_i⁺ = ∇f_i(x⁺)                                 if the coin is 1
             h_i⁺ = h_i + s_i(x⁺; ξ) - s_i(x; ξ)             else, the same sample ξ at both points
             sends m_i = C_i(h_i⁺ - h_i - a (g_i - h_i)),    a = 1/(2ω+1)
             g_i ← g_i + m_i
    server   g_i ← g_i + m_i

| symbol | name                        | shape        |
|--------|-----------------------------|--------------|
| x⁺, x  | x, previous                 | [d]          |
| h_i    | estimate                    | [d]          |
| g_i    | server_estimate / estimates | [d] / [n, d] |
| C_i, ω | compressor, omega           |              |
| a      | correction                  | []           |
| p      | probability                 | []           |

Uplink d b bits once, then the compressor's (k b for Rand-k with a seed agreed once per run);
downlink d b + 1 bits (the coin, which the start does not use).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from jaxbyz import checks
from jaxbyz.algorithms.estimates import DENSE, as_server_reads, compressed_codec, estimates_server
from jaxbyz.algorithms.requirements import require_unbiased
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor, Key, Oracle, Worker
from jaxbyz.deprecations import renamed_field
from jaxbyz.messages import Dense, float_bits
from jaxbyz.sanitize import saturated


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PageBroadcast:
    """The model and the common coin."""

    x: jax.Array  # [d]
    coin: jax.Array  # [] bool

    def bits(self) -> int:
        """d b + 1."""
        return self.x.shape[-1] * float_bits(self.x) + 1


def tossing(probability: Any) -> Callable[[Key, Any], PageBroadcast]:
    """`broadcast` of a server that tosses one coin for all workers, 1 with probability p in (0, 1].

    Raises:
        ValueError: probability outside its range.
    """
    checks.interval("probability", probability, 0, 1, closed="right")

    def broadcast(key: Key, state: Any) -> PageBroadcast:
        return PageBroadcast(state.x, jax.random.bernoulli(key, probability))

    return broadcast


class DashaWorkerState(NamedTuple):
    """Three vectors that a worker remembers."""

    estimate: jax.Array  # [d] h_i
    server_estimate: jax.Array  # [d] g_i
    previous: jax.Array  # [d] x

    @property
    def mirror(self) -> jax.Array:
        """The old name of `server_estimate`, kept for one release."""
        return renamed_field(self, "mirror", "server_estimate")


@part
def byz_dasha_page(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    probability: Any,
    correction: Any = None,
) -> Algorithm:
    """Byz-DASHA-PAGE with a dense start.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n estimates g_i.
        compressor: unbiased, for instance `seeded_rand_k(ratio=0.1)`.
        probability: p in (0, 1], of a full local gradient; 1 gives Byz-DASHA with full gradients.
        correction: a in (0, 1]; default 1/(2ω+1).

    Raises:
        ValueError: an argument outside its range; a compressor without ω.

    >>> import jaxbyz as jb
    >>> byz_dasha_page(compressor=jb.seeded_rand_k(ratio=0.1), probability=0.1,
    ...                optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(3)).name
    'Byz-DASHA-PAGE'
    """
    broadcast = tossing(probability)
    if correction is not None:
        checks.interval("correction", correction, 0, 1, closed="right")
    omega = require_unbiased("compressor", compressor)
    # A coin that cannot fall otherwise is not asked: nothing is compiled for its other side.
    always = not isinstance(probability, jax.core.Tracer) and bool(probability == 1)

    # ---- worker ----------------------------------------------------------------------------
    def worker_init(
        key: Key, broadcast: PageBroadcast, oracle: Oracle
    ) -> tuple[DashaWorkerState, Dense]:
        del key
        gradient = oracle.full(broadcast.x)
        return DashaWorkerState(gradient, gradient, broadcast.x), Dense(gradient)

    def worker_step(
        key: Key, state: DashaWorkerState, broadcast: PageBroadcast, oracle: Oracle
    ) -> tuple[DashaWorkerState, Any]:
        sample_key, compress_key = jax.random.split(key)
        x = broadcast.x

        def difference() -> jax.Array:
            batch = oracle.draw(sample_key)  # one sample, used at both points
            return state.estimate + oracle.grad(batch, x) - oracle.grad(batch, state.previous)

        if always:
            estimate = oracle.full(x)
        else:
            estimate = jax.lax.cond(broadcast.coin, lambda: oracle.full(x), difference)
        a = 1 / (2 * omega(x.shape[0]) + 1) if correction is None else correction
        wanted = estimate - state.estimate - a * (state.server_estimate - state.estimate)
        message = compressor.compress(compress_key, wanted)
        server_estimate = saturated(state.server_estimate + as_server_reads(compressor, message))
        return DashaWorkerState(estimate, server_estimate, x), message

    return Algorithm(
        name="Byz-DASHA-PAGE",
        worker=Worker(worker_init, worker_step),
        server=estimates_server(optimizer, aggregator, compressor, DENSE, broadcast),
        codec=compressed_codec(compressor),
        hello=compressed_codec(DENSE),
        coin=probability,
    )
