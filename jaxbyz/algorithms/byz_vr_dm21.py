"""Byz-VR-DM21: Byz-DM21 with a recursive, variance-reduced estimate as the first momentum.

Li, Liu, Yi, "Accelerating Byzantine-robust distributed learning with compressed communication via
double momentum and variance reduction", AISTATS 2026 (arXiv 2603.15144). As Byz-DM21, but

    worker   v_i⁺ = s_i(x⁺; ξ) + (1-η)(v_i - s_i(x; ξ)),   the same sample ξ at both points
             u_i⁺ = (1-β) u_i + β v_i⁺
             sends c_i = C(u_i⁺ - g_i);   g_i ← g_i + c_i

Two gradients a round. The published method has one parameter, β = η, which is the default here.
The guarantee of order ε⁻³ that is derived for this library has β = √η and a first batch of order
T^(1/3): give `beta=eta**0.5` and `start_batch`. With β = 1 this is `byz_ef21_storm`; with η = 1,
Byz-EF21-SGDM of parameter β.

| symbol | name                                                    | shape        |
|--------|---------------------------------------------------------|--------------|
| v_i    | worker state, estimator.inner.estimate                  | [d]          |
| x      | worker state, estimator.inner.previous                  | [d]          |
| u_i    | worker state, estimator.average                         | [d]          |
| g_i    | worker state, server_estimate / server state, estimates | [d] / [n, d] |
| η, β   | eta, beta                                               | []           |
| C, F   | compressor, aggregator                                  |              |
| γ      | in `optimizer`                                          |              |

On a quadratic of smoothness L, without noise, it is stable for γL < 2(2-β)/β if nothing is
compressed. Compression is one more average: with C(z) = a z the limit is that of Byz-DM21 with
weights β and a, near β + a for small ones (derived here). Bits: see `error_feedback`.
"""

from __future__ import annotations

from typing import Any

import optax

from jaxbyz.algorithms.error_feedback import error_feedback
from jaxbyz.algorithms.estimates import DENSE
from jaxbyz.algorithms.estimators import averaged, storm
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor


@part
def byz_vr_dm21(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    eta: Any,
    beta: Any = None,
    start: Compressor | None = DENSE,
    start_batch: int = 1,
) -> Algorithm:
    """Byz-VR-DM21.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n estimates g_i.
        compressor: contractive, for instance `top_k(ratio=0.1)`.
        eta: η in (0, 1], how fast the first estimate forgets.
        beta: β in (0, 1], the weight of the first estimate in the second; default η.
        start: what compresses the first estimates: `identity()` (the default) or the compressor;
            None: nothing is sent, and g_i = 0.
        start_batch: how many sampled gradients the first estimate is the mean of. Its error
            shrinks by 1-η a round only.

    Raises:
        ValueError: an argument outside its range; a compressor without α.

    >>> import jaxbyz as jb
    >>> byz_vr_dm21(compressor=jb.top_k(ratio=0.1), eta=0.01, beta=0.1, optimizer=optax.sgd(0.1),
    ...             aggregator=jb.trimmed_mean(3)).name
    'Byz-VR-DM21'
    """
    estimator = averaged(eta if beta is None else beta, storm(eta, start_batch), name="beta")
    return error_feedback("Byz-VR-DM21", estimator, optimizer, aggregator, compressor, start)
