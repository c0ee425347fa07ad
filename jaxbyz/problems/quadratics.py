"""Quadratic problems, whose constants are known exactly.

    f_i(x) = ½ (x - c_i)ᵀ A_i (x - c_i),   f = (1/h) Σ f_i,   ∇f(x) = Ā x - b̄,
    Ā = mean A_i,  b_i = A_i c_i,  b̄ = mean b_i.

| constant      | value                                                                    |
|---------------|--------------------------------------------------------------------------|
| L, μ          | largest and smallest eigenvalue of Ā                                     |
| L̃             | √ of the largest eigenvalue of mean A_iᵀA_i                              |
| optimum       | Ā⁻¹ b̄                                                                    |
| (G, B)        | (1/h) Σ ‖∇f_i - ∇f‖² ≤ G² + B² ‖∇f‖², the smallest G for every B         |
| ζ²            | G² for B = 0, where it exists: for equal Hessians                        |
| σ², ℓ         | E‖s_i(x;ξ) - ∇f_i(x)‖², and 0: the noise of draws does not depend on x   |
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Key, Oracle
from jaxbyz.problems.problem import Problem, check_workers


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class QuadraticData:
    """One worker's quadratic, or with a worker axis in front everybody's."""

    matrix: jax.Array  # [d, d] A_i
    vector: jax.Array  # [d] b_i = A_i c_i


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Quadratics(Problem):
    """A problem of quadratics with its exact constants, in float64 on the host."""

    matrices: np.ndarray  # [h, d, d] A_i
    vectors: np.ndarray  # [h, d] b_i
    noise_variance: float = 0.0  # σ² of a draw
    sample_smoothness: float = 0.0  # ℓ, of the noise as a function of x

    @property
    def heterogeneity(self) -> float:
        """ζ²: the smallest G² with B = 0; ValueError unless all Hessians are equal."""
        return self.g_squared(0.0)

    @property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of Ā in increasing order, [d]."""
        return np.linalg.eigvalsh(self.matrices.mean(axis=0))

    @property
    def smoothness(self) -> float:
        """L of the honest objective."""
        return float(np.abs(self.eigenvalues).max())

    @property
    def strong_convexity(self) -> float:
        """μ of the honest objective."""
        return float(self.eigenvalues.min())

    @property
    def mean_square_smoothness(self) -> float:
        """L̃: (1/h) Σ ‖∇f_i(x) - ∇f_i(y)‖² ≤ L̃² ‖x - y‖²."""
        squares = np.einsum("iba,ibc->ac", self.matrices, self.matrices) / self.honest
        return float(np.sqrt(np.linalg.eigvalsh(squares).max()))

    @property
    def optimum(self) -> np.ndarray:
        """Ā⁻¹ b̄, [d]."""
        return np.linalg.solve(self.matrices.mean(axis=0), self.vectors.mean(axis=0))

    def _dissimilarity_form(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Q, q, r with (1/h) Σ ‖∇f_i - ∇f‖² = uᵀQu + 2qᵀu + r, where u = ∇f(x)."""
        # As differences to the first worker, so that equal Hessians give Q = 0 without rounding.
        mean_matrix = self.matrices[0] + (self.matrices - self.matrices[0]).mean(axis=0)
        mean_vector = self.vectors.mean(axis=0)
        inverse = np.linalg.inv(mean_matrix)
        e = (self.matrices - mean_matrix) @ inverse  # [h, d, d]
        r = e @ mean_vector - (self.vectors - mean_vector)  # [h, d]
        q = np.einsum("iba,ib->a", e, r) / self.honest
        return np.einsum("iba,ibc->ac", e, e) / self.honest, q, float((r**2).sum() / self.honest)

    @property
    def least_b_squared(self) -> float:
        """The B² above which a finite G exists (with equality too if all A_i agree)."""
        return float(np.linalg.eigvalsh(self._dissimilarity_form()[0]).max())

    def g_squared(self, b_squared: float) -> float:
        """The smallest G² admissible with this B²: r + qᵀ(B² I - Q)⁻¹ q (derived here).

        Raises:
            ValueError: no finite G exists for this B².

        >>> problem = quadratics(honest=4, dimension=3, hessian_spread=0.01, seed=1)
        >>> problem.g_squared(2.0) < problem.g_squared(1.0)
        True
        """
        form, q, r = self._dissimilarity_form()
        gap = np.linalg.eigvalsh(b_squared * np.eye(len(q)) - form).min()
        if gap <= 0 and (np.abs(form).max() > 0 or b_squared < 0):
            raise ValueError(
                f"b_squared must be > {self.least_b_squared} for a finite G, got {b_squared!r}"
            )
        if not np.abs(q).any():
            return r
        return float(r + q @ np.linalg.solve(b_squared * np.eye(len(q)) - form, q))


@part
def quadratics(
    *,
    honest: int,
    byzantine: int = 0,
    dimension: int,
    smoothness: float = 1.0,
    strong_convexity: float = 0.1,
    hessian_spread: float = 0.0,
    offset_spread: float = 1.0,
    noise: float = 0.0,
    seed: int = 0,
) -> Quadratics:
    """Random quadratics whose honest objective has exactly the given L and μ.

    Ā has eigenvalues evenly spaced on [μ, L] and random eigenvectors; A_i = Ā + E_i with
    symmetric Gaussian E_i of mean zero over workers; c_i Gaussian.

    Args:
        honest: h, number of honest workers.
        byzantine: f, number of Byzantine workers.
        dimension: d.
        smoothness: L > 0.
        strong_convexity: μ in (0, L].
        hessian_spread: scale of the E_i; 0 gives equal Hessians, hence B = 0 is admissible.
        offset_spread: scale of the c_i; 0 with equal Hessians gives identical workers.
        noise: σ ≥ 0; a sampled gradient has Gaussian noise with E‖noise‖² = σ².
        seed: of the instance.

    Raises:
        ValueError: an argument outside its range.

    >>> problem = quadratics(honest=4, byzantine=1, dimension=3, smoothness=2.0, seed=0)
    >>> round(problem.smoothness, 12), round(problem.strong_convexity, 12)
    (2.0, 0.1)
    """
    honest, byzantine = check_workers(honest, byzantine)
    d = checks.count("dimension", dimension, minimum=1)
    infinity = float("inf")
    checks.interval("smoothness", smoothness, 0, infinity, closed="neither")
    checks.interval("strong_convexity", strong_convexity, 0, smoothness, closed="right")
    checks.interval("hessian_spread", hessian_spread, 0, infinity, closed="left")
    checks.interval("offset_spread", offset_spread, 0, infinity, closed="left")
    checks.interval("noise", noise, 0, infinity, closed="left")
    random = np.random.default_rng(checks.count("seed", seed))
    basis, _ = np.linalg.qr(random.normal(size=(d, d)))
    spectrum = np.linspace(strong_convexity, smoothness, d) if d > 1 else np.array([smoothness])
    mean = (basis * spectrum) @ basis.T
    spread = random.normal(size=(honest, d, d)) * hessian_spread
    spread = spread + spread.transpose(0, 2, 1)
    matrices = (mean + mean.T) / 2 + spread - spread.mean(axis=0)
    centres = random.normal(size=(honest, d)) * offset_spread
    return quadratics_from_arrays(
        matrices, np.einsum("iab,ib->ia", matrices, centres), byzantine=byzantine, noise=noise
    )


@part
def quadratics_from_arrays(
    matrices: np.ndarray, vectors: np.ndarray, *, byzantine: int = 0, noise: float = 0.0
) -> Quadratics:
    """Quadratics f_i(x) = ½ xᵀA_i x - b_iᵀx (up to a constant) from A [h, d, d] and b [h, d].

    The start is the origin. Evaluators: "loss" (loss = f(x) - f(optimum)), "gradient"
    (gradient_norm), "distance" (distance to the optimum).

    Raises:
        ValueError: no arrays of numbers, shapes that do not fit, non-symmetric or non-finite input,
            a mean matrix that is not positive definite, or noise < 0.

    >>> problem = quadratics_from_arrays(np.ones((2, 1, 1)), np.array([[1.0], [3.0]]))
    >>> problem.optimum.tolist(), problem.g_squared(0.0)
    ([2.0], 1.0)
    """
    matrices, vectors = _numbers("matrices", matrices), _numbers("vectors", vectors)
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or matrices.size == 0:
        raise ValueError(f"matrices must have shape [h >= 1, d >= 1, d], got {matrices.shape}")
    if vectors.shape != matrices.shape[:2]:
        raise ValueError(f"vectors must have shape {matrices.shape[:2]}, got {vectors.shape}")
    if not (np.isfinite(matrices).all() and np.isfinite(vectors).all()):
        raise ValueError("matrices and vectors must be finite, got NaN or Inf")
    if not np.allclose(matrices, matrices.transpose(0, 2, 1)):
        raise ValueError("matrices must be symmetric, got one that is not")
    if np.linalg.eigvalsh(matrices.mean(axis=0)).min() <= 0:
        raise ValueError("the mean of matrices must be positive definite, got one that is not")
    honest, byzantine = check_workers(matrices.shape[0], byzantine)
    checks.interval("noise", noise, 0, float("inf"), closed="left")
    d = matrices.shape[1]

    def oracle(local: QuadraticData) -> Oracle:
        def full(x: jax.Array) -> jax.Array:
            return jnp.matmul(local.matrix, x, precision="highest") - local.vector

        def draw(key: Key) -> jax.Array:  # the sample is the noise itself, [d]
            if noise == 0:
                return jnp.zeros_like(local.vector)
            return jax.random.normal(key, (d,), local.vector.dtype) * (noise * d**-0.5)

        return Oracle(full, draw, lambda sample, x: full(x) + sample)

    def mean_gradient(x: jax.Array, data: QuadraticData) -> jax.Array:
        mean = data.matrix.mean(axis=0)
        return jnp.matmul(mean, x, precision="highest") - data.vector.mean(axis=0)

    def offset(x: jax.Array, data: QuadraticData) -> jax.Array:
        return x - jnp.asarray(problem.optimum, x.dtype)

    def loss(x: jax.Array, data: QuadraticData, test: None) -> dict[str, jax.Array]:
        # f(x) - f* = ½ ⟨x - x*, ∇f(x)⟩, without the cancellation of two values.
        return {"loss": 0.5 * (offset(x, data) * mean_gradient(x, data)).sum()}

    def gradient(x: jax.Array, data: QuadraticData, test: None) -> dict[str, jax.Array]:
        return {"gradient_norm": jnp.linalg.norm(mean_gradient(x, data))}

    def distance(x: jax.Array, data: QuadraticData, test: None) -> dict[str, jax.Array]:
        return {"distance": jnp.linalg.norm(offset(x, data))}

    problem = Quadratics(
        name="quadratics",
        honest=honest,
        byzantine=byzantine,
        dimension=d,
        data=QuadraticData(jnp.asarray(matrices), jnp.asarray(vectors)),
        test=None,
        oracle=oracle,
        init=lambda key: jnp.zeros(d),
        evaluators={"loss": loss, "gradient": gradient, "distance": distance},
        matrices=matrices,
        vectors=vectors,
        noise_variance=float(noise) ** 2,
    )
    return problem


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        if np.iscomplexobj(values):
            raise TypeError("complex")
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of real numbers, got {checks.said(values)}"
        ) from error
