"""Classification of images with a flax model, over workers that hold different data."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from jaxbyz import checks
from jaxbyz.constructors import part
from jaxbyz.core import Key, Oracle
from jaxbyz.data import Dataset, load, validate
from jaxbyz.data.loading import by_name
from jaxbyz.problems.division import divide
from jaxbyz.problems.models import LightNet
from jaxbyz.problems.networks import template_of
from jaxbyz.problems.problem import Problem, check_workers, require_data, require_module
from jaxbyz.problems.width import on_device

__all__ = ["Samples", "classification"]


class Samples(NamedTuple):
    """Labelled images; one worker's data, a batch, or with a worker axis in front everybody's."""

    images: jax.Array  # [m, H, W, C]
    labels: jax.Array  # [m]


class _Sums(NamedTuple):
    loss: jax.Array  # [] Σ over samples
    correct: jax.Array  # [] number of samples classified rightly


@part
def classification(
    data: str | Dataset = "digits",
    *,
    root: str | os.PathLike[str] | None = None,
    honest: int,
    byzantine: int = 0,
    alpha: float | None = None,
    partition: np.ndarray | None = None,
    model: nn.Module | None = None,
    batch: int | None = None,
    chunk: int = 500,
    partition_seed: int = 0,
) -> Problem:
    """Cross-entropy of a model on images that honest workers share out equally.

    f_i(x) = (1/m) Σ_j cross-entropy(model(x, image_ij), label_ij),  f = (1/h) Σ f_i.

    Args:
        data: "digits" (comes with scikit-learn), "mnist", "fashion_mnist", "cifar10",
            "emnist_letters" and the other splits of EMNIST, or a `jaxbyz.data.Dataset`.
        root: the folder with the files of a data set given by name; None: the environment variable
            JAXBYZ_DATA, then ./data.
        honest: h, the workers among whom the training data is divided.
        byzantine: f, workers beside them; what they hold is the attack's business.
        alpha: Dirichlet parameter of the division; None: i.i.d.
        partition: sample indices [h, m] instead of alpha.
        model: a flax module, images -> logits; default `LightNet`, the conv net of the RoSDHB
            experiments. One with a method `calibrate`, as in `resnets`, is evaluated with the
            statistics that it finds on the honest workers' training data.
        batch: samples in one draw; None: all local data, so that gradients are deterministic.
        chunk: how many images go through the model at a time.
        partition_seed: of the division; it is the same for all seeds of a run.

    Evaluators: "train" (loss, accuracy), "test" (test_loss, test_accuracy), "gradient"
    (gradient_norm = ‖∇f‖, which costs one full gradient).

    Raises:
        ValueError: an argument out of range; both alpha and partition; data that is not finite or
            has labels outside its range; a model with other variables than floating-point
            parameters, without one logit for every class, or that needs random numbers.
        FileNotFoundError: files of the data set are missing; the message says where to get them,
            where they belong, and which call then reads them.

    >>> problem = classification("digits", honest=10, byzantine=3, alpha=5.0)
    >>> problem.dimension, problem.data.images.shape
    (1030, (10, 150, 8, 8, 1))
    """
    honest, byzantine = check_workers(honest, byzantine)
    chunk = checks.count("chunk", chunk, minimum=1)
    require_data(
        data,
        "train_images",
        "jaxbyz.data.Dataset(name, train_images, train_labels, test_images, test_labels, classes)",
    )
    if model is not None:
        require_module(model)
    dataset = validate(by_name(load, data, root))
    partition = divide(dataset.train_labels, honest, alpha, partition, partition_seed)
    images = on_device("train_images", dataset.train_images[partition])
    if batch is not None:
        batch = checks.count("batch", batch, minimum=1)
        if batch > partition.shape[1]:
            raise ValueError(f"batch must be <= {partition.shape[1]} local samples, got {batch}")
    module = LightNet(dataset.classes) if model is None else model

    def parameters(key: Key) -> Any:
        return module.init(key, jnp.asarray(dataset.train_images[:1]))

    # Pytrees exist only on this side of the oracle.
    template = template_of(module, dataset.train_images, dataset.classes)
    flat, unravel = ravel_pytree(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), template))

    def sums(variables: Any, samples: Samples) -> _Sums:
        logits = jnp.asarray(module.apply(variables, samples.images))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, samples.labels)
        return _Sums(losses.sum(), (logits.argmax(axis=1) == samples.labels).sum())

    def gradient(samples: Samples, x: jax.Array) -> jax.Array:
        slope = jax.grad(lambda x, part: sums(unravel(x), part).loss)
        return _in_chunks(lambda part: slope(x, part), samples, chunk) / samples.labels.shape[0]

    def measure(x: jax.Array, data: Samples, samples: Samples) -> tuple[jax.Array, jax.Array]:
        variables = unravel(x)
        if hasattr(module, "calibrate"):  # statistics of batches are recomputed, see `resnets`
            variables = module.calibrate(variables, everything(data).images, chunk)
        total = _in_chunks(lambda part: sums(variables, part), samples, chunk)
        return total.loss / samples.labels.shape[0], total.correct / samples.labels.shape[0]

    def oracle(local: Samples) -> Oracle:
        def draw(key: Key) -> Samples:
            if batch is None:
                return local
            rows = jax.random.choice(key, local.labels.shape[0], (batch,), replace=False)
            return Samples(local.images[rows], local.labels[rows])

        return Oracle(lambda x: gradient(local, x), draw, gradient)

    def everything(data: Samples) -> Samples:  # the honest workers' data as one set
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), data)

    def on_train(x: jax.Array, data: Samples, test: Samples) -> dict[str, jax.Array]:
        return dict(zip(("loss", "accuracy"), measure(x, data, everything(data)), strict=True))

    def on_test(x: jax.Array, data: Samples, test: Samples) -> dict[str, jax.Array]:
        return dict(zip(("test_loss", "test_accuracy"), measure(x, data, test), strict=True))

    def of_gradient(x: jax.Array, data: Samples, test: Samples) -> dict[str, jax.Array]:
        return {"gradient_norm": jnp.linalg.norm(gradient(everything(data), x))}

    return Problem(
        name=dataset.name,
        honest=honest,
        byzantine=byzantine,
        dimension=flat.shape[0],
        data=Samples(
            images,
            jnp.asarray(dataset.train_labels[partition]),
        ),
        test=Samples(
            on_device("test_images", dataset.test_images), jnp.asarray(dataset.test_labels)
        ),
        oracle=oracle,
        init=lambda key: ravel_pytree(parameters(key))[0],
        evaluators={"train": on_train, "test": on_test, "gradient": of_gradient},
        classes=dataset.classes,
    )


def _in_chunks(function: Callable[[Samples], Any], samples: Samples, chunk: int) -> Any:
    """Σ function(part) over consecutive parts of at most `chunk` samples, one after another."""
    m = samples.labels.shape[0]
    whole, rest = divmod(m, chunk)
    if whole == 0 or (whole == 1 and rest == 0):
        return function(samples)
    parts = jax.tree.map(
        lambda leaf: leaf[: whole * chunk].reshape(whole, chunk, *leaf.shape[1:]), samples
    )
    shape = jax.eval_shape(function, jax.tree.map(lambda leaf: leaf[0], parts))
    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)

    def add(total: Any, part: Samples) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(part)), None

    total, _ = jax.lax.scan(add, zero, parts)
    if rest:
        tail = function(jax.tree.map(lambda leaf: leaf[whole * chunk :], samples))
        total = jax.tree.map(jnp.add, total, tail)
    return total
