"""Expectations over a uniform k-subset, by enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks

__all__ = ["all_subsets", "mask_mean"]


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
