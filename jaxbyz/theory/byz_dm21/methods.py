"""The two algorithms, as far as the lemmas tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.byz_dm21.weights import Steps, momentum_steps, recursive_steps

__all__ = ["MOMENTUM", "RECURSIVE", "Method"]


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
