"""The hypotheses of Theorems A and B as boxes of numbers, and families of their points.

Everything is stated with L = 1 and κ = 1, so that B² is κB².
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.theory.claims import Family, Hypothesis
from jaxbyz.theory.conditions import in_unit_interval, positive
from jaxbyz.theory.rosdhb.states import Parameters


class BoxA(NamedTuple):
    """One point of the hypotheses of Theorem A."""

    c: jax.Array  # ≥ 24
    inflation: jax.Array  # a ≥ 1
    share: jax.Array  # v = cax in (0, 1]
    s: jax.Array
    rho: jax.Array
    kappa_b_squared: jax.Array

    def parameters(self) -> Parameters:
        """With L = 1 and κ = 1."""
        x = self.share / (self.c * self.inflation)
        fresh = 24 * x / (1 + jnp.sqrt(jnp.maximum(1 - 24 * x, 0.0)))
        weight, one = (1 + self.s) / (24 - self.rho), jnp.ones_like(x)
        return Parameters(
            one, x, fresh, self.inflation, one, self.kappa_b_squared, self.s, self.rho * x, weight
        )


def box_a(defaults: bool, least_c: float = 24.0) -> Family:
    """Points of Theorem A for c ≥ `least_c`; `defaults`: with s = 1 and ρ = 2."""

    def make(z: jax.Array) -> BoxA:
        sigmoid = jax.nn.sigmoid
        c = least_c * jnp.exp(5 * sigmoid(z[0]))  # up to 3600
        a = jnp.exp(5 * sigmoid(z[1]))
        share = 0.01 + 0.99 * sigmoid(z[2])
        one = jnp.ones_like(c)
        if defaults:
            s, rho = one, 2 * one
            # κB² up to the edge of q > 0.
            most = jnp.maximum((1 - 144 / (11 * c)) / (2 + 24 / c), 0.0)
            return BoxA(c, a, share, s, rho, most * sigmoid(z[3]))
        rho = 0.1 + 23.8 * sigmoid(z[3])
        most_s = rho * (24 - rho) * (1 - 1 / c) - 1
        return BoxA(c, a, share, most_s * (0.001 + 0.999 * sigmoid(z[4])), rho, sigmoid(z[5]))

    name = "box of Theorem A" + (", default weights" if defaults else "")
    return Family(name, 4 if defaults else 6, make)


class BoxB(NamedTuple):
    """One point of the hypotheses of Theorem B."""

    ratio: jax.Array  # u = k/d in (0, 1]
    share: jax.Array  # v = 8ax in (0, 1]
    kappa_b_squared: jax.Array

    def parameters(self) -> Parameters:
        """With L = 1 and κ = 1."""
        u, one = self.ratio, self.ratio**0
        x = self.share * u / 8
        weight = 16 * x / (3 * u)
        return Parameters(one, x, u / 4, 1 / u, one, self.kappa_b_squared, one, u / 10, weight)


def box_b(most: float) -> Family:
    """Points of Theorem B with κB² ≤ `most`."""

    def make(z: jax.Array) -> BoxB:
        u = 1e-4 + (1 - 1e-4) * jax.nn.sigmoid(z[0])
        v = 1e-3 + (1 - 1e-3) * jax.nn.sigmoid(z[1])
        return BoxB(u, v, most * jax.nn.sigmoid(z[2]))

    return Family("box of Theorem B", 3, make)


def _weights_fit(box: BoxA) -> jax.Array:
    """0 < ρ < 24, s > 0, A ≤ ρ(1-1/c), the last relative to its right side."""
    most = box.rho * (1 - 1 / box.c)
    room = 1 - (1 + box.s) / (24 - box.rho) / most
    return jnp.min(jnp.stack([positive(box.rho), positive(24 - box.rho), positive(box.s), room]))


def hypotheses_a(least_c: float = 24.0) -> tuple[Hypothesis, ...]:
    """Those of Theorem A; `least_c` is the least c that a statement admits."""
    return (
        Hypothesis(f"c ≥ {least_c:g}", lambda box: box.c / least_c - 1),
        Hypothesis("a = d/k ≥ 1", lambda box: box.inflation - 1),
        Hypothesis("0 < γ ≤ k/(dcL)", lambda box: in_unit_interval(box.share)),
        Hypothesis("0 < ρ < 24, s > 0, A ≤ ρ(1-1/c)", _weights_fit),
        Hypothesis("κB² ≥ 0", lambda box: box.kappa_b_squared),
    )


def spare_a(box: BoxA) -> jax.Array:
    """q ≥ 0, of terms of size 1."""
    spent = (1 + 1 / box.s) * box.kappa_b_squared * (1 + 12 / box.c)
    return 1 - 144 * (1 + box.s) / (24 - box.rho) / box.c - spent


def hypotheses_b(most: float) -> tuple[Hypothesis, ...]:
    """Those of Theorem B, for κB² ≤ `most`."""
    return (
        Hypothesis("k/d in (0, 1]", lambda box: in_unit_interval(box.ratio)),
        Hypothesis("0 < γ ≤ k/(8dL)", lambda box: in_unit_interval(box.share)),
        Hypothesis(
            f"0 ≤ κB² ≤ {most:.6g}",
            lambda box: jnp.minimum(box.kappa_b_squared, 1 - box.kappa_b_squared / most),
        ),
    )
