"""Attacks made for one kind of rule: comparative gradient elimination, order statistics."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.base import forged, from_view
from jaxbyz.attacks.directions import divide_or_zero, honest_mean
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View

INFINITY = float("inf")


@part
def anti_cge(margin: Any = 1e-3) -> Attack:
    """Against the n-f rows of least norm: opposite to the smallest honest rows, and as small.

    v points against the sum of the h-f honest rows of least norm, and its norm is (1 - margin)
    times the next honest norm: comparative gradient elimination keeps it and drops f honest rows.

    Raises:
        ValueError: margin outside (0, 1); at trace time h ≤ f.

    >>> anti_cge().name
    'anti-CGE'
    """
    checks.interval("margin", margin, 0, 1, closed="neither")

    def rows(key: Key, view: View) -> jax.Array:
        del key
        h, f = view.honest.shape[0], view.byzantine
        if h <= f:
            raise ValueError(f"anti_cge needs more honest than Byzantine workers, got {h} and {f}")
        norms = jnp.linalg.norm(view.honest, axis=1)
        order = jnp.argsort(norms)
        away = -view.honest[order[: h - f]].sum(axis=0)
        length = jnp.linalg.norm(away)
        size = (1 - margin) * norms[order[min(h - f, h - 1)]]
        return size * divide_or_zero(away, length)

    return from_view("anti-CGE", rows)


def _beyond(honest: jax.Array, factor: Any) -> tuple[jax.Array, jax.Array]:
    """The near and the far end of where local poisoning puts its values, [d] each."""
    bottom, top = honest.min(axis=0), honest.max(axis=0)
    above = jnp.where(top > 0, factor * top, top / factor)
    below = jnp.where(bottom > 0, bottom / factor, factor * bottom)
    falling = honest_mean(honest) < 0
    return jnp.where(falling, top, bottom), jnp.where(falling, above, below)


@part
def local_poisoning(factor: Any = 2.0) -> Attack:
    """Against trimmed mean and median: just beyond the honest values, on the wrong side of 0.

    Fang, Cao, Jia, Gong, USENIX Security 2020, full knowledge, factor b = 2. In a coordinate with
    μ < 0 values are uniform in [max, b max] ([max, max/b] where max < 0), else in [min/b, min]
    ([b min, min] where min < 0), over honest values; fresh for every row and coordinate.

    Raises:
        ValueError: factor is not a finite number > 1.

    >>> local_poisoning().name
    'local poisoning'
    """
    checks.interval("factor", factor, 1, INFINITY, closed="neither")

    def rows(key: Key, view: View) -> jax.Array:
        near, far = _beyond(view.honest, factor)
        shape = (view.byzantine, view.honest.shape[1])
        share = jax.random.uniform(key, shape, view.honest.dtype)
        return near + share * (far - near)

    return from_view("local poisoning", rows)


@part
def local_poisoning_ends(factor: Any = 2.0) -> Attack:
    """`local_poisoning` at the far ends of its intervals: no randomness, all rows equal.

    Raises:
        ValueError: factor is not a finite number > 1.

    >>> local_poisoning_ends().name
    'local poisoning, ends'
    """
    checks.interval("factor", factor, 1, INFINITY, closed="neither")
    return forged("local poisoning, ends", lambda honest: _beyond(honest, factor)[1])
