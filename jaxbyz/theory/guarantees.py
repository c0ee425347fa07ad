"""What a theorem promises for one choice of an algorithm's parameters: a bound after T rounds."""

import abc
import math
from typing import Any

from jaxbyz import checks
from jaxbyz.theory.claims import Provenance


class Guarantee(abc.ABC):
    """Hyper-parameters of a theorem, and its bound after T rounds from the gap D0 = f(x⁰) - f*.

    Every paper has its own, which says what is bounded: `rosdhb.guarantees`, `byz_dm21.guarantees`.
    """

    theorem: str
    provenance: Provenance
    step_size: float  # γ

    @property
    @abc.abstractmethod
    def lowest(self) -> float:
        """What the bound tends to as T → ∞: no number of rounds undercuts it."""

    @abc.abstractmethod
    def _bound(self, rounds: int, gap: float) -> float:
        """The bound, of arguments that have been checked."""

    @abc.abstractmethod
    def _rounds(self, room: float, gap: float) -> float:
        """The real number T at which the bound is `lowest` + room; < 1 where T = 1 is enough."""

    @abc.abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that give the algorithm these parameters."""

    def bound(self, rounds: int, gap: float) -> float:
        """The bound after T rounds from D0 = gap.

        Raises:
            ValueError: rounds < 1, gap < 0, or a theorem whose right side is not known.
        """
        checks.count("rounds", rounds, minimum=1)
        checks.interval("gap", gap, 0, math.inf, closed="left")
        return self._bound(rounds, gap)

    def rounds(self, epsilon: float, gap: float) -> int:
        """The fewest rounds T ≥ 1 for which the bound is ≤ epsilon.

        Raises:
            ValueError: epsilon ≤ `lowest`, gap < 0, or a theorem whose right side is not known.
        """
        lowest = self.lowest
        checks.interval("epsilon", epsilon, lowest, math.inf, closed="neither")
        checks.interval("gap", gap, 0, math.inf, closed="left")
        # The number may be a few units of rounding above a whole one.
        return max(1, math.ceil(self._rounds(epsilon - lowest, gap) * (1 - 1e-12)))
