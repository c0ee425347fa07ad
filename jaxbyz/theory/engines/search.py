"""Instances sampled, and instances searched: gradient ascent on left/right over a family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxbyz.theory.claims import Budget, Check, Claim, Family
from jaxbyz.theory.engines.judge import TOLERANCE, judge, measure
from jaxbyz.theory.reports import Report

__all__ = ["ascend", "key_of", "sampled", "searched"]


def key_of(budget: Budget, family: Family) -> jax.Array:
    """A key of its own for every family."""
    key = jax.random.key(budget.seed, impl="threefry2x32")
    return jax.random.fold_in(key, sum(family.name.encode()))


def sampled(tolerance: float = TOLERANCE) -> Check:
    """A check at random instances of every family: what simulation could find at best."""

    def check(claim: Claim, budget: Budget) -> Report:
        def find() -> tuple[float, Any, str]:
            worst, where = -np.inf, None
            for family in claim.families:
                zs = jax.random.normal(key_of(budget, family), (budget.random, family.size))
                values = jax.jit(jax.vmap(lambda z, f=family: measure(claim, f.make(z))))(zs)
                values = np.asarray(values)
                best = int(np.argmax(np.where(np.isnan(values), np.inf, values)))
                if where is None or not values[best] <= worst:
                    worst, where = float(values[best]), family.make(zs[best])
            return worst, where, f"{budget.random} random instances a family"

        return judge(claim, "random instances", find, tolerance=tolerance)

    return check


def ascend(
    value: Callable[[jax.Array], jax.Array],
    starts: jax.Array,
    steps: int,
    rate: float = 0.1,
) -> tuple[jax.Array, jax.Array]:
    """Adam on `value` from every start [S, size]: the best points [S, size] and values [S].

    The rate falls to a hundredth along a cosine. A start whose gradient is not finite stands still.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps, alpha=0.01))
    slope = jax.value_and_grad(value)

    def one(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(carry: tuple, _: None) -> tuple[tuple, None]:
            z, memory, best, top = carry
            now, gradient = slope(z)
            better = now > top
            best, top = jnp.where(better, z, best), jnp.where(better, now, top)
            gradient = jnp.where(jnp.isfinite(gradient).all(), gradient, 0.0)
            change, memory = optimizer.update(-gradient, memory)
            return (optax.apply_updates(z, change), memory, best, top), None

        begin = (z, optimizer.init(z), z, jnp.asarray(-jnp.inf, z.dtype))
        # The best point visited: the last one is not looked at, which would compile all once more.
        (_, _, best, top), _ = jax.lax.scan(step, begin, None, length=steps + 1)
        return best, top

    return jax.vmap(one)(starts)


def searched(tolerance: float = TOLERANCE, tight: float | None = 0.999, rate: float = 0.1) -> Check:
    """A check by gradient ascent over every family, from scales 10^-1.5 to 10^1.5.

    TIGHT where the search comes within a thousandth of the bound.
    """

    def check(claim: Claim, budget: Budget) -> Report:
        def find() -> tuple[float, Any, str]:
            worst, where = -np.inf, None
            for family in claim.families:
                key, scale_key = jax.random.split(key_of(budget, family))
                zs = jax.random.normal(key, (budget.starts, family.size))
                spread = jax.random.uniform(scale_key, (budget.starts, 1), minval=-1.5, maxval=1.5)
                value = lambda z, f=family: measure(claim, f.make(z))  # noqa: E731
                found = jax.jit(lambda zs, v=value: ascend(v, zs, budget.steps, rate))
                points, values = found(zs * 10**spread)
                values = np.asarray(values)
                best = int(np.nanargmax(values)) if not np.isnan(values).all() else 0
                if where is None or not values[best] <= worst:
                    worst, where = float(values[best]), family.make(points[best])
            done = f"best of {budget.starts} ascents of {budget.steps} steps a family"
            return worst, where, done

        return judge(claim, "instance search", find, tolerance=tolerance, tight=tight)

    return check
