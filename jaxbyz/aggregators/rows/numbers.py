"""What every rule does to its rows before it looks at them: judge, replace, scale.

A row with a NaN or ±Inf is *rejected* and counts as Byzantine. Replacing it by any finite row keeps
an (f, κ) guarantee, because it was one of the at most f Byzantine rows; the coordinate-wise median
of the good rows is taken because it is central and equivariant. The replacement is by `where`,
never by a product with a 0/1 mask (0 · NaN differs between eager and compiled code).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.sorting import sort_rows
from jaxbyz.checks import said
from jaxbyz.column_passes import largest_entries, over_columns
from jaxbyz.contracts import returned
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Robustness, Tree

__all__ = [
    "rejected_rows",
    "fill_for",
    "neutralize",
    "no_state",
    "power_of_two",
    "require_key",
    "require_majority",
    "said_as",
    "share",
    "stateless",
    "widened",
]


def rejected_rows(rows: jax.Array) -> jax.Array:
    """Which rows of [n, d] hold a number that is not finite, [n] bool.

    >>> rejected_rows(jnp.array([[0.0, 1.0], [jnp.nan, 0.0]])).tolist()
    [False, True]
    """
    return ~jnp.isfinite(largest_entries(rows))


def widened(rows: jax.Array) -> jax.Array:
    """16-bit rows in 32 bits, where sums and squares are formed; integers as floats.

    Raises:
        ValueError: rows of complex numbers, or of no numbers.

    >>> widened(jnp.zeros((2, 3), jnp.bfloat16)).dtype, widened(jnp.zeros((2, 3), int)).dtype
    (dtype('float32'), dtype('float32'))
    """
    dtype = _said_dtype(rows)
    return rows.astype(jnp.float32 if dtype.itemsize <= 2 else dtype)


def said_as(rows: jax.Array, value: jax.Array) -> jax.Array:
    """A result in the kind of number of the rows; for integers, in JAX's default floats.

    >>> said_as(jnp.zeros((2, 1), jnp.bfloat16), jnp.ones(1)).dtype
    dtype(bfloat16)
    """
    return value.astype(_said_dtype(rows))


def _said_dtype(rows: jax.Array) -> Any:
    dtype = rows.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        return dtype
    if jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.bool_):
        return jnp.zeros(()).dtype
    raise ValueError(f"rows must be real numbers, got an array of {dtype}")


def neutralize(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Replace rejected rows by the coordinate-wise median of the good ones (0 if there is none).

    Args:
        rows: [n, d].

    Returns:
        Rows [n, d], all finite, and which were replaced, [n] bool. The median is computed only
        when there is a rejected row.

    >>> rows, rejected = neutralize(jnp.array([[1.0], [jnp.inf], [3.0]]))
    >>> rows.ravel().tolist(), rejected.tolist()
    ([1.0, 2.0, 3.0], [False, True, False])
    """
    rejected = rejected_rows(rows)
    return jnp.where(rejected[:, None], fill_for(rows, rejected), rows), rejected


def fill_for(rows: jax.Array, out: jax.Array) -> jax.Array:
    """What replaces the marked rows [n]: the median of the others, [d]; 0 if there is no marked."""
    return jax.lax.cond(
        out.any(),
        lambda: _median_of_good(rows, out),
        lambda: jnp.zeros(rows.shape[1], rows.dtype),
    )


def _median_of_good(rows: jax.Array, rejected: jax.Array) -> jax.Array:
    """Coordinate-wise median over the good rows, [d]."""
    good = (~rejected).sum()
    half = share(2, rows.dtype)

    def middle(start: jax.Array | int, width: int) -> jax.Array:
        part = jax.lax.dynamic_slice_in_dim(rows, start, width, axis=1)
        ordered = sort_rows(jnp.where(rejected[:, None], jnp.inf, part))  # good ones first
        lower = ordered[jnp.maximum(good - 1, 0) // 2]
        upper = ordered[good // 2]
        return jnp.where(good > 0, lower * half + upper * half, 0).astype(rows.dtype)

    return over_columns(middle, rows.shape[1])


def share(count: int, dtype: Any) -> jax.Array:
    """1/count, [], as a number that the compiler cannot see.

    Where it sees a power of two it makes (x + y)/2 of x/2 + y/2, and the sum may overflow.

    >>> halves = jax.jit(lambda x, y: x * share(2, x.dtype) + y * share(2, y.dtype))
    >>> halves(jnp.float32(3e38), jnp.float32(3e38)).item() < jnp.inf
    True
    """
    return jax.lax.optimization_barrier(jnp.asarray(1 / count, dtype))


def power_of_two(sizes: jax.Array) -> jax.Array:
    """2^⌊log₂ size⌋ of every size ≥ 0, and 1 for 0; no reciprocal of it is flushed to 0.

    >>> power_of_two(jnp.array([0.3, 0.0, 5.0])).tolist()
    [0.25, 1.0, 4.0]
    """
    # frexp has no rounding trouble at the ends of the range, unlike exp2(log2(.)).
    _, exponent = jnp.frexp(jnp.where(sizes > 0, sizes, 1))
    limits = jnp.finfo(sizes.dtype)
    # Not 2^127: compiled programs divide by it through its reciprocal, which would be flushed to 0.
    exponent = jnp.clip(exponent - 1, limits.minexp + 1, limits.maxexp - 2)
    return jnp.ldexp(jnp.ones((), sizes.dtype), exponent)


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


@part
def stateless(
    rule: Callable[[jax.Array], jax.Array], robustness: Robustness | None = None
) -> Aggregator:
    """An aggregator from a plain function of finite rows [n, d] -> [d].

    Bad rows are replaced before the function sees them. This is all a new rule needs:

    Raises:
        ValueError: rule is not a function, or robustness something else; at trace time, a rule that
            does not return [d] floats.

    >>> my_median = stateless(lambda rows: jnp.median(rows, axis=0))
    >>> my_median(jnp.array([[0.0], [1.0], [jnp.nan], [5.0], [2.0]])).item()
    1.5
    """
    if not isinstance(robustness, Robustness | None):
        raise ValueError(f"robustness must be a Robustness or None, got {said(robustness)}")

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        finite, rejected = neutralize(widened(rows))
        with returned.compiled("rule"):
            value = returned.vector("rule", rule(finite), rows.shape[1])
        return state, Aggregated(said_as(rows, value), rejected, {})

    return Aggregator(no_state, apply, robustness)
