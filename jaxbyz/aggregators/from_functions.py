"""Aggregators from functions of finite rows, and what every rule asks of its rows first."""

from __future__ import annotations

from collections.abc import Callable

import chex
import jax

from jaxbyz import checks
from jaxbyz.aggregators.rows import FiniteRows, finite_rows, in_dtype_of, replace_rejected, widened
from jaxbyz.contracts import returned
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Robustness, Tree

Details = dict[str, jax.Array]


def require_majority(rule: str, n: int, f: int) -> None:
    """Raise unless n > 2f, as soon as the shape tells n."""
    if n <= 2 * f:
        raise ValueError(f"{rule} needs n > 2f rows, got n = {n} and f = {f}")


def require_key(rule: str, key: Key | None) -> Key:
    """Raise unless a key was given."""
    if key is None:
        raise ValueError(f"{rule} draws at random and needs a key: rule.apply(key, state, rows)")
    return key


def no_state(d: int) -> None:
    """`init` of a rule without state."""
    del d


def aggregated(
    rows: jax.Array, value: jax.Array, rejected: jax.Array, details: Details | None = None
) -> Aggregated:
    """What a rule returns for rows [n, d]: a value [d] in their dtype, rejected rows [n]."""
    chex.assert_shape(rejected, rows.shape[:1])
    return Aggregated(in_dtype_of(rows, value), rejected, details or {})


def with_details(
    rule: Callable[[FiniteRows], tuple[jax.Array, Details]], robustness: Robustness | None = None
) -> Aggregator:
    """An aggregator without state from a function of finite rows -> ([d], details)."""

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        finite = finite_rows(rows)
        value, details = rule(finite)
        chex.assert_shape(value, rows.shape[1:])
        return state, aggregated(rows, value, finite.rejected, details)

    return Aggregator(no_state, apply, robustness)


@part
def stateless(
    rule: Callable[[jax.Array], jax.Array],
    robustness: Robustness | None = None,
    *,
    by_coordinate: bool = False,
) -> Aggregator:
    """An aggregator from a plain function of finite rows [n, d] -> [d].

    Rejected rows, which hold NaN or ±Inf, are replaced before the function sees the rows. This is
    all that a new rule needs.

    Args:
        rule: the function.
        robustness: what is known of its κ.
        by_coordinate: whether every coordinate of the result is the same function, positively
            homogeneous, of that coordinate of the rows, which servers may make use of
            (`jaxbyz.core.Aggregator`); `testing.check_aggregator` tries whether it is.

    Raises:
        ValueError: rule is not a function, or robustness or by_coordinate something else; at
            trace time, a rule that does not return [d] floats.

    >>> import jax.numpy as jnp
    >>> my_median = stateless(lambda rows: jnp.median(rows, axis=0))
    >>> my_median(jnp.array([[0.0], [1.0], [jnp.nan], [5.0], [2.0]])).item()
    1.5
    """
    if not isinstance(robustness, Robustness | None):
        raise ValueError(f"robustness must be a Robustness or None, got {checks.said(robustness)}")
    by_coordinate = checks.flag("by_coordinate", by_coordinate)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        finite, rejected = replace_rejected(widened(rows))
        with returned.explaining_tracers("rule"):
            value = returned.vector("rule", rule(finite), rows.shape[1])
        return state, aggregated(rows, value, rejected)

    return Aggregator(no_state, apply, robustness, by_coordinate=by_coordinate)
