"""Exact expectations over random subsets, of formulas and of the shipped code.

Means over all k-subsets are taken by enumeration. One round of an algorithm is run as it is
shipped, for one outcome of its draws.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.core import Algorithm, Oracle
from jaxbyz.deprecations import renamed


def all_subsets(d: int, k: int) -> np.ndarray:
    """All k-subsets of 0..d-1, each in increasing order, [C(d, k), k].

    Raises:
        ValueError: not 1 ≤ k ≤ d.

    >>> all_subsets(3, 2).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    d = checks.count("d", d, minimum=1)
    k = checks.count("k", k, minimum=1, maximum=d)
    return np.array(list(itertools.combinations(range(d), k)))


def mask_mean(function: Callable[[jax.Array], Any], d: int, k: int) -> Any:
    """E function(P), where P [d] is d/k on a uniform k-subset and 0 elsewhere: an exact mean.

    >>> mask_mean(lambda mask: mask**2, 4, 2).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    subsets = all_subsets(d, k)
    masks = np.zeros((len(subsets), d))
    np.put_along_axis(masks, subsets, d / k, axis=1)
    values = jax.vmap(function)(jnp.asarray(masks))
    return jax.tree.map(lambda leaf: leaf.mean(axis=0), values)


def one_round(
    algorithm: Algorithm, oracle: Callable[[Any], Oracle], data: Any, state: Any, broadcast: Any
) -> Any:
    """The server's state after one round in which all workers are honest.

    Runs `algorithm.worker.step` and `algorithm.server.step` as they are shipped; nothing of the
    algorithm is written down here. For workers without memory, full gradients, and rules that draw
    nothing: then the broadcast is all the chance there is, and the keys do not matter.

    Args:
        algorithm: from `jaxbyz.algorithms`.
        oracle: one worker's entry of the data -> what it may ask (`Problem.oracle`).
        data: leaves [h, ...].
        state: the server's state before the round.
        broadcast: what the server broadcasts; one outcome of its draw.
    """
    key = jax.random.key(0, impl="threefry2x32")

    def answer(entry: Any) -> Any:
        _, message = algorithm.worker.step(key, (), broadcast, oracle(entry))
        return message

    after, _ = algorithm.server.step(key, state, broadcast, jax.vmap(answer)(data))
    return after


__getattr__ = renamed(__name__, {"play": "one_round"}, globals())
