"""What a theorem promises for one choice of the parameters of Byz-DM21 or Byz-VR-DM21."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxbyz import checks
from jaxbyz.core import Compressor
from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.byz_dm21.weights import Weights
from jaxbyz.theory.claims import Provenance
from jaxbyz.theory.guarantees import Guarantee


@dataclasses.dataclass(frozen=True)
class AverageGuarantee(Guarantee):
    """Theorems 1 and 2, for x̂ uniform on x⁰, …, x^(T-1):

        E‖∇f(x̂)‖² ≤ [2Ψ₀/(γT) + (1+θ)² κ ζ² + 2N] / (1 - (1+θ)² κ B²)
        Ψ₀ = d₀ + γ (c σ²/B₀ + c' σ²/(G B₀))   at a dense start from a batch of B₀

    Derived here: the sum of lemma L7 over the rounds. Made by `theorem_1`, …, `certify`.
    """  # noqa: D415

    theorem: str
    setting: Setting
    step_size: float  # γ
    eta: float
    beta: float
    start_batch: int  # B₀
    weights: Weights
    provenance: Provenance = Provenance.DERIVED

    @property
    def theta(self) -> float:
        """Young's parameter θ."""
        return self.weights.theta

    @property
    def _left(self) -> float:
        """1 - (1+θ)² κ B²."""
        return 1 - (1 + self.theta) ** 2 * self.setting.kappa * self.setting.growth

    @property
    def floor(self) -> float:
        """The neighbourhood (1+θ)² κ ζ² / (1 - (1+θ)² κ B²), which no parameter removes."""
        return (1 + self.theta) ** 2 * self.setting.kappa * self.setting.heterogeneity / self._left

    @property
    def noise(self) -> float:
        """2N / (1 - (1+θ)² κ B²): with the floor, what remains as T → ∞."""
        return 2 * self.weights.noise / self._left

    @property
    def _start_errors(self) -> float:
        """c R₀ + c' R̄₀ at a dense start."""
        one = self.setting.noise_variance / self.start_batch
        return self.weights.c * one + self.weights.c_bar * one / self.setting.honest

    @property
    def lowest(self) -> float:
        """The floor and the noise: what remains as T → ∞."""
        return self.floor + self.noise

    def _bound(self, rounds: int, gap: float) -> float:
        start = gap / self.step_size + self._start_errors
        return 2 * start / (rounds * self._left) + self.floor + self.noise

    def _rounds(self, room: float, gap: float) -> float:
        return 2 * (gap / self.step_size + self._start_errors) / self._left / room

    def uplink_bits(
        self, epsilon: float, gap: float, compressor: Compressor, dimension: int
    ) -> int:
        """Bits that one worker sends until the bound is ≤ epsilon, in float32: T messages and d b.

        The compressor is to be one whose messages have a fixed length.

        Raises:
            ValueError: as for `rounds`; dimension < 1.
        """
        d = checks.count("dimension", dimension, minimum=1)
        message = compressor.compress(jax.random.key(0), jnp.zeros(d, jnp.float32))
        return self.rounds(epsilon, gap) * int(message.bits()) + 32 * d

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `jaxbyz.byz_dm21` or `jaxbyz.byz_vr_dm21`."""
        return {
            "optimizer": optax.sgd(self.step_size),
            "eta": self.eta,
            "beta": self.beta,
            "start_batch": self.start_batch,
        }


@dataclasses.dataclass(frozen=True)
class LinearGuarantee(AverageGuarantee):
    """Theorems 3 and 4, under PL with constant μ, B = 0, for the last iterate:

        E f(x^T) - f* ≤ (1-γμ)^T Ψ₀ + [½ (1+θ)² κ ζ² + N]/μ

    Derived here. `floor`, `noise` and `bound` are in units of f: ½ (1+θ)² κ ζ²/μ and N/μ.
    """  # noqa: D415

    mu: float = 0.0

    @property
    def floor(self) -> float:
        """½ (1+θ)² κ ζ²/μ."""
        return (1 + self.theta) ** 2 * self.setting.kappa * self.setting.heterogeneity / 2 / self.mu

    @property
    def noise(self) -> float:
        """N/μ."""
        return self.weights.noise / self.mu

    def _bound(self, rounds: int, gap: float) -> float:
        kept = math.exp(rounds * math.log1p(-self.step_size * self.mu))
        return kept * (gap + self.step_size * self._start_errors) + self.floor + self.noise

    def _rounds(self, room: float, gap: float) -> float:
        start = gap + self.step_size * self._start_errors
        if start <= room:
            return 0.0
        return math.log(start / room) / -math.log1p(-self.step_size * self.mu)
