"""Stability and rates as claims; see `rates`. All are derived here.

| claim | what is compared                                               |
|-------|----------------------------------------------------------------|
| S8    | the spectral radius at the stability limits with 1             |
| S9-JV | J and V∞ with the solutions of the discrete Lyapunov equations |
| S9    | √7 - 5/2 with J V∞                                             |
"""

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.theory.byz_dm21 import rates
from jaxbyz.theory.claims import Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.conditions import in_unit_interval
from jaxbyz.theory.subjects import Reduction

derived = functools.partial(
    Claim,
    paper="byz_dm21",
    provenance=Provenance.DERIVED,
    source="derived here, jaxbyz/theory/byz_dm21/rates.py",
)


class Weighting(NamedTuple):
    """η, β and how far h lies below its limit."""

    eta: jax.Array
    beta: jax.Array
    part: jax.Array  # in (0, 1)


ETA = Hypothesis("0 < η ≤ 1", lambda given: in_unit_interval(given.eta))
BETA = Hypothesis("0 < β ≤ 1", lambda given: in_unit_interval(given.beta))
STABLE = Hypothesis("0 < h < limit", lambda given: in_unit_interval(given.part))


def _weightings() -> Family:
    def make(z: jax.Array) -> Weighting:
        eta, beta = (0.02**x for x in jax.nn.sigmoid(z[:2]))
        return Weighting(eta, beta, jax.nn.sigmoid(z[2]))

    return Family("η, β in [1/50, 1]", 3, make)


def stability(recursive: bool, limit: Callable[..., Any] | None = None) -> Claim:
    """S8: at the stability limit the spectral radius is one.

    >>> stability(recursive=False).key
    'byz_dm21/S8-DM'
    """
    recursion = rates.recursive_recursion if recursive else rates.momentum_recursion
    edge = limit or (
        (lambda eta, beta: rates.recursive_limit(beta)) if recursive else rates.momentum_limit
    )

    def sides(given: Weighting) -> tuple[jax.Array, jax.Array]:
        h = edge(given.eta, given.beta)
        transition, _ = recursion(h, given.eta, given.beta)
        return jnp.abs(jnp.linalg.eigvals(transition)).max(), jnp.ones(())

    return derived(
        name="S8-VR" if recursive else "S8-DM",
        title="stability limit on quadratics",
        statement="the spectral radius at the limit is 1",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(_weightings(),),
        hypotheses=(ETA, BETA),
        tolerance=1e-7,  # roots that nearly meet lose half of their digits
        about=(rates.recursive_limit if recursive else rates.momentum_limit, recursion),
    )


def lyapunov_equations(
    j: Callable[[Any, Any], Any] = rates.transient,
    v: Callable[[Any, Any], Any] = rates.stationary_variance,
) -> Claim:
    """S9-JV: J and V∞ are the solutions of the two discrete Lyapunov equations.

    >>> lyapunov_equations().key
    'byz_dm21/S9-JV'
    """

    def sides(given: Weighting) -> tuple[jax.Array, jax.Array]:
        eta = given.eta
        h = given.part * rates.recursive_limit(eta)
        transition, noise = rates.recursive_recursion(h, eta, eta)
        step = jnp.eye(9) - jnp.kron(transition, transition)
        sources = jnp.stack([jnp.ones(9), jnp.outer(noise, noise).ravel()], axis=1)
        return jnp.linalg.solve(step, sources)[0], jnp.stack([j(h, eta), v(h, eta)])

    return derived(
        name="S9-JV",
        title="transient and noise of Byz-VR-DM21 with one parameter",
        statement="J = Σ y_t²,  V∞ = lim Var(y_t)/s²",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(_weightings(),),
        hypotheses=(ETA, STABLE),
        tolerance=1e-8,  # the equations have the condition number 1/(1 - radius)², some 10⁶ here
        about=(j, v),
    )


