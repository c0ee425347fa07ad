"""Closed forms for θ = 1: sufficient step sizes, upper bounds of the noise, corollaries.

K = 1+2κ, k = 2κ+1/G, L_κ = √(L²+2κL̃²), ℓ_κ = ℓ√k, B = 0, a dense start from a batch of B₀:

    1  Byz-DM21, β = η      γ ≤ min{α/(42√K L̃), η/(11L_κ)}
                            2N ≤ σ² (300Kη³/α² + 24ηk)
    2  Byz-VR-DM21, η ≤ β   γ ≤ min{α/(36√K(L̃+2√β ℓ)), β/(9L_κ), √η/(17ℓ_κ)}
                            2N ≤ σ² (600Kβη²/α² + 48ηk)
    3  as 1, under PL       γ ≤ min{α/(93√K L̃), η/(19L_κ)}
                            N ≤ σ² (K[12η⁴/α + (720η³+144η⁵)/α²] + 36ηk)
    4  as 2, under PL       γ ≤ min{α/(66√K(L̃+2.3√β ℓ)), β/(12L_κ), √η/(30ℓ_κ), η/(2μ)}
                            N ≤ σ² (1800Kβη²/α² + 72ηk)
    1, 2                    2(cR₀+c'R̄₀) ≤ (2σ²/B₀)(9k/η + 108Kη/α²)

All are derived here, from the weights with β, η and α rounded up to 1 where that helps; the claims
of `theorems` hold them against `weights`. Arrays do as well as numbers. The corollaries, with
B₀ ≥ 1/(η²T):

    1   4κζ² + 84√K L̃ d₀/(αT) + 22 L_κ d₀/T + 64 √(L_κ d₀ σ² k/T)
          + 2.75 (22 L_κ d₀/T)^(3/4) (300 K σ²/α²)^(1/4)
    2   4κζ² + 12.2 (Λd₀/T)^(2/3) (σ²k)^(1/3) + 72√K(L̃+2ℓ) d₀/(αT) + 2Λd₀/T + 816 K η^(5/2) σ²/α²
    3   4κζ² + 23 √(Λd₀σ²k/T) + 72√K(L̃+2ℓ) d₀/(αT) + 2Λd₀/T + 816 K η³ σ²/α²

with Λ = max(17ℓ_κ, 9L_κ), d₀ = f(x⁰) - f* and the η of `corollary_eta_1`, … .
"""

import math
from typing import Any

from jaxbyz.theory.byz_dm21._numbers import largest, least
from jaxbyz.theory.byz_dm21.setting import Setting


def _over(numerator: Any, denominator: Any) -> Any:
    """numerator/denominator, ∞ for the number 0 below."""
    if isinstance(denominator, int | float) and denominator == 0:
        return math.inf
    return numerator / denominator


def step_1(point: Setting, eta: Any) -> Any:
    """γ of row 1.

    >>> step_1(Setting(1.0, 0.0, 1, 1.0, 1.0), eta=0.11)
    0.01
    """
    slow = point.alpha / (42 * point.spread**0.5 * point.mean_square_smoothness)
    return least(slow, eta / (11 * point.smoothness_kappa))


def noise_1(point: Setting, eta: Any) -> Any:
    """The bound of 2N, row 1.

    >>> noise_1(Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0), eta=1.0)
    324.0
    """
    return point.noise_variance * (
        300 * point.spread * eta**3 / point.alpha**2 + 24 * eta * point.share
    )


def step_2(point: Setting, eta: Any, beta: Any) -> Any:
    """γ of row 2.

    >>> step_2(Setting(1.0, 0.0, 1, 1.0, 1.0), eta=0.01, beta=0.1)
    0.011111111111111112
    """
    speed = point.mean_square_smoothness + 2 * beta**0.5 * point.sample_smoothness
    return least(
        point.alpha / (36 * point.spread**0.5 * speed),
        beta / (9 * point.smoothness_kappa),
        _over(eta**0.5, 17 * point.sample_smoothness_kappa),
    )


def noise_2(point: Setting, eta: Any, beta: Any) -> Any:
    """The bound of 2N, row 2.

    >>> noise_2(Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0), eta=1.0, beta=1.0)
    648.0
    """
    return point.noise_variance * (
        600 * point.spread * beta * eta**2 / point.alpha**2 + 48 * eta * point.share
    )


def start(point: Setting, eta: Any, batch: Any) -> Any:
    """The bound of 2(cR₀ + c'R̄₀), rows 1 and 2.

    >>> start(Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0), eta=1.0, batch=2)
    117.0
    """
    inner = 9 * point.share / eta + 108 * point.spread * eta / point.alpha**2
    return 2 * point.noise_variance / batch * inner


def step_3(point: Setting, eta: Any) -> Any:
    """γ of row 3.

    >>> step_3(Setting(1.0, 0.0, 1, 1.0, 1.0), eta=0.19)
    0.01
    """
    slow = point.alpha / (93 * point.spread**0.5 * point.mean_square_smoothness)
    return least(slow, eta / (19 * point.smoothness_kappa))


def noise_3(point: Setting, eta: Any) -> Any:
    """The bound of N, row 3.

    >>> noise_3(Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0), eta=1.0)
    912.0
    """
    slow = 12 * eta**4 / point.alpha + (720 * eta**3 + 144 * eta**5) / point.alpha**2
    return point.noise_variance * (point.spread * slow + 36 * eta * point.share)


