"""Hyper-parameters of RoSDHB from its theorems, and the bound that comes with them.

| symbol | name            | meaning                                             |
|--------|-----------------|-----------------------------------------------------|
| L      | smoothness      | of the average honest loss L_H                      |
| k/d    | ratio           | share of coordinates sent per round; a = d/k        |
| γ, x   | step_size       | step size; x = γL                                   |
| β, ω   | momentum        | momentum; ω = 1-β                                   |
| κ      | kappa           | robustness coefficient of the aggregation rule      |
| G², B² | g_, b_squared   | (1/h) Σ ‖∇L_i - ∇L_H‖² ≤ G² + B² ‖∇L_H‖²            |
| s, p   | s, p            | free parameters of the proof (Young's inequality)   |
| A      | weight          | weight of ‖δ‖²/L in the Lyapunov function           |

Theorems A and B are derived here. Of the paper's Theorem 1 only the hypotheses are public.
"""

import math

from jaxbyz import checks
from jaxbyz.theory.claims import Provenance
from jaxbyz.theory.rosdhb.guarantees import RoSDHBGuarantee

PUBLISHED_C = 23200  # c of the paper's Theorem 1, γ ≤ k/(dcL)


def check_problem(
    smoothness: float, ratio: float, kappa: float, b_squared: float, g_squared: float
) -> None:
    """L > 0, k/d in (0, 1], κ, B², G² ≥ 0, all finite.

    Raises:
        ValueError: one is not.
    """
    checks.interval("smoothness", smoothness, 0, math.inf, closed="neither")
    checks.interval("ratio", ratio, 0, 1, closed="right")
    for name, value in (("kappa", kappa), ("b_squared", b_squared), ("g_squared", g_squared)):
        checks.interval(name, value, 0, math.inf, closed="left")


def _heavy(x: float) -> tuple[float, float]:
    """β = √(1-24x) and 1-β = 24x/(1+β), which loses no digits."""
    momentum = math.sqrt(max(0.0, 1 - 24 * x))  # 1 - 24x is 0 at x = 1/24, or -1 unit of rounding
    return momentum, 24 * x / (1 + momentum)


def best_c(kappa_b_squared: float, s: float = 1.0, rho: float = 2.0) -> float:
    """The c ≥ 24 that minimises the factor 2c(1+A)/q of (d/k) L D0/T in Theorem A.

    q = 1 - μκB² - E/c with E = 144A + 12μκB², so that c²/(c(1-μκB²) - E) is least at
    c = 2E/(1-μκB²). Derived here.

    >>> round(best_c(1 / 7), 3)
    46.255
    """
    weight, spent = (1 + s) / (24 - rho), (1 + 1 / s) * kappa_b_squared
    if spent >= 1:
        raise ValueError(f"kappa_b_squared must be < {s / (1 + s)}, got {kappa_b_squared!r}")
    return max(24.0, 2 * (144 * weight + 12 * spent) / (1 - spent))


def theorem_a(
    smoothness: float,
    ratio: float,
    *,
    kappa: float,
    b_squared: float,
    g_squared: float,
    c: float | None = None,
    s: float = 1.0,
    rho: float = 2.0,
) -> RoSDHBGuarantee:
    """Theorem A: γ = k/(dcL), β = √(1-24γL), any c ≥ 24.

        q = 1 - 144A/c - (1+1/s) κB² (1+12/c) > 0,   A = (1+s)/(24-ρ) ≤ ρ(1-1/c)
        rate = 2(1+A)/q,   floor = (1+1/s)(1+12/c)/q

    Derived here; it has the hypotheses and the parameters of the paper's Theorem 1, for more c.

    Args:
        smoothness: L > 0 of the average honest loss.
        ratio: k/d in (0, 1], exactly: with ratio·d not whole, RoSDHB sends fewer coordinates.
        kappa: κ ≥ 0 of the aggregation rule.
        b_squared: B² ≥ 0.
        g_squared: G² ≥ 0.
        c: None: the one of the best rate, `best_c`.
        s: > 0. Larger s gives a lower floor.
        rho: ρ in (0, 24).

    Raises:
        ValueError: an argument outside its range, or a hypothesis that fails, by name.

    >>> promise = theorem_a(1.0, 0.1, kappa=1 / 7, b_squared=1.0, g_squared=1.0, c=24)
    >>> round(promise.rate, 9), round(promise.floor, 9)
    (84.0, 115.5)
    """
    check_problem(smoothness, ratio, kappa, b_squared, g_squared)
    checks.interval("s", s, 0, math.inf, closed="neither")
    checks.interval("rho", rho, 0, 24, closed="neither")
    c = best_c(kappa * b_squared, s, rho) if c is None else float(c)
    checks.interval("c", c, 24, math.inf, closed="left")
    weight, mu = (1 + s) / (24 - rho), 1 + 1 / s
    if weight > rho * (1 - 1 / c):
        raise ValueError(
            f"s and rho must satisfy (1+s)/(24-rho) <= rho (1-1/c), got s = {s!r}, rho = {rho!r}"
        )
    q = 1 - 144 * weight / c - mu * kappa * b_squared * (1 + 12 / c)
    if q <= 0:
        most = (1 - 144 * weight / c) / (mu * (1 + 12 / c))
        raise ValueError(
            f"kappa b_squared must be < {most} for c = {c}, s = {s}, rho = {rho}, got "
            f"{kappa * b_squared!r}"
        )
    x = ratio / c
    momentum, fresh = _heavy(x)
    return RoSDHBGuarantee(
        theorem="RoSDHB, Theorem A",
        provenance=Provenance.DERIVED,
        step_size=x / smoothness,
        ratio=ratio,
        momentum=momentum,
        one_minus_momentum=fresh,
        rate=2 * (1 + weight) / q,
        floor=mu * (1 + 12 / c) / q,
        kappa_g_squared=kappa * g_squared,
    )


