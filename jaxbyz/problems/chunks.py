"""Sums over samples, a part of them at a time; samples are pytrees of arrays [m, ...]."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.problems.samples import length


def wide(numbers: jax.Array) -> jax.Array:
    """Floats of at least 32 bits; other numbers as they are.

    >>> wide(jnp.ones(2, jnp.bfloat16)).dtype.name, wide(jnp.ones(2, int)).dtype.name[:3]
    ('float32', 'int')
    """
    if not jnp.issubdtype(numbers.dtype, jnp.floating):
        return numbers
    return numbers.astype(jnp.promote_types(numbers.dtype, jnp.float32))


def summed_in_chunks(function: Callable[[Any], Any], samples: Any, chunk: int) -> Any:
    """Σ function(part) over consecutive parts of at most `chunk` samples, one after another.

    Floats narrower than 32 bits are added up in 32 bits.

    >>> summed_in_chunks(lambda part: part.sum(), jnp.arange(5.0), chunk=2).item()
    10.0
    """
    whole, rest = divmod(length(samples), chunk)
    if whole == 0 or (whole == 1 and rest == 0):
        return jax.tree.map(wide, function(samples))
    parts = jax.tree.map(
        lambda leaf: leaf[: whole * chunk].reshape(whole, chunk, *leaf.shape[1:]), samples
    )
    shape = jax.eval_shape(function, jax.tree.map(lambda leaf: leaf[0], parts))
    zero = jax.tree.map(lambda leaf: wide(jnp.zeros(leaf.shape, leaf.dtype)), shape)

    def add(total: Any, part: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(part)), None

    total, _ = jax.lax.scan(add, zero, parts)
    if rest:
        tail = function(jax.tree.map(lambda leaf: leaf[whole * chunk :], samples))
        total = jax.tree.map(jnp.add, total, tail)
    return total
