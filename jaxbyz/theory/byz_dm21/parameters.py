"""Hyper-parameters from theory, and theory for given hyper-parameters.

All of it is derived here; the paper's theorems are not public in full. In one line:

    promise = corollary_2(setting(problem, rule, compressor), rounds=10**6, gap=1.0)
    algorithm = jb.byz_vr_dm21(**promise.arguments(), aggregator=rule, compressor=compressor)

| function    | method      | parameters                            | E‖∇f‖² (3, 4: f - f*)     |
|-------------|-------------|---------------------------------------|---------------------------|
| theorem_1   | Byz-DM21    | η, β, θ free, γ up to the weights' own | average of T rounds       |
| theorem_2   | Byz-VR-DM21 | the same                              | average of T rounds       |
| theorem_3   | Byz-DM21    | the same, under PL                    | last iterate              |
| theorem_4   | Byz-VR-DM21 | the same, under PL                    | last iterate              |
| corollary_1 | Byz-DM21    | β = η, from T and d₀                  | T^(-1/2): O(ε⁻⁴)          |
| corollary_2 | Byz-VR-DM21 | β = √η, from T and d₀                 | T^(-2/3): O(ε⁻³)          |
| corollary_3 | Byz-VR-DM21 | β = η (as published), from T and d₀   | T^(-1/2): O(ε⁻⁴)          |
"""

import math
from collections.abc import Callable
from typing import Any

from jaxbyz import checks
from jaxbyz.theory.byz_dm21.guarantees import AverageGuarantee, LinearGuarantee
from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.byz_dm21.simplified import (
    corollary_eta_1,
    corollary_eta_2,
    corollary_eta_3,
    step_1,
    step_2,
)
from jaxbyz.theory.byz_dm21.weights import Steps, momentum_steps, recursive_steps, weights

StepsOf = Callable[[Setting, Any, Any], Steps]


def _promise(
    name: str,
    steps: StepsOf,
    point: Setting,
    eta: float,
    beta: float | None,
    step_size: float | None,
    start_batch: int,
    theta: float,
    mu: float | None = None,
) -> AverageGuarantee:
    point.checked()
    beta = eta if beta is None else beta
    checks.interval("eta", eta, 0, 1, closed="right")
    checks.interval("beta", beta, 0, 1, closed="right")
    checks.count("start_batch", start_batch, minimum=1)
    checks.interval("theta", theta, 0, math.inf, closed="neither")
    found = weights(point, steps(point, eta, beta), theta=theta, spare=0.5 if mu else 0)
    limit = found.step_size
    if mu is None:
        if (1 + theta) ** 2 * point.kappa * point.growth >= 1:
            raise ValueError(
                f"{name} needs (1+theta)^2 kappa growth < 1, got "
                f"{(1 + theta) ** 2 * point.kappa * point.growth:.6g}"
            )
    else:
        checks.interval("mu", mu, 0, point.smoothness * (1 + 1e-12), closed="right")
        checks.interval("growth", point.growth, 0, 0)
        limit = min(limit, found.contraction / mu)
    size = limit if step_size is None else step_size
    checks.interval("step_size", size, 0, limit, closed="right")
    if mu is None:
        return AverageGuarantee(name, point, size, eta, beta, start_batch, found)
    return LinearGuarantee(name, point, size, eta, beta, start_batch, found, mu=mu)


def theorem_1(
    point: Setting,
    *,
    eta: float,
    beta: float | None = None,
    step_size: float | None = None,
    start_batch: int = 1,
    theta: float = 1.0,
) -> AverageGuarantee:
    """Byz-DM21, nonconvex: γ ≤ the step size of the weights and (1+θ)² κ B² < 1. Derived here.

    Args:
        point: constants of the hypotheses.
        eta: η in (0, 1].
        beta: β in (0, 1]; default η.
        step_size: γ; default the largest.
        start_batch: how many sampled gradients the first estimates are the mean of.
        theta: θ > 0.

    Raises:
        ValueError: an argument outside its range, γ beyond the largest, or (1+θ)² κ B² ≥ 1.

    >>> point = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)
    >>> promise = theorem_1(point, eta=0.1)
    >>> round(1 / promise.step_size, 1), round(promise.bound(rounds=10**5, gap=1.0), 2)
    (36.6, 0.19)
    """
    return _promise("Theorem 1", momentum_steps, point, eta, beta, step_size, start_batch, theta)


def theorem_2(
    point: Setting,
    *,
    eta: float,
    beta: float | None = None,
    step_size: float | None = None,
    start_batch: int = 1,
    theta: float = 1.0,
) -> AverageGuarantee:
    """Byz-VR-DM21, nonconvex; arguments and errors as for `theorem_1`. Derived here.

    The weights need no η ≤ β; only the closed forms of `simplified` do.

    >>> point = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)
    >>> round(theorem_2(point, eta=0.01, beta=0.1).noise, 3)
    0.007
    """
    return _promise("Theorem 2", recursive_steps, point, eta, beta, step_size, start_batch, theta)


