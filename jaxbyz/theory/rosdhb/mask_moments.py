"""Second moments of masks: Φ with E[P_i Q_ij P_j] = Φ(Q)_ij for the masks P of the workers.

global mask      Φ(Q)_ij = τ Q_ij + (a-τ) diag(Q_ij)          τ = d(k-1)/(k(d-1)), a = d/k
Bernoulli mask   the same with τ = 1
local masks      Φ(Q)_ii as for the global mask,  Φ(Q)_ij = Q_ij
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz import checks

Mask = Callable[[jax.Array], jax.Array]  # Φ: Q [n, d, n, d] -> [n, d, n, d]


def _diagonal(blocks: jax.Array) -> jax.Array:
    """Every block (i, j) replaced by its diagonal."""
    return blocks * jnp.eye(blocks.shape[1])[None, :, None, :]


def _pairs(d: int, k: int) -> tuple[float, float]:
    """τ and a."""
    k = checks.count("k", k, minimum=1, maximum=d)
    return (d * (k - 1) / (k * (d - 1)) if d > 1 else 1.0), d / k


def global_mask(d: int, k: int) -> Mask:
    """Φ of one uniform k-subset for all workers: what RoSDHB uses.

    Raises:
        ValueError: not 1 ≤ k ≤ d.
    """
    tau, a = _pairs(d, k)
    return lambda blocks: tau * blocks + (a - tau) * _diagonal(blocks)


def bernoulli_mask(probability: float) -> Mask:
    """Φ of one mask for all workers that keeps every coordinate with this probability.

    Raises:
        ValueError: probability outside (0, 1].
    """
    p = float(checks.interval("probability", probability, 0, 1, closed="right"))
    return lambda blocks: blocks + (1 / p - 1) * _diagonal(blocks)


def local_masks(d: int, k: int) -> Mask:
    """Φ of independent uniform k-subsets, one for every worker.

    Raises:
        ValueError: not 1 ≤ k ≤ d.
    """
    tau, a = _pairs(d, k)

    def expect(blocks: jax.Array) -> jax.Array:
        own = jnp.eye(blocks.shape[0])[:, None, :, None]
        return blocks + own * ((tau - 1) * blocks + (a - tau) * _diagonal(blocks))

    return expect
