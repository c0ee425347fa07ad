"""L6 for every state of one quadratic problem at once: one matrix inequality. Derived here.

With y = (1, θ_{t-1}, m^t) all terms of L6 (second form) are quadratic forms in y, and the form of
E V_{t+1} is linear in E yyᵀ. So L6 holds at every state iff

    C = form of { V_t - γ q1 ‖∇_t‖² + γ μκ(1+ω(a-1)) G² - E V_{t+1} }  ⪰  0.

The problem gives (G, B), the linear rule its exact κ. In floating point a least eigenvalue that is
not negative is evidence; `certificate_rational` decides the same matter in rational numbers.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.theory.precision import require_x64
from jaxbyz.theory.rosdhb.lyapunov import Planted
from jaxbyz.theory.rosdhb.mask_moments import Mask
from jaxbyz.theory.rosdhb.moments import Dynamics, Moments, means, next_round
from jaxbyz.theory.rosdhb.states import Parameters, bound_terms


def linear_kappa(weights: Any) -> jax.Array:
    """κ = h Σ (w_i - 1/h)² of the linear rule Σ w_i m_i with Σ w_i = 1, exact for f = 0.

    >>> linear_kappa([0.5, 0.5]).item()
    0.0
    """
    weights = jnp.asarray(weights, float)
    h = weights.shape[0]
    return h * ((weights - 1 / h) ** 2).sum()


def tilted_weights(direction: Any, kappa: Any) -> jax.Array:
    """Weights [h] with sum 1 and coefficient κ: 1/h + √(κ/h) times the centred unit direction.

    >>> weights = tilted_weights([1.0, -1.0], 0.25)
    >>> weights.tolist(), linear_kappa(weights).item()
    ([0.75, 0.25], 0.25)
    """
    direction = jnp.asarray(direction, float)
    h = direction.shape[0]
    direction = direction - direction.mean()
    return 1 / h + jnp.sqrt(kappa / h) * direction / jnp.sqrt((direction**2).sum())


def form_of(functional: Any, zero: Moments) -> jax.Array:
    """The symmetric matrix [1+d+nd, 1+d+nd] of an affine functional of the moments.

    The functional of the moments of a fixed y is then yᵀ · matrix · y.
    """
    constant = functional(zero)
    slope = jax.grad(functional)(zero)
    d, n = zero.x.shape[0], zero.m.shape[0]
    first = jnp.concatenate([slope.x, slope.m.ravel()]) / 2
    xm = slope.xm.reshape(d, n * d) / 2
    mm = slope.mm.reshape(n * d, n * d)
    rest = jnp.block([[(slope.xx + slope.xx.T) / 2, xm], [xm.T, (mm + mm.T) / 2]])
    top = jnp.concatenate([constant[None], first])
    return jnp.concatenate([top[None], jnp.concatenate([first[:, None], rest], axis=1)])


def certificate(
    system: Dynamics,
    parameters: Parameters,
    g_squared: Any,
    mask: Mask,
    planted: Planted | None = None,
) -> jax.Array:
    """C/γ [1+d+nd, 1+d+nd] of L6, second form, for a problem with these (G, B) and this rule.

    Args:
        system: all rows honest; γ and ω are those of `parameters`.
        parameters: κ at least that of the rule, B² with G² admissible for the problem.
        g_squared: G².
        mask: Φ of `parameters.inflation` = d/k.
        planted: wrong factors, which a certificate must not survive.
    """
    require_x64()
    planted = planted or Planted()
    smoothness, x, fresh, _, kappa, _, s, _, weight = parameters
    step, h = x / smoothness, system.vectors.shape[0]
    noise, _, floor = bound_terms(parameters)
    decrease = planted.decrease * (1 - (1 + x) * noise)

    def lyapunov(now: Moments) -> jax.Array:
        terms = means(system, now, h)
        drift = planted.drift * (1 + 1 / s) * kappa / fresh
        return (
            2 * terms.gap + planted.deviation * weight / smoothness * terms.deviation
        ) / step + (drift * terms.drift)

    def slack(now: Moments) -> jax.Array:
        gradient = means(system, now, h).gradient
        change = lyapunov(next_round(system, now, mask)) - lyapunov(now)
        return planted.floor * floor * g_squared - decrease * gradient - change

    n, d = system.vectors.shape
    zero = Moments(
        jnp.zeros(d),
        jnp.zeros((n, d)),
        jnp.zeros((d, d)),
        jnp.zeros((d, n, d)),
        jnp.zeros((n, d) * 2),
    )
    return form_of(slack, zero)


def least_eigenvalue(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The least eigenvalue of a symmetric matrix scaled to unit diagonal, and its sign test.

    Scaling by a positive diagonal changes no sign, and makes blocks of very different size
    comparable. A diagonal entry that is not positive is its own witness.

    Returns:
        The least eigenvalue (≥ 0 iff the matrix is ⪰ 0, up to rounding), and the least diagonal
        entry.
    """
    diagonal = jnp.diag(matrix)
    scale = 1 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    return jnp.linalg.eigvalsh(matrix * scale[:, None] * scale)[0], diagonal.min()
