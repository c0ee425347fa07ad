"""Statistics of the honest vectors, and directions for attacks: plain functions [h, d] -> [d].

The honest vectors are the decoded messages of the h honest workers in one round. An attack with an
argument `direction` takes any function of them.

>>> own = lambda honest: honest[0] - honest[1]
>>> own(jnp.eye(2)).tolist()
[1.0, -1.0]
"""

import chex
import jax
import jax.numpy as jnp

from jaxbyz.column_passes import UNROLLED_ROWS, sum_of_rows


def honest_mean(honest: jax.Array) -> jax.Array:
    """μ, the mean of rows [h, d], in one pass or as one product: [d].

    >>> honest_mean(jnp.array([[0.0, 1.0], [2.0, 5.0]])).tolist()
    [1.0, 3.0]
    """
    chex.assert_rank(honest, 2)
    weights = jnp.full(honest.shape[0], 1 / honest.shape[0], honest.dtype)
    if len(honest) <= UNROLLED_ROWS:
        return sum_of_rows(weights, honest)
    return jnp.matmul(weights, honest, precision=jax.lax.Precision.HIGHEST)


def honest_deviation(honest: jax.Array, ddof: int = 1) -> jax.Array:
    """σ, the standard deviation of every coordinate over rows [h, d], divided by h - ddof: [d].

    Raises:
        ValueError: at trace time, h ≤ ddof.

    >>> honest_deviation(jnp.array([[0.0, 1.0], [2.0, 1.0]]), ddof=0).tolist()
    [1.0, 0.0]
    """
    h = honest.shape[0]
    if h <= ddof:
        raise ValueError(
            f"a deviation with ddof = {ddof} needs more than {ddof} honest workers, got {h}"
        )
    spread = (honest - honest_mean(honest)) ** 2
    return jnp.sqrt(honest_mean(spread) * (h / (h - ddof)))


def opposite_mean(honest: jax.Array) -> jax.Array:
    """-μ, the direction of IPM.

    >>> opposite_mean(jnp.array([[1.0], [2.0]])).tolist()
    [-1.5]
    """
    return -honest_mean(honest)


def mean_sign(honest: jax.Array) -> jax.Array:
    """The sign of every coordinate of μ.

    >>> mean_sign(jnp.array([[1.0, 0.0, -5.0]])).tolist()
    [1.0, 0.0, -1.0]
    """
    return jnp.sign(honest_mean(honest))


def mean_unit(honest: jax.Array) -> jax.Array:
    """μ/‖μ‖ (0 where μ is).

    >>> mean_unit(jnp.array([[0.0, -2.0]])).tolist()
    [0.0, -1.0]
    """
    mean = honest_mean(honest)
    return divide_or_zero(mean, jnp.linalg.norm(mean))


def divide_or_zero(vector: jax.Array, divisor: jax.Array) -> jax.Array:
    """vector / divisor, and 0 where the divisor is 0.

    >>> divide_or_zero(jnp.ones(2), jnp.array(0.0)).tolist()
    [0.0, 0.0]
    """
    return jnp.where(divisor > 0, vector / jnp.where(divisor > 0, divisor, 1), 0)
