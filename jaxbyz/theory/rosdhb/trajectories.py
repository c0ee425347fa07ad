"""Whole runs of RoSDHB on quadratics with a linear rule: every constant is exact.

`trajectories` are runs of linear rules from anywhere; `stalls` those that never move. Derived here.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.claims import Family
from jaxbyz.theory.rosdhb.certificate import tilted_weights
from jaxbyz.theory.rosdhb.moments import Dynamics
from jaxbyz.theory.rosdhb.states import Parameters

D = 2  # coordinates
K = 1  # of which so many are sent
H = 3  # workers
A = D / K


class Trajectory(NamedTuple):
    """A problem in coordinates θ - θ*, its constants, and a start."""

    system: Dynamics
    parameters: Parameters
    g_squared: jax.Array
    x: jax.Array  # [d]

    @property
    def gap(self) -> jax.Array:
        """D0."""
        return self.x @ self.system.matrices.mean(axis=0) @ self.x / 2


def share(z: jax.Array, low: float, high: float) -> jax.Array:
    """A number in (low, high)."""
    return low + (high - low) * jax.nn.sigmoid(z)


def master_setting(z: jax.Array) -> Parameters:
    """Free parameters [6 numbers] of the master theorem at a = 2; κ is 1 here, B² is κB²."""
    fresh, s = share(z[0], 1e-3, 0.2), jnp.exp(share(z[1], -2.0, 0.7))
    square = (1 - fresh) ** 2
    p = share(z[2], 0.01, 0.5) * (1 - square) / square
    tilt = (1 + s) / (1 - square * (1 + p))  # A/x, (c1) with equality
    curved = tilt * square * (1 + 1 / p)
    x = share(z[3], 0.05, 1 - 1e-12) * 2 / (1 + jnp.sqrt(1 + 4 * curved))
    room = (1 - tilt * fresh**2 * (A - 1)) / ((1 + 1 / s) * (1 + fresh * (A - 1)))
    one = jnp.ones_like(x)
    return Parameters(one, x, fresh, A * one, one, share(z[4], 0.01, 0.99) * room, s, p, tilt * x)


def setting_a(z: jax.Array) -> Parameters:
    """Theorem A at a = 2 with s = 1, ρ = 2."""
    c = jnp.exp(share(z[0], float(np.log(24)), float(np.log(240))))
    x = share(z[3], 0.1, 1.0) / (c * A)
    fresh = 24 * x / (1 + jnp.sqrt(1 - 24 * x))
    most = (1 - 144 / (11 * c)) / (2 + 24 / c)
    one = jnp.ones_like(x)
    # c has no place among the parameters; the largest admissible one is 1/(ax).
    return Parameters(
        one, x, fresh, A * one, one, share(z[4], 0.01, 0.99) * most, one, 2 * x, one / 11
    )


def setting_b(z: jax.Array) -> Parameters:
    """Theorem B at a = 2."""
    x = share(z[3], 0.1, 1.0) / (8 * A)
    one = jnp.ones_like(x)
    kappa_b_squared = share(z[4], 0.01, 0.99) * 4 / 15
    return Parameters(
        one, x, one / (4 * A), A * one, one, kappa_b_squared, one, one / (10 * A), 16 / 3 * A * x
    )


def dissimilarity_form(system: Dynamics) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Q [d, d], q [d], r [] of Δ = uᵀQu + 2qᵀu + r with u = ∇L_H(θ), where the mean vector is 0.

    ∇L_i - ∇L_H = E_i u - b_i,  E_i = (A_i - Ā) Ā⁻¹.
    """
    mean = system.matrices.mean(axis=0)
    ratio = (system.matrices - mean) @ jnp.linalg.inv(mean)  # [h, d, d] E_i
    h = system.vectors.shape[0]
    form = jnp.einsum("iba,ibc->ac", ratio, ratio) / h
    cross = -jnp.einsum("iba,ib->a", ratio, system.vectors) / h
    return form, cross, (system.vectors**2).sum() / h


def stalls(name: str, setting: Callable[[jax.Array], Parameters]) -> Family:
    """Runs that never move: two workers whose momenta cancel in a linear rule (see `stall`).

    √κ b0 = κB², so that the setting's κB² gives the tilt; the linear adversary that attains the
    floor κG²/(1-κB²).
    """

    def make(z: jax.Array) -> Trajectory:
        free = setting(z[:6])
        # Within e^±3: with larger ratios the weights and their κ would lose digits.
        smoothness, kappa, g0 = jnp.exp(3 * jnp.tanh(z[5:8] / 3))
        tilt, root = free.b_squared, jnp.sqrt(kappa)
        sign, axis = jnp.array([1.0, -1.0]), jnp.array([jnp.cos(z[8]), jnp.sin(z[8])])
        matrices = smoothness * (1 + sign * tilt / root)[:, None, None] * jnp.eye(D)
        weights, step = (1 - root * sign) / 2, free.x / smoothness
        system = Dynamics(matrices, -g0 * sign[:, None] * axis, weights, step, free.fresh)
        setup = free._replace(smoothness=smoothness, kappa=kappa, b_squared=tilt / kappa)
        begin = root * g0 / (1 - tilt) / smoothness * axis
        return Trajectory(system, setup, g0**2 / (1 - tilt), begin)

    return Family(name, 9, make)


def trajectories(
    name: str, setting: Callable[[jax.Array], Parameters], *, offsets: bool = True
) -> Family:
    """Quadratics with exact constants. `offsets` False: one optimum for all, so that G = 0.

    L scales γ and the Hessians; Ā has eigenvalues in (0, L]. B² is above the least one that the
    problem admits, G² the least for this B², κ = (κB²)/B², and the rule is a linear one with
    exactly this κ.
    """
    shapes = ((6,), (), (D,), (H, D, D), (H, D), (D,), (H,))

    def make(*parts: jax.Array) -> Trajectory:
        scalars, angle, values, spread, shifts, x, tilt = parts
        free = setting(scalars)
        smoothness = jnp.exp(scalars[5] / 2)
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        basis = jnp.array([[cosine, -sine], [sine, cosine]])
        mean = smoothness * (basis * share(values, 0.05, 1.0)) @ basis.T
        spread = spread + spread.transpose(0, 2, 1)
        spread = smoothness * (spread - spread.mean(axis=0)) / 4
        shifts = (shifts - shifts.mean(axis=0)) * (1.0 if offsets else 0.0)
        system = Dynamics(mean + spread, shifts, tilt, free.x / smoothness, free.fresh)
        form, cross, constant = dissimilarity_form(system)
        b_squared = 1.1 * jnp.linalg.eigvalsh(form)[-1] + 0.01
        gap = b_squared * jnp.eye(D) - form
        g_squared = constant + cross @ jnp.linalg.solve(gap, cross)
        kappa = free.b_squared / b_squared
        system = system._replace(weights=tilted_weights(tilt, kappa))
        setup = free._replace(smoothness=smoothness, kappa=kappa, b_squared=b_squared)
        return Trajectory(system, setup, g_squared, x)

    return Family.of(name, shapes, make)
