"""Logistic regression of two classes: finite sums over workers; `logistic_constants` of them."""

from __future__ import annotations

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
from jaxbyz.problems.logistic_constants import Logistic
from jaxbyz.problems.problem import check_workers, require_data
from jaxbyz.problems.regularisers import Regulariser, ridge
from jaxbyz.problems.samples import at, counted, drawn, owned, parted, summed, together, weighted
from jaxbyz.problems.width import on_device


class LabelledVectors(NamedTuple):
    """One worker's samples, or with a worker axis in front everybody's.

    Labels are 0 for y = -1 and 1 for y = +1, so that `label_flip(2)` is y ↦ -y.
    """

    features: jax.Array  # [m, d] A_i
    labels: jax.Array  # [m] 0 or 1


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
    >>> lists = [[0, 1, 2], [3], [4, 5]]
    >>> logistic("synthetic", honest=3, partition=lists, weighting="size").sizes.tolist()
    [3, 1, 2]
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
