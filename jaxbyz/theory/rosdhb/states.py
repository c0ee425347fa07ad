"""One state of RoSDHB between two rounds, and families of states for the one-step claims.

L_H is a quadratic, because the lemmas are attained on quadratics already. One-step statements do
not change under rotations of R^d, so the Hessian of L_H is taken to be diagonal. Smoothness asks
that its entries lie in [-L, L], and nothing else. The losses of single workers enter through ν_i
alone.

| symbol    | name           | shape  | meaning                                       |
|-----------|----------------|--------|-----------------------------------------------|
| L         | smoothness     | []     | of L_H                                        |
| γ, ω      | step_size, fresh | []   | step size; ω = 1-β                            |
| a         | inflation      | []     | d/k                                           |
| κ, B², G² | kappa, b_squared, g_squared | [] | robustness, dissimilarity         |
| s, p, A   | s, p, weight   | []     | parameters of the proof                       |
| H         | curvature      | [d]    | Hessian of L_H                                |
| ∇_t       | gradient       | [d]    | ∇L_H(θ_{t-1})                                 |
| δ_t       | deviation      | [d]    | m̄_t - ∇_t                                     |
| μ_i       | spread         | [h, d] | m_i^t - m̄_t, centred                          |
| ν_i       | difference     | [h, d] | ∇L_i(θ_t) - ∇L_H(θ_t), centred                |
| ξ_t       | error          | [d]    | R_t - m̄_t, ‖ξ‖² ≤ κ Υ                         |
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxbyz.theory.claims import Claim, Family, Provenance, Scope

# A claim about states.
derived = functools.partial(
    Claim,
    paper="rosdhb",
    provenance=Provenance.DERIVED,
    source="derived here: RoSDHB, one-step lemmas",
    scope=Scope.ONE_STEP,
)


class Parameters(NamedTuple):
    """Scalars of a state, all []."""

    smoothness: jax.Array  # L
    x: jax.Array  # γL
    fresh: jax.Array  # ω = 1-β
    inflation: jax.Array  # a = d/k
    kappa: jax.Array  # κ
    b_squared: jax.Array  # B²
    s: jax.Array
    p: jax.Array
    weight: jax.Array  # A


class State(NamedTuple):
    """What the past hands to the next round, and what the one-step claims speak of."""

    parameters: Parameters
    g_squared: jax.Array  # [] G²
    curvature: jax.Array  # [d]
    gradient: jax.Array  # [d] ∇_t
    deviation: jax.Array  # [d] δ_t
    spread: jax.Array  # [h, d] μ_i
    difference: jax.Array  # [h, d] ν_i
    error: jax.Array  # [d] ξ_t

    def checked(self) -> State:
        """Itself, if its arrays have the shapes that stand beside them; looked at while tracing."""
        h, d = self.spread.shape
        chex.assert_shape([self.curvature, self.gradient, self.deviation, self.error], (d,))
        chex.assert_shape(self.difference, (h, d))
        chex.assert_shape([self.g_squared, *self.parameters], ())
        return self

    @property
    def step_size(self) -> jax.Array:
        """γ."""
        return self.parameters.x / self.parameters.smoothness

    @property
    def aggregate(self) -> jax.Array:
        """R_t = ∇_t + δ_t + ξ_t."""
        return self.gradient + self.deviation + self.error

    @property
    def gradient_change(self) -> jax.Array:
        """∇_{t+1} - ∇_t = -γ H R_t."""
        return -self.step_size * self.curvature * self.aggregate

    @property
    def next_gradient(self) -> jax.Array:
        """∇_{t+1} = ∇L_H(θ_t)."""
        return self.gradient + self.gradient_change

    @property
    def loss_change(self) -> jax.Array:
        """(L_H(θ_t) - L_H(θ_{t-1}))/γ = -⟨∇_t, R_t⟩ + (γ/2) R_tᵀ H R_t."""
        step = self.aggregate
        return -(self.gradient * step).sum() + self.step_size / 2 * (self.curvature * step**2).sum()


def mean_square(rows: jax.Array) -> jax.Array:
    """(1/h) Σ ‖row_i‖² of rows [h, d]: Υ of μ, Δ of ν."""
    return (rows**2).sum() / rows.shape[0]


def bound_terms(parameters: Parameters) -> tuple[jax.Array, jax.Array, jax.Array]:
    """N, r and the floor μκ(1+ω(a-1)) of the one-step Lyapunov inequality.

    N = (A/x) ω²(a-1) + μκB²(1+ω(a-1)),    r = 1 - x - Aβ²(1+1/p)x,    μ = 1+1/s
    """
    _, x, fresh, a, kappa, b_squared, s, p, weight = parameters
    floor = (1 + 1 / s) * kappa * (1 + fresh * (a - 1))
    noise = weight / x * fresh**2 * (a - 1) + floor * b_squared
    return noise, 1 - x - weight * (1 - fresh) ** 2 * (1 + 1 / p) * x, floor


def _between(z: jax.Array, low: float, high: float) -> jax.Array:
    """A number of [low, high], spread evenly on the scale of logarithms."""
    share = jax.nn.sigmoid(z)
    return jnp.exp((1 - share) * jnp.log(low) + share * jnp.log(high))


def free_parameters(z: jax.Array, *, doubled: bool = False) -> Parameters:
    """Parameters [9 numbers] that satisfy (c1) and (c2); with `doubled` (c1) and (c2').

    β, a, κ, B², s are free; p < (1-β²)/β²; A/x ≥ (1+s)/(1-β²(1+p)), which is (c1). Then
    N depends on A/x alone, and with C = (A/x) β²(1+1/p) the condition (c2') is the quadratic
    1 - x - Cx² - Nx(1+x) ≥ 0, which gives the largest x; (c2) is the same with N = 0.
    """
    smoothness = _between(z[0], 0.1, 10.0)
    fresh = _between(z[1], 1e-3, 1.0)
    a = _between(z[2], 1.0, 1e3)
    kappa = _between(z[3], 1e-2, 1e2)
    b_squared = _between(z[4], 1e-2, 1.0) / kappa
    s = _between(z[5], 1e-2, 1e2)
    square = (1 - fresh) ** 2
    # The share of the range that p takes; β = 0 leaves p unbounded, and any will do.
    p = _between(z[6], 1e-3, 0.999) * (1 - square) / jnp.maximum(square, 1e-3)
    tilt = (1 + s) / (1 - square * (1 + p)) * (1 + 9 * jax.nn.sigmoid(z[7] - 2) ** 2)  # A/x
    curved = tilt * square * (1 + 1 / p)
    mu = 1 + 1 / s
    drift = mu * kappa * b_squared * (1 + fresh * (a - 1))
    noise = jnp.where(doubled, tilt * fresh**2 * (a - 1) + drift, 0.0)
    most = 2 / (1 + noise + jnp.sqrt((1 + noise) ** 2 + 4 * (curved + noise)))
    # 1 - 1e-12: the rounding of (c2), whose terms are of size 1, shall not undercut 0.
    x = _between(z[8], 1e-3, 1 - 1e-12) * most
    return Parameters(smoothness, x, fresh, a, kappa, b_squared, s, p, tilt * x)


def theorem_a_parameters(z: jax.Array, *, s: float = 1.0, rho: float = 2.0) -> Parameters:
    """Parameters [9 numbers] of Theorem A: β² = 1-24x, x ≤ 1/(ca), c ≥ 24, κB² with q > 0."""
    smoothness = _between(z[0], 0.1, 10.0)
    a = _between(z[2], 1.0, 1e3)
    c = _between(z[1], 25.0, 1e4)
    kappa = _between(z[3], 1e-2, 1e2)
    weight = (1 + s) / (24 - rho)
    most = (1 - 144 * weight / c) / ((1 + 1 / s) * (1 + 12 / c))
    x = _between(z[8], 1e-2, 1.0) / (c * a)
    fresh = 24 * x / (1 + jnp.sqrt(1 - 24 * x))
    b_squared = _between(z[4], 1e-2, 0.999) * most / kappa
    one = jnp.ones_like(x)
    return Parameters(smoothness, x, fresh, a, kappa, b_squared, s * one, rho * x, weight * one)


def _sized(z: jax.Array, log_size: jax.Array) -> jax.Array:
    """A vector of any direction, with a size of its own between e^-4 and e^4 times that of z."""
    return z * jnp.exp(4 * jnp.tanh(log_size / 4))


def states(
    name: str,
    parameters: Callable[[jax.Array], Parameters],
    *,
    workers: int = 3,
    dimension: int = 2,
) -> Family:
    """States with every hypothesis of the one-step claims: G² = 1, dissimilarity active, ξ in ball.

    Three workers and two dimensions hold every Gram matrix of (μ, ν) that is needed to attain the
    bounds, and both a direction along R and one across it.
    """
    h, d = workers, dimension
    shapes = ((13,), (d,), (d,), (d,), (h, d), (h, d), (d,))

    def make(*parts: jax.Array) -> State:
        scalars, curvature, gradient, deviation, spread, direction, error = parts
        setting = parameters(scalars[:9])
        gradient = _sized(gradient, scalars[9])
        deviation = _sized(deviation, scalars[10])
        spread = _sized(spread, scalars[11])
        spread = spread - spread.mean(axis=0)
        # Outside the unit ball of free numbers the error is all but on its sphere.
        square = (error**2).sum() + 1e-30
        length = jnp.sqrt(setting.kappa * mean_square(spread) * -jnp.expm1(-square) / square)
        state = State(
            setting,
            jnp.ones_like(setting.x),
            setting.smoothness * jnp.tanh(3 * curvature),
            gradient,
            deviation,
            spread,
            spread,
            error * length,
        )
        direction = direction - direction.mean(axis=0)
        allowed = state.g_squared + setting.b_squared * (state.next_gradient**2).sum()
        difference = direction * jnp.sqrt(allowed / (mean_square(direction) + 1e-30))
        return state._replace(difference=difference).checked()

    return Family.of(name, shapes, make)
