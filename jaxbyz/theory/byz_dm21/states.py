"""States of quadratics with finite-sum noise, with exact constants and exact expectations.

Worker i has N samples, s_i(x+y; j) = ∇_i + A_i y + z_ij + Z_ij y, with z and Z centred over j, so
that the mean over j is the gradient of a quadratic. The least constants of the hypotheses are
known exactly:

    L = ‖mean A_i‖,  L̃² = ‖mean A_i²‖,  ℓ² = ‖mean_ij Z_ijᵀZ_ij‖,  σ² = mean_ij ‖z_ij + Z_ij y‖²

with y = x⁺ - x. (σ² is that at x⁺, because the lemmas use it nowhere else.) Every state carries
constants of its own, and claims use those. That they are at least the exact ones is a hypothesis
(`hypotheses`). In the states of a family they are the exact ones.

One round moves x by y = -γ (ḡ + e) with ‖e‖² ≤ κV. The compressor is Rand-k without rescaling,
E‖C(q) - q‖² = (1-α) ‖q‖², or Top-1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.claims import Family


class Constants(NamedTuple):
    """The constants of the hypotheses, each []."""

    smoothness: jax.Array  # L
    mean_square_smoothness: jax.Array  # L̃
    sample_smoothness: jax.Array  # ℓ
    noise_variance: jax.Array  # σ²
    heterogeneity: jax.Array  # ζ², at x
    mu: jax.Array  # μ of the PL condition


class State(NamedTuple):
    """A problem, a state and the parameters of the round."""

    hessians: jax.Array  # [G, d, d] A_i, symmetric
    gradients: jax.Array  # [G, d] ∇_i at x
    noise: jax.Array  # [G, N, d] z_ij
    noise_slopes: jax.Array  # [G, N, d, d] Z_ij
    v: jax.Array  # [G, d]
    u: jax.Array  # [G, d]
    g: jax.Array  # [G, d]
    error: jax.Array  # [d] e / √(κV), in the unit ball
    eta: jax.Array  # []
    beta: jax.Array  # []
    alpha: jax.Array  # []
    kappa: jax.Array  # []
    theta: jax.Array  # []
    fraction: jax.Array  # [] γ as a part of what is admissible, in (0, 1]
    constants: Constants  # as stated

    def checked(self) -> State:
        """Itself, if its arrays have the shapes that stand beside them; looked at while tracing."""
        workers, samples, d = self.noise.shape
        chex.assert_shape(self.hessians, (workers, d, d))
        chex.assert_shape([self.gradients, self.v, self.u, self.g], (workers, d))
        chex.assert_shape(self.noise_slopes, (workers, samples, d, d))
        chex.assert_shape(self.error, (d,))
        chex.assert_shape([*self[8:14], *self.constants], ())
        return self

    def sample(self, i: Any, j: Any, y: jax.Array) -> jax.Array:
        """s_i(x + y; j), [d]."""
        slope = self.hessians[i] + self.noise_slopes[i, j]
        return self.gradients[i] + self.noise[i, j] + slope @ y


class Errors(NamedTuple):
    """The averages that the lemmas speak of, each []."""

    p: jax.Array
    q: jax.Array
    r: jax.Array
    q_bar: jax.Array
    r_bar: jax.Array


def squares(rows: jax.Array) -> jax.Array:
    """‖·‖² along the last axis, mean over all others, []."""
    return (rows**2).sum(axis=-1).mean()


def dispersion(rows: jax.Array) -> jax.Array:
    """mean ‖row - mean row‖², []."""
    return squares(rows - rows.mean(axis=0))


def errors(state: State) -> Errors:
    """P, Q, R, Q̄, R̄ before the round."""
    deviation = state.v - state.gradients
    return Errors(
        squares(state.g - state.u),
        squares(state.u - state.v),
        squares(deviation),
        squares((state.u - state.v).mean(axis=0)),
        squares(deviation.mean(axis=0)),
    )


def move(state: State, step_size: jax.Array) -> jax.Array:
    """x⁺ - x = -γ (ḡ + e), [d]."""
    radius = jnp.sqrt(state.kappa * dispersion(state.g))
    return -step_size * (state.g.mean(axis=0) + radius * state.error)


def noise_variance(state: State, step: jax.Array) -> jax.Array:
    """mean_ij ‖z_ij + Z_ij y‖² for y = x⁺ - x, []."""
    return squares(state.noise + state.noise_slopes @ step)


def exact_constants(state: State, step: jax.Array) -> Constants:
    """The least constants for which the hypotheses hold, and the largest μ; `step` is x⁺ - x."""
    hessians, slopes = state.hessians, state.noise_slopes
    second = jnp.einsum("iba,ibc->ac", hessians, hessians) / len(hessians)
    noise_second = jnp.einsum("ijba,ijbc->ac", slopes, slopes) / (slopes.shape[0] * slopes.shape[1])
    curvatures = jnp.linalg.eigvalsh(hessians.mean(axis=0))
    return Constants(
        smoothness=jnp.abs(curvatures).max(),
        mean_square_smoothness=jnp.sqrt(jnp.linalg.eigvalsh(second).max()),
        sample_smoothness=jnp.sqrt(jnp.linalg.eigvalsh(noise_second).max()),
        noise_variance=noise_variance(state, step),
        heterogeneity=dispersion(state.gradients),
        mu=curvatures.min(),
    )


def stated(state: State, step: jax.Array) -> State:
    """The instance with its exact constants as the stated ones; `step` is x⁺ - x."""
    return state._replace(constants=exact_constants(state, step))


def setting_of(state: State) -> Setting:
    """What the claims are told: the stated constants, α, κ and the number of honest workers."""
    known = state.constants
    return Setting(
        alpha=state.alpha,
        kappa=state.kappa,
        honest=float(len(state.hessians)),
        smoothness=known.smoothness,
        mean_square_smoothness=known.mean_square_smoothness,
        sample_smoothness=known.sample_smoothness,
        noise_variance=known.noise_variance,
        heterogeneity=known.heterogeneity,
    )


def _variance(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """rows [G, N, d], independent over the first axis: their means [G, d], E‖mean - E mean‖²."""
    means = rows.mean(axis=1)
    return means, squares(rows - means[:, None]) / len(rows)


def _means(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(mean_i E‖rows_i‖², E‖mean_i rows_i‖²) over independent samples."""
    means, noise = _variance(rows)
    return squares(rows), squares(means.mean(axis=0)) + noise


