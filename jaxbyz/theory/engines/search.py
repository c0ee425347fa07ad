"""Families looked through: at random, on a grid, by gradient ascent on left/right; single cases.

Every engine here is a function of its options that returns an `Engine`: (claim, budget) -> report.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxbyz.storage.programs import compiled_once
from jaxbyz.theory.claims import Budget, Claim, Family
from jaxbyz.theory.engines.judge import applies, every_ratio, judge
from jaxbyz.theory.reports import Report
from jaxbyz.theory.subjects import Cases

Engine = Callable[[Claim, Budget], Report]


def key_of(budget: Budget, family: Family) -> jax.Array:
    """A key of its own for every family."""
    key = jax.random.key(budget.seed, impl="threefry2x32")
    return jax.random.fold_in(key, sum(family.name.encode()))


def starts_of(budget: Budget, family: Family) -> jax.Array:
    """Where ascents begin, [starts, size]: random numbers of scales 10^-1.5 to 10^1.5."""
    key, scale_key = jax.random.split(key_of(budget, family))
    zs = jax.random.normal(key, (budget.starts, family.size))
    return zs * 10 ** jax.random.uniform(scale_key, (budget.starts, 1), minval=-1.5, maxval=1.5)


def _highest(so_far: Any, values: Any) -> np.ndarray:
    """The largest finite value of each side, of [N, S] and of those before; -∞: none."""
    values = np.asarray(values)
    new = np.where(np.isnan(values), -np.inf, values).max(axis=0)
    return new if so_far is None else np.maximum(so_far, new)


def _of(claim: Claim, name: str) -> str:
    """In which of several families the worst instance was met."""
    return f", worst in “{name}”" if len(claim.families) > 1 else ""


def sampled(tolerance: float | None = None) -> Engine:
    """Random instances of every family: what simulation could find at best.

    Args:
        tolerance: of a violation; None: that of the claim.
    """

    def engine(claim: Claim, budget: Budget) -> Report:
        def find() -> tuple[float, Any, str, Any]:
            worst, where, name, outside, sides = -np.inf, None, "", 0, None
            for family in claim.families:

                def look(z: jax.Array, f: Family = family) -> tuple[jax.Array, jax.Array]:
                    instance = f.make(z)
                    return every_ratio(claim, instance), applies(claim, instance)

                zs = jax.random.normal(key_of(budget, family), (budget.random, family.size))
                each, inside = map(np.asarray, compiled_once(jax.vmap(look), lift=False)(zs))
                outside += int((~inside).sum())
                sides, values = _highest(sides, each), each.max(axis=1)
                best = int(np.argmax(np.where(np.isnan(values), np.inf, values)))
                if where is None or not values[best] <= worst:
                    worst, where, name = float(values[best]), family.make(zs[best]), family.name
            done = f"{budget.random} random instances a family{_of(claim, name)}"
            done += f", {outside} outside the hypotheses" if outside else ""
            return worst, where, done, sides

        return judge(claim, "random instances", find, tolerance=tolerance)

    return engine


def gridded(values: tuple[float, ...] | None = None) -> Engine:
    """All points of a grid of free numbers: the corners of the box and its inside.

    Args:
        values: what each free number may be; None: `claim.grid`.
    """

    def engine(claim: Claim, budget: Budget) -> Report:
        del budget

        def find() -> tuple[float, Any, str, Any]:
            worst, where, points, sides = -np.inf, None, 0, None
            for family in claim.families:
                at = claim.grid if values is None else values
                grid = jnp.asarray(list(itertools.product(at, repeat=family.size)), float)
                ratios = jax.vmap(lambda z, f=family: every_ratio(claim, f.make(z)))
                each = compiled_once(ratios, lift=False)(grid)
                found = np.asarray(each).max(axis=1)
                sides = _highest(sides, each)
                best = int(np.argmax(np.where(np.isnan(found), np.inf, found)))
                points += len(grid)
                if where is None or not found[best] <= worst:
                    worst, where = float(found[best]), family.make(grid[best])
            return worst, where, f"{points} points of a grid", sides

        return judge(claim, "grid", find)

    return engine


def evaluated(claim: Claim, budget: Budget) -> Report:
    """The sides at each of the claim's `Cases`, in floating-point numbers."""
    del budget
    cases = claim.subject
    assert isinstance(cases, Cases)

    def find() -> tuple[float, Any, str, Any]:
        each = np.asarray([every_ratio(claim, instance) for instance in cases.instances])
        found = each.max(axis=1)
        best = int(np.argmax(np.where(np.isnan(found), np.inf, found)))
        return float(found[best]), cases.instances[best], cases.description, _highest(None, each)

    return judge(claim, "evaluation", find, tight=claim.tight_from)


