"""The geometric median, converged."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import known_constants, ratio
from jaxbyz.aggregators.from_functions import Details, require_majority, with_details
from jaxbyz.aggregators.rows import FiniteRows, centred_distances, unless, weighted_from
from jaxbyz.aggregators.rows.distances import DIRECT_ROWS
from jaxbyz.aggregators.rows.numbers import SHORT
from jaxbyz.aggregators.weiszfeld import Iterate, accelerated, inverse, steps
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator

# A far row counts by its direction alone: at this distance, that of an honest row is no part of it.
DIRECTIONS = 2.0**40
# The start is found from squared distances, in which more would cancel.
START = 2.0**10
QUICK_STEPS = 16  # accelerated ones, before distances are computed
WEIGHT_STEPS = 10  # times as many as on the rows: they cost next to nothing
# Rows that are closer than this, in the unit of the rows' spread, are tried as one row. From rows
# that differ by rounding alone, as those of `nnm`, uncorrected steps hardly get away.
TOGETHER = (0.0, *(2.0**-i for i in range(20, 0, -2)))


@part
def geometric_median(
    f: int | None = 0, tolerance: float | None = None, max_iterations: int = 200
) -> Aggregator:
    """argmin_z Σ_i ‖x_i - z‖, by Weiszfeld's iteration with the Vardi-Zhang correction.

    With η = #{i: x_i = z}, R = Σ_{x_i≠z} (x_i - z)/‖x_i - z‖ and T the Weiszfeld mean over the
    x_i ≠ z:  z⁺ = (1-ρ) T + ρ z,  ρ = min(1, η/‖R‖). The iteration stops when the residual
    max(0, ‖R‖ - η)/n, which has no unit, is at most `tolerance` (default 1e-5 in float32, 1e-10
    in float64). details: iterations, residual, converged.

    A row that is so close to z that rounding hides the distance counts as equal to z. If the row of
    least total distance is the median, the iteration starts there and stops. Else it is first done
    on weights a of the rows, z = Σ a_i x_i. The squared distances D of the rows suffice for that,
    since ‖x_i - z‖² = (D a)_i - aᵀD a/2 (derived here), and such a step costs O(n²). The first of
    them leaves that row together with the rows close to it, as if they were one. The rounding
    errors of these steps are then corrected by a few steps on the rows themselves. All rows are
    first centred at their coordinate-wise median, and of a very far row only the direction counts.
    So neither the size of a far row nor an offset common to all rows matters.

    With more than 32 rows of 1024 or more numbers the distances of all pairs would cost more than
    the rest. There accelerated steps on the rows (`aggregators.weiszfeld`), up to 16 of them, come
    first. If their residual reaches `tolerance` at a point that is no row and near none, that is
    the end; else all is done as above.

    Cost O(nd) per iteration, and O(n²d) once where distances are needed. The median is not unique
    for collinear rows with even n. The rule does not use f, which only states for how many
    Byzantine rows it is trusted.
    Published robustness κ ≤ 4 (1 + f/(n-2f))² (Allouah et al., AISTATS 2023).

    Args:
        f: for how many Byzantine rows it is trusted.
        tolerance: of the residual.
        max_iterations: of steps on the rows; ten times as many may be done on the weights before,
            and accelerated steps that led to nothing are not counted.

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
        goal = (
            (1e-10 if rows.raw.dtype == jnp.float64 else 1e-5) if tolerance is None else tolerance
        )
        if n <= DIRECT_ROWS or d < SHORT:  # distances cost less than steps, or next to nothing
            return _from_distances(rows, goal, max_iterations)
        seen, quick, right = accelerated(rows, goal, min(QUICK_STEPS, max_iterations))

        found = seen.to_original(quick.point), _details(quick, goal)
        return unless(right, found, rows, lambda held: _from_distances(held, goal, max_iterations))

    return with_details(rule, known_constants(published=lambda n, f: 4 * (1 + ratio(n, f)) ** 2))


