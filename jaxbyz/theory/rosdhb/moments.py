"""Exact second moments of RoSDHB: quadratics, a linear rule, no sampling. Derived here.

    L_i = ½ θᵀA_iθ - b_iᵀθ,    u_i(θ) = A_iθ - b_i,    R = Σ_j w_j m_j

The state (θ_{t-1}, m_1^t, …, m_n^t) moves linearly for every mask, and masks have known second
moments, so E of state ⊗ state obeys a linear recursion. One round of it:

    θ ← θ - γR,      m_i ← β m_i + ω P u_i(θ),      E[P_i Q_ij P_j] = Φ(Q)_ij

Here P_i is the mask of worker i; Φ of every kind of mask is in `mask_moments`.

Rows 0..h-1 are honest. A Byzantine payload that is linear in the honest gradients is a row with a
matrix and a vector of its own (`linear_attack`). One round costs O(n²d³) products and never forms
an operator on moments; `long_run` does, for small problems, and doubles it.

| symbol      | name     | shape        |
|-------------|----------|--------------|
| E θ, E m    | x, m     | [d], [n, d]  |
| E θθᵀ       | xx       | [d, d]       |
| E θ m_iᵀ    | xm       | [d, n, d]    |
| E m_i m_jᵀ  | mm       | [n, d, n, d] |
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxbyz import checks
from jaxbyz.problems.quadratics import Quadratics
from jaxbyz.theory.precision import require_x64
from jaxbyz.theory.rosdhb.mask_moments import Mask


class Moments(NamedTuple):
    """First and second moments of (θ_{t-1}, m^t). Everything here is linear in them and in 1."""

    x: jax.Array
    m: jax.Array
    xx: jax.Array
    xm: jax.Array
    mm: jax.Array


class Dynamics(NamedTuple):
    """A problem, a rule and the parameters."""

    matrices: jax.Array  # [n, d, d]
    vectors: jax.Array  # [n, d]
    weights: jax.Array  # [n] of the rule
    step_size: jax.Array  # γ
    fresh: jax.Array  # ω = 1-β


class Averages(NamedTuple):
    """Expectations in round t, of all terms of the Lyapunov function and the bounds."""

    gap: jax.Array  # E L_H(θ_{t-1}) - L_H(0); after `dynamics` it is E L_H(θ_{t-1}) - L_*
    gradient: jax.Array  # E‖∇_t‖²
    deviation: jax.Array  # E‖δ_t‖²
    drift: jax.Array  # E Υ_t
    error: jax.Array  # E‖ξ_t‖²
    aggregate: jax.Array  # E‖R_t‖²
    dissimilarity: jax.Array  # E Δ_t


def dynamics(
    problem: Quadratics, weights: Any, *, step_size: float, one_minus_momentum: float
) -> tuple[Dynamics, np.ndarray]:
    """The dynamics of a problem of quadratics in coordinates θ - θ*, and θ*.

    In these coordinates ∇L_H(θ) = Āθ, and no sum of moments cancels near the optimum.

    Raises:
        ValueError: weights that are not [h] or do not sum to 1.

    >>> from jaxbyz.problems import quadratics
    >>> problem = quadratics(honest=2, dimension=2, seed=0)
    >>> system, optimum = dynamics(problem, [0.5, 0.5], step_size=0.1, one_minus_momentum=0.2)
    >>> bool(abs(system.vectors.mean(axis=0)).max() < 1e-6)
    True
    """
    weights = np.asarray(weights, np.float64)
    if weights.shape != (problem.honest,) or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(f"weights must be [{problem.honest}] with sum 1, got {weights!r}")
    optimum = problem.optimum
    vectors = problem.vectors - problem.matrices @ optimum
    vectors = vectors - vectors.mean(axis=0)  # 0 up to rounding
    arrays = (problem.matrices, vectors, weights, step_size, one_minus_momentum)
    return Dynamics(*(jnp.asarray(array, float) for array in arrays)), optimum


def linear_attack(system: Dynamics, payloads: Any, weights: Any) -> Dynamics:
    """The dynamics with f Byzantine rows more, whose gradients are payloads [f, h] times honest.

    -η/h everywhere is the attack that sends -η times the honest mean. `weights` [h+f] are those of
    the rule on all rows.

    >>> system = Dynamics(jnp.ones((2, 1, 1)), jnp.ones((2, 1)), jnp.ones(2) / 2, 0.1, 0.2)
    >>> linear_attack(system, [[-0.5, -0.5]], [0.4, 0.4, 0.2]).matrices[:, 0, 0].tolist()
    [1.0, 1.0, -1.0]
    """
    payloads = jnp.asarray(payloads, float)
    return system._replace(
        matrices=jnp.concatenate(
            [system.matrices, jnp.einsum("fi,iab->fab", payloads, system.matrices)]
        ),
        vectors=jnp.concatenate([system.vectors, payloads @ system.vectors]),
        weights=jnp.asarray(weights, float),
    )


def start(system: Dynamics, x: Any, mask: Mask) -> Moments:
    """Moments of (θ_0, m^1) from θ_0 = x [d] and m^0 = 0."""
    x = jnp.asarray(x, float)
    n, d = system.vectors.shape
    chex.assert_shape([system.matrices, system.weights, x], [(n, d, d), (n,), (d,)])
    still = Moments(
        x, jnp.zeros((n, d)), jnp.outer(x, x), jnp.zeros((d, n, d)), jnp.zeros((n, d) * 2)
    )
    return next_round(system, still, mask)


def next_round(system: Dynamics, now: Moments, mask: Mask) -> Moments:
    """From the moments of (θ_{t-1}, m^t) to those of (θ_t, m^{t+1})."""
    matrices, vectors, weights, step, fresh = system
    # θ ← θ - γR.
    xr = jnp.einsum("j,ajb->ab", weights, now.xm)  # E θRᵀ [d, d]
    mr = jnp.einsum("j,iajb->iab", weights, now.mm)  # E m_iRᵀ [n, d, d]
    rr = jnp.einsum("i,iab->ab", weights, mr)
    x = now.x - step * weights @ now.m
    xx = now.xx - step * (xr + xr.T) + step**2 * rr
    xm = now.xm - step * mr.transpose(2, 0, 1)
    # Gradients u_i = A_iθ - b_i at the new θ.
    u = jnp.einsum("iab,b->ia", matrices, x) - vectors
    xu = jnp.einsum("ac,ibc->aib", xx, matrices) - x[:, None, None] * vectors
    mu = jnp.einsum("cia,jbc->iajb", xm, matrices) - jnp.einsum("ia,jb->iajb", now.m, vectors)
    uu = jnp.einsum("iac,cjb->iajb", matrices, xu) - jnp.einsum("ia,jb->iajb", vectors, u)
    # m_i ← βm_i + ωP u_i.
    beta = 1 - fresh
    crossed = mu + mu.transpose(2, 3, 0, 1)
    mm = beta**2 * now.mm + beta * fresh * crossed + fresh**2 * mask(uu)
    return Moments(x, beta * now.m + fresh * u, xx, beta * xm + fresh * xu, mm)


def means(system: Dynamics, now: Moments, honest: int) -> Averages:
    """Expectations of round t from the moments of (θ_{t-1}, m^t)."""
    h = honest
    matrices, vectors = system.matrices[:h], system.vectors[:h]
    mean_matrix, mean_vector = matrices.mean(axis=0), vectors.mean(axis=0)

    def squared(matrix: jax.Array, vector: jax.Array) -> jax.Array:
        """E‖matrix θ - vector‖²."""
        form = (matrix @ now.xx * matrix).sum()
        return form - 2 * vector @ matrix @ now.x + (vector**2).sum()

    def combined(weights: jax.Array) -> jax.Array:
        """E‖Σ weights_i m_i‖²."""
        return jnp.einsum("i,j,iaja->", weights, weights, now.mm)

    gradient = squared(mean_matrix, mean_vector)
    crossed = (mean_matrix * now.xm[:, :h].mean(axis=1).T).sum()
    crossed = crossed - mean_vector @ now.m[:h].mean(axis=0)  # E⟨∇, m̄⟩
    n = system.weights.shape[0]
    average = jnp.where(jnp.arange(n) < h, 1 / h, 0.0)
    mean_norm = combined(average)
    return Averages(
        gap=(mean_matrix * now.xx).sum() / 2 - mean_vector @ now.x,
        gradient=gradient,
        deviation=mean_norm - 2 * crossed + gradient,
        drift=jnp.einsum("iaia->", now.mm[:h, :, :h]) / h - mean_norm,
        error=combined(system.weights - average),
        aggregate=combined(system.weights),
        dissimilarity=jax.vmap(squared)(matrices - mean_matrix, vectors - mean_vector).mean(),
    )


def run_moments(
    system: Dynamics, x: Any, mask: Mask, rounds: int, honest: int | None = None
) -> tuple[Moments, Averages]:
    """Moments of (θ_T, m^{T+1}), and expectations of rounds 1..T, leaves [T], t-1 of θ_{t-1}.

    Exact up to rounding at any d and k: the mask enters through its moments alone.

    Args:
        system: from `dynamics`, or any arrays.
        x: θ_0 [d] in the coordinates of the system.
        mask: `global_mask`, `bernoulli_mask` or `local_masks`.
        rounds: T ≥ 1.
        honest: h; None: all rows.

    Raises:
        RuntimeError: JAX is in its 32-bit mode.

    >>> from jaxbyz.theory.rosdhb.mask_moments import global_mask
    >>> with jax.enable_x64(True):
    ...     problem = Dynamics(jnp.ones((2, 1, 1)), jnp.zeros((2, 1)), jnp.ones(2) / 2, 1.0, 1.0)
    ...     _, rounds = run_moments(problem, [2.0], global_mask(1, 1), 2)
    >>> rounds.gradient.tolist()  # one step of length 1/L ends at the optimum
    [4.0, 0.0]
    """
    require_x64()
    checks.count("rounds", rounds, minimum=1)
    h = system.vectors.shape[0] if honest is None else honest

    def body(now: Moments, _: None) -> tuple[Moments, Averages]:
        return next_round(system, now, mask), means(system, now, h)

    return jax.lax.scan(body, start(system, x, mask), None, length=rounds)


def long_run(
    system: Dynamics, x: Any, mask: Mask, doublings: int, honest: int | None = None
) -> tuple[Moments, Averages]:
    """Moments of (θ_T, m^{T+1}) for T = 2^doublings, and averages over rounds 1..T, leaves [].

    The map of one round is written as one matrix M of size 1 + d + nd + (d + nd)²-like, and
    M^{2T} = (M^T)², Σ_{t<2T} M^t = (I + M^T) Σ_{t<T} M^t. For small problems: cubic in its size.
    Rounding grows with T: about T times that of one round.

    Raises:
        RuntimeError: JAX is in its 32-bit mode.
        ValueError: the matrix would have more than 2000 rows.
    """
    require_x64()
    checks.count("doublings", doublings)
    h = system.vectors.shape[0] if honest is None else honest
    first = start(system, x, mask)
    flat, back = ravel_pytree(first)
    size = flat.size + 1
    if size > 2000:
        raise ValueError(f"1 + d + nd + d² + nd² + n²d² must be <= 2000, got {size}")

    def step(vector: jax.Array) -> jax.Array:
        return ravel_pytree(next_round(system, back(vector), mask))[0]

    zero = jnp.zeros_like(flat)
    matrix = jnp.zeros((size, size)).at[0, 0].set(1.0).at[1:, 0].set(step(zero))
    matrix = matrix.at[1:, 1:].set(jax.jacfwd(step)(zero))  # affine: exact at any point

    def double(carry: tuple, _: None) -> tuple[tuple, None]:
        power, total = carry
        return (power @ power, total + power @ total), None

    (power, total), _ = jax.lax.scan(double, (matrix, jnp.eye(size)), None, length=doublings)
    begin = jnp.concatenate([jnp.ones(1), flat])
    # `means` is affine in the moments, so that of the average is the average.
    average = (total @ begin)[1:] / 2.0**doublings
    return back((power @ begin)[1:]), means(system, back(average), h)
