"""Byz-DM21: error feedback of a gradient estimate with two momenta, behind a robust rule.

Li, Liu, Yi, "Accelerating Byzantine-robust distributed learning with compressed communication via
double momentum and variance reduction", AISTATS 2026 (arXiv 2603.15144). Start: v_i = u_i = the
mean of `start_batch` sampled gradients at x⁰, and g_i = u_i, sent densely. Per round:

    server   x⁺ = x - γ F(g_1, …, g_n)
    worker   v_i⁺ = (1-η) v_i + η s_i(x⁺; ξ)
             u_i⁺ = (1-β) u_i + β v_i⁺
             sends c_i = C(u_i⁺ - g_i);   g_i ← g_i + c_i
    server   g_i ← g_i + c_i

The published method has one parameter, β = η. With β = 1 this is Byz-EF21-SGDM.

| symbol | name                                                    | shape        |
|--------|---------------------------------------------------------|--------------|
| v_i    | worker state, estimator.inner.average                   | [d]          |
| u_i    | worker state, estimator.average                         | [d]          |
| g_i    | worker state, server_estimate / server state, estimates | [d] / [n, d] |
| η, β   | eta, beta                                               | []           |
| C, F   | compressor, aggregator                                  |              |
| γ      | in `optimizer`                                          |              |

On a quadratic of smoothness L, without compression, it is stable for γL < min{(1-k)/k,
2(2-η)(2-β)/(ηβ)} only, with k = (1-η)(1-β) (derived here), which is about η + β for small weights:
try step sizes below that first. Bits: see `error_feedback`.
"""

from __future__ import annotations

from typing import Any

import optax

from jaxbyz.algorithms.error_feedback import error_feedback
from jaxbyz.algorithms.estimates import DENSE
from jaxbyz.algorithms.estimators import averaged, sampled_gradient
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor


@part
def byz_dm21(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    eta: Any,
    beta: Any = None,
    start: Compressor | None = DENSE,
    start_batch: int = 1,
) -> Algorithm:
    """Byz-DM21.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n estimates g_i.
        compressor: contractive, for instance `top_k(ratio=0.1)`.
        eta: η in (0, 1], the weight of the new gradient in the first momentum ("momentum 0.9" is
            η = 0.1).
        beta: β in (0, 1], the weight of the first momentum in the second; default η.
        start: what compresses the first estimates: `identity()` (the default) or the compressor;
            None: nothing is sent, and g_i = 0.
        start_batch: how many sampled gradients the first estimate is the mean of.

    Raises:
        ValueError: an argument outside its range; a compressor without α.

    >>> import jaxbyz as jb
    >>> byz_dm21(compressor=jb.top_k(ratio=0.1), eta=0.1, optimizer=optax.sgd(0.1),
    ...          aggregator=jb.trimmed_mean(3)).name
    'Byz-DM21'
    """
    first = averaged(eta, sampled_gradient(start_batch), name="eta")
    estimator = averaged(eta if beta is None else beta, first, name="beta")
    return error_feedback("Byz-DM21", estimator, optimizer, aggregator, compressor, start)
