"""Theorems T1 … T4 and corollaries C1 … C3 as polynomials on a cube. Derived here.

**Theorems.** N and the start errors are quotients of polynomials in α, κ, 1/G, η and β, and so is
K_S. The step size is 1/max(A, B, C) with

    A = slow √K (L̃ + sample √β ℓ)/α,     B = fast L_κ/β,     C = root ℓ_κ/√η.

As γL ≤ 1/fast, the condition 2γ² K_S + γL ≤ 1 follows from 2K_S ≤ (1 - 1/fast)/γ², and this from

    2K_S ≤ (1 - 1/fast)(p_A A² + p_B B² + p_C C²),     p_A + p_B + p_C = 1,

because a largest number is no smaller than a mean. A² ≥ slow² K (L̃² + sample² β ℓ²)/α². Then both
sides are linear in L², L̃² and ℓ², and it is enough that the coefficients of each obey it. Under PL
γμ is at most α/slow, β/fast and (row 4) η/2, because μ ≤ L ≤ L̃. So γμ ≤ s × each contraction, if
these three numbers are.

**Corollaries.** With the closed forms of the theorem, a largest number at most the sum, and
1/(B₀T) ≤ η², the terms that depend on η are at most the left sides of

    C1   P/η + (42/24) Q η + (516/300) R η³  ≤  P + (64/√528) √(PQ) + 2.75 P^(3/4) R^(1/4)
    C2   2P/√η + Q η  ≤  2P + 12.2 P^(2/3) (Q/66)^(1/3),     600 βη² + 216 η³ ≤ 816 η^(5/2)
    C3   2P/η  + Q η  ≤  2P + 23 √(P Q/66),                  600 βη² + 216 η³ ≤ 816 η³

with P = 22L_κd₀/T, Q = 24σ²k, R = 300Kσ²/α² in C1 and P = Λd₀/T, Q = 66σ²k in C2 and C3. η is 1 or
one of the other terms of its minimum, which gives one of P, Q, R in terms of another. Each case is
an inequality between polynomials in variables of [0, 1], after division by P where η = 1, by ηQ
where P is given by Q, by η³R where it is given by R.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxbyz.theory.byz_dm21.boxes import Numbers
from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.byz_dm21.weights import Steps, weights
from jaxbyz.theory.claims import Claim
from jaxbyz.theory.subjects import Reduction

Sides = tuple[list[Any], list[Any]]
HALF = Fraction(1, 2)


class StepForm(NamedTuple):
    """The numbers of a closed form of γ, and the shares p_A and p_B of the proof."""

    slow: int
    fast: int
    sample: Fraction = Fraction(0)
    root: int = 0
    shares: tuple[Fraction, Fraction] = (HALF, HALF)

    def inverse(self, given: Numbers) -> Any:
        """max(A, B, C) of arrays."""
        point = given.point
        speed = point.mean_square_smoothness
        speed = speed + float(self.sample) * given.beta**0.5 * point.sample_smoothness
        slow = self.slow * point.spread**0.5 * speed / point.alpha
        fast = self.fast * point.smoothness_kappa / given.beta
        root = self.root * point.sample_smoothness_kappa / given.eta**0.5
        return jnp.maximum(jnp.maximum(slow, fast), root)

    def most(self, given: Any) -> Any:
        """(1 - 1/fast)(p_A A² + p_B B² + p_C C²), without the product of L̃ and ℓ."""
        point, (slow, fast) = given.point, self.shares
        speed = point.mean_square_smoothness**2
        speed = speed + self.sample**2 * given.beta * point.sample_smoothness**2
        gradient = point.smoothness**2 + 2 * point.kappa * point.mean_square_smoothness**2
        total: Any = slow * self.slow**2 * point.spread * speed / point.alpha**2
        total = total + fast * self.fast**2 * gradient / given.beta**2
        squared = point.sample_smoothness**2 * point.share / given.eta
        total = total + (1 - slow - fast) * self.root**2 * squared
        return total * (1 - Fraction(1, self.fast))


TWO = (Fraction(2, 5), Fraction(3, 10))
FORMS = {
    1: StepForm(42, 11),
    2: StepForm(36, 9, Fraction(2), 17, TWO),
    3: StepForm(93, 19),
    4: StepForm(66, 12, Fraction(23, 10), 30, TWO),
}
# Of L, L̃ and ℓ one is 1: a side's value is the coefficient of its square.
UNITS = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def theorem(
    row: int,
    steps: Callable[[Setting, Any, Any], Steps],
    step: Callable[[Numbers], Any],
    noise: Callable[[Numbers], Any],
    start: Callable[[Numbers], Any] | None,
) -> Reduction:
    """The reduction of T1 … T4; the functions are those that the claim is about."""
    single, spare, form = row in (1, 3), HALF if row in (3, 4) else 0, FORMS[row]

    def instance(alpha: Any, share: Any, beta: Any, *rest: Any) -> Numbers:
        *part, kappa = rest
        eta, zero = beta if single else beta * part[0], 0 * beta
        point = Setting(alpha, kappa, 1 / share, zero + 1, zero + 1, zero + 1, zero + 1, zero + 1)
        return Numbers(point, eta, beta, zero, zero, zero, zero)

    def sides(given: Numbers) -> Sides:
        point, eta, beta = given.point, given.eta, given.beta
        found = weights(point, steps(point, eta, beta), theta=1, spare=spare)
        left, right = [found.noise], [noise(given)]
        if start is not None:
            left.append(2 * (found.c + found.c_bar / point.honest) * point.noise_variance)
            right.append(start(given))
        for lipschitz, mean_square, sample in UNITS:
            unit = point._replace(
                smoothness=lipschitz + 0 * eta,
                mean_square_smoothness=mean_square + 0 * eta,
                sample_smoothness=sample + 0 * eta,
            )
            left.append(2 * weights(unit, steps(unit, eta, beta), theta=1, spare=spare).k_s)
            right.append(form.most(given._replace(point=unit)))
        if spare:
            slow, fast = point.alpha / form.slow, beta / form.fast
            left += [slow, fast, fast if single else eta / 2]
            right += found.contractions
        return left, right

    def same(given: Numbers) -> tuple[Any, Any]:
        given = given._replace(beta=given.eta) if single else given
        inverse, point = form.inverse(given), given.point
        if row == 4:
            inverse = jnp.maximum(inverse, 2 * given.mu / given.eta)
        found = weights(point, steps(point, given.eta, given.beta), theta=1.0, spare=float(spare))
        size = found.step_size  # at the edge of its condition
        least = jnp.min(jnp.stack(found.contractions))
        return jnp.stack([inverse, jnp.ones_like(size), least]), jnp.stack(
            [1 / step(given), 2 * size**2 * found.k_s + size * found.smoothness, found.contraction]
        )

    return Reduction(
        ("α", "1/G", "β", *(() if single else ("η/β",)), "κ"),
        instance,
        "units with σ = 1; L, L̃ and ℓ enter by their squares alone",
        rays=("κ",),
        sides=sides,
        follows="see the first lines of `byz_dm21.reductions`",
        same=same,
    )


def _first(eta: Any, q: Any, r: Any) -> Sides:
    """C1: η = 1, with Q = q² P and R = r⁴ P; η² = P/Q, with R = r⁴ Q/η²; η⁴ = P/R, Q = q² η² R."""
    root = Fraction(2785, 1000)  # at most 64/√528: the last side
    linear, cubic, last = Fraction(42, 24), Fraction(516, 300), Fraction(275, 100)
    return (
        [
            1 + linear * q**2 + cubic * r**4,
            1 + linear + cubic * r**4,
            1 + linear * q**2 + cubic,
            root**2 * 528 + 0 * q,
        ],
        [1 + root * q + last * r, eta + root + last * r, eta + root * q + last, 64**2],
    )


def _second(e: Any, q: Any) -> Sides:
    """C2: η = e². η^(3/2) = P/Q: both sides over η Q, cubed; η = 1: Q = q³ P."""
    factor = Fraction(122, 10) ** 3 / 66
    return (
        [0 * e + 27, 2 + q**3, 600 * e**5 + 216 * e**6],
        [0 * e + factor, 2 + 3 * q, 816 * e**5],
    )


def _third(eta: Any, q: Any) -> Sides:
    """C3: η² = 2P/Q: both sides over η Q, squared; η = 1: Q = 2q² P, and 23 √(2/66) ≥ 4."""
    return (
        [0 * eta + 4, 2 + 2 * q**2, 600 * eta**3 + 216 * eta**3, 0 * eta + 16 * 66],
        [0 * eta + Fraction(23**2, 2 * 66), 2 + 4 * q, 816 * eta**3, 23**2 * 2],
    )


class _Rates(NamedTuple):
    """P, Q, R of arrays, and what is the same on both sides of a corollary."""

    pace: Any
    linear: Any
    cubic: Any
    rest: Any


def _rates(number: int, point: Setting, rounds: Any, gap: Any) -> _Rates:
    cubic = 300 * point.spread * point.noise_variance / point.alpha**2
    floor, factor = 4 * point.kappa * point.heterogeneity, 84 if number == 1 else 72
    speed = point.mean_square_smoothness + (0 if number == 1 else 2 * point.sample_smoothness)
    rest = floor + factor * point.spread**0.5 * speed * gap / (point.alpha * rounds)
    linear = (24 if number == 1 else 66) * point.noise_variance * point.share
    pace = 22 * point.smoothness_kappa
    if number > 1:
        pace = jnp.maximum(17 * point.sample_smoothness_kappa, 9 * point.smoothness_kappa)
    return _Rates(pace * gap / rounds, linear, cubic, rest)


def _returned(number: int, point: Setting, rounds: Any, gap: Any) -> tuple[Any, Any]:
    """η and the right side of a corollary, as the proof has them."""
    p, q, r, rest = _rates(number, point, rounds, gap)
    if number == 1:
        eta = jnp.minimum(1.0, jnp.minimum((p / q) ** 0.5, (p / r) ** 0.25))
        return eta, rest + p + 64 / 528**0.5 * (p * q) ** 0.5 + 2.75 * p**0.75 * r**0.25
    if number == 2:
        eta = jnp.minimum(1.0, (p / q) ** (2 / 3))
        main, power = 12.2 * p ** (2 / 3) * (q / 66) ** (1 / 3), eta**2.5
    else:
        eta = jnp.minimum(1.0, (2 * p / q) ** 0.5)
        main, power = 23 * (p * q / 66) ** 0.5, eta**3
    return eta, rest + 2 * p + main + 816 / 300 * r * power


CASES: dict[int, tuple[tuple[str, ...], Callable[..., Sides]]] = {
    1: (("η", "√(Q/P)", "(R/P)^(1/4)"), _first),
    2: (("√η", "(Q/P)^(1/3)"), _second),
    3: (("η", "√(Q/2P)"), _third),
}


def corollary(
    number: int, eta: Callable[..., Any], bound: Callable[[Setting, Any, Any], Any], theorem: Claim
) -> Reduction:
    """The reduction of C1 … C3 to T1 or T2; the functions are those that users call."""
    variables, sides = CASES[number]

    def same(given: Numbers) -> tuple[Any, Any]:
        arguments = given.point, given.rounds, given.gap
        return jnp.stack(_returned(number, *arguments)), jnp.stack(
            [eta(*arguments), bound(*arguments)]
        )

    return Reduction(
        variables,
        lambda *given: given,
        "which of the terms of η is the smallest: each case is one side",
        sides=lambda given: sides(*given),
        follows="see `byz_dm21.reductions`",
        same=same,
        rests_on=(theorem,),
    )