def product_claim(constant: float = rates.PRODUCT) -> Claim:
    """S9: J V∞ ≥ √7 - 5/2 for every stable (h, η) with β = η.

    >>> product_claim().key
    'byz_dm21/S9'
    """

    def make(z: jax.Array) -> Weighting:
        eta = 1e-8 ** jax.nn.sigmoid(z[0])
        return Weighting(eta, eta, jax.nn.sigmoid(z[1]))

    def sides(given: Weighting) -> tuple[jax.Array, jax.Array]:
        # h = η · 10^-3 … the limit, on a logarithmic scale.
        low, high = 1e-3 * given.eta, rates.recursive_limit(given.eta)
        h = low * (high / low) ** given.part
        product = rates.transient(h, given.eta) * rates.stationary_variance(h, given.eta)
        return jnp.asarray(constant), product

    return derived(
        name="S9",
        title="no O(ε⁻³) with one parameter",
        statement="J V∞ ≥ √7 - 5/2",
        scope=Scope.CONSTANTS,
        sides=sides,
        families=(Family("stable h, η in [1e-8, 1]", 2, make),),
        hypotheses=(ETA, STABLE),
        reduction=_product_reduction(constant),
        about=(rates.transient, rates.stationary_variance),
    )


def _product_sides(given: tuple[Any, Any, Any]) -> tuple[list[Any], list[Any]]:
    """J V∞ ≥ c for c = √7 - 5/2, which has (c + 5/2)² = 7, in four steps.

    With u = h/η, w = ηh/(4-2η) in (0, 1), F = 2-η + (1-η)u and
    A = 2-η - 2(1-η)²u + (1-η)(2-η+η²)u²:

        J h (4-2η-ηh) = A;    4 F V∞ ≥ h (4-2η-ηh),  so that J V∞ ≥ A/(4F) if A ≥ 0;
        A - 4cF = a2 u² + a1 u + a0 with a2 ≥ 0 and 4 a2 a0 - a1² ≥ 16 (1-η)(7 - (c+5/2)²),

    which is 0 at this c, so that A ≥ 4cF for every u; where a2 = 0, at η = 1, a1 = 0 and a0 > 0.
    The last line is shown for all c in [1/7, 3/20].
    """
    eta, w, part = given
    h, c = 2 * (2 - eta) * w / eta, Fraction(1, 7) + part / 140
    u, room = h / eta, h * (4 - 2 * eta - eta * h)
    upper = 2 - eta - 2 * u * (1 - eta) ** 2 + u**2 * (1 - eta) * (2 - eta + eta**2)
    lower = 2 - eta + (1 - eta) * u
    two, one = (1 - eta) * (2 - eta + eta**2), -2 * (1 - eta) ** 2 - 4 * c * (1 - eta)
    none = (2 - eta) * (1 - 4 * c)
    transient, difference = rates.transient(h, eta) * room, upper - 4 * c * lower
    square = two * u**2 + one * u + none
    return (
        [transient, upper, room, difference, square, 0 * eta,
         16 * (1 - eta) * (7 - (c + Fraction(5, 2)) ** 2)],
        [upper, transient, 4 * lower * rates.stationary_variance(h, eta), square, difference, two,
         4 * two * none - one**2],
    )  # fmt: skip


def _product_reduction(constant: float) -> Reduction:
    return Reduction(
        ("η", "ηh/(4-2η)", "140c-20"),
        lambda *given: given,
        "every h below the limit 2(2-η)/η is one of the second variable",
        sides=_product_sides,
        follows="A ≥ 4cF, and J V∞ ≥ A/(4F)",
        same=lambda given: (
            jnp.stack([jnp.sqrt(7.0) - 2.5, 2 * (2 - given.eta) / given.eta]),
            jnp.stack([jnp.asarray(constant), rates.recursive_limit(given.eta)]),
        ),
        tolerance=1e-15,  # two ways to write the same: a rounding or two
    )
