"""The lemmas as a table of coefficients, and the Lyapunov function that solves it.

Means over the G honest workers, before the round and ("+") after it:

    P = mean ‖g_i - u_i‖²    Q = mean ‖u_i - v_i‖²    R = mean ‖v_i - ∇f_i(x)‖²
    Q̄ = ‖ū - v̄‖²             R̄ = ‖v̄ - ∇f(x)‖²        S = ‖x⁺ - x‖²

Lemmas L4-L6 bound E P⁺, …, E R̄⁺ by sums of P, …, R̄, S and σ² (`Steps`). Lemma L2 says

    ½ ‖F(g) - ∇f‖² ≤ ½ (1+θ)² κ ζ² + A_P P + A_Q (Q + R) + A_b (Q̄ + R̄)
    A_P = 3/2 (1+1/θ)(1+(1+θ)κ),   A_Q = 3/2 (1+1/θ)(1+θ)κ,   A_b = 3/2 (1+1/θ).

Lemma L7: with weights a, b, c, b', c' that leave a fraction s of every contraction unused, and

    K_S = the weighted sum of the coefficients of S,   N = that of σ², times σ²,

the function Ψ = f - f* + γ (a P + b Q + c R + b' Q̄ + c' R̄) obeys, for 2γ² K_S + γL ≤ 1,

    s = 0:   E Ψ⁺ ≤ Ψ - (γ/2) ‖∇f‖² + γ (½ (1+θ)² κ ζ² + N)
    s = ½:   E Ψ⁺ ≤ (1-γμ) Ψ + γ (½ (1+θ)² κ ζ² + N)   under PL, if γμ ≤ s × each contraction.

Everything here is derived for this library; the paper's own weights are not public. The products
that Young's inequality leaves, such as (1-β)²(1+β), are kept as they are instead of being rounded
up to 1-β. So a method with β = 1, η = 1 or α = 1 needs no weights of its own: what it does not have
gets the coefficient 0 (with β = 1 and u⁰ = v⁰, Q and Q̄ stay 0, and nothing depends on b and b').
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxbyz import checks
from jaxbyz.theory.byz_dm21._numbers import least
from jaxbyz.theory.byz_dm21.setting import Setting


class Steps(NamedTuple):
    """Coefficients: `q_r` is that of R in the bound of E Q⁺; s is S, n is σ²."""

    p_p: Any
    p_q: Any
    p_r: Any
    p_s: Any
    p_n: Any
    q_q: Any
    q_r: Any
    q_s: Any
    q_n: Any
    r_r: Any
    r_s: Any
    r_n: Any
    qb_qb: Any  # Q̄ and R̄
    qb_rb: Any
    qb_s: Any
    qb_n: Any
    rb_rb: Any
    rb_s: Any
    rb_n: Any


def _steps(
    point: Setting, eta: Any, beta: Any, moved: Any, noise: tuple, r: tuple, rb: tuple
) -> Steps:
    """L5 and L6 for v⁺ - v = moved (∇f_i(x⁺) - ∇f_i(x)) + η (∇f_i(x) - v) + noise."""
    alpha, share = point.alpha, 1 / point.honest
    each, mean = moved**2 * point.mean_square_smoothness**2, moved**2 * point.smoothness**2
    noise_s, noise_n = noise
    # (1-β)² times Young with β, two parts of v⁺ - v; (1-α) times Young with α/2, three parts.
    slow = (1 - beta) ** 2
    driven, kept = slow * (1 + beta) * 2 / beta, slow * (1 + beta)
    spread = 3 * beta**2 * (1 - alpha) * (1 + 2 / alpha)
    fresh = (1 - alpha) * beta**2
    return Steps(
        p_p=(1 - alpha) * (1 + alpha / 2),
        p_q=spread,
        p_r=spread * eta**2,
        p_s=spread * each + fresh * noise_s,
        p_n=fresh * noise_n,
        q_q=kept,
        q_r=driven * eta**2,
        q_s=driven * each + slow * noise_s,
        q_n=slow * noise_n,
        r_r=r[0],
        r_s=r[1],
        r_n=noise_n,
        qb_qb=kept,
        qb_rb=driven * eta**2,
        qb_s=driven * mean + slow * noise_s * share,
        qb_n=slow * noise_n * share,
        rb_rb=rb[0],
        rb_s=rb[1],
        rb_n=noise_n * share,
    )


def momentum_steps(point: Setting, eta: Any, beta: Any) -> Steps:
    """L4-L6 for Byz-DM21: v⁺ = (1-η) v + η s(x⁺).

        E R⁺ ≤ (1-η)²(1+η) R + (1-η)²(1+1/η) L̃² S + η² σ²
        E Q⁺ ≤ (1-β)²(1+β) (Q + (2/β)(η² L̃² S + η² R)) + (1-β)² η² σ²
        E P⁺ ≤ (1-α)(1+α/2) P + 3 (1-α)(1+2/α) β² (Q + η² R + η² L̃² S) + (1-α) β² η² σ²

    and for Q̄, R̄ with L in the place of L̃ and σ²/G in that of σ². Derived here: Young's inequality
    with η, β and α/2; the noise is independent of all else.

    >>> point = Setting(alpha=0.5, kappa=0, honest=4, smoothness=1, mean_square_smoothness=1)
    >>> momentum_steps(point, eta=0.5, beta=1.0).r_r
    0.375
    """
    kept, moved = (1 - eta) ** 2 * (1 + eta), (1 - eta) ** 2 * (1 + 1 / eta)
    each, mean = point.mean_square_smoothness**2, point.smoothness**2
    return _steps(point, eta, beta, eta, (0, eta**2), (kept, moved * each), (kept, moved * mean))


def recursive_steps(point: Setting, eta: Any, beta: Any) -> Steps:
    """L4-L6 for Byz-VR-DM21: v⁺ = s(x⁺) + (1-η)(v - s(x)), one sample at both points.

        E R⁺ ≤ (1-η)² R + ν,   ν = 2(1-η)² ℓ² S + 2η² σ²
        E Q⁺ ≤ (1-β)²(1+β) (Q + (2/β)(L̃² S + η² R)) + (1-β)² ν
        E P⁺ ≤ (1-α)(1+α/2) P + 3 (1-α)(1+2/α) β² (Q + η² R + L̃² S) + (1-α) β² ν

    and for Q̄, R̄ with L in the place of L̃ and ν/G in that of ν. Derived here.

    >>> point = Setting(alpha=0.5, kappa=0, honest=4, smoothness=1, mean_square_smoothness=1)
    >>> recursive_steps(point, eta=0.5, beta=1.0).r_r
    0.25
    """
    kept = (1 - eta) ** 2
    noise_s = 2 * kept * point.sample_smoothness**2
    return _steps(
        point, eta, beta, 1, (noise_s, 2 * eta**2), (kept, noise_s), (kept, noise_s / point.honest)
    )


class Method(NamedTuple):
    """What distinguishes the two algorithms here."""

    name: str
    steps: Callable[[Setting, Any, Any], Steps]
    recursive: bool  # v⁺ uses the sample at both points
    factors: tuple[tuple[str, float], ...] = ()  # of single coefficients; others have 1

    def planted(self, **factors: float) -> Method:
        """With coefficients multiplied: wrong lemmas, for tests of the checks.

        >>> MOMENTUM.planted(r_n=0.9).factors
        (('r_n', 0.9),)
        """
        return self._replace(factors=tuple(factors.items()))

    def coefficients(self, point: Setting, eta: Any, beta: Any) -> Steps:
        """Those that the lemmas state: `steps` times `factors`."""
        found = self.steps(point, eta, beta)
        return found._replace(**{name: by * getattr(found, name) for name, by in self.factors})


MOMENTUM = Method("DM", momentum_steps, False)
RECURSIVE = Method("VR", recursive_steps, True)


@dataclasses.dataclass(frozen=True)
class Weights:
    """The numbers of L7; b_bar and c_bar are b' and c'."""

    theta: Any
    a: Any
    b: Any
    c: Any
    b_bar: Any
    c_bar: Any
    k_s: Any  # K_S
    noise: Any  # N
    smoothness: Any  # L
    contractions: tuple[Any, Any, Any]  # s × those of P, Q and R

    @property
    def step_size(self) -> Any:
        """The largest γ with 2γ² K_S + γL ≤ 1."""
        return 2 / (self.smoothness + (self.smoothness**2 + 8 * self.k_s) ** 0.5)

    @property
    def contraction(self) -> Any:
        """s × the smallest contraction; γμ may not exceed it."""
        return least(*self.contractions)

    def potential(self, p: Any, q: Any, r: Any, q_bar: Any, r_bar: Any) -> Any:
        """(Ψ - (f - f*))/γ = a P + b Q + c R + b' Q̄ + c' R̄."""
        return self.a * p + self.b * q + self.c * r + self.b_bar * q_bar + self.c_bar * r_bar


def weights(point: Setting, steps: Steps, *, theta: Any = 1.0, spare: Any = 0) -> Weights:
    """The weights of L7, solved for one after another.

        a  = A_P / ((1-s)(1-p_p))
        b  = (A_Q + a p_q) / ((1-s)(1-q_q)),   c  = (A_Q + a p_r + b q_r) / ((1-s)(1-r_r))
        b' = A_b / ((1-s)(1-q_q)),             c' = (A_b + b' q̄_r̄) / ((1-s)(1-r̄_r̄))

    Only + - * /, so numbers, arrays, fractions and quotients of polynomials do. The condition
    2γ² K_S + γL ≤ 1, that is γ ≤ 2/(L + √(L² + 8 K_S)), contains the usual
    γ ≤ min{1/(2L), 1/(2√K_S)}. Derived here.

    Args:
        point: the constants of the hypotheses.
        steps: `momentum_steps` or `recursive_steps` of the same point.
        theta: θ > 0, Young's parameter of L1 and L2: a smaller one gives a smaller neighbourhood
            (1+θ)² κ ζ² and larger weights.
        spare: s in [0, 1): 0 for the average gradient, ½ under PL.

    Raises:
        ValueError: theta or spare outside its range.

    >>> point = Setting(alpha=0.5, kappa=0.25, honest=4, smoothness=1, mean_square_smoothness=1)
    >>> found = weights(point, momentum_steps(point, eta=0.25, beta=0.25))
    >>> round(found.a, 6), round(1 / found.step_size, 3)
    (12.0, 19.048)
    """
    checks.interval("theta", theta, 0, float("inf"), closed="neither")
    checks.interval("spare", spare, 0, 1, closed="left")
    young = 1 + 1 / theta
    kappa = (1 + theta) * point.kappa
    need_p, need_q, need_b = (3 * young * x / 2 for x in (1 + kappa, kappa, 1))
    left = 1 - spare
    a = need_p / (left * (1 - steps.p_p))
    b = (need_q + a * steps.p_q) / (left * (1 - steps.q_q))
    c = (need_q + a * steps.p_r + b * steps.q_r) / (left * (1 - steps.r_r))
    b_bar = need_b / (left * (1 - steps.qb_qb))
    c_bar = (need_b + b_bar * steps.qb_rb) / (left * (1 - steps.rb_rb))

    def weighted(p: Any, q: Any, r: Any, qb: Any, rb: Any) -> Any:
        return a * p + b * q + c * r + b_bar * qb + c_bar * rb

    k_s = weighted(steps.p_s, steps.q_s, steps.r_s, steps.qb_s, steps.rb_s)
    noise = weighted(steps.p_n, steps.q_n, steps.r_n, steps.qb_n, steps.rb_n)
    return Weights(
        theta=theta,
        a=a,
        b=b,
        c=c,
        b_bar=b_bar,
        c_bar=c_bar,
        k_s=k_s,
        noise=noise * point.noise_variance,
        smoothness=point.smoothness,
        contractions=tuple(spare * (1 - kept) for kept in (steps.p_p, steps.q_q, steps.r_r)),
    )
