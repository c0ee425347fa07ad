"""Classification of images with a flax model, over workers that hold different data."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.data import Dataset, load, validate
from jaxbyz.data.loading import by_name
from jaxbyz.problems.division import divide
from jaxbyz.problems.finite_sums import FiniteSum
from jaxbyz.problems.models import MLP, LightNet, is_known
from jaxbyz.problems.networks import Network, network_of, template_of
from jaxbyz.problems.problem import Problem, check_workers, prediction, require_data
from jaxbyz.problems.samples import together, weighted
from jaxbyz.problems.width import on_device


class Samples(NamedTuple):
    """Labelled features; one worker's data, a batch, or with a worker axis in front everybody's."""

    images: jax.Array  # [m, H, W, C], or other features [m, ...]
    labels: jax.Array  # [m]


@part
def classification(
    data: str | Dataset | tuple[Any, Any] = "digits",
    *,
    root: str | os.PathLike[str] | None = None,
    honest: int,
    byzantine: int = 0,
    alpha: float | None = None,
    partition: Any = None,
    weighting: str = "equal",
    model: Any = None,
    batch: int | None = None,
    chunk: int = 500,
    partition_seed: int = 0,
) -> Problem:
    """Cross-entropy of a model on labelled features that honest workers share out.

    f_i(x) = (1/m_i) Σ_j cross-entropy(model(x, feature_ij), label_ij),  f = (1/h) Σ f_i.

    Args:
        data: "digits" (comes with scikit-learn), "mnist", "fashion_mnist", "cifar10",
            "emnist_letters" and the other splits of EMNIST; a `jaxbyz.data.Dataset`; or arrays
            (features [N, ...], labels [N]) as `Dataset.from_arrays` takes them, of which a fifth
            becomes the test split; or two such pairs, of training and test.
        root: the folder with the files of a data set given by name; None: the environment variable
            JAXBYZ_DATA, then ./data.
        honest: h, the workers among whom the training data is divided.
        byzantine: f, workers besides these; the attack decides what data they hold.
        alpha: Dirichlet parameter of the division; None: i.i.d.
        partition: sample indices [h, m] instead of alpha; or h lists of different lengths m_i, as
            `data.dirichlet_unequal`, `data.power_law` or `data.by_owner` make them.
        weighting: of workers with different numbers of samples. "equal": f_i is the mean over a
            worker's samples, as above. "size": that mean times h m_i/Σ m_i, so that f is the mean
            over all samples.
        model: features [B, ...] -> logits [B, classes]: a module of flax.linen or flax.nnx, a
            function of `rngs` that makes one of flax.nnx, or a pair of functions (init, apply), as
            `networks.network_of` says. It must be pure, as the loss of `from_loss`. Default: of
            images `LightNet`, the conv net of the RoSDHB experiments, of other features an `MLP`. A
            module of flax.linen with a method `calibrate`, as in `resnets`, is evaluated with the
            statistics that it finds on the honest workers' training data.
        batch: samples in one draw; None: all local data, so that gradients are deterministic.
        chunk: how many images go through the model at a time. On CPU a part that fits into a
            core's cache is faster: `LightNet` on MNIST takes half the time on one core with 60.
        partition_seed: of the division; it is the same for all seeds of a run.

    `problem.unravel(x)` are the model's variables, `problem.predict(x, features)` its logits, also
    of such variables in place of x.

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
    if isinstance(data, tuple) and len(data) == 2:
        pairs = all(isinstance(part, tuple) and len(part) == 2 for part in data)
        if not pairs and partition is not None:
            raise ValueError(
                "partition must be of training samples that are known: a fifth of (features, "
                "labels) is drawn for the test, so give ((features, labels), (test_features, "
                "test_labels))"
            )
        data = Dataset.from_arrays(*data) if pairs else Dataset.from_arrays(data)
    require_data(
        data, "train_images", "(features, labels), or jaxbyz.data.Dataset.from_arrays(...)"
    )
    if model is not None:
        network_of(model)  # raises before data are read
    dataset = validate(by_name(load, data, root))
    division = divide(dataset.train_labels, honest, alpha, partition, partition_seed, weighting)
    batch = division.batch(batch)
    if model is None:
        model = (LightNet if dataset.train_images.ndim == 4 else MLP)(dataset.classes)
    form = jax.ShapeDtypeStruct(dataset.train_images.shape[1:], dataset.train_images.dtype)
    make = _known_objective if is_known(model) else _objective
    network, template, mean = make(model, form, dataset.classes, batch, chunk)
    if network.calibrate is not None and division.weights is not None:
        raise ValueError(
            "model must need no statistics of batches where workers have different numbers of "
            "samples, got one that calibrates"
        )
    d = sum(leaf.size for leaf in jax.tree.leaves(template))
    some = dataset.train_images[:1]
    images = on_device("train_images", dataset.train_images[division.places])
    labels = jnp.asarray(dataset.train_labels[division.places])
    local = weighted(Samples(images, labels), division)
    return Problem(
        name=dataset.name,
        honest=honest,
        byzantine=byzantine,
        dimension=d,
        data=local,
        test=Samples(
            on_device("test_images", dataset.test_images), jnp.asarray(dataset.test_labels)
        ),
        oracle=mean.oracle,
        init=lambda key: ravel_pytree(network.init(key, jnp.asarray(some)))[0],
        evaluators={
            "train": mean.evaluator(held_out=False),
            "test": mean.evaluator(held_out=True),
            "gradient": mean.gradient_norm,
        },
        classes=dataset.classes,
        unravel=mean.unravel,
        predict=prediction(
            lambda x, features: jnp.asarray(network.apply(mean.evaluated_with(x, local), features)),
            d,
            dataset.train_images.shape[1:],
            template,
        ),
        sizes=division.sizes,
        batch=batch,
    )


class _Objective(NamedTuple):
    """What a model learns, whatever the data are."""

    network: Network
    template: Any  # shapes of its variables
    mean: FiniteSum


def _objective(
    model: Any, features: jax.ShapeDtypeStruct, classes: int, batch: int | None, chunk: int
) -> _Objective:
    """Of a model of such features, without the axis [m] of samples."""
    network = network_of(model)
    one = jax.ShapeDtypeStruct((1, *features.shape), features.dtype)
    template = template_of(network, one, classes)
    _, unravel = ravel_pytree(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), template))
    return _Objective(network, template, _cross_entropy(network, unravel, batch, chunk))


# Equal models of equal features are one objective, which is traced once.
_known_objective = functools.lru_cache(maxsize=64)(_objective)


def _cross_entropy(
    network: Network, unravel: Callable[[jax.Array], Any], batch: int | None, chunk: int
) -> FiniteSum:
    """Of a model's logits, with the column "accuracy"."""

    def columns(names: tuple[str, ...], variables: Any, samples: Samples) -> dict[str, jax.Array]:
        del names
        logits = jnp.asarray(network.apply(variables, samples.images))
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, samples.labels)
        return {"loss": loss, "accuracy": logits.argmax(axis=1) == samples.labels}

    calibrate = network.calibrate

    def calibrated(x: jax.Array, data: Samples) -> Any:
        """Statistics of batches are recomputed, see `resnets`."""
        assert calibrate is not None
        return calibrate(unravel(x), together(data).images, chunk)

    return FiniteSum(
        columns, ("loss", "accuracy"), unravel, batch, chunk, whole=True,
        calibrated=None if calibrate is None else calibrated,
    )  # fmt: skip