def step_4(point: Setting, eta: Any, beta: Any, mu: Any) -> Any:
    """γ of row 4; μ is the constant of PL.

    >>> step_4(Setting(1.0, 0.0, 1, 1.0, 1.0), eta=0.01, beta=0.12, mu=0.5)
    0.01
    """
    speed = point.mean_square_smoothness + 2.3 * beta**0.5 * point.sample_smoothness
    return least(
        point.alpha / (66 * point.spread**0.5 * speed),
        beta / (12 * point.smoothness_kappa),
        _over(eta**0.5, 30 * point.sample_smoothness_kappa),
        eta / (2 * mu),
    )


def noise_4(point: Setting, eta: Any, beta: Any) -> Any:
    """The bound of N, row 4.

    >>> noise_4(Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0), eta=1.0, beta=1.0)
    1872.0
    """
    return point.noise_variance * (
        1800 * point.spread * beta * eta**2 / point.alpha**2 + 72 * eta * point.share
    )


def _lambda(point: Setting) -> Any:
    """Λ = max(17ℓ_κ, 9L_κ)."""
    return largest(17 * point.sample_smoothness_kappa, 9 * point.smoothness_kappa)


def corollary_eta_1(point: Setting, rounds: Any, gap: Any) -> Any:
    """η = min{1, √(22L_κd₀/(24σ²kT)), (22L_κd₀α²/(300Kσ²T))^(1/4)}; β = η.

    >>> point = Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0)
    >>> round(corollary_eta_1(point, rounds=10_000, gap=1.0), 6)
    0.009574
    """
    pace = 22 * point.smoothness_kappa * gap / rounds
    noise = point.noise_variance
    return least(
        1.0,
        _over(pace, 24 * noise * point.share) ** 0.5,
        _over(pace * point.alpha**2, 300 * point.spread * noise) ** 0.25,
    )


def corollary_bound_1(point: Setting, rounds: Any, gap: Any) -> Any:
    """The right side of corollary 1.

    >>> corollary_bound_1(Setting(1.0, 0.0, 1, 1.0, 1.0), rounds=106, gap=1.0)
    1.0
    """
    pace = point.smoothness_kappa * gap / rounds
    noise, spread = point.noise_variance, point.spread
    return (
        4 * point.kappa * point.heterogeneity
        + 84 * spread**0.5 * point.mean_square_smoothness * gap / (point.alpha * rounds)
        + 22 * pace
        + 64 * (pace * noise * point.share) ** 0.5
        + 2.75 * (22 * pace) ** 0.75 * (300 * spread * noise / point.alpha**2) ** 0.25
    )


def corollary_eta_2(point: Setting, rounds: Any, gap: Any) -> Any:
    """η = min{1, (Λd₀/(66σ²kT))^(2/3)}; β = √η.

    >>> point = Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0)
    >>> round(corollary_eta_2(point, rounds=10_000, gap=1.0), 6)
    0.000571
    """
    noise = 66 * point.noise_variance * point.share * rounds
    return least(1.0, _over(_lambda(point) * gap, noise) ** (2 / 3))


def corollary_bound_2(point: Setting, rounds: Any, gap: Any) -> Any:
    """The right side of corollary 2, of order T^(-2/3): O(ε⁻³) for a gradient of norm ε.

    >>> corollary_bound_2(Setting(1.0, 0.0, 1, 1.0, 1.0), rounds=90, gap=1.0)
    1.0
    """
    pace, eta = _lambda(point) * gap / rounds, corollary_eta_2(point, rounds, gap)
    passed = 12.2 * pace ** (2 / 3) * (point.noise_variance * point.share) ** (1 / 3)
    return passed + _rest(point, rounds, gap, pace, eta**2.5)


def corollary_eta_3(point: Setting, rounds: Any, gap: Any) -> Any:
    """η = min{1, √(2Λd₀/(66σ²kT))}; β = η, the published choice.

    >>> point = Setting(1.0, 0.0, 1, 1.0, 1.0, noise_variance=1.0)
    >>> round(corollary_eta_3(point, rounds=10_000, gap=1.0), 6)
    0.005222
    """
    noise = 66 * point.noise_variance * point.share * rounds
    return least(1.0, _over(2 * _lambda(point) * gap, noise) ** 0.5)


def corollary_bound_3(point: Setting, rounds: Any, gap: Any) -> Any:
    """The right side of corollary 3, of order T^(-1/2): O(ε⁻⁴). See `rates`: no better is possible.

    >>> corollary_bound_3(Setting(1.0, 0.0, 1, 1.0, 1.0), rounds=90, gap=1.0)
    1.0
    """
    pace, eta = _lambda(point) * gap / rounds, corollary_eta_3(point, rounds, gap)
    passed = 23 * (pace * point.noise_variance * point.share) ** 0.5
    return passed + _rest(point, rounds, gap, pace, eta**3)


def _rest(point: Setting, rounds: Any, gap: Any, pace: Any, power: Any) -> Any:
    """The terms that corollaries 2 and 3 share; `power` is βη²."""
    speed = point.mean_square_smoothness + 2 * point.sample_smoothness
    return (
        4 * point.kappa * point.heterogeneity
        + 72 * point.spread**0.5 * speed * gap / (point.alpha * rounds)
        + 2 * pace
        + 816 * point.spread * power * point.noise_variance / point.alpha**2
    )
