"""Weiszfeld's steps on rows, plain and accelerated.

Plain steps approach the geometric median from anywhere, but slowly where many rows are equal. Two
steps show how the next one will shrink along the line between them, which is then left out
(Anderson's acceleration of fixed points with a memory of one). On rows of 10,000 numbers, a fifth
of which collude, five steps do what nine plain ones do. Nothing is proved of accelerated steps: so
their number is limited, and the residual of the last point decides whether they were right.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows import (
    Centred,
    FiniteRows,
    centred_at_some_rows,
    distances_from,
    weighted_from,
)
from jaxbyz.column_passes import order_statistic

EXTRAPOLATED = 20.0  # at most so many times the last step
FAR = 2.0**10  # times the median of the distances from the centre: no row is further away from it
# What is found is trusted if the centre, in which the rows were read, is not further away from it
# than so many times the median of the distances, and no row is nearer than this part of that.
NOT_FAR = 8.0
NOT_NEAR = 2.0**-10


class Iterate(NamedTuple):
    """A point z, and what was found of the point before it, from which a step leads to z."""

    point: jax.Array  # [d]
    residual: jax.Array  # [] of the point before
    iterations: jax.Array  # []
    row: jax.Array  # [] which row the point before was; -1: none
    distances: jax.Array  # [n] of the rows from the point before


def begin(rows: Centred, point: jax.Array) -> Iterate:
    """No step yet."""
    infinite = jnp.full((), jnp.inf, point.dtype)
    none = jnp.zeros(rows.first.shape, point.dtype)
    return Iterate(point, infinite, jnp.array(0), jnp.array(-1), none)


def step(rows: Centred, iterate: Iterate) -> Iterate:
    """One corrected Weiszfeld step on the rows, and the residual of the point before."""
    point = iterate.point
    rows = rows.inside_loop(point)
    distance = distances_from(rows, point)  # [n]
    # Rounding of z and of the rows in their unit, 1; below it a distance means nothing.
    epsilon = jnp.finfo(point.dtype).eps
    near = distance <= 2 * epsilon * (1 + jnp.sqrt((point * point).sum()))
    weight = jnp.where(near, 0, inverse(distance))
    pull = weighted_from(weight, rows, point)  # [d], R
    length = jnp.sqrt((pull * pull).sum())
    here = near.sum().astype(point.dtype)  # η
    target = point + pull / jnp.maximum(weight.sum(), jnp.finfo(point.dtype).tiny)
    stay = jnp.where(length > 0, jnp.minimum(1, here / jnp.where(length > 0, length, 1)), 1)
    residual = jnp.maximum(0, length - here) / distance.shape[0]
    moved = jnp.where(stay < 1, target + stay * (point - target), point)
    row = jnp.where(here > 0, jnp.argmin(distance), -1)
    return Iterate(moved, residual, iterate.iterations + 1, row, distance)


def steps(rows: Centred, start: jax.Array, goal: float, most: int) -> Iterate:
    """Plain steps until the residual is at most `goal`, at most so many."""
    return jax.lax.while_loop(
        lambda it: (it.residual > goal) & (it.iterations < most),
        lambda it: step(rows, it),
        begin(rows, start),
    )


def accelerated(finite: FiniteRows, goal: float, most: int) -> tuple[Centred, Iterate, jax.Array]:
    """The same from the median of some rows, by accelerated steps; and whether it is right, [].

    z' = z + g - θ (z + g - z₋ - g₋) with the plain steps g and g₋ of this point and of the last
    one, θ = ⟨g, g - g₋⟩/‖g - g₋‖².
    """
    n = finite.raw.shape[0]
    majority = (n - 1) // 2
    rows, safe = centred_at_some_rows(finite, majority, FAR)

    def going(carry: tuple) -> jax.Array:
        it = carry[0]
        return (it.residual > goal) & (it.iterations < most) & safe

    def turn(carry: tuple) -> tuple:
        it, point, last, last_step = carry  # the plain step, and the point to go on from
        there = step(rows, it._replace(point=point))
        plain = there.point - point
        change = plain - last_step
        size = (change * change).sum()
        some = (it.iterations > 0) & (size > 0)
        share = jnp.where(some, (plain * change).sum() / jnp.where(some, size, 1), 0)
        share = jnp.clip(share, -EXTRAPOLATED, 1)
        return there, there.point - share * (there.point - last), there.point, plain

    zero = jnp.zeros_like(rows.centre)
    it, _, _, last_step = jax.lax.while_loop(going, turn, (begin(rows, zero), zero, zero, zero))
    found = it.point - last_step
    middle = order_statistic(it.distances, majority)
    right = (
        (it.residual <= goal)
        & (jnp.sqrt((found * found).sum()) <= NOT_FAR * middle)
        & (it.distances.min() >= NOT_NEAR * middle)
    )
    return rows, it, right


def inverse(distances: jax.Array) -> jax.Array:
    """1/distance, and 0 where that is 0."""
    apart = distances > 0
    return jnp.where(apart, 1 / jnp.where(apart, distances, 1), 0)
