"""Byz-EF21-SGDM and Byz-EF21-STORM: error feedback of one momentum, behind a robust rule.

Byz-EF21-SGDM: Liu, Li, Yi, Johansson, "Byzantine-robust and communication-efficient distributed
learning via compressed momentum filtering", 2024 (arXiv 2409.08640). Start: v_i = g_i = the mean of
`start_batch` sampled gradients at x⁰, sent densely. Per round:

    server   x⁺ = x - γ F(g_1, …, g_n)
    worker   v_i⁺ = (1-η) v_i + η s_i(x⁺; ξ)                 (`byz_ef21_sgdm`)
             v_i⁺ = s_i(x⁺; ξ) + (1-η)(v_i - s_i(x; ξ))      (`byz_ef21_storm`, the same sample ξ)
             sends c_i = C(v_i⁺ - g_i);   g_i ← g_i + c_i
    server   g_i ← g_i + c_i

They are Byz-DM21 and Byz-VR-DM21 at β = 1, without the memory of a second momentum.

| symbol | name                                                    | shape        |
|--------|---------------------------------------------------------|--------------|
| v_i    | worker state, estimator.average, for STORM .estimate    | [d]          |
| x      | worker state, estimator.previous (STORM only)           | [d]          |
| g_i    | worker state, server_estimate / server state, estimates | [d] / [n, d] |
| η      | eta                                                     | []           |
| C, F   | compressor, aggregator                                  |              |
| γ      | in `optimizer`                                          |              |

Bits: see `error_feedback`.
"""

from __future__ import annotations

from typing import Any

import optax

from jaxbyz.algorithms.error_feedback import error_feedback
from jaxbyz.algorithms.estimates import DENSE
from jaxbyz.algorithms.estimators import averaged, sampled_gradient, storm
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator, Algorithm, Compressor


@part
def byz_ef21_sgdm(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    eta: Any,
    start: Compressor | None = DENSE,
    start_batch: int = 1,
) -> Algorithm:
    """Byz-EF21-SGDM, with momentum weight η in (0, 1]. Arguments as those of `byz_dm21`.

    Raises:
        ValueError: an argument outside its range; a compressor without α.

    >>> import jaxbyz as jb
    >>> byz_ef21_sgdm(compressor=jb.top_k(ratio=0.1), eta=0.1, optimizer=optax.sgd(0.1),
    ...               aggregator=jb.trimmed_mean(3)).name
    'Byz-EF21-SGDM'
    """
    estimator = averaged(eta, sampled_gradient(start_batch), name="eta")
    return error_feedback("Byz-EF21-SGDM", estimator, optimizer, aggregator, compressor, start)


@part
def byz_ef21_storm(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    eta: Any,
    start: Compressor | None = DENSE,
    start_batch: int = 1,
) -> Algorithm:
    """Byz-EF21-STORM, with η in (0, 1]. Arguments as those of `byz_vr_dm21`.

    Raises:
        ValueError: an argument outside its range; a compressor without α.

    >>> import jaxbyz as jb
    >>> byz_ef21_storm(compressor=jb.top_k(ratio=0.1), eta=0.1, optimizer=optax.sgd(0.1),
    ...                aggregator=jb.trimmed_mean(3)).name
    'Byz-EF21-STORM'
    """
    return error_feedback(
        "Byz-EF21-STORM", storm(eta, start_batch), optimizer, aggregator, compressor, start
    )
