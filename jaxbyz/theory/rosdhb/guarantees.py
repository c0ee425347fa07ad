"""What a theorem promises for one choice of RoSDHB's parameters."""

import dataclasses
from typing import Any

import optax

from jaxbyz import checks
from jaxbyz.theory.claims import Provenance
from jaxbyz.theory.guarantees import Guarantee


@dataclasses.dataclass(frozen=True)
class RoSDHBGuarantee(Guarantee):
    """Hyper-parameters of a theorem, and its bound on the mean squared gradient.

        (1/T) Σ_{t<T} E‖∇L_H(θ_t)‖² ≤ rate · D0/(γT) + floor · κG²,    D0 = L_H(θ_0) - L_*.

    `rate` and `floor` are None where the right side of the theorem is not known; then the
    parameters are known and nothing else.

    >>> promise = RoSDHBGuarantee("T", Provenance.DERIVED, 0.1, 0.5, 0.9, 0.1, 2.0, 3.0, 0.01)
    >>> round(promise.bound(rounds=1000, gap=1.0), 6), promise.rounds(0.05, gap=1.0)
    (0.05, 1000)
    >>> sorted(promise.arguments())
    ['one_minus_momentum', 'optimizer', 'ratio']
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

    @property
    def lowest(self) -> float:
        """floor · κG²."""
        return self._factors()[1] * self.kappa_g_squared

    def _bound(self, rounds: int, gap: float) -> float:
        return self._factors()[0] * gap / (self.step_size * rounds) + self.lowest

    def _rounds(self, room: float, gap: float) -> float:
        return self._factors()[0] * gap / (self.step_size * room)

    def uplink_bits(self, epsilon: float, gap: float, k: int, float_bits: int = 32) -> int:
        """Bits that one worker sends until the bound is ≤ epsilon: T k b.

        Raises:
            ValueError: as for `rounds`; k or float_bits < 1.
        """
        k = checks.count("k", k, minimum=1)
        return self.rounds(epsilon, gap) * k * checks.count("float_bits", float_bits, minimum=1)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `jaxbyz.rosdhb`."""
        return {
            "optimizer": optax.sgd(self.step_size),
            "ratio": self.ratio,
            "one_minus_momentum": self.one_minus_momentum,
        }
