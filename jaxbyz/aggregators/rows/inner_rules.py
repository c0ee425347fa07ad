"""What rules that treat every coordinate on its own offer to rules that change the rows before.

A rule in general is given an array of changed rows, and on CPU making room for a new array [n, d]
costs several times as much as most rules. A rule of this kind is given rows one by one, so that
the change becomes a part of its own pass, or some columns at a time.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.finite import FiniteRows, weighted
from jaxbyz.aggregators.rows.numbers import multiplied
from jaxbyz.column_passes import UNROLLED_ROWS, over_columns
from jaxbyz.core import Aggregated, Aggregator, Key, Tree

Rows = Sequence[jax.Array] | jax.Array  # n arrays [w], or one [n, w]
ColumnRule = Callable[[Rows], jax.Array]  # finite rows -> [w], for any number w of columns


@dataclasses.dataclass(frozen=True, repr=False)
class Coordinatewise(Aggregator):
    """An aggregator without state that is one function of the entries of a column."""

    columns: ColumnRule | None = None
    is_mean: bool = False  # then the value of mixtures of rows is one mixture


def apply_to_scaled(
    inner: Aggregator,
    key: Key | None,
    state: Tree,
    finite: FiniteRows,
    factors: Sequence[jax.Array] = (),
) -> tuple[Tree, Aggregated]:
    """What a rule makes of the finite rows, each multiplied by its factors [n] in turn."""
    n = finite.raw.shape[0]
    if isinstance(inner, Coordinatewise) and inner.columns and n <= UNROLLED_ROWS:
        rows = [finite.row(i) for i in range(n)]
        for factor in factors:
            rows = [row * factor[i] for i, row in enumerate(rows)]
        return state, Aggregated(inner.columns(rows), jnp.zeros(n, bool), {})
    every = finite.array
    for factor in factors:
        every = every * factor[:, None]
    return inner.apply(key, state, every)


def apply_to_weighted(
    inner: Aggregator, key: Key | None, state: Tree, finite: FiniteRows, weights: jax.Array
) -> tuple[Tree, Aggregated]:
    """What a rule makes of the rows Σ_j w_ij x_j; weights [m, n], of which every line is a mean."""
    if not isinstance(inner, Coordinatewise) or not inner.columns:
        return inner.apply(key, state, weighted(weights, finite))
    none = jnp.zeros(len(weights), bool)
    rule, largest = inner.columns, jnp.finfo(finite.raw.dtype).max
    if inner.is_mean:
        return state, Aggregated(weighted(weights.mean(axis=0), finite), none, {})

    def some(start: jax.Array | int, width: int) -> jax.Array:
        mixed = multiplied(weights, finite.columns(start, width))
        return rule(jnp.clip(mixed, -largest, largest))  # a mean may be rounded to Inf

    value = over_columns(some, finite.raw.shape[1])
    return state, Aggregated(value, none, {})
