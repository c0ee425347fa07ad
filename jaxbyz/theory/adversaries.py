"""Adversaries as data: what each of them can make of an instance.

`engines.worst_adversary` finds the worst of what they can do.

A robust rule is known by one property: its error e, the distance of its output from the honest
mean, is short. Whoever may choose e within that limit is an adversary of every claim that e enters.
What it can make of an instance is a `Reach`: another instance, and the errors centre + spanᵀ t with
‖t‖ ≤ 1.

    ball      every error that (f, κ)-robustness allows               span = radius · I
    linear    m̄ + Σ t_i (m_i - m̄), all weights of coefficient κ       span = √(κ/h) · (m_i - m̄)
    stall     the state in which momenta cancel, R = 0                a point
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Reach(NamedTuple):
    """What an adversary can make of an instance: errors centre + spanᵀ t, ‖t‖ ≤ 1."""

    instance: Any
    centre: jax.Array  # [d]
    span: jax.Array  # [p, d], where p may be another for every adversary


Adversary = Callable[[Any], Reach]  # instance -> what it can make of it


@dataclasses.dataclass(frozen=True)
class Adversaries:
    """The known adversaries of a claim, and where the error stands in its instances.

    left - right of the claim must be quadratic in the error (quadratic losses, linear compressors).
    """

    by_name: Mapping[str, Adversary]
    replace: Callable[[Any, jax.Array], Any]  # (instance, e [d]) -> the instance with this error
    error: Callable[[Any], jax.Array]  # instance -> the error that it has


def fixed(instance: Any, error: jax.Array) -> Reach:
    """One error [d] and no other.

    >>> fixed(None, jnp.array([1.0, 2.0])).span.tolist()
    [[0.0, 0.0]]
    """
    return Reach(instance, error, jnp.zeros((1, error.shape[0])))


def balanced(h: int) -> jax.Array:
    """Numbers c [h] of sum 0 and mean square 1.

    >>> balanced(2).tolist()
    [1.0, -1.0]
    """
    return jnp.sqrt(h / 2) * jnp.zeros(h).at[0].set(1.0).at[1].set(-1.0)
