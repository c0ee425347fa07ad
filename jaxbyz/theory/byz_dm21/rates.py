"""Rates: what the parameters of Byz-DM21 and Byz-VR-DM21 can and cannot reach. Derived here.

The instance: f(x) = ½ L x², sampled gradients Lx + ξ, no compression (α = 1), no Byzantine worker,
identical workers. It satisfies every hypothesis with ζ = κ = ℓ = 0. With y = ∇f(x), h = γL and the
noise variance s² (σ²/G after averaging) a round is linear,

    y⁺ = y - h u
    v⁺ = (1-η) v + η (y⁺ + ξ)     (Byz-DM21)    or    y⁺ + (1-η)(v - y) + η ξ     (Byz-VR-DM21)
    u⁺ = (1-β) u + β v⁺

so second moments obey a linear recursion, whose powers give the average of E y² over any number of
rounds without a loop and without sampling.

**What users of the published method should know.** Byz-VR-DM21 has one parameter, β = η, in the
published code. With it the rate O(ε⁻³) is out of reach of *constant* parameters on this instance:
for every stable (h, η) and the friendliest start (an infinite first batch, v⁰ = y⁰)

    J  = Σ_t y_t² without noise, y_0 = 1;       V∞ = lim Var(y_t)/s²;       J V∞ ≥ √7 - 5/2,

so that, transients over, the averaged squared gradient is y_0² J/T + s² V∞ ≥ 2 y_0 s √(J V∞/T), or

    (1/T) Σ_t E‖∇f(xᵗ)‖²  ≳  0.763 √(2 L d₀ σ²/(G T)),     0.763 = 2 √(√7 - 5/2).

Reason: u forgets in 1/η rounds whatever γ is, and the noise floor is of order s² min(η, h).
Two parameters, β = √η, reach T^(-2/3). Scope: J and V∞ are exact; that J V∞ ≥ √7 - 5/2 is searched,
not proved, and attained as η → 0 with h = (√7-2) η; the inequality for the average is asymptotic in
T, for constant parameters and the uniform average of the iterates. A second parameter of its own, or
parameters that change with t, would not be contradicted: whether the paper's printed algorithm
has them is not known here.

| symbol  | name                           |
|---------|--------------------------------|
| h, η, β | h, eta, beta                   |
| J, V∞   | transient, stationary_variance |
| s²      | variance                       |
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaxbyz import checks
from jaxbyz.theory.byz_dm21._numbers import least

__all__ = [
    "PRODUCT",
    "average_square",
    "best_average",
    "momentum_limit",
    "momentum_recursion",
    "recursive_limit",
    "recursive_recursion",
    "start_moments",
    "stationary_variance",
    "transient",
]

PRODUCT = math.sqrt(7) - 2.5  # inf J V∞ = 0.14575…, at h/η → √7 - 2


def momentum_limit(eta: Any, beta: Any) -> Any:
    """Byz-DM21 is stable for h = γL below min{(1-k)/k, 2(2-η)(2-β)/(ηβ)}, k = (1-η)(1-β).

    Exact, by Jury's conditions, without noise and compression; about η + β for small weights.

    >>> round(momentum_limit(0.1, 0.1), 4)
    0.2346
    """
    kept = (1 - eta) * (1 - beta)
    swings = 2 * (2 - eta) * (2 - beta) / (eta * beta)
    if isinstance(kept, int | float) and kept == 0:
        return swings
    return least((1 - kept) / kept, swings)


def recursive_limit(beta: Any) -> Any:
    """Byz-VR-DM21 is stable for h = γL below 2(2-β)/β, whatever η is.

    Exact, without noise and compression; β = 1 is Byz-EF21-STORM, and with η in the place of β it
    is the limit of Byz-EF21-SGDM.

    >>> round(recursive_limit(0.1), 9)
    38.0
    """
    return 2 * (2 - beta) / beta


def momentum_recursion(h: Any, eta: Any, beta: Any) -> tuple[np.ndarray, np.ndarray]:
    """(A [..., 3, 3], b [..., 3]) of z⁺ = A z + b ξ with z = (y, v, u), for Byz-DM21.

    >>> transition, noise = momentum_recursion(0.1, 0.5, 1.0)
    >>> noise.tolist()
    [0.0, 0.5, 0.5]
    """
    h, eta, beta = np.broadcast_arrays(*np.asarray([h, eta, beta], dtype=object))
    return _stacked(h, eta, beta, 0.0, eta)


def recursive_recursion(h: Any, eta: Any, beta: Any) -> tuple[np.ndarray, np.ndarray]:
    """(A [..., 3, 3], b [..., 3]) of z⁺ = A z + b ξ with z = (y, v, u), for Byz-VR-DM21.

    >>> transition, noise = recursive_recursion(0.1, 0.5, 1.0)
    >>> transition[1].tolist()
    [0.5, 0.5, -0.1]
    """
    h, eta, beta = np.broadcast_arrays(*np.asarray([h, eta, beta], dtype=object))
    return _stacked(h, eta, beta, -(1 - eta), 1.0)


def _stacked(h: Any, eta: Any, beta: Any, old: Any, new: Any) -> tuple[np.ndarray, np.ndarray]:
    """v⁺ = new y⁺ + old y + (1-η) v."""
    h, eta, beta = (np.asarray(x, np.float64) for x in (h, eta, beta))
    old, new, one = (np.asarray(x, np.float64) + np.zeros_like(h) for x in (old, new, 1.0))
    zero = np.zeros_like(h)
    v = (new + old, 1 - eta, -new * h)
    u = (beta * v[0], beta * v[1], (1 - beta) + beta * v[2])
    rows = [np.stack(row, axis=-1) for row in ((one, zero, -h), v, u)]
    return np.stack(rows, axis=-2), np.stack([zero, eta, beta * eta], axis=-1)


def start_moments(variance: Any = 0.0) -> np.ndarray:
    """E z zᵀ for y = 1 and v = u = 1 + e with E e² = variance (s²/B₀), [..., 3, 3].

    >>> start_moments(0.5).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.5, 1.5], [1.0, 1.5, 1.5]]
    """
    e = np.array([0.0, 1.0, 1.0])
    return np.ones((3, 3)) + np.asarray(variance, np.float64)[..., None, None] * np.outer(e, e)


def average_square(
    transition: np.ndarray, noise: np.ndarray, start: np.ndarray, rounds: int
) -> np.ndarray:
    """(1/T) Σ_{t<T} E z_t[0]², exactly, for z⁺ = A z + b ξ with E ξ² = 1, [...].

    The moments, a one and the sum form a vector that one matrix takes to the next; its T-th power
    is made by squaring, log₂ T products.

    Args:
        transition: A [..., m, m].
        noise: b [..., m], standard deviation included.
        start: E z_0 z_0ᵀ, [..., m, m].
        rounds: T.

    Raises:
        ValueError: rounds < 1.

    >>> transition, noise = momentum_recursion(0.5, 1.0, 1.0)  # gradient descent: y_t = 2^-t
    >>> round(float(average_square(transition, 0 * noise, start_moments(), rounds=100)), 9)
    0.013333333
    """
    checks.count("rounds", rounds, minimum=1)
    m = transition.shape[-1]
    pairs = np.einsum("...ac,...bd->...abcd", transition, transition)
    batch = np.broadcast_shapes(transition.shape[:-2], noise.shape[:-1], start.shape[:-2])
    size = m * m + 2
    step = np.zeros((*batch, size, size))
    step[..., : m * m, : m * m] = pairs.reshape(*pairs.shape[:-4], m * m, m * m)
    source = noise[..., :, None] * noise[..., None, :]
    step[..., : m * m, -2] = source.reshape(*source.shape[:-2], m * m)
    step[..., -2, -2] = step[..., -1, -1] = step[..., -1, 0] = 1.0
    power = np.linalg.matrix_power(step, rounds)
    begin = start.reshape(*start.shape[:-2], m * m)
    return ((power[..., -1, : m * m] * begin).sum(axis=-1) + power[..., -1, -2]) / rounds


def best_average(
    rounds: int, variance: float = 1.0, start_variance: float = 0.0
) -> tuple[float, float, float]:
    """The least average of E y² over T rounds of Byz-VR-DM21 with β = η: (value, h, η).

    The minimum over all constant (h, η), by a grid on logarithmic scales that is refined six
    times; exact moments. y_0 = 1.

    Args:
        rounds: T.
        variance: s² of one sampled gradient.
        start_variance: of the first estimate, s²/B₀; 0 is an infinite batch.

    Raises:
        ValueError: rounds < 1, or a variance < 0.

    >>> value, h, eta = best_average(rounds=10_000)
    >>> round(value * 10_000**0.5, 1)
    0.8
    """
    checks.count("rounds", rounds, minimum=1)
    checks.interval("variance", variance, 0, math.inf, closed="left")
    checks.interval("start_variance", start_variance, 0, math.inf, closed="left")
    low, high = np.array([1e-3 / rounds, 1e-3 / rounds]), np.array([4.0, 1.0])
    best = (math.inf, 0.0, 0.0)
    for _ in range(7):
        scales = [np.geomspace(a, b, 21) for a, b in zip(low, high, strict=True)]
        h, eta = (x.ravel() for x in np.meshgrid(*scales, indexing="ij"))
        stable = h < recursive_limit(eta)
        h, eta = h[stable], eta[stable]
        transition, noise = recursive_recursion(h, eta, eta)
        values = average_square(
            transition, noise * math.sqrt(variance), start_moments(start_variance), rounds
        )
        at = int(np.argmin(values))
        if values[at] < best[0]:
            best = (float(values[at]), float(h[at]), float(eta[at]))
        width = (high / low) ** (1 / 8)
        centre = np.array(best[1:])
        low, high = centre / width, np.minimum(centre * width, [np.inf, 1.0])
    return best


def transient(h: Any, eta: Any) -> Any:
    """J = Σ_t y_t² of Byz-VR-DM21 with β = η from y = u = v = 1, without noise.

    J = [η²(2-η) - 2ηh(1-η)² + h²(1-η)(2-η+η²)] / [η²h(4-2η-ηh)] for h below `recursive_limit`.

    >>> transient(0.5, 1.0) == 1 / (1 - 0.25)
    True
    """
    upper = eta**2 * (2 - eta) - 2 * eta * h * (1 - eta) ** 2
    upper = upper + h**2 * (1 - eta) * (2 - eta + eta**2)
    return upper / (eta**2 * h * (4 - 2 * eta - eta * h))


def stationary_variance(h: Any, eta: Any) -> Any:
    """V∞ = lim Var(y_t)/s² of Byz-VR-DM21 with β = η.

    V∞ = ηh[(2-η)³ - η(1-η)h] / {(2-η)(4-2η-ηh)[η(2-η)+(1-η)h]} for h below `recursive_limit`.

    >>> stationary_variance(0.5, 1.0) == 0.5**2 / (1 - 0.25)
    True
    """
    upper = eta * h * ((2 - eta) ** 3 - eta * (1 - eta) * h)
    return upper / (
        (2 - eta) * (4 - 2 * eta - eta * h) * (eta * (2 - eta) + (1 - eta) * h)
    )
