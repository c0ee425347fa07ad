"""Sampled gradients whose noise depends on the point, with exact constants.

    s_i(x; ξ, ε) = s_i(x; ξ) + ℓ ε sin(x),   ε = ±1 with probability 1/2,  sin by coordinates.

The same sample at two points leaves ℓ ε (sin x - sin y), of mean square ℓ² ‖sin x - sin y‖², at
most ℓ² ‖x - y‖² and equal to it as x, y → 0. Unlike a noise ℓ ε x, it is bounded: its variance is
ℓ² ‖sin x‖² ≤ ℓ² d, with equality at x = (π/2, ..., π/2). So both hypotheses of variance reduction
hold on all of R^d, with constants that cannot be improved (derived here).
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Key, Oracle, Tree
from jaxbyz.problems.quadratics import Quadratics


class SineSample(NamedTuple):
    """One draw, as a value that can be used at two points."""

    inner: Tree  # the draw of the problem underneath
    sign: jax.Array  # [] ε


@part
def sine_noise(problem: Quadratics, ell: float) -> Quadratics:
    """Adds ℓ ε sin(x) to the sampled gradients of `problem`, independent of its own noise.

    `noise_variance` σ² becomes σ² + ℓ² d (the supremum over x) and `sample_smoothness` ℓ becomes
    the root of the sum of squares. Full gradients, loss and all other constants stay.

    Raises:
        ValueError: ell not finite or < 0.

    >>> from jaxbyz.problems import quadratics
    >>> problem = sine_noise(quadratics(honest=3, dimension=4, noise=1.0), ell=0.5)
    >>> problem.sample_smoothness, problem.noise_variance
    (0.5, 2.0)
    """
    ell = float(checks.interval("ell", ell, 0, math.inf, closed="left"))

    def oracle(local: Tree) -> Oracle:
        inner = problem.oracle(local)

        def draw(key: Key) -> SineSample:
            inner_key, sign_key = jax.random.split(key)
            sign = jnp.where(jax.random.bernoulli(sign_key), 1, -1)
            return SineSample(inner.draw(inner_key), sign)

        def grad(sample: SineSample, x: jax.Array) -> jax.Array:
            return inner.grad(sample.inner, x) + ell * sample.sign * jnp.sin(x)

        return Oracle(inner.full, draw, grad)

    return dataclasses.replace(
        problem,
        oracle=oracle,
        noise_variance=problem.noise_variance + ell**2 * problem.dimension,
        sample_smoothness=math.hypot(problem.sample_smoothness, ell),
    )
