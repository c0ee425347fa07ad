"""BROADCAST: SAGA estimates in DIANA, behind a robust rule.

Zhu, Ling, "BROADCAST: reducing both stochastic and compression noise to robustify
communication-efficient federated learning", 2021 (arXiv 2104.06685). Worker i has m samples with
gradients ∇f_ij and a table of one gradient for each; at the start those at x⁰. Per round:

    worker   draws samples j;   s_i = mean over them of (∇f_ij(x) - tab_ij) + mean over all of tab_i
             tab_ij ← ∇f_ij(x)
             sends q_i = Q(s_i - h_i);   h_i ← h_i + a q_i
    server   ĝ_i = h_i + q_i;   h_i ← h_i + a q_i
             x ← x - γ F(ĝ_1, …, ĝ_n)

| symbol | name                    | shape        |
|--------|-------------------------|--------------|
| tab_i  | worker state, estimator | [m, d]       |
| m      | samples                 |              |
| h_i    | shift / shifts          | [d] / [n, d] |
| a      | rate                    | []           |
| Q, F   | compressor, aggregator  |              |

It is `br_diana` with another estimate; the published rule F is the geometric median. The table
needs an oracle whose draws are indices of samples, [b] integers in 0..m-1. Uplink the compressor's
bits; downlink d b. Worker memory m + 1 vectors.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxbyz import checks
from jaxbyz.algorithms.br_diana import shifted
from jaxbyz.algorithms.estimators import Estimator
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor, Key, Oracle


def saga(samples: int) -> Estimator:
    """The SAGA estimate (Defazio, Bach, Lacoste-Julien, NeurIPS 2014) over m samples.

    Its state is the table, [m, d]. A gradient that is not finite at the start has 0 there instead.

    Of workers with fewer samples, the rows that no sample belongs to count nothing.

    Raises:
        ValueError: samples < 1; when traced, draws that are not a vector of integers, or a problem
            whose workers have another number of samples at most.

    >>> oracle = Oracle(lambda x: x, lambda key: jnp.array([1]), lambda j, x: j.mean() * x)
    >>> table, _ = saga(samples=3).init(jax.random.key(0), jnp.ones(1), oracle)
    >>> table.tolist()
    [[0.0], [1.0], [2.0]]
    >>> saga(samples=3).step(jax.random.key(0), table, 5 * jnp.ones(1), oracle)[1].tolist()
    [5.0]
    """
    m = checks.count("samples", samples, minimum=1)

    def gradient_of(oracle: Oracle, sample: jax.Array, x: jax.Array) -> jax.Array:
        return oracle.grad(sample[None], x)

    def init(key: Key, x: jax.Array, oracle: Oracle) -> tuple[jax.Array, jax.Array]:
        _require_positions(jax.eval_shape(oracle.draw, key))
        if oracle.owned is not None and oracle.owned.shape[0] != m:
            raise ValueError(
                f"samples must be {oracle.owned.shape[0]}, the most that a worker has, got {m}"
            )
        table = jax.lax.map(lambda sample: gradient_of(oracle, sample, x), jnp.arange(m))
        table = jnp.where(jnp.isfinite(table).all(axis=1, keepdims=True), table, 0)
        return table, _mean(table, oracle.owned)

    def step(
        key: Key, table: jax.Array, x: jax.Array, oracle: Oracle
    ) -> tuple[jax.Array, jax.Array]:
        drawn = oracle.draw(key)
        _require_positions(drawn)
        old = table[drawn]  # [b, d]
        new = jax.vmap(lambda sample: gradient_of(oracle, sample, x))(drawn)
        owned = oracle.owned
        among = owned[drawn] if isinstance(owned, jax.Array) else None
        estimate = _mean(new - old, among) + _mean(table, owned)
        return table.at[drawn].set(new), estimate

    return Estimator(init, step)


def _mean(rows: jax.Array, owned: Any) -> jax.Array:
    """Of the rows [m, d] of a worker's own samples; None: of all."""
    if not isinstance(owned, jax.Array):  # all of them
        return rows.mean(axis=0)
    return jnp.where(owned[:, None], rows, 0).sum(axis=0) / owned.sum()


def _require_positions(drawn: Any) -> None:
    """Raise unless a draw is [b] integers, the positions of samples."""
    shape = getattr(drawn, "shape", None)
    if shape is None or len(shape) != 1 or not jnp.issubdtype(drawn.dtype, jnp.integer):
        raise ValueError(
            "oracle.draw must give indices of samples, [b] integers, got "
            f"{jax.tree.map(jnp.shape, drawn)} (a table needs a finite sum)"
        )


@part
def broadcast_saga(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    samples: int,
    rate: Any = None,
) -> Algorithm:
    """BROADCAST.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n estimates ĝ_i; `geometric_median()` is the published
            one.
        compressor: unbiased, for instance `seeded_rand_k(ratio=0.1)`.
        samples: m, how many samples every worker has, or the most that one has; it stores as many
            vectors.
        rate: a in (0, 1], at most 1/(1+ω) when d is known; default 1/(1+ω).

    Raises:
        ValueError: an argument outside its range; a compressor without ω; when traced, a problem
            whose draws are not indices of samples, or that has another number of them.

    >>> import jaxbyz as jb
    >>> broadcast_saga(compressor=jb.seeded_rand_k(ratio=0.1), samples=50, optimizer=optax.sgd(0.1),
    ...                aggregator=jb.geometric_median()).name
    'BROADCAST'
    """
    return shifted("BROADCAST", saga(samples), optimizer, aggregator, compressor, rate)
