"""Logistic regression of two classes: finite sums over workers, with constants.

    f_i(x) = (c_i/m_i) Σ_j log(1 + exp(-y_ij a_ijᵀx)) + r(x),   f = (1/h) Σ f_i,   y = ±1

Worker i has m_i samples. c_i is 1 where workers count the same, h m_i/Σ m_i where samples do.

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
import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Oracle
from jaxbyz.data import BinaryDataset, load_binary, validate_binary
from jaxbyz.data.loading import by_name
from jaxbyz.problems.division import divide
from jaxbyz.problems.newton import logistic_minimiser
from jaxbyz.problems.problem import Problem, check_workers, require_data
from jaxbyz.problems.regularisers import Regulariser, ridge
from jaxbyz.problems.samples import at, counted, drawn, owned, parted, summed, together, weighted
from jaxbyz.problems.width import on_device


class LabelledVectors(NamedTuple):
    """One worker's samples, or with a worker axis in front everybody's.

    Labels are 0 for y = -1 and 1 for y = +1, so that `label_flip(2)` is y ↦ -y.
    """

    features: jax.Array  # [m, d] A_i
    labels: jax.Array  # [m] 0 or 1


@dataclasses.dataclass(frozen=True, eq=False)
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


@part
def logistic(
    data: str | BinaryDataset | tuple[Any, Any] = "synthetic",
    *,
    root: str | os.PathLike[str] | None = None,
    honest: int,
    byzantine: int = 0,
    regulariser: Regulariser | None = None,
    alpha: float | None = None,
    partition: Any = None,
    weighting: str = "equal",
    batch: int | None = None,
    partition_seed: int = 0,
) -> Logistic:
    """Logistic regression on samples that honest workers share out.

    f_i(x) = (1/m_i) Σ_j log(1 + exp(-y_ij a_ijᵀx)) + r(x),   f = (1/h) Σ f_i.

    Args:
        data: "synthetic" (needs no file), "breast_cancer" (comes with scikit-learn), "a9a",
            "w8a", "phishing", "mushrooms", "ijcnn1"; a `jaxbyz.data.BinaryDataset`, for example
            from `unit_rows`; or arrays (features [N, d], labels [N] of two values). There is no
            bias: add a feature that is 1.
        root: the folder with the files of a data set given by name; None: the environment variable
            JAXBYZ_DATA, then ./data.
        honest: h, the workers among whom the data is divided.
        byzantine: f, workers besides these; the attack decides what data they hold.
        regulariser: `ridge(weight)` or `nonconvex(weight)`; None: ridge(0.01).
        alpha: Dirichlet parameter of the division; None: i.i.d.
        partition: sample positions [h, m] instead of alpha, for example from `label_sorted`, or
            all positions for every worker; or h lists of different lengths m_i, as
            `data.dirichlet_unequal`, `data.power_law` or `data.by_owner` make them.
        weighting: of workers with different numbers of samples. "equal": f_i is the mean over a
            worker's samples, as above. "size": that mean times h m_i/Σ m_i, so that f is the mean
            over all samples. r(x) counts the same for every worker.
        batch: samples in one draw; None: all local data, so that gradients are deterministic.
        partition_seed: of the division; it is the same for all seeds of a run.

    The start is the origin. Evaluators: "train" (loss = f(x), accuracy on the honest workers'
    data), "gradient" (gradient_norm = ‖∇f‖). Nothing is held out.

    Raises:
        ValueError: an argument out of range; both alpha and partition; data that
            `validate_binary` does not accept.
        FileNotFoundError: the file is missing; the message says where to get it, where it
            belongs, and which call then reads it.

    >>> problem = logistic("synthetic", honest=4, byzantine=1, regulariser=ridge(0.1))
    >>> problem.dimension, problem.samples, problem.strong_convexity
    (30, 300, 0.1)
    """
    honest, byzantine = check_workers(honest, byzantine)
    if isinstance(data, tuple) and len(data) == 2:
        data = BinaryDataset.from_arrays(*data)
    require_data(data, "features", "(features, labels), or jaxbyz.data.BinaryDataset(...)")
    dataset = validate_binary(by_name(load_binary, data, root))
    regulariser = ridge(0.01) if regulariser is None else regulariser
    if not all(hasattr(regulariser, field) for field in Regulariser._fields):
        raise ValueError(
            f"regulariser must be a jaxbyz regulariser, got {checks.said(regulariser)}: give for "
            "instance jaxbyz.problems.ridge(0.1)"
        )
    division = divide(dataset.labels, honest, alpha, partition, partition_seed, weighting)
    batch = division.batch(batch, replace=True)
    d = dataset.features.shape[1]

    def margins(x: jax.Array, rows: LabelledVectors) -> jax.Array:  # y aᵀx, [m]
        scores = jnp.matmul(rows.features, x, precision="highest")
        return jnp.where(rows.labels == 1, scores, -scores)

    def gradient(data: Any, x: jax.Array) -> jax.Array:
        rows, weights = parted(data)
        pull = jax.nn.sigmoid(-margins(x, rows))  # -d/dt log(1 + exp(-t))
        pull = jnp.where(rows.labels == 1, pull, -pull) / counted(data)
        if weights is not None:
            pull = pull * weights
        return regulariser.slope(x) - jnp.matmul(pull, rows.features, precision="highest")

    def oracle(local: Any) -> Oracle:
        return Oracle(
            lambda x: gradient(local, x),
            lambda key: drawn(key, local, batch, replace=True),
            lambda places, x: gradient(at(places, local), x),
            owned(local),
        )

    def on_train(x: jax.Array, data: Any, test: None) -> dict[str, jax.Array]:
        everything = together(data)
        rows, weights = parted(everything)
        margin = margins(x, rows)
        # A score of 0 counts as the class -1, whose label is the smaller.
        correct = jnp.where(rows.labels == 1, margin > 0, margin >= 0)
        losses = jnp.logaddexp(0.0, -margin)
        if weights is None:
            loss, accuracy = losses.mean(), correct.mean(dtype=x.dtype)
        else:
            loss, accuracy = (
                summed(values, everything) / counted(everything) for values in (losses, correct)
            )
        return {"loss": loss + regulariser.value(x), "accuracy": accuracy}

    def of_gradient(x: jax.Array, data: Any, test: None) -> dict[str, jax.Array]:
        return {"gradient_norm": jnp.linalg.norm(gradient(together(data), x))}

    features = np.asarray(dataset.features, np.float64)[division.places]  # [h, m, d]
    signs = np.asarray(dataset.labels)[division.places]  # [h, m]
    return Logistic(
        name=dataset.name,
        honest=honest,
        byzantine=byzantine,
        dimension=d,
        data=weighted(
            LabelledVectors(on_device("features", features), jnp.asarray((signs + 1) // 2)),
            division,
        ),
        test=None,
        oracle=oracle,
        classes=2,
        init=lambda key: jnp.zeros(d),
        evaluators={"train": on_train, "gradient": of_gradient},
        features=features,
        signs=signs,
        shares=division.shares,
        sizes=division.sizes,
        regulariser=regulariser,
        batch=batch,
    )
