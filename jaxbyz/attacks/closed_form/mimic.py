"""Mimicry: sending exactly what one honest worker sends, so that it counts f+1 times.

Karimireddy, He, Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing", ICLR
2022. Each such message is honest; together they give heterogeneous honest workers wrong weights.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.base import from_view
from jaxbyz.attacks.directions import divide_or_zero, honest_mean
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View


@part
def mimic(index: int = 0) -> Attack:
    """v = x_index, the vector of one honest worker.

    Raises:
        ValueError: index negative or not an integer; at trace time index ≥ h.

    >>> mimic(3).name
    'mimic'
    """
    index = checks.count("index", index)

    def rows(key: Key, view: View) -> jax.Array:
        del key
        h = view.honest.shape[0]
        if index >= h:
            raise ValueError(f"index must be one of the h = {h} honest workers, got {index}")
        return view.honest[index]

    return from_view("mimic", rows)


class MimicState(NamedTuple):
    """What has been learned of the honest workers."""

    rounds: jax.Array  # [] int32, t
    mean: jax.Array  # [d] running mean μ of all honest vectors
    axis: jax.Array  # [d] z, the direction in which the workers differ most
    target: jax.Array  # [] int32, whom to copy


@part
def mimic_variance(warmup: int | None = None) -> Attack:
    """v = x_i of the worker that stands out most in the direction of largest variance.

    z_0 ~ N(0, I) normalised, and in round t = 0, 1, …, over honest rows i,

        μ ← (t μ + mean_i x_i)/(t+1),   c = Σ_i ⟨x_i - μ, z⟩ (x_i - μ),
        z ← normalise(t/(t+1) z + 1/(t+1) c/‖c‖)   (z is kept where c = 0),   i = argmax_i ⟨x_i, z⟩.

    The same z and i for all Byzantine workers.

    Args:
        warmup: number of rounds of learning, after which the last i is copied for good (the
            public code of the paper); None: learning never ends.

    Raises:
        ValueError: warmup is not an integer ≥ 1.

    >>> mimic_variance(warmup=100).name
    'mimic, variance'
    """
    if warmup is not None:
        warmup = checks.count("warmup", warmup, minimum=1)

    def init(key: Key, d: int) -> MimicState:
        axis = jax.random.normal(key, (d,))
        zero = jnp.array(0, jnp.int32)
        return MimicState(zero, jnp.zeros(d), axis / jnp.linalg.norm(axis), zero)

    def learn(state: MimicState, honest: jax.Array) -> MimicState:
        rounds = state.rounds.astype(state.mean.dtype)
        old = rounds / (rounds + 1)  # t/(t+1)
        mean = old * state.mean + (1 - old) * honest_mean(honest)
        apart = honest - mean  # [h, d]
        drift = (apart @ state.axis) @ apart  # c
        length = jnp.linalg.norm(drift)
        axis = old * state.axis + (1 - old) * divide_or_zero(drift, length)
        size = jnp.linalg.norm(axis)
        axis = jnp.where((length > 0) & (size > 0), divide_or_zero(axis, size), state.axis)
        target = jnp.argmax(honest @ axis).astype(jnp.int32)
        learned = MimicState(state.rounds, mean, axis, target)
        return jax.tree.map(lambda new, kept: new.astype(kept.dtype), learned, state)

    def forge(key: Key, state: MimicState, view: View) -> tuple[MimicState, jax.Array]:
        del key
        learned = learn(state, view.honest)
        if warmup is not None:
            done = state.rounds >= warmup
            learned = jax.tree.map(lambda new, kept: jnp.where(done, kept, new), learned, state)
        learned = learned._replace(rounds=state.rounds + 1)
        shape = (view.byzantine, view.honest.shape[1])
        return learned, jnp.broadcast_to(view.honest[learned.target], shape)

    return Attack("mimic, variance", init, forge, None)
