"""Residual networks for images of the size of CIFAR's, [B, H, W, C] -> logits [B, classes].

    x ↦ ReLU(shortcut(x) + norm(conv(ReLU(norm(conv(x))))))   in stages of growing width,

after one 3x3 convolution, before a mean over all places and a linear layer. Normalisation is a
choice: `group_norm` has no memory, and is the default. `BatchNorm` uses the statistics of the
batch that goes through; nothing of it is state or message. To evaluate with it, `calibrate`
recomputes the statistics on training data, and the network then uses these.

Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016; Ioffe,
Szegedy, "Batch normalization", ICML 2015; Wu, He, "Group normalization", ECCV 2018.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.problems.models import dense

Norm = Callable[[], nn.Module]
Shortcut = Callable[[jax.Array, int, int, Norm], jax.Array]

_STATISTICS = "statistics"
_HE = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def group_norm(groups: int = 8) -> Norm:
    """Normalisation of every image by itself, in so many groups of channels.

    Raises:
        ValueError: groups < 1.

    >>> group_norm(4)().num_groups
    4
    """
    return functools.partial(nn.GroupNorm, num_groups=checks.count("groups", groups, 1))


class BatchNorm(nn.Module):
    """(x - mean) / √(variance + ε) times a scale plus a bias, all per channel.

    Mean and (biased) variance are those of all places in the batch, that is, of the images that
    go through the network together (in `classification`, at most `chunk` of them); or, where the
    variables have a collection "statistics", the ones that are stored there.

    >>> images = jnp.array([-1.0, 1.0]).reshape(2, 1, 1, 1)
    >>> output, _ = BatchNorm(epsilon=0.0).init_with_output(jax.random.key(0), 5 * images + 3)
    >>> output.ravel().tolist()
    [-1.0, 1.0]
    """

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H, W, C]."""
        channels = images.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        if self.has_variable(_STATISTICS, "mean"):
            mean: jax.Array = self.get_variable(_STATISTICS, "mean")
            variance: jax.Array = self.get_variable(_STATISTICS, "variance")
        else:
            mean = images.mean(axis=(0, 1, 2))
            variance = images.var(axis=(0, 1, 2))
            count = images.size // channels
            self.sow("intermediates", "mean", mean)
            # What is stored estimates the variance of the data, hence without bias.
            self.sow("intermediates", "variance", variance * (count / max(count - 1, 1)))
        return (images - mean) * jax.lax.rsqrt(variance + self.epsilon) * scale + bias


def padded(images: jax.Array, features: int, stride: int, norm: Norm) -> jax.Array:
    """The shortcut without parameters: every stride-th place, new channels are 0.

    >>> padded(jnp.ones((1, 4, 4, 2)), 4, 2, group_norm()).sum(axis=(1, 2)).tolist()
    [[0.0, 4.0, 4.0, 0.0]]
    """
    del norm
    new = features - images.shape[-1]
    channels = (new // 2, new - new // 2)
    return jnp.pad(images[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), channels))


def projected(images: jax.Array, features: int, stride: int, norm: Norm) -> jax.Array:
    """The shortcut that is a 1x1 convolution and a normalisation; for use inside a module."""
    return norm()(_convolution(features, 1, stride)(images))


class _Block(nn.Module):
    features: int
    stride: int
    norm: Norm
    shortcut: Shortcut

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        inner = nn.relu(self.norm()(_convolution(self.features, 3, self.stride)(images)))
        inner = self.norm()(_convolution(self.features, 3, 1)(inner))
        if inner.shape != images.shape:
            images = self.shortcut(images, self.features, self.stride, self.norm)
        return nn.relu(images + inner)


class ResNet(nn.Module):
    """Stages of residual blocks; every stage but the first halves height and width.

    Weights of convolutions start Gaussian with variance 2/fan_out, the linear layer uniform on
    ±1/√fan_in.

    >>> model = ResNet(classes=3, blocks=(1, 1), widths=(8, 16))
    >>> variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((2, 4, 4, 1)))
    >>> variables["params"]["Dense_0"]["kernel"].shape
    (16, 3)
    """

    classes: int
    blocks: Sequence[int]  # of every stage
    widths: Sequence[int]  # channels of every stage
    norm: Norm = group_norm()
    shortcut: Shortcut = padded

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, classes]."""
        features = nn.relu(self.norm()(_convolution(self.widths[0], 3, 1)(images)))
        for stage, (blocks, width) in enumerate(zip(self.blocks, self.widths, strict=True)):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                features = _Block(width, stride, self.norm, self.shortcut)(features)
        return dense(self.classes, features.mean(axis=(1, 2)))

    @nn.nowrap
    def calibrate(self, variables: Any, images: jax.Array, batch: int) -> Any:
        """Variables with the statistics for evaluation, from training images [N, H, W, C].

        The statistics are means over consecutive batches of what `BatchNorm` finds in each, in
        the mode of training; the last N mod batch images are left out (if N < batch, all are one
        batch). With another normalisation the variables are returned as they are.
        """
        size = min(batch, images.shape[0])
        count = images.shape[0] // size
        batches = images[: count * size].reshape(count, size, *images.shape[1:])

        def moments(part: jax.Array) -> Any:
            _, seen = self.apply(variables, part, mutable=["intermediates"])
            return seen.get("intermediates", {})

        shape = jax.eval_shape(moments, batches[0])
        if not jax.tree.leaves(shape):
            return variables
        total = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)

        def add(total: Any, part: jax.Array) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, moments(part)), None

        total, _ = jax.lax.scan(add, total, batches)
        mean = jax.tree.map(  # flax keeps what was sown as tuples, of one entry here
            lambda entries: entries[0] / count, total, is_leaf=lambda node: isinstance(node, tuple)
        )
        return {**variables, _STATISTICS: mean}


def resnet18(classes: int, norm: Norm | None = None) -> ResNet:
    """ResNet-18 with the stem for small images; 11,173,962 parameters for 10 classes in colour.

    `norm` is `group_norm(...)` (the default) or `BatchNorm`.

    >>> resnet18(10).widths
    (64, 128, 256, 512)
    """
    classes, widths = checks.count("classes", classes, 1), (64, 128, 256, 512)
    return ResNet(classes, (2, 2, 2, 2), widths, norm or group_norm(), projected)


def resnet20(classes: int, norm: Norm | None = None) -> ResNet:
    """ResNet-20 for CIFAR, shortcuts without parameters; 269,722 parameters for 10 classes.

    `norm` is `group_norm(...)` (the default) or `BatchNorm`.

    >>> resnet20(10).blocks
    (3, 3, 3)
    """
    classes = checks.count("classes", classes, 1)
    return ResNet(classes, (3, 3, 3), (16, 32, 64), norm or group_norm(), padded)


def _convolution(features: int, size: int, stride: int) -> nn.Conv:
    return nn.Conv(
        features, (size, size), stride, padding=size // 2, use_bias=False, kernel_init=_HE
    )
