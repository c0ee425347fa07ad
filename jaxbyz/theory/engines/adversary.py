"""One-step claims against the worst error that the proof allows, from random to worst states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.claims import Budget, Check, Claim
from jaxbyz.theory.engines.ball import ball_error
from jaxbyz.theory.engines.judge import TOLERANCE, judge, measure
from jaxbyz.theory.engines.search import ascend, key_of
from jaxbyz.theory.reports import Report

__all__ = ["worst_error"]

GAP = 1e-9  # of the trust-region problem, beside the size of its terms


def worst_error(
    replace: Callable[[Any, jax.Array], Any],
    radius: Callable[[Any], jax.Array],
    dimension: Callable[[Any], int],
    *,
    tolerance: float = TOLERANCE,
    tight: float | None = 0.999,
) -> Check:
    """A check in which the aggregation error is the worst of its ball, found globally.

    Args:
        replace: (instance, e [d]) -> the instance with this error.
        radius: instance -> the largest ‖e‖.
        dimension: instance -> d.
        tolerance: of a violation.
        tight: as for `judge`.

    left - right must be quadratic in e (quadratic losses, linear compressors). Gradient ascent over
    the instance from random ones, with the worst error inside at every step; the evidence names
    the largest duality gap of the trust-region problems at the ends.
    """

    def against(claim: Claim, instance: Any) -> tuple[Any, jax.Array]:
        def excess(e: jax.Array) -> jax.Array:
            left, right = claim.sides(replace(instance, e))
            return jnp.asarray(left - right)

        worst = ball_error(excess, dimension(instance), radius(instance))
        return replace(instance, worst.point), worst.gap

    def check(claim: Claim, budget: Budget) -> Report:
        def find() -> tuple[float, Any, str]:
            top, where, gap = -np.inf, None, 0.0
            for family in claim.families:

                def value(z: jax.Array, f: Any = family) -> jax.Array:
                    return measure(claim, against(claim, f.make(z))[0])

                key, scale_key = jax.random.split(key_of(budget, family))
                zs = jax.random.normal(key, (budget.starts, family.size))
                spread = jax.random.uniform(scale_key, (budget.starts, 1), minval=-1.5, maxval=1.5)
                climb = jax.jit(lambda starts, v=value: ascend(v, starts, budget.steps))
                points, values = climb(zs * 10**spread)
                gaps = jax.jit(jax.vmap(lambda z, f=family: against(claim, f.make(z))[1]))(points)
                gap = max(gap, float(jnp.abs(gaps).max()))
                i = int(np.argmax(np.where(np.isnan(values), -np.inf, values)))
                if values[i] > top:
                    top, where = float(values[i]), against(claim, family.make(points[i]))[0]
            done = (
                f"best of {budget.starts} ascents of {budget.steps} steps with the worst error of "
                f"the ball at every step, duality gap {gap:.1e}"
            )
            if gap > GAP:
                return float("nan"), where, f"duality gap {gap:.1e} too large"
            return top, where, done

        return judge(claim, "ball adversary", find, tolerance=tolerance, tight=tight)

    return check
