"""The geometric median, converged."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import known_constants, ratio
from jaxbyz.aggregators.from_functions import Details, require_majority, with_details
from jaxbyz.aggregators.rows import (
    Centred,
    FiniteRows,
    centred_distances,
    distances_from,
    weighted_from,
)
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator

# A far row counts by its direction alone: at this distance, that of an honest row is no part of it.
DIRECTIONS = 2.0**40
# The start is found from squared distances, in which more would cancel.
START = 2.0**10
WEIGHT_STEPS = 10  # times as many as on the rows: they cost next to nothing


class _Iterate(NamedTuple):
    point: jax.Array  # [d]
    residual: jax.Array  # [] of the point before
    iterations: jax.Array  # []
    row: jax.Array  # [] which row the point before was; -1: none


@part
def geometric_median(
    f: int | None = 0, tolerance: float | None = None, max_iterations: int = 200
) -> Aggregator:
    """argmin_z Σ_i ‖x_i - z‖, by Weiszfeld's iteration with the Vardi-Zhang correction.

    With η = #{i: x_i = z}, R = Σ_{x_i≠z} (x_i - z)/‖x_i - z‖ and T the Weiszfeld mean over the
    x_i ≠ z:  z⁺ = (1-ρ) T + ρ z,  ρ = min(1, η/‖R‖). The iteration stops when the residual
    max(0, ‖R‖ - η)/n, which has no unit, is at most `tolerance` (default 1e-5 in float32, 1e-10
    in float64). details: iterations, residual, converged.

    If the row of least total distance is the median, the iteration starts there and stops. Else it
    is first done on weights a of the rows, z = Σ a_i x_i. The squared distances D of the rows
    suffice for that, since ‖x_i - z‖² = (D a)_i - aᵀD a/2 (derived here), and such a step costs
    O(n²). Its rounding errors are then corrected by a few steps on the rows themselves. All rows
    are first centred at their coordinate-wise median, and of a very far row only the direction
    counts. So neither the size of a far row nor an offset common to all rows matters.

    Cost O(n²d) once, O(nd) per iteration. The median is not unique for collinear rows with even n.
    The rule does not use f, which only states for how many Byzantine rows it is trusted.
    Published robustness κ ≤ 4 (1 + f/(n-2f))² (Allouah et al., AISTATS 2023).

    Args:
        f: for how many Byzantine rows it is trusted.
        tolerance: of the residual.
        max_iterations: of steps on the rows; ten times as many may be done on the weights before.

    Raises:
        ValueError: f or max_iterations not an integer in range, tolerance ≤ 0; n ≤ 2f.

    >>> rows = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> geometric_median()(rows).round(4).tolist()
    [0.5, 0.5]
    """
    f = checks.count("f", f)
    max_iterations = checks.count("max_iterations", max_iterations, minimum=1)
    if tolerance is not None:
        checks.interval("tolerance", tolerance, 0, float("inf"), closed="neither")

    def rule(rows: FiniteRows) -> tuple[jax.Array, Details]:
        n, d = rows.raw.shape
        require_majority("geometric_median", n, f)
        dtype = rows.raw.dtype
        goal = (1e-10 if dtype == jnp.float64 else 1e-5) if tolerance is None else tolerance
        most = (n - 1) // 2  # the most rows that may be anything, whatever f says
        near, squares = centred_distances(rows, most, START)
        weights = _start(squares, goal, WEIGHT_STEPS * max_iterations)
        far = near.shortened_beyond(DIRECTIONS)
        point = weighted_from(weights, near, jnp.zeros(d, dtype))
        infinite = jnp.full((), jnp.inf, dtype)
        end = jax.lax.while_loop(
            lambda it: (it.residual > goal) & (it.iterations < max_iterations),
            lambda it: _step(far, it),
            _Iterate(point, infinite, jnp.array(0), jnp.array(-1)),
        )
        details = {
            "iterations": end.iterations,
            "residual": end.residual,
            "converged": end.residual <= goal,
        }
        # A minimiser that is a row is that row, to the last bit.
        return jnp.where(end.row >= 0, rows.row(end.row), far.to_original(end.point)), details

    return with_details(rule, known_constants(published=lambda n, f: 4 * (1 + ratio(n, f)) ** 2))


def _step(rows: Centred, iterate: _Iterate) -> _Iterate:
    """One corrected Weiszfeld step on the rows, and the residual of the point before."""
    point = iterate.point
    rows = rows.inside_loop(point)
    distance = distances_from(rows, point)  # [n]
    weight = _inverse(distance)
    pull = weighted_from(weight, rows, point)  # [d], R
    length = jnp.sqrt((pull * pull).sum())
    here = (distance == 0).sum().astype(point.dtype)  # η
    target = point + pull / jnp.maximum(weight.sum(), jnp.finfo(point.dtype).tiny)
    stay = jnp.where(length > 0, jnp.minimum(1, here / jnp.where(length > 0, length, 1)), 1)
    residual = jnp.maximum(0, length - here) / distance.shape[0]
    moved = jnp.where(stay < 1, target + stay * (point - target), point)
    row = jnp.where(here > 0, jnp.argmin(distance), -1)
    return _Iterate(moved, residual, iterate.iterations + 1, row)


def _inverse(distances: jax.Array) -> jax.Array:
    """1/distance, and 0 where that is 0."""
    apart = distances > 0
    return jnp.where(apart, 1 / jnp.where(apart, distances, 1), 0)


def _start(squares: jax.Array, goal: float, max_iterations: int) -> jax.Array:
    """Weights [n] of the rows in the point to start from, from squared distances [n, n].

    A minimiser that is a row is the row of least total distance; steps only creep towards it.
    """
    n = squares.shape[0]

    def times(vector: jax.Array) -> jax.Array:
        return jnp.matmul(squares, vector, precision=jax.lax.Precision.HIGHEST)

    def normalised(pull: jax.Array, otherwise: jax.Array) -> jax.Array:
        total = pull.sum()
        return jnp.where(total > 0, pull / jnp.where(total > 0, total, 1), otherwise)

    def look(weights: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """‖x_i - z‖² [n], Weiszfeld's weights 1/‖x_i - z‖ [n], and ‖R‖ []."""
        along = times(weights)
        from_point = jnp.maximum(along - (weights * along).sum() / 2, 0)  # [n]
        pull = _inverse(jnp.sqrt(from_point))
        length = pull.sum() * (pull * from_point).sum() - (pull * times(pull)).sum() / 2
        return from_point, pull, jnp.sqrt(jnp.maximum(length, 0))

    row = jax.nn.one_hot(jnp.argmin(jnp.sqrt(squares).sum(axis=1)), n, dtype=squares.dtype)
    from_row, pull, length = look(row)
    optimal = length <= (from_row == 0).sum() + n * goal

    def body(carry: tuple) -> tuple:
        weights, _, i = carry
        _, pull, length = look(weights)
        return normalised(pull, weights), length, i + 1

    def going(carry: tuple) -> jax.Array:
        _, length, i = carry
        return (length > n * goal / 10) & (i < max_iterations - 1) & ~optimal

    begin = normalised(pull, row), jnp.full((), jnp.inf, squares.dtype), jnp.array(0)
    weights, _, _ = jax.lax.while_loop(going, body, begin)
    return jnp.where(optimal, row, weights)