def theorem_3(
    point: Setting,
    *,
    mu: float,
    eta: float,
    beta: float | None = None,
    step_size: float | None = None,
    start_batch: int = 1,
    theta: float = 1.0,
) -> AverageGuarantee:
    """Byz-DM21 under PL, B = 0; μ in (0, L], else as for `theorem_1`. Derived here.

    >>> point = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)
    >>> theorem_3(point, mu=0.1, eta=0.001).bound(rounds=10**7, gap=1.0) < 0.05
    True
    """
    checks.interval("mu", mu, 0, math.inf, closed="neither")
    return _promise(
        "Theorem 3", momentum_steps, point, eta, beta, step_size, start_batch, theta, mu
    )


def theorem_4(
    point: Setting,
    *,
    mu: float,
    eta: float,
    beta: float | None = None,
    step_size: float | None = None,
    start_batch: int = 1,
    theta: float = 1.0,
) -> AverageGuarantee:
    """Byz-VR-DM21 under PL, B = 0; arguments and errors as for `theorem_3`. Derived here.

    >>> point = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)
    >>> theorem_4(point, mu=0.1, eta=0.001, beta=1.0).bound(rounds=10**7, gap=1.0) < 0.1
    True
    """
    checks.interval("mu", mu, 0, math.inf, closed="neither")
    return _promise(
        "Theorem 4", recursive_steps, point, eta, beta, step_size, start_batch, theta, mu
    )


def _corollary(
    number: int,
    point: Setting,
    rounds: int,
    gap: float,
    eta_of: Callable[[Setting, int, float], float],
    beta_power: float = 1.0,
) -> AverageGuarantee:
    """The theorem at η = eta_of(point, rounds, gap), β = η^beta_power and B₀ = ⌈1/(η²T)⌉."""
    point.checked()
    checks.count("rounds", rounds, minimum=1)
    checks.interval("gap", gap, 0, math.inf, closed="neither")
    checks.interval("growth", point.growth, 0, 0)
    eta = eta_of(point, rounds, gap)
    beta = eta**beta_power
    batch = max(1, math.ceil(1 / (eta**2 * rounds) * (1 - 1e-12)))
    steps, size = momentum_steps, step_1(point, eta)
    if number > 1:
        steps, size = recursive_steps, step_2(point, eta, beta)
    return _promise(f"Corollary {number}", steps, point, eta, beta, size, batch, 1.0)


def corollary_1(point: Setting, *, rounds: int, gap: float) -> AverageGuarantee:
    """Byz-DM21 with β = η chosen for T rounds and d₀ = gap: O(ε⁻⁴), no large batch. Derived here.

    η of `corollary_eta_1`, γ of `step_1`, B₀ = ⌈1/(η²T)⌉, θ = 1, B = 0; the bound is at most
    `corollary_bound_1`.

    Raises:
        ValueError: rounds < 1, gap ≤ 0, or a setting with B > 0.

    >>> point = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)
    >>> promise = corollary_1(point, rounds=10**6, gap=1.0)
    >>> round(promise.eta, 5), promise.start_batch, round(promise.bound(10**6, 1.0), 4)
    (0.00303, 1, 0.0151)
    """
    return _corollary(1, point, rounds, gap, corollary_eta_1)


def corollary_2(point: Setting, *, rounds: int, gap: float) -> AverageGuarantee:
    """Byz-VR-DM21 with β = √η chosen for T rounds: O(ε⁻³), B₀ of order T^(1/3). Derived here.

    η of `corollary_eta_2`, γ of `step_2`, B₀ = ⌈1/(η²T)⌉, θ = 1, B = 0; the bound is at most
    `corollary_bound_2`.

    Raises:
        ValueError: rounds < 1, gap ≤ 0, or a setting with B > 0.

    >>> point = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)
    >>> promise = corollary_2(point, rounds=10**6, gap=1.0)
    >>> round(promise.eta, 6), promise.start_batch, round(promise.bound(10**6, 1.0), 4)
    (0.000123, 67, 0.0017)
    """
    return _corollary(2, point, rounds, gap, corollary_eta_2, 0.5)


def corollary_3(point: Setting, *, rounds: int, gap: float) -> AverageGuarantee:
    """Byz-VR-DM21 as published, β = η, chosen for T rounds: O(ε⁻⁴). Derived here.

    η of `corollary_eta_3`, γ of `step_2`, B₀ = ⌈1/(η²T)⌉, θ = 1, B = 0; the bound is at most
    `corollary_bound_3`. That no better rate is possible with β = η is shown in `rates`.

    Raises:
        ValueError: rounds < 1, gap ≤ 0, or a setting with B > 0.

    >>> point = Setting(1.0, 0.0, 10, 1.0, 1.0, noise_variance=1.0)
    >>> promise = corollary_3(point, rounds=10**6, gap=1.0)
    >>> round(promise.eta, 6), promise.start_batch, round(promise.bound(10**6, 1.0), 4)
    (0.001651, 1, 0.0164)
    """
    return _corollary(3, point, rounds, gap, corollary_eta_3)
