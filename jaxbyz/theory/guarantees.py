"""What a theorem promises for one setting of an algorithm's parameters."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import optax

from jaxbyz import checks
from jaxbyz.theory.claims import Provenance

__all__ = ["Guarantee"]


@dataclasses.dataclass(frozen=True)
class Guarantee:
    """Hyper-parameters of a theorem, and its bound on the mean squared gradient.

        (1/T) Σ_{t<T} E‖∇L_H(θ_t)‖² ≤ rate · D0/(γT) + floor · κG²,    D0 = L_H(θ_0) - L_*.

    `rate` and `floor` are None where the right side of the theorem is not known; then the
    parameters are known and nothing else.

    >>> promise = Guarantee("T", Provenance.DERIVED, 0.1, 0.5, 0.9, 0.1, 2.0, 3.0, 0.01)
    >>> round(promise.bound(rounds=1000, gap=1.0), 6), promise.rounds(0.05, gap=1.0)
    (0.05, 1000)
    """

    theorem: str
    provenance: Provenance
    step_size: float  # γ
    ratio: float  # k/d
    momentum: float  # β
    one_minus_momentum: float  # 1-β, to full relative accuracy
    rate: float | None  # factor of D0/(γT)
    floor: float | None  # factor of κG²
    kappa_g_squared: float  # κG²

    def _factors(self) -> tuple[float, float]:
        if self.rate is None or self.floor is None:
            raise ValueError(f"{self.theorem}: its right side is not public, so there is no bound")
        return self.rate, self.floor

    def bound(self, rounds: int, gap: float) -> float:
        """The bound after T rounds from D0 = gap.

        Raises:
            ValueError: rounds < 1, gap < 0, or a theorem whose right side is not known.
        """
        rate, floor = self._factors()
        checks.count("rounds", rounds, minimum=1)
        checks.interval("gap", gap, 0, math.inf, closed="left")
        return rate * gap / (self.step_size * rounds) + floor * self.kappa_g_squared

    def rounds(self, epsilon: float, gap: float) -> int:
        """The fewest rounds T ≥ 1 for which the bound is ≤ epsilon.

        Raises:
            ValueError: epsilon at or below the floor, which no number of rounds undercuts.
        """
        rate, floor = self._factors()
        lowest = floor * self.kappa_g_squared
        checks.interval("epsilon", epsilon, lowest, math.inf, closed="neither")
        checks.interval("gap", gap, 0, math.inf, closed="left")
        # The quotient may be a few units of rounding above a whole number.
        exact = rate * gap / (self.step_size * (epsilon - lowest))
        return max(1, math.ceil(exact * (1 - 1e-12)))

    def uplink_bits(self, epsilon: float, gap: float, k: int, float_bits: int = 32) -> int:
        """Bits that one worker sends until the bound is ≤ epsilon: T k b.

        Raises:
            ValueError: as for `rounds`; k or float_bits < 1.
        """
        k = checks.count("k", k, minimum=1)
        return self.rounds(epsilon, gap) * k * checks.count("float_bits", float_bits, minimum=1)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that give an algorithm these parameters.

        >>> sorted(Guarantee("T", Provenance.DERIVED, 0.1, 0.5, 0.9, 0.1, 2, 3, 0).arguments())
        ['one_minus_momentum', 'optimizer', 'ratio']
        """
        return {
            "optimizer": optax.sgd(self.step_size),
            "ratio": self.ratio,
            "one_minus_momentum": self.one_minus_momentum,
        }
