import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxbyz.data import Dataset
from jaxbyz.problems import classification
from jaxbyz.problems.resnets import (
    BatchNorm,
    ResNet,
    group_norm,
    padded,
    projected,
    resnet18,
    resnet20,
)

x64 = pytest.mark.usefixtures("x64")
KEY = jax.random.key(0)
NORMS = [None, BatchNorm]


def shapes(model, images):
    return jax.eval_shape(model.init, KEY, jnp.zeros(images))


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def drawn(model, images, seed=0):
    """Variables with every entry drawn, so that no scale is 1 and no bias 0."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray((rng.normal(size=leaf.shape) * 0.5).astype(leaf.dtype)),
        shapes(model, images.shape),
    )


def pictures(count, size=4, channels=2, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(count, size, size, channels)))


# ---- sizes -------------------------------------------------------------------------------------


def conv(size, inputs, outputs):
    return size * size * inputs * outputs + 2 * outputs  # and the normalisation behind it


@pytest.mark.parametrize("norm", NORMS)
def test_parameters_of_resnet20(norm):
    stages = (
        6 * conv(3, 16, 16),
        conv(3, 16, 32) + 5 * conv(3, 32, 32),
        conv(3, 32, 64) + 5 * conv(3, 64, 64),
    )
    expected = conv(3, 3, 16) + sum(stages) + 64 * 10 + 10
    assert expected == 269_722
    variables = shapes(resnet20(10, norm), (1, 32, 32, 3))
    assert count(variables) == expected
    assert list(variables) == ["params"]  # nothing is state


@pytest.mark.parametrize("norm", NORMS)
def test_parameters_of_resnet18(norm):
    def stage(inputs, outputs):  # two blocks, the first with a projection
        return conv(3, inputs, outputs) + 3 * conv(3, outputs, outputs) + conv(1, inputs, outputs)

    stages = 4 * conv(3, 64, 64) + stage(64, 128) + stage(128, 256) + stage(256, 512)
    expected = conv(3, 3, 64) + stages + 512 * 10 + 10
    assert expected == 11_173_962
    variables = shapes(resnet18(10, norm), (1, 32, 32, 3))
    assert count(variables) == expected
    assert list(variables) == ["params"]


def test_layers_and_logits():
    # 1 + 2 · 9 + 1 and 1 + 2 · 8 + 1 layers with weights, not counting projections.
    for model, layers, projections in ((resnet20(7), 20, 0), (resnet18(7), 18, 3)):
        variables = shapes(model, (1, 32, 32, 3))
        kernels = [
            leaf for path, leaf in jax.tree.leaves_with_path(variables) if "kernel" in str(path)
        ]
        assert len(kernels) == layers + projections
        images = jax.ShapeDtypeStruct((5, 32, 32, 3), jnp.float32)
        assert jax.eval_shape(model.apply, variables, images).shape == (5, 7)


def test_a_small_gradient_of_resnet20():
    model = resnet20(10)
    images = pictures(2, size=8, channels=3).astype(jnp.float32)
    variables = drawn(model, images)

    def loss(variables):
        return jax.nn.log_softmax(model.apply(variables, images))[:, 0].mean()

    gradient = jax.jit(jax.grad(loss))(variables)
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()
        assert np.asarray(leaf).any()


@pytest.mark.parametrize("make", [resnet18, resnet20])
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match="classes must be an integer >= 1, got 0"):
        make(0)
    with pytest.raises(ValueError, match="groups must be an integer >= 1, got 0"):
        make(10, group_norm(0))


# ---- the network in NumPy ----------------------------------------------------------------------


def convolve(images, kernel, stride):
    """Cross-correlation with zero padding ⌊size/2⌋, entry by entry."""
    size = kernel.shape[0]
    edge = size // 2
    images = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    rows = range(0, images.shape[1] - size + 1, stride)
    return np.stack(
        [
            np.stack(
                [
                    np.tensordot(images[:, i : i + size, j : j + size], kernel, 3)
                    for j in range(0, images.shape[2] - size + 1, stride)
                ],
                axis=1,
            )
            for i in rows
        ],
        axis=1,
    )


def batch_norm(images, parameters):
    flat = images.reshape(-1, images.shape[-1])
    centred = (images - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + 1e-5)
    return centred * parameters["scale"] + parameters["bias"]


def grouped_norm(images, parameters, groups=2):
    b, h, w, c = images.shape
    parts = images.reshape(b, h, w, groups, c // groups)
    mean = parts.mean(axis=(1, 2, 4), keepdims=True)
    variance = parts.var(axis=(1, 2, 4), keepdims=True)
    centred = ((parts - mean) / np.sqrt(variance + 1e-6)).reshape(images.shape)
    return centred * parameters["scale"] + parameters["bias"]


def forward(parameters, images, blocks, normalise, shortcut):
    """The logits, in NumPy."""
    kind = "BatchNorm" if normalise is batch_norm else "GroupNorm"

    def layer(images, own, position, stride):
        image = convolve(images, own[f"Conv_{position}"]["kernel"], stride)
        return normalise(image, own[f"{kind}_{position}"])

    features = np.maximum(layer(images, parameters, 0, 1), 0)
    number = 0
    for stage, times in enumerate(blocks):
        for block in range(times):
            own = parameters[f"_Block_{number}"]
            stride = 2 if stage and not block else 1
            inner = layer(np.maximum(layer(features, own, 0, stride), 0), own, 1, 1)
            if inner.shape != features.shape:
                if shortcut is projected:
                    features = layer(features, own, 2, stride)
                else:
                    new = inner.shape[-1] - features.shape[-1]
                    thin = features[:, ::2, ::2]
                    zeros = np.zeros((*thin.shape[:3], new // 2))
                    features = np.concatenate([zeros, thin, zeros], axis=3)
            features = np.maximum(features + inner, 0)
            number += 1
    dense = parameters["Dense_0"]
    return features.mean(axis=(1, 2)) @ dense["kernel"] + dense["bias"]


@x64
@pytest.mark.parametrize("shortcut", [padded, projected])
@pytest.mark.parametrize(
    ("norm", "normalise"), [(BatchNorm, batch_norm), (group_norm(2), grouped_norm)]
)
def test_the_network_is_that_of_numpy(norm, normalise, shortcut):
    model = ResNet(classes=3, blocks=(1, 2), widths=(2, 4), norm=norm, shortcut=shortcut)
    images = pictures(5)
    variables = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), drawn(model, images))
    expected = forward(
        jax.tree.map(np.asarray, variables["params"]), np.asarray(images), (1, 2), normalise,
        shortcut,
    )  # fmt: skip
    # Rounding, a few hundred times enlarged by the normalisations of nearly constant channels.
    np.testing.assert_allclose(jax.jit(model.apply)(variables, images), expected, atol=1e-10)


# ---- statistics --------------------------------------------------------------------------------


def normalised():
    return ResNet(classes=3, blocks=(1, 1), widths=(2, 4), norm=BatchNorm)


@x64
def test_calibration_stores_the_means_of_training_batches():
    model = normalised()
    images = pictures(11)
    variables = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), drawn(model, images))
    calibrated = jax.jit(functools.partial(model.calibrate, batch=5))(variables, images)
    assert set(calibrated) == {"params", "statistics"}
    # The first layer by hand, over two batches of five; the eleventh image is left out.
    kernel = np.asarray(variables["params"]["Conv_0"]["kernel"])
    found = convolve(np.asarray(images[:10]), kernel, 1).reshape(2, 5 * 16, 2)
    statistics = calibrated["statistics"]["BatchNorm_0"]
    np.testing.assert_allclose(statistics["mean"], found.mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(
        statistics["variance"], found.var(axis=1, ddof=1).mean(axis=0), rtol=1e-12
    )
    assert len(jax.tree.leaves(calibrated["statistics"])) == 2 * 5  # of every normalisation
    # In evaluation an image has its logits whatever stands beside it, in training it has not.
    evaluate = jax.jit(model.apply)
    alone, together = evaluate(calibrated, images[:1]), evaluate(calibrated, images)[:1]
    np.testing.assert_allclose(alone, together, rtol=1e-10)
    training = evaluate(variables, images)[:1]
    assert np.abs(evaluate(variables, images[:1]) - training).max() > 1e-3
    # One batch: evaluation on it is training on it, but for the bias of the variance, n/(n-1),
    # with n = 11 images of 16 places, after the halving of 4.
    once = model.calibrate(variables, images, 100)
    places = {"BatchNorm_0": 11 * 16, "_Block_0": 11 * 16, "_Block_1": 11 * 4}
    biased = {
        name: jax.tree.map_with_path(
            lambda path, leaf, n=n: leaf * (1 - 1 / n) if "variance" in str(path) else leaf,
            once["statistics"][name],
        )
        for name, n in places.items()
    }
    again = evaluate({**variables, "statistics": biased}, images)[:1]
    np.testing.assert_allclose(again, training, rtol=1e-10)


def test_nothing_is_calibrated_without_batch_statistics():
    model = ResNet(classes=3, blocks=(1,), widths=(2,), norm=group_norm(2))
    images = pictures(4).astype(jnp.float32)
    variables = drawn(model, images)
    assert model.calibrate(variables, images, 2) is variables


def test_classification_evaluates_with_recomputed_statistics():
    rng = np.random.default_rng(0)
    images = [rng.normal(size=(n, 4, 4, 2)).astype(np.float32) for n in (12, 5)]
    labels = [np.arange(n, dtype=np.int32) % 3 for n in (12, 5)]
    data = Dataset("tiny", images[0], labels[0], images[1], labels[1], 3)
    model = normalised()
    problem = classification(data, honest=2, model=model, batch=3, chunk=4)
    variables = drawn(model, images[0])
    x, _ = ravel_pytree(variables)
    assert problem.dimension == x.size  # statistics are neither parameters nor messages

    @jax.jit
    def measure(x, data, test):
        evaluators = problem.evaluators
        return evaluators["train"](x, data, test) | evaluators["test"](x, data, test)

    measured = measure(x, problem.data, problem.test)
    # Statistics of the honest workers' images in batches of a chunk, then each image by itself.
    honest = problem.data.images.reshape(-1, 4, 4, 2)
    calibrated = jax.jit(functools.partial(model.calibrate, batch=4))(variables, honest)
    for name, inputs, answers in (
        ("loss", honest, problem.data.labels.ravel()),
        ("test_loss", images[1], labels[1]),
    ):
        logits = np.asarray(jax.jit(model.apply)(calibrated, inputs), np.float64)
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        expected = -np.log(chances[np.arange(len(answers)), answers]).mean()
        assert measured[name] == pytest.approx(expected, rel=1e-5)  # float32