def ascend(
    value: Callable[[jax.Array], jax.Array], starts: jax.Array, steps: int, rate: float = 0.1
) -> tuple[jax.Array, jax.Array]:
    """Adam on `value` from every start [S, size]: the best points [S, size] and values [S].

    The rate falls to a hundredth along a cosine. A start whose gradient is not finite stands still.
    """
    points, values, _ = ascend_with(lambda z: (value(z), ()), starts, steps, rate)
    return points, values


def ascend_with(
    value: Callable[[jax.Array], tuple[jax.Array, Any]],
    starts: jax.Array,
    steps: int,
    rate: float = 0.1,
) -> tuple[jax.Array, jax.Array, Any]:
    """The same for a function that returns its value and what else is known at the point.

    What is known at the best points comes third, with leading axis S.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps, alpha=0.01))
    slope = jax.value_and_grad(value, has_aux=True)

    def one(z: jax.Array) -> tuple[jax.Array, jax.Array, Any]:
        def step(carry: tuple, turn: jax.Array) -> tuple[tuple, None]:
            z, memory, best, top, known = carry
            (now, news), gradient = slope(z)
            better = now > top
            best, top = jnp.where(better, z, best), jnp.where(better, now, top)
            first = turn == 0  # whatever its value is, -∞ outside the hypotheses or NaN
            known = jax.tree.map(lambda new, old: jnp.where(better | first, new, old), news, known)
            gradient = jnp.where(jnp.isfinite(gradient).all(), gradient, 0.0)
            change, memory = optimizer.update(-gradient, memory)
            return (optax.apply_updates(z, change), memory, best, top, known), None

        unknown = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(value, z)[1]
        )
        begin = (z, optimizer.init(z), z, jnp.asarray(-jnp.inf, z.dtype), unknown)
        # The best point visited: the last one is not looked at, which would compile all once more.
        (_, _, best, top, known), _ = jax.lax.scan(step, begin, jnp.arange(steps + 1))
        return best, top, known

    return jax.vmap(one)(starts)


def searched(
    tolerance: float | None = None, tight: float | None = None, rate: float = 0.1
) -> Engine:
    """Gradient ascent over every family, from scales 10^-1.5 to 10^1.5, for each side by itself.

    Args:
        tolerance: of a violation; None: that of the claim.
        tight: from which left/right on the bound counts as attained; None: `claim.tight_from`.
        rate: of Adam, at the start.
    """

    def engine(claim: Claim, budget: Budget) -> Report:
        def find() -> tuple[float, Any, str, Any]:
            worst, where, name, sides = -np.inf, None, "", None
            for family in claim.families:
                each = lambda z, f=family: every_ratio(claim, f.make(z))  # noqa: E731
                starts = starts_of(budget, family)
                count = jax.eval_shape(each, starts[0]).shape[0]

                def one(side: jax.Array, zs: jax.Array, v: Callable = each) -> tuple:
                    return ascend(lambda z: v(z)[side], zs, budget.steps, rate)

                ascents = compiled_once(jax.vmap(one, (0, None)), lift=False)
                found = ascents(jnp.arange(count), starts)
                points, values = (np.asarray(part) for part in found)  # [S, starts, ...]
                sides = _highest(sides, values.T)
                points, values = points.reshape(-1, family.size), values.ravel()
                best = int(np.nanargmax(values)) if not np.isnan(values).all() else 0
                if where is None or not values[best] <= worst:
                    point = jnp.asarray(points[best])
                    worst, where, name = float(values[best]), family.make(point), family.name
            done = f"best of {budget.starts} ascents of {budget.steps} steps a family"
            return worst, where, done + _of(claim, name), sides

        from_here = claim.tight_from if tight is None else tight
        return judge(claim, "instance search", find, tolerance=tolerance, tight=from_here)

    return engine
