"""The geometric median, converged."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.constants import constant, ratio
from jaxbyz.aggregators.coordinatewise import average
from jaxbyz.aggregators.distances import scaled, squared_distances
from jaxbyz.aggregators.rows import (
    neutralize,
    no_state,
    power_of_two_scale,
    require_majority,
    widened,
)
from jaxbyz.aggregators.sorting import select_ranks
from jaxbyz.core import Aggregated, Aggregator, Key, Tree

__all__ = ["geometric_median"]


class _Iterate(NamedTuple):
    point: jax.Array  # [d]
    residual: jax.Array  # [] of the point before
    iterations: jax.Array  # []


def geometric_median(
    f: int = 0, tolerance: float | None = None, max_iterations: int = 200
) -> Aggregator:
    """argmin_z Σ_i ‖x_i - z‖, by Weiszfeld's iteration with the Vardi-Zhang correction.

    With η = #{i: x_i = z}, R = Σ_{x_i≠z} (x_i - z)/‖x_i - z‖ and T the Weiszfeld mean over the
    x_i ≠ z:  z⁺ = (1-ρ) T + ρ z,  ρ = min(1, η/‖R‖).  Start: the row of least total distance if
    it is optimal, else the coordinate-wise median. Stops when the optimality residual
    max(0, ‖R‖ - η)/n, which has no unit, is at most `tolerance` (default 1e-5 in float32, 1e-10
    in float64). details: iterations, residual, converged.

    Cost O(n²d) once and O(nd) per iteration. Not unique for collinear rows with even n. The rule
    does not use f, which only states for how many Byzantine rows it is trusted.
    Published robustness κ ≤ 4 (1 + f/(n-2f))² (Allouah et al., AISTATS 2023).

    Raises:
        ValueError: f or max_iterations not an integer in range, tolerance ≤ 0; n ≤ 2f.

    >>> geometric_median()(jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])).tolist()
    [0.5, 0.5]
    """
    f = checks.count("f", f)
    max_iterations = checks.count("max_iterations", max_iterations, minimum=1)
    if tolerance is not None:
        checks.interval("tolerance", tolerance, 0, float("inf"), closed="neither")

    def step(rows: jax.Array, iterate: _Iterate) -> _Iterate:
        point = iterate.point
        difference = rows - point  # [n, d]
        distance = jnp.sqrt((difference * difference).sum(axis=1))  # [n]
        apart = distance > 0
        weight = jnp.where(apart, 1 / jnp.where(apart, distance, 1), 0)  # [n]
        # Full precision: the default of accelerators rounds the factors to far fewer digits.
        pull = jnp.matmul(weight, difference, precision=jax.lax.Precision.HIGHEST)  # [d], R
        length = jnp.sqrt((pull * pull).sum())
        here = (~apart).sum().astype(rows.dtype)  # η
        target = point + pull / jnp.maximum(weight.sum(), jnp.finfo(rows.dtype).tiny)
        stay = jnp.where(length > 0, jnp.minimum(1, here / jnp.where(length > 0, length, 1)), 1)
        residual = jnp.maximum(0, length - here) / rows.shape[0]
        return _Iterate(target + stay * (point - target), residual, iterate.iterations + 1)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        n = rows.shape[0]
        require_majority("geometric_median", n, f)
        finite, bad = neutralize(widened(rows))
        scale = power_of_two_scale(finite)
        unit = scaled(finite, scale)
        default = 1e-10 if unit.dtype == jnp.float64 else 1e-5
        goal = default if tolerance is None else tolerance
        start = average(select_ranks(unit, (n - 1) // 2, n // 2 + 1))
        # A minimiser that is a row is the row of least total distance. Weiszfeld's steps only
        # creep towards it, so it is tried first.
        row = unit[jnp.argmin(jnp.sqrt(squared_distances(unit)).sum(axis=1))]
        begin = _Iterate(start, jnp.array(jnp.inf, unit.dtype), jnp.array(0))
        at_row = step(unit, begin._replace(point=row))
        begin = begin._replace(point=jnp.where(at_row.residual <= goal, row, start))
        end = jax.lax.while_loop(
            lambda it: (it.residual > goal) & (it.iterations < max_iterations),
            lambda it: step(unit, it),
            begin,
        )
        details = {
            "iterations": end.iterations,
            "residual": end.residual,
            "converged": end.residual <= goal,
        }
        return state, Aggregated((end.point * scale).astype(rows.dtype), bad, details)

    bound = constant(published=lambda n, f: 4 * (1 + ratio(n, f)) ** 2)
    return Aggregator(no_state, apply, bound)