def theorem_b(
    smoothness: float,
    ratio: float,
    *,
    kappa: float,
    b_squared: float,
    g_squared: float,
    step_size: float | None = None,
) -> RoSDHBGuarantee:
    """Theorem B: β = 1 - k/(4d), any γ ≤ k/(8dL), κB² < 4/15.

        q = 2/3 - (5/2) κB²,   rate = 2(1+A)/q with A = (16/3)(d/k)γL,   floor = 5/(2q)

    Derived here; momentum and step size are not tied to each other.

    Args:
        smoothness: L > 0 of the average honest loss.
        ratio: k/d in (0, 1], exactly: with ratio·d not whole, RoSDHB sends fewer coordinates.
        kappa: κ ≥ 0 of the aggregation rule.
        b_squared: B² ≥ 0.
        g_squared: G² ≥ 0.
        step_size: γ in (0, k/(8dL)]; None: the largest.

    Raises:
        ValueError: an argument outside its range, or a hypothesis that fails, by name.

    >>> promise = theorem_b(1.0, 0.1, kappa=1 / 7, b_squared=1.0, g_squared=1.0)
    >>> promise.step_size, round(promise.rate / promise.step_size * 0.1, 2)
    (0.0125, 86.15)
    """
    check_problem(smoothness, ratio, kappa, b_squared, g_squared)
    q = 2 / 3 - 5 / 2 * kappa * b_squared
    if q <= 0:
        raise ValueError(f"kappa b_squared must be < 4/15, got {kappa * b_squared!r}")
    largest = ratio / (8 * smoothness)
    step = largest if step_size is None else float(step_size)
    checks.interval("step_size", step, 0, largest, closed="right")
    weight = 16 / 3 * step * smoothness / ratio
    return RoSDHBGuarantee(
        theorem="RoSDHB, Theorem B",
        provenance=Provenance.DERIVED,
        step_size=step,
        ratio=ratio,
        momentum=1 - ratio / 4,
        one_minus_momentum=ratio / 4,
        rate=2 * (1 + weight) / q,
        floor=5 / (2 * q),
        kappa_g_squared=kappa * g_squared,
    )


def published_setting(
    smoothness: float, ratio: float, *, kappa: float, b_squared: float, g_squared: float = 0.0
) -> RoSDHBGuarantee:
    """Parameters of the paper's Theorem 1: γ = k/(dcL) with c = 23200, β = √(1-24γL), κB² ≤ 1/7.

    Gupta, Honsell, Xu, Gupta, Neglia, AISTATS 2026 (arXiv 2508.17129), Theorem 1: its hypotheses.
    The right side is not public: no bound. `theorem_a(..., c=23200)` has one, derived here.

    Raises:
        ValueError: an argument outside its range; κB² > 1/7.

    >>> published_setting(1.0, 0.1, kappa=0.125, b_squared=1.0).step_size * 23200
    0.1
    """
    check_problem(smoothness, ratio, kappa, b_squared, g_squared)
    # 1/7 is no float: a product that was meant to be 1/7 is let in.
    if kappa * b_squared > (1 + 1e-12) / 7:
        raise ValueError(f"kappa b_squared must be <= 1/7, got {kappa * b_squared!r}")
    x = ratio / PUBLISHED_C
    momentum, fresh = _heavy(x)
    return RoSDHBGuarantee(
        theorem="RoSDHB, the paper's Theorem 1",
        provenance=Provenance.PAPER,
        step_size=x / smoothness,
        ratio=ratio,
        momentum=momentum,
        one_minus_momentum=fresh,
        rate=None,
        floor=None,
        kappa_g_squared=kappa * g_squared,
    )
