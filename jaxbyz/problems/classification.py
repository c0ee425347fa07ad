"""Classification of images with a flax model, over workers that hold different data."""

from __future__ import annotations

import dataclasses
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
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Key, Oracle
from jaxbyz.data import Dataset, load, validate
from jaxbyz.data.loading import by_name
from jaxbyz.problems.division import divide
from jaxbyz.problems.models import LightNet
from jaxbyz.problems.networks import template_of
from jaxbyz.problems.problem import Problem, check_workers, require_data, require_module
from jaxbyz.problems.width import on_device


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
        byzantine: f, workers besides these; the attack decides what data they hold.
        alpha: Dirichlet parameter of the division; None: i.i.d.
        partition: sample indices [h, m] instead of alpha.
        model: a flax module, images -> logits; default `LightNet`, the conv net of the RoSDHB
            experiments. One with a method `calibrate`, as in `resnets`, is evaluated with the
            statistics that it finds on the honest workers' training data.
        batch: samples in one draw; None: all local data, so that gradients are deterministic.
        chunk: how many images go through the model at a time. On CPU a part that fits into a
            core's cache is faster: `LightNet` on MNIST takes half the time on one core with 60.
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
    template = template_of(module, dataset.train_images, dataset.classes)
    flat, unravel = ravel_pytree(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), template))
    objective = _CrossEntropy(module, unravel, batch, chunk)
    some = dataset.train_images[:1]
    return Problem(
        name=dataset.name,
        honest=honest,
        byzantine=byzantine,
        dimension=flat.shape[0],
        data=Samples(images, jnp.asarray(dataset.train_labels[partition])),
        test=Samples(
            on_device("test_images", dataset.test_images), jnp.asarray(dataset.test_labels)
        ),
        oracle=objective.oracle,
        init=lambda key: ravel_pytree(module.init(key, jnp.asarray(some)))[0],
        evaluators={
            "train": objective.on_train,
            "test": objective.on_test,
            "gradient": objective.gradient_norm,
        },
        classes=dataset.classes,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _CrossEntropy:
    """The loss of a model as a function of flat parameters x [d]; only it knows their pytree."""

    module: nn.Module
    unravel: Callable[[jax.Array], Any]  # x [d] -> the module's variables
    batch: int | None
    chunk: int

    def oracle(self, local: Samples) -> Oracle:
        """What one worker may ask of its samples."""

        def draw(key: Key) -> Samples:
            if self.batch is None:
                return local
            rows = jax.random.choice(key, local.labels.shape[0], (self.batch,), replace=False)
            return Samples(local.images[rows], local.labels[rows])

        return Oracle(lambda x: self.gradient(local, x), draw, self.gradient)

    def gradient(self, samples: Samples, x: jax.Array) -> jax.Array:
        """Of the mean loss over samples, [d]."""
        slope = jax.grad(lambda x, part: self._sums(self.unravel(x), part).loss)
        total = _in_chunks(lambda part: slope(x, part), samples, self.chunk)
        return total / samples.labels.shape[0]

    def on_train(self, x: jax.Array, data: Samples, test: Samples) -> dict[str, jax.Array]:
        """Loss and accuracy on the honest workers' data."""
        measured = self._measure(x, data, _together(data))
        return dict(zip(("loss", "accuracy"), measured, strict=True))

    def on_test(self, x: jax.Array, data: Samples, test: Samples) -> dict[str, jax.Array]:
        """Loss and accuracy on what is held out."""
        measured = self._measure(x, data, test)
        return dict(zip(("test_loss", "test_accuracy"), measured, strict=True))

    def gradient_norm(self, x: jax.Array, data: Samples, test: Samples) -> dict[str, jax.Array]:
        """‖∇f‖ of the honest objective."""
        return {"gradient_norm": jnp.linalg.norm(self.gradient(_together(data), x))}

    def _sums(self, variables: Any, samples: Samples) -> _Sums:
        logits = jnp.asarray(self.module.apply(variables, samples.images))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, samples.labels)
        return _Sums(losses.sum(), (logits.argmax(axis=1) == samples.labels).sum())

    def _measure(
        self, x: jax.Array, data: Samples, samples: Samples
    ) -> tuple[jax.Array, jax.Array]:
        module: Any = self.module
        variables = self.unravel(x)
        if hasattr(module, "calibrate"):  # statistics of batches are recomputed, see `resnets`
            variables = module.calibrate(variables, _together(data).images, self.chunk)
        total = _in_chunks(lambda part: self._sums(variables, part), samples, self.chunk)
        return total.loss / samples.labels.shape[0], total.correct / samples.labels.shape[0]


def _together(data: Samples) -> Samples:
    """The honest workers' data [h, m, ...] as one set [h m, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), data)


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
