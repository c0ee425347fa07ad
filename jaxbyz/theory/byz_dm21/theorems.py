"""Theorems and corollaries as claims: closed forms against weights, bounds against exact averages.

A factory takes the functions whose constants it states, so that a wrong constant makes a wrong
claim, for tests of the checks. All are derived here.

| claim    | what is compared                                                                     |
|----------|--------------------------------------------------------------------------------------|
| T1 … T4  | the closed forms of `simplified` with the weights of L7, over a box of all constants |
| C1 … C3  | the theorem's bound at the corollary's parameters with the corollary's closed form   |
| A1, A2   | exact averages over 2¹⁴ rounds of one-dimensional runs with the bounds of T1, T2     |
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.theory.byz_dm21 import rates, reductions, simplified
from jaxbyz.theory.byz_dm21.boxes import BETA, BOX, ETA, GAP, LENGTH, PL, Numbers, numbers
from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.byz_dm21.weights import Weights, momentum_steps, recursive_steps, weights
from jaxbyz.theory.claims import Claim, Hypothesis, Provenance, Scope
from jaxbyz.theory.conditions import in_unit_interval

Closed = Callable[[Numbers], Any]
ROUNDS = 2**14


derived = functools.partial(
    Claim,
    paper="byz_dm21",
    provenance=Provenance.DERIVED,
    source="derived here, jaxbyz/theory/byz_dm21/simplified.py",
    scope=Scope.CONSTANTS,
    tight_from=None,
)


# row of `simplified` -> (method's steps, takes β = η, s, γ, noise, factor of N)
ROWS: dict[int, tuple[Any, bool, float, Closed, Closed]] = {
    1: (
        momentum_steps,
        True,
        0.0,
        lambda n: simplified.step_1(n.point, n.eta),
        lambda n: simplified.noise_1(n.point, n.eta) / 2,
    ),
    2: (
        recursive_steps,
        False,
        0.0,
        lambda n: simplified.step_2(n.point, n.eta, n.beta),
        lambda n: simplified.noise_2(n.point, n.eta, n.beta) / 2,
    ),
    3: (
        momentum_steps,
        True,
        0.5,
        lambda n: simplified.step_3(n.point, n.eta),
        lambda n: simplified.noise_3(n.point, n.eta),
    ),
    4: (
        recursive_steps,
        False,
        0.5,
        lambda n: simplified.step_4(n.point, n.eta, n.beta, n.mu),
        lambda n: simplified.noise_4(n.point, n.eta, n.beta),
    ),
}


def theorem_claim(
    row: int, step: Closed | None = None, noise: Closed | None = None, start: Closed | None = None
) -> Claim:
    """T1 … T4: γ ≤ the largest of the weights, N ≤ its closed form, start errors ≤ theirs.

    Args:
        row: 1 … 4.
        step: the closed form of γ; default that of `simplified`.
        noise: that of N.
        start: that of 2(cR₀ + c'R̄₀) at B₀ = 1, rows 1 and 2.

    >>> theorem_claim(1).key
    'byz_dm21/T1'
    """
    steps, single, spare, step_default, noise_default = ROWS[row]
    step, noise = step or step_default, noise or noise_default
    begin = start or (lambda n: simplified.start(n.point, n.eta, 1))

    def sides(given: Numbers) -> tuple[jax.Array, jax.Array]:
        if single:
            given = given._replace(beta=given.eta)
        point = given.point
        found = weights(point, steps(point, given.eta, given.beta), theta=1.0, spare=spare)
        limit = found.step_size
        if spare:
            limit = jnp.minimum(limit, found.contraction / given.mu)
        left, right = [step(given), found.noise], [limit, noise(given)]
        if not spare:
            left.append(2 * (found.c + found.c_bar / point.honest) * point.noise_variance)
            right.append(begin(given))
        return jnp.stack(left), jnp.stack(right)

    statement = "γ ≤ γ_max,  N ≤ closed form" + ("" if spare else ",  2(cR₀+c'R̄₀) ≤ closed form")
    # β = η where there is one parameter; under PL also μ.
    needs = (*BOX, ETA, *(() if single else (BETA,)), *((PL,) if spare else ()))
    return derived(
        name=f"T{row}",
        title=f"closed forms of theorem {row}",
        statement=statement,
        sides=sides,
        families=(numbers(),),
        hypotheses=needs,
        reduction=reductions.theorem(row, steps, step, noise, None if spare else begin),
        about=(
            *(getattr(simplified, f"{name}_{row}") for name in ("step", "noise")),
            *((Weights.contraction,) if spare else (simplified.start,)),
            *(Weights.step_size,),
        ),
    )


COROLLARIES: dict[int, tuple[int, Any, Any, Any]] = {
    1: (1, simplified.corollary_eta_1, lambda eta: eta, simplified.corollary_bound_1),
    2: (2, simplified.corollary_eta_2, lambda eta: eta**0.5, simplified.corollary_bound_2),
    3: (2, simplified.corollary_eta_3, lambda eta: eta, simplified.corollary_bound_3),
}


def corollary_claim(number: int, bound: Callable[[Setting, Any, Any], Any] | None = None) -> Claim:
    """C1 … C3: the theorem's bound at the corollary's parameters ≤ the corollary's closed form.

    γ is that of the closed form, B₀ = max(1, 1/(η²T)), not rounded up, θ = 1.

    >>> corollary_claim(2).key
    'byz_dm21/C2'
    """
    row, eta_of, beta_of, default = COROLLARIES[number]
    steps, _, _, step, _ = ROWS[row]
    stated = bound or default

    def sides(given: Numbers) -> tuple[jax.Array, jax.Array]:
        point, rounds, gap = given.point, given.rounds, given.gap
        eta = eta_of(point, rounds, gap)
        beta = beta_of(eta)
        found = weights(point, steps(point, eta, beta), theta=1.0)
        size = step(given._replace(eta=eta, beta=beta))
        batch = jnp.maximum(1.0, 1 / (eta**2 * rounds))
        start = (found.c + found.c_bar / point.honest) * point.noise_variance / batch
        floor = 4 * point.kappa * point.heterogeneity
        left = 2 * (gap / size + start) / rounds + floor + 2 * found.noise
        return left, stated(point, rounds, gap)

    return derived(
        name=f"C{number}",
        title=f"corollary {number}",
        statement="bound of the theorem ≤ closed form of the corollary",
        sides=sides,
        families=(numbers(),),
        hypotheses=(*BOX, LENGTH, GAP),  # η and β are those of the corollary
        reduction=reductions.corollary(number, eta_of, stated, theorem_claim(row)),
        about=(eta_of, stated),
    )


def _average(number: int, recursive: bool, scale: float) -> Claim:
    steps = recursive_steps if recursive else momentum_steps
    recursion = rates.recursive_recursion if recursive else rates.momentum_recursion

    def sides(given: Numbers) -> tuple[jax.Array, jax.Array]:
        # f = λx²/2 with λ ≤ L = 1, α = 1, κ = ζ = ℓ = 0, noise of variance s² = 1/G on the mean.
        zero = 0 * given.eta
        point = given.point._replace(
            alpha=zero + 1,
            kappa=zero,
            mean_square_smoothness=zero + 1,
            sample_smoothness=zero,
            heterogeneity=zero,
        )
        found = weights(point, steps(point, given.eta, given.beta), theta=1.0)
        curvature, variance = given.mu, 1 / point.honest
        size = found.step_size
        transition, noise = recursion(size * curvature, given.eta, given.beta)
        square = 2 * given.gap * curvature  # y₀²
        start = square * rates.start_moments(variance / square)
        left = rates.average_square(transition, noise * variance**0.5, start, ROUNDS)
        errors = found.c + found.c_bar / point.honest
        right = 2 * (given.gap / size + errors) / ROUNDS + 2 * found.noise
        return left, scale * right

    return derived(
        name=f"A{number}",
        title=f"theorem {number} against exact averages",
        statement="(1/T) Σ E‖∇f‖² ≤ 2Ψ₀/(γT) + 2N on f = λx²/2, T = 2¹⁴",
        scope=Scope.TRAJECTORY,
        sides=sides,
        families=(numbers(1e-4),),
        # G alone of the constants enters: the others are those of this problem.
        hypotheses=(
            *(ETA, BETA, BOX[2], GAP),
            Hypothesis("0 < λ ≤ L", lambda given: in_unit_interval(given.mu)),
        ),
    )


def average_1(scale: float = 1.0) -> Claim:
    """A1: Theorem 1 against exact averages of Byz-DM21 on λx²/2, all η ≤ β.

    >>> average_1().key
    'byz_dm21/A1'
    """
    return _average(1, False, scale)


def average_2(scale: float = 1.0) -> Claim:
    """A2: Theorem 2 against exact averages of Byz-VR-DM21 on λx²/2, all η ≤ β.

    >>> average_2().key
    'byz_dm21/A2'
    """
    return _average(2, True, scale)
