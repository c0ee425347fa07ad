"""The worst error of a robust rule at one state: a quadratic maximised over a ball, globally.

    maximise  q(e) = c + 2bᵀe + eᵀHe   over  ‖e‖ ≤ ρ

The trust-region subproblem. With Λ = max(λ_max(H), 0) its value is, by strong duality,

    min over μ ≥ Λ of  c + μρ² + bᵀ(μI - H)⁺b          (b in the range of μI - H),

attained where ‖(μI - H)⁻¹b‖ = ρ. In the hard case b is orthogonal to the top eigenspace, and the
solution at μ = λ_max is shorter than ρ: then the missing length goes along a top eigenvector. The
solution is inside the ball only if H ⪯ 0. Both sides are computed, and their gap is the evidence.

The error of an (f, κ)-robust rule lies in the ball of radius ρ = √(κ Var_S). For f = 0 the converse
holds: every error of the ball is that of some robust rule. So what is found here is the worst of
all rules that the hypothesis admits. A particular rule, with f > 0, may be better.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

# Halvings of an interval of relative length 1 + d: below the last digit of a float64 number.
BISECTIONS = 120


class Worst(NamedTuple):
    """The solution of one trust-region problem."""

    point: jax.Array  # [d] the maximiser e
    value: jax.Array  # [] q(e)
    bound: jax.Array  # [] the dual value, ≥ the maximum
    gap: jax.Array  # [] (bound - value)/(size of the terms), the evidence
    multiplier: jax.Array  # [] μ


def trust_region(
    matrix: jax.Array, vector: jax.Array, radius: jax.Array, constant: jax.Array | float = 0.0
) -> Worst:
    """Maximise c + 2bᵀe + eᵀHe over ‖e‖ ≤ ρ, with its dual bound.

    Args:
        matrix: H [d, d], symmetric.
        vector: b [d].
        radius: ρ ≥ 0.
        constant: c.

    Traceable: one eigendecomposition and a fixed number of bisections.

    >>> with jax.enable_x64(True):
    ...     worst = trust_region(jnp.diag(jnp.array([1.0, 2.0])), jnp.array([0.0, 0.0]), 3.0)
    ...     worst.value.item(), worst.gap.item() < 1e-12  # a hard case: b = 0
    (18.0, True)
    """
    d = vector.shape[-1]
    chex.assert_shape(matrix, (d, d))
    radius = jnp.asarray(radius, matrix.dtype)
    values, basis = jnp.linalg.eigh(matrix)  # increasing
    b = jnp.matmul(basis.T, vector, precision="highest")
    tiny = jnp.finfo(matrix.dtype).tiny
    size = jnp.maximum(jnp.abs(values).max(), jnp.linalg.norm(b) / jnp.maximum(radius, tiny))
    size = jnp.where(size > 0, size, 1.0)
    top = jnp.maximum(values[-1], 0.0)

    def length(mu: jax.Array) -> jax.Array:  # ‖(μI - H)⁻¹b‖
        gap = jnp.maximum(mu - values, tiny)
        return jnp.linalg.norm(b / gap)

    # ‖(μI - H)⁻¹b‖ ≤ ‖b‖/(μ - λ_max) = ρ at the upper end.
    low, high = top, top + jnp.linalg.norm(b) / jnp.maximum(radius, tiny) + 1e-300

    def halve(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        long = length(middle) > radius
        return jnp.where(long, middle, low), jnp.where(long, high, middle)

    low, high = jax.lax.fori_loop(0, BISECTIONS, halve, (low, high))
    mu = high
    # Within rounding of the top eigenspace nothing is divided: its part of b is noise there.
    near = mu - values <= 8 * jnp.finfo(matrix.dtype).eps * size
    e = jnp.where(near, 0.0, b / jnp.where(near, 1.0, mu - values))
    short = radius**2 - (e * e).sum()
    # The missing length along the top eigenvector, towards b; not where the solution is inside.
    hard = (values[-1] >= 0) & (short > 0)
    along = jnp.where(b[-1] >= 0, 1.0, -1.0)
    # (e_top + s)² - e_top² = short, so that the whole has length ρ.
    last = jnp.sqrt(jnp.maximum(short, 0.0) + e[-1] ** 2) * along
    e = e.at[-1].set(jnp.where(hard, last, e[-1]))
    norm = jnp.linalg.norm(e)
    e = e * jnp.where(norm > radius, radius / jnp.where(norm > 0, norm, 1.0), 1.0)
    value = 2 * (b * e).sum() + (values * e * e).sum()
    bound = _dual(values, b, radius, mu, near)
    terms = 2 * jnp.linalg.norm(b) * radius + jnp.abs(values).max() * radius**2
    gap = (bound - value) / jnp.where(terms > 0, terms, 1.0)
    return Worst(
        jnp.matmul(basis, e, precision="highest"), value + constant, bound + constant, gap, mu
    )


def _dual(
    values: jax.Array, b: jax.Array, radius: jax.Array, mu: jax.Array, near: jax.Array
) -> jax.Array:
    """An upper bound of the maximum: b is split where μ - λ is only rounding.

    The part of b along such directions is at most ‖b_near‖ρ·2, added whole.
    """
    far = jnp.where(near, 0.0, b * b / jnp.where(near, 1.0, mu - values)).sum()
    mu = jnp.maximum(mu, values[-1])
    return mu * radius**2 + far + 2 * jnp.linalg.norm(jnp.where(near, b, 0.0)) * radius


def quadratic_of(
    function: Callable[[jax.Array], jax.Array], d: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(H, b, c) of a function that is quadratic in e [d]: f(e) = c + 2bᵀe + eᵀHe.

    >>> H, b, c = quadratic_of(lambda e: 3 + e[0] + 2 * e[1] ** 2, 2)
    >>> H.tolist(), b.tolist(), c.item()
    ([[0.0, 0.0], [0.0, 2.0]], [0.5, 0.0], 3.0)
    """
    zero = jnp.zeros(d)
    hessian = jax.hessian(function)(zero)
    return 0.5 * hessian, 0.5 * jax.grad(function)(zero), jnp.asarray(function(zero))


def ball_error(excess: Callable[[jax.Array], jax.Array], d: int, radius: Any) -> Worst:
    """The error e [d], ‖e‖ ≤ ρ, for which a quadratic excess (left - right) is the largest.

    For gradients through it, the maximiser is held fixed (envelope theorem): only the radius and
    the excess move.
    """
    matrix, vector, constant = quadratic_of(excess, d)
    worst = trust_region(matrix, vector, radius, constant)
    length = jnp.linalg.norm(worst.point)
    safe = jnp.where(length > 0, length, 1.0)
    unit = jax.lax.stop_gradient(worst.point / safe)
    share = jax.lax.stop_gradient(length / jnp.where(radius > 0, radius, 1.0))
    point = unit * share * radius
    return worst._replace(point=point, value=excess(point))
