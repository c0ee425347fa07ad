"""Byz-EF21: error feedback of gradients behind a robust rule; no momentum.

Rammal, Gruntkowska, Fedin, Gorbunov, Richtárik, "Communication compression for Byzantine robust
learning: new efficient algorithms and improved rates", AISTATS 2024. Start: g_i = u_i at x⁰, sent
densely. Per round:

    server   x⁺ = x - γ F(g_1, …, g_n)
    worker   u_i = ∇f_i(x⁺)   (`byz_ef21`),   or one sampled gradient s_i(x⁺; ξ)   (`byz_ef21_sgd`)
             sends c_i = C(u_i - g_i);   g_i ← g_i + c_i
    server   g_i ← g_i + c_i

| symbol | name                                                    | shape        |
|--------|---------------------------------------------------------|--------------|
| g_i    | worker state, server_estimate / server state, estimates | [d] / [n, d] |
| C, F   | compressor, aggregator                                  |              |
| γ      | in `optimizer`                                          |              |

Bits: see `error_feedback`.
"""

from __future__ import annotations

import optax

from jaxbyz.algorithms.error_feedback import error_feedback
from jaxbyz.algorithms.estimates import DENSE
from jaxbyz.algorithms.estimators import full_gradient, sampled_gradient
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor


@part
def byz_ef21(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    start: Compressor | None = DENSE,
) -> Algorithm:
    """Byz-EF21, with full local gradients. Arguments as those of `byz_dm21`.

    Raises:
        ValueError: a compressor without α.

    >>> import jaxbyz as jb
    >>> byz_ef21(compressor=jb.top_k(ratio=0.1), optimizer=optax.sgd(0.1),
    ...          aggregator=jb.trimmed_mean(3)).name
    'Byz-EF21'
    """
    return error_feedback("Byz-EF21", full_gradient(), optimizer, aggregator, compressor, start)


@part
def byz_ef21_sgd(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    start: Compressor | None = DENSE,
    start_batch: int = 1,
) -> Algorithm:
    """Byz-EF21 with sampled gradients: Byz-DM21 at η = β = 1. Arguments as those of `byz_dm21`.

    Raises:
        ValueError: start_batch < 1; a compressor without α.

    >>> import jaxbyz as jb
    >>> byz_ef21_sgd(compressor=jb.top_k(ratio=0.1), optimizer=optax.sgd(0.1),
    ...              aggregator=jb.trimmed_mean(3)).name
    'Byz-EF21-SGD'
    """
    return error_feedback(
        "Byz-EF21-SGD", sampled_gradient(start_batch), optimizer, aggregator, compressor, start
    )
