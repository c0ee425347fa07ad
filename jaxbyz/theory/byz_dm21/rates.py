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

When transients are over, the averaged squared gradient is y_0² J/T + s² V∞ ≥ 2 y_0 s √(J V∞/T), or

    (1/T) Σ_t E‖∇f(xᵗ)‖²  ≳  0.763 √(2 L d₀ σ²/(G T)),     0.763 = 2 √(√7 - 5/2).

The reason: u forgets in 1/η rounds whatever γ is, and the noise floor is of order s² min(η, h). Two
parameters, β = √η, reach T^(-2/3).

How far this goes. The closed forms of J and V∞ are held against their equations by numbers alone
(claim S9-JV). That these closed forms have J V∞ ≥ √7 - 5/2 is proved, by polynomials (S9); it is
nearly attained as η → 0 with h = (√7-2) η. The inequality for the average is asymptotic. The
exact optimum over constant (h, η) tends to it from below: in these units it is 0.748 at T = 10²,
0.7621 at 10⁴ and 0.7635 at 10⁷ (0.944 if the first batch is one sample). All this speaks of
constant parameters and of the uniform average of the iterates. It does not contradict a method with
a second parameter, or with parameters that change with t. Whether the paper's printed algorithm has
them is not known.

| symbol  | name                           |
|---------|--------------------------------|
| h, η, β | h, eta, beta                   |
| J, V∞   | transient, stationary_variance |
| s²      | variance                       |
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.theory.byz_dm21._numbers import least

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


def momentum_recursion(h: Any, eta: Any, beta: Any) -> tuple[Any, Any]:
    """(A [..., 3, 3], b [..., 3]) of z⁺ = A z + b ξ with z = (y, v, u), for Byz-DM21.

    >>> transition, noise = momentum_recursion(0.1, 0.5, 1.0)
    >>> noise.tolist()
    [0.0, 0.5, 0.5]
    """
    return _stacked(h, eta, beta, 0.0 * eta, eta)


def recursive_recursion(h: Any, eta: Any, beta: Any) -> tuple[Any, Any]:
    """(A [..., 3, 3], b [..., 3]) of z⁺ = A z + b ξ with z = (y, v, u), for Byz-VR-DM21.

    >>> transition, noise = recursive_recursion(0.1, 0.5, 1.0)
    >>> transition[1].tolist()
    [0.5, 0.5, -0.1]
    """
    return _stacked(h, eta, beta, eta - 1, 1.0 + 0.0 * eta)


def _stacked(h: Any, eta: Any, beta: Any, old: Any, new: Any) -> tuple[Any, Any]:
    """v⁺ = new y⁺ + old y + (1-η) v."""
    given = (h, eta, beta, old, new)
    xp: Any = jnp if any(isinstance(x, jax.Array) for x in given) else np
    h, eta, beta, old, new = xp.broadcast_arrays(*(xp.asarray(x, xp.float64) for x in given))
    zero = xp.zeros_like(h)
    v = (new + old, 1 - eta, -new * h)
    u = (beta * v[0], beta * v[1], (1 - beta) + beta * v[2])
    rows = [xp.stack(row, axis=-1) for row in ((zero + 1, zero, -h), v, u)]
    return xp.stack(rows, axis=-2), xp.stack([zero, eta, beta * eta], axis=-1)


def start_moments(variance: Any = 0.0) -> Any:
    """E z zᵀ for y = 1 and v = u = 1 + e with E e² = variance (s²/B₀), [..., 3, 3].

    >>> start_moments(0.5).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.5, 1.5], [1.0, 1.5, 1.5]]
    """
    e = np.array([0.0, 1.0, 1.0])
    xp: Any = jnp if isinstance(variance, jax.Array) else np
    return 1.0 + xp.asarray(variance)[..., None, None] * np.outer(e, e)


def average_square(transition: Any, noise: Any, start: Any, rounds: int) -> Any:
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
    xp: Any = jnp if isinstance(transition, jax.Array) else np
    m = transition.shape[-1]
    batch = np.broadcast_shapes(transition.shape[:-2], noise.shape[:-1], start.shape[:-2])

    def whole(part: Any, *shape: int) -> Any:
        return xp.broadcast_to(part.reshape(*part.shape[: part.ndim - 2], *shape), (*batch, *shape))

    pairs = xp.einsum("...ac,...bd->...abcd", transition, transition)
    pairs = xp.broadcast_to(pairs.reshape(*pairs.shape[:-4], m * m, m * m), (*batch, m * m, m * m))
    source = whole(noise[..., :, None] * noise[..., None, :], m * m, 1)
    column = xp.zeros_like(source)
    one, first = np.eye(2, m * m + 2, k=m * m), np.eye(1, m * m + 2)
    tail = xp.broadcast_to(one + np.concatenate([0 * first, first]), (*batch, 2, m * m + 2))
    step = xp.concatenate([xp.concatenate([pairs, source, column], axis=-1), tail], axis=-2)
    power = xp.linalg.matrix_power(step, rounds)
    begin = whole(start, m * m)
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
    return upper / ((2 - eta) * (4 - 2 * eta - eta * h) * (eta * (2 - eta) + (1 - eta) * h))
