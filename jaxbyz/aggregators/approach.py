"""Steps from a point towards rows whose pull is bounded: what clipping and Weiszfeld share.

    z ← z + s Σ_i (x_i - z) a_i b_i,    where s, a and b depend on the distances ‖x_i - z‖

Where all squared distances are numbers, the rows are finite, and nothing has to be scaled: a step
takes two passes over the rows. Where one is not, everything is done again with care.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows import (
    FiniteRows,
    Offsets,
    finite_rows,
    offsets,
    plain_offsets,
    rows_as_they_are,
    shrink_for,
    unless,
    weighted_offsets,
)
from jaxbyz.aggregators.rows.numbers import SHORT, least_squares


class Pull(NamedTuple):
    """How strongly rows pull at a point; distances are in a unit in which no number overflows."""

    # [] power of two, what distances are multiplied by -> distance below which all pull alike, []
    bound: Callable[[jax.Array], jax.Array]
    # (distances, that bound) -> a [n], b [n], s []
    factors: Callable[[Offsets, jax.Array], tuple[jax.Array, jax.Array, jax.Array | float]]


def approached(
    rows: jax.Array, start: jax.Array, pull: Pull, iterations: int
) -> tuple[jax.Array, jax.Array]:
    """So many steps from a point [d] towards rows [n, d]: the last point [d]; rejected rows [n]."""

    def carefully(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        finite = finite_rows(rows)
        return approached_with_care(finite, start, pull, iterations), finite.rejected

    d = rows.shape[1]
    if d < SHORT:  # a second program would take longer to compile than it saves
        return carefully(rows)
    given = rows_as_they_are(rows)
    one = jnp.ones((), given.raw.dtype)
    bound = pull.bound(one)

    def step(_: int, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        point, finite = carry
        here = given.inside_loop(point)
        found = plain_offsets(here, point)
        moved = _moved(here, one, point, found, pull, bound)
        return moved, finite & jnp.isfinite(found.length).all()

    # Squares may vanish if that changes no pull.
    exact = jnp.asarray(bound**2 >= least_squares(d, given.raw.dtype))
    value, right = jax.lax.fori_loop(0, iterations, step, (start, exact))
    return unless(right, (value, given.rejected), rows, carefully)


def approached_with_care(
    finite: FiniteRows, start: jax.Array, pull: Pull, iterations: int
) -> jax.Array:
    """The same, where no difference of rows and no square of one overflows, whatever they are."""
    shrink = shrink_for(finite, start)
    bound = pull.bound(shrink)

    def step(_: int, point: jax.Array) -> jax.Array:
        here = finite.inside_loop(point)
        found = offsets(here, shrink, point, least=bound)
        return _moved(here, shrink, point, found, pull, bound)

    return jax.lax.fori_loop(0, iterations, step, start * shrink) / shrink


def _moved(
    rows: FiniteRows,
    shrink: jax.Array,
    point: jax.Array,
    found: Offsets,
    pull: Pull,
    bound: jax.Array,
) -> jax.Array:
    first, second, share = pull.factors(found, bound)
    return point + weighted_offsets(rows, shrink, point, first, second) * share
