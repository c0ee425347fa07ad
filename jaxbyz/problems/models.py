"""Small flax models for images [B, H, W, C] -> logits [B, classes].

Parameters start uniform on ±1/√fan_in, weights and biases alike, the default of the framework in
which the published experiments were run.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp


def _uniform(fan_in: int) -> nn.initializers.Initializer:
    """Uniform on ±1/√fan_in."""
    bound = fan_in**-0.5

    def init(key: jax.Array, shape: Sequence[int], dtype: jnp.dtype = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def dense(features: int, inputs: jax.Array) -> jax.Array:
    """A fully connected layer [B, inputs] -> [B, features], inside a compact module."""
    init = _uniform(inputs.shape[-1])
    return nn.Dense(features, kernel_init=init, bias_init=init)(inputs)


class Linear(nn.Module):
    """Softmax regression on the pixels.

    >>> images = jnp.zeros((2, 8, 8, 1))
    >>> model = Linear(classes=10)
    >>> variables = model.init(jax.random.key(0), images)
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables))
    650
    """

    classes: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, classes]."""
        return dense(self.classes, images.reshape(images.shape[0], -1))


class MLP(nn.Module):
    """Fully connected layers with ReLU.

    >>> images = jnp.zeros((2, 8, 8, 1))
    >>> MLP(classes=10, hidden=(32,)).init_with_output(jax.random.key(0), images)[0].shape
    (2, 10)
    """

    classes: int
    hidden: Sequence[int] = (64,)

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, classes]."""
        features = images.reshape(images.shape[0], -1)
        for width in self.hidden:
            features = nn.relu(dense(width, features))
        return dense(self.classes, features)


class LightNet(nn.Module):
    """The conv net of the RoSDHB experiments: 3x3 conv to 6 channels, ReLU, 2x2 max-pool, linear.

    On 28x28 grey images it has exactly 11,830 parameters, on 8x8 ones 1,030.

    >>> images = jnp.zeros((2, 28, 28, 1))
    >>> variables = LightNet(classes=10).init(jax.random.key(0), images)
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables))
    11830
    """

    classes: int
    channels: int = 6

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, classes]."""
        init = _uniform(9 * images.shape[-1])
        kernel = self.param("kernel", init, (3, 3, images.shape[-1], self.channels))
        bias = self.param("bias", init, (self.channels,))
        pooled = convolve_and_pool(images.transpose(3, 1, 2, 0), kernel)  # [F, H/2, W/2, B]
        # ReLU and the bias commute with the maximum, and come after it at a quarter of the cost.
        features = nn.relu(pooled + bias[:, None, None, None])
        return dense(self.classes, features.reshape(-1, images.shape[0]).T)


def convolve_and_pool(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """3x3 convolution with zero padding 1, then the maximum over 2x2 windows.

    On CPU a convolution inside a loop falls off the fast path and costs ten times more; there it
    is computed as four products of patches with the kernel, one for each place in the window,
    with the batch as the fastest axis. Elsewhere it is the ordinary convolution.

    Args:
        images: [C, H, W, B].
        kernel: [3, 3, C, F].

    Returns:
        [F, ⌊H/2⌋, ⌊W/2⌋, B].

    >>> convolve_and_pool(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1))).max().item()
    9.0
    """
    return jax.lax.platform_dependent(
        images, kernel, cpu=_pool_of_patches, default=_pool_of_convolution
    )


def _pool_of_patches(images: jax.Array, kernel: jax.Array) -> jax.Array:
    channels, height, width, batch = images.shape
    rows, columns = height // 2, width // 2
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    weights = kernel.reshape(9 * channels, -1).T  # [F, 9C]
    best = None
    for a in range(2):
        for b in range(2):
            taps = [
                padded[:, a + i : a + i + 2 * rows : 2, b + j : b + j + 2 * columns : 2]
                for i in range(3)
                for j in range(3)
            ]
            patches = jnp.concatenate(taps)  # [9C, H/2, W/2, B]
            here = weights @ patches.reshape(9 * channels, -1)
            # Unlike `maximum`, this has a derivative of one argument only, also at ties.
            best = here if best is None else jnp.where(here > best, here, best)
    assert best is not None
    return best.reshape(-1, rows, columns, batch)


def _pool_of_convolution(images: jax.Array, kernel: jax.Array) -> jax.Array:
    features = jax.lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=("CHWN", "HWIO", "CHWN")
    )
    return jax.lax.reduce_window(
        features, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
    )
