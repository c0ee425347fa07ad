"""(G, B)-dissimilarity of quadratics as a claim: its closed form is the smallest.

(G, B)-dissimilar  (1/h) Σ ‖∇L_i - ∇L_H‖² ≤ G² + B² ‖∇L_H‖²  everywhere
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.problems.quadratics import quadratics_from_arrays
from jaxbyz.theory.claims import Claim, Family, Scope
from jaxbyz.theory.robustness.rules import derived

__all__ = ["dissimilarity"]


def dissimilarity(h: int = 3, d: int = 2, *, scale: float = 1.0) -> Claim:
    """(G, B) of quadratics in closed form is the smallest: attained at the worst point.

    `scale` multiplies G². Of every problem B² is twice the least that allows a finite G.
    """
    random = np.random.default_rng(0)
    mean = np.diag(np.linspace(0.3, 1.0, d))
    spread = random.normal(size=(h, d, d)) * 0.2
    spread = spread + spread.transpose(0, 2, 1)
    matrices = mean + spread - spread.mean(axis=0)
    vectors = random.normal(size=(h, d))

    @functools.cache
    def constants() -> tuple[float, float]:
        problem = quadratics_from_arrays(matrices, vectors)
        b_squared = 2 * problem.least_b_squared
        return b_squared, problem.g_squared(b_squared)

    def sides(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        b_squared, g_squared = constants()
        gradients = jnp.asarray(matrices) @ x - jnp.asarray(vectors)  # [h, d]
        average = gradients.mean(axis=0)
        left = ((gradients - average) ** 2).sum() / h - b_squared * (average**2).sum()
        return left, jnp.asarray(scale * g_squared)

    return derived(
        name="dissimilarity",
        title="(G, B) of quadratics",
        statement="sup_x (1/h) Σ ‖∇L_i - ∇L_H‖² - B² ‖∇L_H‖² = G² = r + qᵀ(B² I - Q)⁻¹ q",
        scope=Scope.ONE_STEP,
        sides=sides,
        families=(Family(f"points, d = {d}", d, lambda z: z),),
        unconditional="one problem, whose B² is large enough, at every point",
    )