def next_errors(state: State, step: jax.Array, recursive: bool, top: bool = False) -> Errors:
    """E P⁺, …, E R̄⁺ over all samples and subsets, exactly; `step` is x⁺ - x.

    Written from the recursions, not from the shipped code. `top`: the compressor is Top-1, of
    α = 1/d; else E‖C(q) - q‖² = (1-α) ‖q‖².
    """
    eta, beta = state.eta, state.beta
    after = state.gradients + jnp.einsum("iab,b->ia", state.hessians, step)  # [G, d]
    fresh = after[:, None] + state.noise + state.noise_slopes @ step  # [G, N, d]
    v = (1 - eta) * state.v[:, None] + eta * fresh
    if recursive:
        v += (1 - eta) * (fresh - state.gradients[:, None] - state.noise)
    u = (1 - beta) * state.u[:, None] + beta * v
    left = u - state.g[:, None]  # what is compressed
    if top:
        p = squares(left) - (left**2).max(axis=-1).mean()
    else:
        p = (1 - state.alpha) * squares(left)
    q, q_bar = _means(u - v)
    r, r_bar = _means(v - after[:, None])
    return Errors(p, q, r, q_bar, r_bar)


def _between(z: jax.Array, low: float, high: float) -> jax.Array:
    """A number in [low, high], on a logarithmic scale."""
    return low * (high / low) ** jax.nn.sigmoid(z)


def states(
    workers: int = 2,
    dimension: int = 2,
    samples: int = 2,
    *,
    alpha: float | None = None,
    convex: bool = False,
    noisy: bool = True,
) -> Family:
    """All states of such problems, with parameters in wide boxes.

    η, β, α, θ in [1/50, 1] and κ in [1/100, 10], on a logarithmic scale; `alpha` fixes α. `convex`:
    the mean Hessian is M² + I/100 with M the mean of free symmetric matrices. `noisy`: with noise.
    The stated σ² is that at x⁺ for γ = 1, as L4-L6 take it.

    >>> states().size
    59
    """
    h, d, n = workers, dimension, samples
    shapes = [(h, d, d), (h, d), (h, n, d), (h, n, d, d), (h, d), (h, d), (h, d), (d,)]
    shapes += [()] * 9

    def make(*parts: jax.Array) -> State:
        a, gradients, noise, slopes, r, q, p, e, *rest = parts
        eta, beta, alpha_z, kappa, theta, fraction, noise_z, slope_z, error_z = rest
        # Errors of another size than the gradients.
        p, q, r = (part * jnp.exp(error_z - 1) for part in (p, q, r))
        v = gradients + r
        u = v + q
        a = (a + a.transpose(0, 2, 1)) / 2
        if convex:
            mean = a.mean(axis=0)
            a += mean @ mean + jnp.eye(d) / 100 - mean
        if not noisy:
            noise, slopes = 0 * noise, 0 * slopes
        # Noise of another size than everything else, and its change with x of another again.
        noise = (noise - noise.mean(axis=1, keepdims=True)) * jnp.exp(noise_z)
        slopes = (slopes - slopes.mean(axis=1, keepdims=True)) * jnp.exp(slope_z)
        nothing = jnp.zeros(())
        state = State(
            hessians=a,
            gradients=gradients,
            noise=noise,
            noise_slopes=slopes,
            v=v,
            u=u,
            g=u + p,
            error=e * jax.lax.rsqrt(jnp.maximum(1.0, (e**2).sum())),
            eta=_between(eta, 0.02, 1.0),
            beta=_between(beta, 0.02, 1.0),
            alpha=_between(alpha_z, 0.02, 1.0) if alpha is None else jnp.asarray(alpha, e.dtype),
            kappa=_between(kappa, 0.01, 10.0),
            theta=_between(theta, 0.02, 1.0),
            fraction=_between(fraction + 2, 0.01, 1.0),
            constants=Constants(*[nothing] * 6),
        )
        return stated(state, move(state, jnp.asarray(1.0))).checked()

    kind = (", convex" if convex else "") + ("" if noisy else ", no noise")
    return Family.of(f"{h} workers, {n} samples, d = {d}{kind}", shapes, make)