def _from_distances(
    rows: FiniteRows, goal: float, max_iterations: int
) -> tuple[jax.Array, Details]:
    """The median by steps that start where steps on the distances lead."""
    n, d = rows.raw.shape
    most = (n - 1) // 2  # the most rows that may be anything, whatever f says
    near, squares = centred_distances(rows, most, START)
    weights = _start(squares, goal, WEIGHT_STEPS * max_iterations)
    far = near.shortened_beyond(DIRECTIONS)
    point = weighted_from(weights, near, jnp.zeros(d, rows.raw.dtype))
    end = steps(far, point, goal, max_iterations)
    # A minimiser that is a row is that row, to the last bit.
    value = jnp.where(end.row >= 0, rows.row(end.row), far.to_original(end.point))
    return value, _details(end, goal)


def _details(end: Iterate, goal: float) -> Details:
    return {
        "iterations": end.iterations,
        "residual": end.residual,
        "converged": end.residual <= goal,
    }


def _start(squares: jax.Array, goal: float, max_iterations: int) -> jax.Array:
    """Weights [n] of the rows in the point to start from, from squared distances [n, n].

    A minimiser that is a row is the row of least total distance; steps only creep towards it.
    """
    n = squares.shape[0]

    def times(vector: jax.Array) -> jax.Array:
        return jnp.matmul(vector, squares, precision=jax.lax.Precision.HIGHEST)  # symmetric

    def normalised(pull: jax.Array, otherwise: jax.Array) -> jax.Array:
        whole = pull.sum(axis=-1, keepdims=True)
        return jnp.where(whole > 0, pull / jnp.where(whole > 0, whole, 1), otherwise)

    def total(weights: jax.Array) -> jax.Array:
        """Σ ‖x_i - z‖ for weights [..., n] -> [...]."""
        along = times(weights)
        squared = along - (weights * along).sum(axis=-1, keepdims=True) / 2
        return jnp.sqrt(jnp.maximum(squared, 0)).sum(axis=-1)

    def body(carry: tuple) -> tuple:
        weights, _, i = carry
        along = times(weights)
        from_point = jnp.maximum(along - (weights * along).sum() / 2, 0)  # ‖x_i - z‖², [n]
        pull = inverse(jnp.sqrt(from_point))
        length = _length(pull, from_point, times(pull))
        return normalised(pull, weights), length, i + 1

    def going(carry: tuple) -> jax.Array:
        _, length, i = carry
        return (length > n * goal / 10) & (i < max_iterations - 1) & ~optimal

    row = jax.nn.one_hot(jnp.argmin(jnp.sqrt(squares).sum(axis=1)), n, dtype=squares.dtype)
    # The corrected step from that row, with more and more rows taken as one with it, [m, n].
    from_row = times(row)
    together = jnp.sqrt(from_row) <= jnp.asarray(TOGETHER, squares.dtype)[:, None]
    pull = jnp.where(together, 0, inverse(jnp.sqrt(from_row)))
    length = _length(pull, from_row, times(pull))
    count = together.sum(axis=1).astype(squares.dtype)  # η
    stay = jnp.where(length > count + n * goal, count / jnp.where(length > 0, length, 1), 1)
    tried = normalised(pull, row) * (1 - stay)[:, None] + row * stay[:, None]
    best = jnp.argmin(total(tried))
    optimal = stay[best] == 1
    begin = tried[best], jnp.full((), jnp.inf, squares.dtype), jnp.array(0)
    weights, _, _ = jax.lax.while_loop(going, body, begin)
    return jnp.where(optimal, row, weights)


def _length(pull: jax.Array, squared: jax.Array, along: jax.Array) -> jax.Array:
    """‖Σ p_i (x_i - z)‖ of weights p [..., n], from the ‖x_i - z‖² [n] and D p [..., n]; [...]."""
    whole = pull.sum(axis=-1) * (pull * squared).sum(axis=-1) - (pull * along).sum(axis=-1) / 2
    return jnp.sqrt(jnp.maximum(whole, 0))
