"""What the master theorem gives for any step size and momentum: the best factors of its bound.

Symbols as in `parameters`. Derived here.
"""

import math
from typing import NamedTuple

import numpy as np

from jaxbyz import checks
from jaxbyz.algorithms.momentum import fresh_weight


class Factors(NamedTuple):
    """Factors of the bound rate · D0/(γT) + floor · κG², and the proof parameters behind them."""

    rate: float
    floor: float
    s: float
    p: float
    weight: float  # A

    def at(self, step_size: float, rounds: int, gap: float, kappa_g_squared: float) -> float:
        """The bound."""
        return self.rate * gap / (step_size * rounds) + self.floor * kappa_g_squared


class Certified(NamedTuple):
    """What the master theorem certifies of one setting, at the ends of its trade-off."""

    best_rate: Factors  # the least factor of D0/(γT)
    best_floor: Factors  # the least factor of κG²


def factors(
    x: float, omega: float, a: float, kappa_b_squared: float, s: np.ndarray
) -> dict[str, np.ndarray]:
    """The best factors of the master theorem for every s [m], with p in closed form.

    For a given s both factors grow with A = (1+s)x/(1-β²(1+p)), and A grows with p. So the best p
    is the least one with r = 1 - x - Aβ²(1+1/p)x ≥ 0, the smaller root of

        (1-x)β² p² - [(1-x)(1-β²) - (1+s)x²β²] p + (1+s)x²β² = 0.

    Where there is no such p, or q ≤ 0, the factors are infinite. Derived here.
    """
    s = np.asarray(s, float)
    square, rest = (1 - omega) ** 2, omega * (2 - omega)  # β², 1-β²
    end = (1 + s) * x * x * square
    middle = (1 - x) * rest - end
    root = middle**2 - 4 * (1 - x) * square * end
    works = (middle > 0) & (root >= 0) & (x <= 1)
    p = np.where(works, 2 * end / (middle + np.sqrt(np.where(works, root, 0.0))), 0.0)
    room = rest - square * p
    works &= room > 0
    weight = (1 + s) * x / np.where(works, room, 1.0)
    drift = (1 + 1 / s) * (1 + omega * (a - 1))
    q = 1 - weight / x * omega**2 * (a - 1) - drift * kappa_b_squared
    works &= q > 0
    q = np.where(works, q, 1.0)
    return {
        "rate": np.where(works, 2 * (1 + weight * square) / q, np.inf),
        "floor": np.where(works, drift / q, np.inf),
        "s": s,
        "p": p,
        "weight": weight,
    }


def certify(
    *,
    step_size: float,
    smoothness: float,
    ratio: float,
    kappa_b_squared: float,
    momentum: float | None = None,
    one_minus_momentum: float | None = None,
) -> Certified | None:
    """The best factors that the master theorem gives for any γ and β; None where it gives nothing.

    Over the free parameter s by a grid that is refined five times; p is in closed form. None says
    nothing against the setting: the theorem is sufficient, not necessary. Derived here.

    Args:
        step_size: γ > 0.
        smoothness: L > 0.
        ratio: k/d in (0, 1].
        kappa_b_squared: κB² ≥ 0.
        momentum: β in [0, 1); give this or one_minus_momentum.
        one_minus_momentum: 1-β in (0, 1].

    Raises:
        ValueError: an argument outside its range.

    >>> found = certify(step_size=0.0125, smoothness=1.0, ratio=0.1, kappa_b_squared=1 / 7,
    ...                 momentum=0.975)
    >>> found.best_rate.rate < 10.8 and found.best_floor.floor < 8.1  # better than Theorem B
    True
    >>> certify(step_size=1e-4, smoothness=1.0, ratio=0.1, kappa_b_squared=1 / 7, momentum=0.9)
    """
    checks.interval("step_size", step_size, 0, math.inf, closed="neither")
    checks.interval("smoothness", smoothness, 0, math.inf, closed="neither")
    checks.interval("ratio", ratio, 0, 1, closed="right")
    checks.interval("kappa_b_squared", kappa_b_squared, 0, math.inf, closed="left")
    omega = float(fresh_weight(momentum, one_minus_momentum))
    x, a = step_size * smoothness, 1 / ratio

    def best(name: str) -> Factors | None:
        low, high, found = -6.0, 6.0, None
        for _ in range(6):
            exponents = np.linspace(low, high, 401)
            table = factors(x, omega, a, kappa_b_squared, 10**exponents)
            place = int(np.argmin(table[name]))
            if not np.isfinite(table[name][place]):
                return found
            found = Factors(**{key: float(column[place]) for key, column in table.items()})
            width = (high - low) / 400
            low, high = exponents[place] - 2 * width, exponents[place] + 2 * width
        return found

    rate, floor = best("rate"), best("floor")
    if rate is None or floor is None:
        return None
    return Certified(rate, floor)
