"""Instances of one round, for the worst of a certificate's V: how much of its C they use.

    ratio = [ (E V⁺ - V)/γ + ‖g‖² ] / (C κG²),     at most 1 if the certificate is right

L = 1, and κ = 1 without loss: μ_i and ν_i enter with √κ. L_H is a quadratic with eigenvalues in
[-1, 1], in any basis, since masks belong to the coordinates. The ν_i are so long that dissimilarity
is active at G = 1. The expectation over the masks is a sum, and for every mask the error of the
rule is the worst one of its ball ‖e‖² ≤ Υ⁺, by a trust-region problem. The ratio is written as

    cf(γ/2 Dᵀ A D - ⟨g,D⟩) + p11(2ζ⟨m,q⟩ + ζ²γ‖q‖²) + 2p12(ζ⟨q,g⟩ - ⟨m⁺,AD⟩)
      + p22(γ‖AD‖² - 2⟨g,AD⟩) + b0 mean_i(2ζ⟨μ_i,q_i⟩ + ζ²γ‖q_i‖²),

q = Pg - m, q_i = Pν_i - μ_i, so that nothing is divided by a small γ. Symbols as in
`checker.certificates.rosdhb`. Derived here.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.checker.certificates import rosdhb as method
from jaxbyz.theory.checker.certificates.multipliers import Rows
from jaxbyz.theory.expectations import mask_mean

WORKERS = 3
Worst = Callable[[Callable[[jax.Array], jax.Array], int, jax.Array], jax.Array]
# (excess of an error e [d], d, radius) -> the largest excess in the ball


class Weights(NamedTuple):
    """A certificate as arrays."""

    constants: jax.Array  # [4]: c, a, w, C
    rows: jax.Array  # [5, 3]: coefficients of 1, x and s, of every weight of V


def weights_of(constants: dict, rows: Rows) -> Weights:
    """From what `certificates.read` returns.

    >>> from jaxbyz.theory.rosdhb.proved import certificates
    >>> found = certificates()[0]
    >>> numbers = {"c": found.c, "coupling": found.coupling, "C": found.floor}
    >>> weights_of(numbers | {"kappa_b_squared": found.kappa_b_squared}, found.rows).rows.shape
    (5, 3)
    """
    table = np.zeros((len(method.WEIGHTS), method.AFFINE))
    for place, name in enumerate(method.WEIGHTS):
        table[place, : len(rows[name])] = [float(part) for part in rows[name]]
    numbers = [float(constants[name]) for name in method.CONSTANTS]
    return Weights(jnp.asarray(numbers), jnp.asarray(table))


def size(d: int) -> int:
    """How many free numbers an instance has."""
    return 4 + d * d + 2 * d + 2 * WORKERS * d


def ratio(given: Weights, z: jax.Array, d: int, k: int, worst: Worst) -> jax.Array:
    """The share of C that the instance of the free numbers z uses, []."""
    c, coupling, w, floor = given.constants
    scalars, z = z[:4], z[4:]
    parts = jnp.split(z, np.cumsum([d * d, d, d, WORKERS * d])[:4])
    share = jax.nn.sigmoid(scalars[0] + 2)  # x in (0, 1]
    step = share * k / (c * d)  # γ
    beta = jnp.sqrt(jnp.maximum(1 - coupling * step, 0.0))
    zeta = coupling / (1 + beta)
    cf, p11, p12, p22, b0 = given.rows @ jnp.stack([jnp.ones_like(share), share, k / d * share**0])
    values, basis = jnp.tanh(parts[0].reshape(d, d)[0]), _rotation(parts[0].reshape(d, d))
    hessian = (basis * values) @ basis.T
    g, m = parts[1], parts[2]
    spread, difference = (
        rows - rows.mean(axis=0) for rows in (part.reshape(WORKERS, d) for part in parts[3:])
    )
    square = 1 + w * (g**2).sum()
    difference = difference * jnp.sqrt(square * WORKERS / ((difference**2).sum() + 1e-30))

    def after(mask: jax.Array) -> jax.Array:
        q, each = mask * g - m, mask * difference - spread
        fresh, drift = m + zeta * step * q, spread + zeta * step * each
        radius = jnp.sqrt((drift**2).sum() / WORKERS + 1e-30)

        def excess(error: jax.Array) -> jax.Array:
            direction = fresh + error
            bent = hessian @ direction
            loss = step / 2 * direction @ bent - g @ direction
            mixed = zeta * (q @ g) - fresh @ bent
            return cf * loss + 2 * p12 * mixed + p22 * (step * bent @ bent - 2 * g @ bent)

        momentum = p11 * (2 * zeta * (m @ q) + zeta**2 * step * (q @ q))
        gathered = 2 * zeta * (spread * each).sum() + zeta**2 * step * (each**2).sum()
        return worst(excess, d, radius) + momentum + b0 * gathered / WORKERS

    return (mask_mean(after, d, k) + (g**2).sum()) / floor


def _rotation(numbers: jax.Array) -> jax.Array:
    """An orthogonal matrix, by Cayley's map of a skew one."""
    skew, one = numbers - numbers.T, jnp.eye(len(numbers))
    return jnp.linalg.solve(one + skew, one - skew)
