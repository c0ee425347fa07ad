"""The constants of the hypotheses: what a problem, a rule and a compressor bring.

A1   ‖∇f(x) - ∇f(y)‖ ≤ L ‖x-y‖;   mean_i ‖∇f_i(x) - ∇f_i(y)‖² ≤ L̃² ‖x-y‖²;   f ≥ f*
A2   mean_i E‖s_i(x;ξ) - ∇f_i(x)‖² ≤ σ², samples fresh and independent
A2'  mean_i E‖[s_i(x;ξ) - s_i(y;ξ)] - [∇f_i(x) - ∇f_i(y)]‖² ≤ ℓ² ‖x-y‖²   (recursive estimate)
A3   mean_i ‖∇f_i(x) - ∇f(x)‖² ≤ ζ² + B² ‖∇f(x)‖²
A4   E‖C(x) - x‖² ≤ (1-α) ‖x‖²
A5   ‖F(z_1, …, z_n) - z̄‖² ≤ κ mean_i ‖z_i - z̄‖²,   means over the G honest workers
PL   ‖∇f‖² ≥ 2μ (f - f*)
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from jaxbyz import checks
from jaxbyz.aggregators import kappa as robustness
from jaxbyz.core import Aggregator, Compressor
from jaxbyz.problems.quadratics import Quadratics


class Setting(NamedTuple):
    """Numbers, or arrays of numbers for a sweep; the symbols are those of the module.

    >>> point = Setting(alpha=0.1, kappa=0.25, honest=8, smoothness=1.0, mean_square_smoothness=2.0)
    >>> point.spread, point.share, round(point.smoothness_kappa, 6)
    (1.5, 0.625, 1.732051)
    """

    alpha: Any  # α in (0, 1]
    kappa: Any  # κ ≥ 0
    honest: Any  # G ≥ 1
    smoothness: Any  # L > 0
    mean_square_smoothness: Any  # L̃ ≥ L
    sample_smoothness: Any = 0.0  # ℓ ≥ 0
    noise_variance: Any = 0.0  # σ² ≥ 0
    heterogeneity: Any = 0.0  # ζ² ≥ 0
    growth: Any = 0.0  # B² ≥ 0

    @property
    def spread(self) -> Any:
        """K = 1 + 2κ."""
        return 1 + 2 * self.kappa

    @property
    def share(self) -> Any:
        """k = 2κ + 1/G: the share of the noise variance that the rule lets through."""
        return 2 * self.kappa + 1 / self.honest

    @property
    def smoothness_kappa(self) -> Any:
        """L_κ = √(L² + 2κ L̃²)."""
        return (self.smoothness**2 + 2 * self.kappa * self.mean_square_smoothness**2) ** 0.5

    @property
    def sample_smoothness_kappa(self) -> Any:
        """ℓ_κ = ℓ √k."""
        return self.sample_smoothness * self.share**0.5

    def checked(self) -> Setting:
        """Itself.

        Raises:
            ValueError: a constant outside its range.
        """
        checks.interval("alpha", self.alpha, 0, 1, closed="right")
        checks.interval("kappa", self.kappa, 0, math.inf, closed="left")
        checks.interval("honest", self.honest, 1, math.inf, closed="left")
        checks.interval("smoothness", self.smoothness, 0, math.inf, closed="neither")
        low = 0 if checks.is_traced(self.smoothness) else float(self.smoothness)
        # L = L̃ for equal Hessians, where the two may differ by rounding.
        checks.interval(
            "mean_square_smoothness", self.mean_square_smoothness, low * (1 - 1e-12), math.inf
        )
        for name in ("sample_smoothness", "noise_variance", "heterogeneity", "growth"):
            checks.interval(name, getattr(self, name), 0, math.inf, closed="left")
        return self


def setting(
    problem: Quadratics, aggregator: Aggregator, compressor: Compressor, *, growth: float = 0.0
) -> Setting:
    """The constants of quadratics, whose every constant is known, behind a rule of known κ.

    κ is the exact coefficient where it is known, else the published bound.

    Args:
        problem: made by `jaxbyz.problems.quadratics`.
        aggregator: for the problem's number of Byzantine workers.
        compressor: contractive.
        growth: B²; ζ² is then the smallest that is admissible.

    Raises:
        ValueError: no κ or no α is known; no finite ζ² exists for this B².

    >>> import jaxbyz as jb
    >>> problem = jb.problems.quadratics(honest=8, byzantine=2, dimension=10, noise=1.0)
    >>> setting(problem, jb.trimmed_mean(f=2), jb.top_k(k=1)).alpha
    0.1
    """
    if compressor.alpha is None:
        raise ValueError("compressor must have a known alpha, got one without")
    known = robustness(aggregator, problem.honest + problem.byzantine, problem.byzantine)
    coefficient = known.published if known.exact is None else known.exact
    if coefficient is None:
        raise ValueError("aggregator must have a known kappa, got one without")
    return Setting(
        alpha=float(compressor.alpha(problem.dimension)),
        kappa=float(coefficient),
        honest=problem.honest,
        smoothness=problem.smoothness,
        mean_square_smoothness=problem.mean_square_smoothness,
        sample_smoothness=problem.sample_smoothness,
        noise_variance=problem.noise_variance,
        heterogeneity=problem.g_squared(growth),
        growth=float(growth),
    ).checked()
