"""The samples of a worker: how many there are, what each counts, which are drawn.

Samples are a pytree of arrays [m, ...]. All workers' arrays have the same length. Where workers
have different numbers of samples, the data of each are `Weighted`: those with few are filled up
with samples that count nothing, so that memory and time are those of h times the largest number.
In all other cases the data are the samples themselves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.core import Key
from jaxbyz.problems.division import Division


class Weighted(NamedTuple):
    """Samples and what they count: the mean of a loss is Σ_j w_j loss_j / (number of w_j > 0)."""

    samples: Any  # leaves [m, ...]
    weights: jax.Array  # [m] 0: not a sample of this worker


def weighted(samples: Any, division: Division) -> Any:
    """The data of all workers, of whom each has leaves [m, ...] of `samples` [h, m, ...].

    >>> from jaxbyz.problems.division import divide
    >>> weighted(jnp.zeros((2, 2)), divide(3, 2, None, [[0], [1, 2]], 0, "equal")).weights.tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    weights = division.weights
    return samples if weights is None else Weighted(samples, jnp.asarray(weights, float))


def parted(data: Any) -> tuple[Any, jax.Array | None]:
    """Samples, and their weights where they do not all count 1.

    >>> parted(Weighted(3, 4)), parted(3)
    ((3, 4), (3, None))
    """
    return (data.samples, data.weights) if isinstance(data, Weighted) else (data, None)


def with_samples(data: Any, samples: Any) -> Any:
    """The same data with other samples, which count the same.

    >>> with_samples(Weighted(3, 4), 5)
    Weighted(samples=5, weights=4)
    """
    return data._replace(samples=samples) if isinstance(data, Weighted) else samples


def length(data: Any) -> int:
    """m, with those that count nothing.

    >>> length({"rows": jnp.zeros((3, 2)), "labels": jnp.zeros(3)})
    3
    """
    return jax.tree.leaves(data)[0].shape[0]


def owned(data: Any) -> Any:
    """Which of the m positions are samples of the worker, [m] bool.

    >>> owned(Weighted(jnp.zeros(2), jnp.array([0.5, 0.0]))).tolist()
    [True, False]
    """
    _, weights = parted(data)
    return np.ones(length(data), bool) if weights is None else weights > 0


def counted(data: Any) -> Any:
    """How many samples there are, at least 1: what a sum is divided by.

    >>> counted(jnp.zeros(4)), counted(Weighted(jnp.zeros(2), jnp.array([0.5, 0.0]))).item()
    (4, 1)
    """
    _, weights = parted(data)
    return length(data) if weights is None else jnp.maximum((weights > 0).sum(), 1)


def summed(values: jax.Array, data: Any) -> jax.Array:
    """Σ_j w_j values_j of values [m], in their own dtype where all count 1.

    >>> summed(jnp.array([2.0, 7.0]), Weighted(jnp.zeros(2), jnp.array([0.5, 0.0]))).item()
    1.0
    """
    _, weights = parted(data)
    return values.sum() if weights is None else (values * weights).sum()


def together(data: Any) -> Any:
    """The workers' data [h, m, ...] as one set [h m, ...], whose mean is the mean of theirs.

    >>> together(jnp.zeros((2, 3, 4))).shape
    (6, 4)
    >>> together(Weighted(jnp.zeros((2, 2)), jnp.array([[1.0, 0.0], [1.0, 1.0]]))).weights.tolist()
    [1.5, 0.0, 0.75, 0.75]
    """
    if isinstance(data, Weighted):
        sizes = (data.weights > 0).sum(axis=1)
        relative = sizes.sum() / (len(sizes) * sizes)
        data = data._replace(weights=data.weights * relative[:, None])
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), data)


def drawn(key: Key, data: Any, batch: int | None, *, replace: bool) -> Any:
    """Positions of a batch among the worker's samples, [b]; all m if batch is None.

    >>> data = Weighted(jnp.zeros(3), jnp.array([1.0, 1.0, 0.0]))
    >>> sorted(drawn(jax.random.key(0), data, 2, replace=False).tolist())
    [0, 1]
    """
    m = length(data)
    if batch is None:
        return jnp.arange(m)
    _, weights = parted(data)
    if replace:  # what counts nothing comes last
        return jax.random.randint(key, (batch,), 0, m if weights is None else counted(data))
    share = None if weights is None else owned(data) / counted(data)
    return jax.random.choice(key, m, (batch,), replace=False, p=share)


def at(places: Any, data: Any) -> Any:
    """The samples at these positions [b], as they count.

    >>> at(jnp.array([1, 1]), jnp.array([5.0, 7.0])).tolist()
    [7.0, 7.0]
    """
    return jax.tree.map(lambda leaf: leaf[places], data)
