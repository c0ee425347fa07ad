"""The hypotheses of theorems and corollaries as a box of numbers, and the family of its points."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.claims import Family, Hypothesis
from jaxbyz.theory.conditions import at_most, in_unit_interval, positive


class Numbers(NamedTuple):
    """A point of the box: constants of the hypotheses and parameters, each []."""

    point: Setting  # with L = 1 and σ² = 1, which units allow
    eta: jax.Array
    beta: jax.Array  # ≥ η
    mu: jax.Array
    gap: jax.Array  # d₀
    rounds: jax.Array  # T ≥ 1, here a real number
    extra: jax.Array  # in (0, 1), for what a claim needs besides


def numbers(least_eta: float = 1e-6) -> Family:
    """The box: α ≥ 10⁻³, κ in [10⁻⁴, 10], G ≤ 10³, L̃ ≤ 30 L, ℓ in [10⁻³, 10²] L, η ≤ β ≤ 1, ….

    All on logarithmic scales, and L = σ² = ζ² = 1.

    >>> numbers().size
    11
    """

    def make(z: jax.Array) -> Numbers:
        def between(i: int, low: Any, high: Any) -> jax.Array:
            return low * (high / low) ** jax.nn.sigmoid(2 * z[i])

        one = jnp.ones_like(z[0])
        eta = between(0, least_eta, 1.0)
        point = Setting(
            alpha=between(1, 1e-3, 1.0),
            kappa=between(2, 1e-4, 10.0),
            honest=between(3, 1.0, 1e3),
            smoothness=one,
            mean_square_smoothness=between(4, 1.0, 30.0),
            sample_smoothness=between(5, 1e-3, 1e2),
            noise_variance=one,
            heterogeneity=one,
            growth=0 * one,
        )
        return Numbers(
            point,
            eta,
            between(6, eta, 1.0),
            between(7, 1e-4, 1.0),
            between(8, 1e-3, 1e3),
            between(9, 1.0, 1e9),
            jax.nn.sigmoid(z[10]),
        )

    return Family("box of constants", 11, make)


def _signs(given: Numbers) -> jax.Array:
    """κ, ℓ, σ², ζ² ≥ 0."""
    point = given.point
    sizes = (point.kappa, point.sample_smoothness, point.noise_variance, point.heterogeneity)
    return jnp.min(jnp.stack(sizes))


def _smooth(given: Numbers) -> jax.Array:
    """0 < L ≤ L̃."""
    least, most = given.point.smoothness, given.point.mean_square_smoothness
    return jnp.minimum(positive(least), at_most(least, most))


# Of every statement about the weights (A1-A5), and further ones.
BOX = (
    Hypothesis("0 < α ≤ 1", lambda given: in_unit_interval(given.point.alpha)),
    Hypothesis("κ, ℓ, σ², ζ² ≥ 0", _signs),
    Hypothesis("G ≥ 1", lambda given: given.point.honest - 1),
    Hypothesis("0 < L ≤ L̃", _smooth),
)
ETA = Hypothesis("0 < η ≤ 1", lambda given: in_unit_interval(given.eta))
BETA = Hypothesis(
    "η ≤ β ≤ 1", lambda given: jnp.minimum(1 - given.beta, at_most(given.eta, given.beta))
)
PL = Hypothesis(
    "PL, 0 < μ ≤ L",
    lambda given: jnp.minimum(positive(given.mu), at_most(given.mu, given.point.smoothness)),
)
LENGTH = Hypothesis("T ≥ 1", lambda given: given.rounds - 1)
GAP = Hypothesis("f(x⁰) ≥ f*", lambda given: given.gap)
