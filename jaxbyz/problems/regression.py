"""Regression: a model of numbers, by the mean squared error."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.problems.models import MLP
from jaxbyz.problems.networks import network_of, template_of
from jaxbyz.problems.per_sample import from_loss
from jaxbyz.problems.problem import Problem, prediction


@part
def regression(
    data: tuple[Any, Any],
    *,
    honest: int,
    byzantine: int = 0,
    test: tuple[Any, Any] | None = None,
    model: Any = None,
    batch: int | None = None,
    partition: Any = None,
    weighting: str = "equal",
    partition_seed: int = 0,
    chunk: int = 500,
) -> Problem:
    """Half the squared distance of a model's outputs from targets, over honest workers.

    f_i(x) = (1/m_i) Σ_j ½ ‖model(x, feature_ij) - target_ij‖²,  f = (1/h) Σ f_i.

    Args:
        data: features [N, ...] and targets [N] or [N, p], floats; normalise both before.
        honest: h, the workers among whom the samples are divided.
        byzantine: f, workers besides these.
        test: the same of what is held out.
        model: features [B, ...] -> outputs [B, p], as for `classification`; default an `MLP`.
        batch: samples in one draw; None: all of a worker.
        partition: positions of samples [h, m], or h lists of them; None: equally, at random.
        weighting: "equal" or "size", of workers with different numbers of samples, as for
            `from_loss`.
        partition_seed: of that division.
        chunk: how many samples go through the model at a time.

    Evaluators: "train" (loss), "test" (test_loss, where there is a test), "gradient".
    `problem.predict(x, features)` are the model's outputs, also of its variables in place of x.

    Raises:
        ValueError: an argument out of range; arrays of other shapes; a model that gives other
            shapes than the targets'.

    >>> import numpy as np, jaxbyz as jb
    >>> features = np.linspace(-1, 1, 12)[:, None]
    >>> problem = regression((features, features[:, 0] ** 2), honest=3)
    >>> problem.data["features"].shape, problem.data["targets"].shape
    ((3, 4, 1), (3, 4, 1))
    """
    train = _samples("data", data)
    held = None if test is None else _samples("test", test)
    width = train["targets"].shape[1]
    if held is not None and held["targets"].shape[1] != width:
        raise ValueError(
            f"targets of test must have {width} numbers each, got {held['targets'].shape[1]}"
        )
    network = network_of(MLP(width) if model is None else model)
    if network.calibrate is not None:
        raise ValueError("model must need no statistics of batches here, got one that calibrates")
    some = jnp.asarray(train["features"][:1])
    template = template_of(network, some, width, what="outputs")

    def loss(variables: Any, sample: Any) -> jax.Array:
        found = network.apply(variables, sample["features"][None])[0]
        return ((found - sample["targets"]) ** 2).sum() / 2

    made = from_loss(
        lambda key: network.init(key, some), loss, train, honest=honest, byzantine=byzantine,
        test=held, batch=batch, partition=partition, weighting=weighting,
        partition_seed=partition_seed, chunk=chunk, name="regression",
    )  # fmt: skip
    unravel = made.unravel
    assert unravel is not None
    return dataclasses.replace(
        made,
        predict=prediction(
            lambda x, features: network.apply(unravel(x), features),
            made.dimension,
            train["features"].shape[1:],
            template,
        ),
    )


def _samples(name: str, given: Any) -> dict[str, np.ndarray]:
    """Features [N, ...] and targets [N, p] in the width of the run."""
    if not isinstance(given, tuple) or len(given) != 2:
        raise ValueError(f"{name} must be a pair (features, targets), got {checks.said(given)}")
    features, targets = (np.asarray(part) for part in given)
    if any(part.dtype.kind not in "fiub" for part in (features, targets)):
        raise ValueError(
            f"{name} must be arrays of real numbers, got {features.dtype} and {targets.dtype}"
        )
    width = jax.dtypes.canonicalize_dtype(float)
    features, targets = (
        part.astype(width) if part.dtype.kind != "f" else part for part in (features, targets)
    )
    targets = targets[:, None] if targets.ndim == 1 else targets
    if features.ndim < 2 or targets.ndim != 2 or len(features) != len(targets):
        raise ValueError(
            f"{name} must be features [N, ...] and targets [N] or [N, p], got "
            f"{features.shape} and {np.shape(given[1])}"
        )
    return {"features": features, "targets": targets}
