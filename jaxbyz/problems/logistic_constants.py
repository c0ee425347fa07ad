"""The constants of logistic regression: smoothness, noise and optimum, in float64 on the host.

    f_i(x) = (c_i/m_i) Σ_j log(1 + exp(-y_ij a_ijᵀx)) + r(x),   f = (1/h) Σ f_i,   y = ±1

Worker i has m_i samples. c_i is 1 where workers count the same, h m_i/Σ m_i where samples do; the
regulariser r is the same for all of them.

The second derivative of log(1 + exp(-t)) lies in (0, 1/4] and is 1/4 at 0, where that of the
regulariser is largest too. With A_i [m_i, d] the samples of worker i, B_i = c_i A_iᵀA_i/(4m_i) +
most I the Hessian of f_i at 0, and [least, most] the range of r''; "mean" is over workers, and
within one over its samples:

| constant | value                                                               |               |
|----------|---------------------------------------------------------------------|---------------|
| L        | largest eigenvalue of mean B_i                                      | exact, at 0   |
| L_i      | largest eigenvalue of B_i                                           | exact, at 0   |
| μ        | least (ridge)                                                       | exact, at ∞   |
| L̃²       | largest eigenvalue of mean (L_i + least) B_i - least L_i I          | upper bound   |
| ℓ²       | largest eigenvalue of mean c_i² ‖a‖² a aᵀ / (16 b)                  | upper bound   |
| σ²       | mean c_i² ‖a‖² / b                                                  | upper bound   |
| L_w      | max c_i ‖a‖²/4 + most                                               | exact, at 0   |

L̃: an average H of Hessians of f_i has its eigenvalues in [least, L_i], so that
(H - least)(H - L_i) ⪯ 0, hence H² ⪯ (L_i + least) H - least L_i, and H ⪯ B_i. The bound lies
between L and (mean L_i²)^½. ℓ, σ: the variance of a mean of b draws is at most 1/b of the second
moment of one, in which the regulariser cancels (all derived here).
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from jaxbyz.problems.newton import logistic_minimiser
from jaxbyz.problems.problem import Problem
from jaxbyz.problems.regularisers import Regulariser


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Logistic(Problem):
    """A logistic regression with its constants, in float64 on the host.

    `Oracle.draw` returns `batch` positions in 0..m_i-1 (uniform, with replacement; all positions
    in order if batch is None), and `Oracle.grad(positions, x)` the mean of the gradients of these
    samples, each times c_i and with the regulariser: a table [m, d] can be kept by position.
    Arrays have m, the largest m_i, samples of each worker; a worker's own come first.
    """

    features: np.ndarray  # [h, m, d]
    signs: np.ndarray  # [h, m] y, -1 or +1
    shares: np.ndarray  # [h] c_i
    regulariser: Regulariser
    sizes: np.ndarray = dataclasses.field(kw_only=True)  # [h] m_i

    @property
    def samples(self) -> int:
        """Samples of each worker, m.

        Raises:
            ValueError: workers have different numbers of samples.
        """
        least, most = int(self.sizes.min()), int(self.sizes.max())
        if least < most:
            raise ValueError(
                f"samples must be one number for all workers, got {least}..{most}: read sizes"
            )
        return most

    @functools.cached_property
    def _each(self) -> list[np.ndarray]:
        """A_i [m_i, d] of every worker."""
        return [rows[:size] for rows, size in zip(self.features, self.sizes, strict=True)]

    @functools.cached_property
    def _counts(self) -> np.ndarray:
        """What a sample of worker i counts in f, in units of 1/Σ m_i, [h]."""
        counts: np.ndarray = self.shares * self.sizes.sum() / (self.honest * self.sizes)
        return counts

    @property
    def _signed(self) -> list[np.ndarray]:
        """y_ij a_ij, [m_i, d] of every worker."""
        return [
            signs[: len(rows), None] * rows
            for rows, signs in zip(self._each, self.signs, strict=True)
        ]

    def _spread(self, numbers: np.ndarray) -> np.ndarray:
        """One number of each worker [h] for all its samples, [Σ m_i]."""
        return np.repeat(numbers, self.sizes)

    @functools.cached_property
    def _curvatures(self) -> np.ndarray:
        """c_i A_iᵀA_i / (4 m_i), [h, d, d]."""
        products = np.stack([rows.T @ rows for rows in self._each])
        return products / (4 * self.sizes / self.shares)[:, None, None]

    @property
    def smoothness(self) -> float:
        """L of the honest objective; attained at 0."""
        mean = self._curvatures.mean(axis=0)
        return float(np.linalg.eigvalsh(mean).max() + self.regulariser.most)

    @property
    def local_smoothness(self) -> np.ndarray:
        """L_i of every honest worker, [h]; attained at 0."""
        return np.linalg.eigvalsh(self._curvatures).max(axis=1) + self.regulariser.most

    @property
    def strong_convexity(self) -> float:
        """μ of the honest objective, the largest there is; 0 if the regulariser is not convex."""
        return max(self.regulariser.least, 0.0)

    @property
    def mean_square_smoothness(self) -> float:
        """An L̃ with (1/h) Σ ‖∇f_i(x) - ∇f_i(y)‖² ≤ L̃² ‖x - y‖²; exact for equal workers."""
        least, most = self.regulariser.least, self.regulariser.most
        local = self.local_smoothness[:, None, None]  # [h, 1, 1]
        unit = np.eye(self.dimension)
        bounds = (local + least) * (self._curvatures + most * unit) - least * local * unit
        return float(np.sqrt(np.linalg.eigvalsh(bounds.mean(axis=0)).max()))

    @property
    def sample_smoothness(self) -> float:
        """An ℓ with mean E‖s_i(x) - s_i(y) - ∇f_i(x) + ∇f_i(y)‖² ≤ ℓ² ‖x - y‖²; 0 without draws."""
        if self.batch is None:
            return 0.0
        rows = np.concatenate(self._each)
        scale = self._spread(np.sqrt(self.shares * self._counts))
        scaled = rows * (np.linalg.norm(rows, axis=1) * scale)[:, None]
        largest = np.linalg.eigvalsh(scaled.T @ scaled / len(rows)).max()
        return float(np.sqrt(largest / (16 * self.batch)))

    @property
    def worst_sample_smoothness(self) -> float:
        """L_w, the largest smoothness of one sample's loss; attained at 0."""
        longest = np.array([(rows**2).sum(axis=1).max() for rows in self._each])
        return float((self.shares * longest).max() / 4 + self.regulariser.most)

    @property
    def noise_variance(self) -> float:
        """A σ² with mean E‖s_i(x) - ∇f_i(x)‖² ≤ σ² for all x; 0 without draws."""
        if self.batch is None:
            return 0.0
        squares = (np.concatenate(self._each) ** 2).sum(axis=1)
        return float((self._spread(self.shares * self._counts) * squares).mean() / self.batch)

    @functools.cached_property
    def optimum(self) -> np.ndarray:
        """The minimiser of f, [d], by Newton's method.

        Raises:
            ValueError: the regulariser is not a ridge with weight > 0.
        """
        if not self.regulariser.least == self.regulariser.most > 0:
            raise ValueError(
                "optimum needs a ridge with weight > 0, got a regulariser with second "
                f"derivatives in [{self.regulariser.least}, {self.regulariser.most}]"
            )
        return logistic_minimiser(
            np.concatenate(self._signed), self.regulariser.most, self._spread(self._counts)
        )

    @property
    def minimum(self) -> float:
        """The value f* = f(optimum); ValueError as for `optimum`."""
        x = self.optimum
        losses = np.logaddexp(0, -np.concatenate([rows @ x for rows in self._signed]))
        return float(
            (self._spread(self._counts) * losses).mean() + self.regulariser.most / 2 * x @ x
        )
