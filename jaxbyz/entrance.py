"""The server's entrance: what it lets in of the messages that it is sent."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.blocks import in_order, largest_entries

__all__ = ["admit", "oversized"]

Tree = Any  # a pytree of arrays: a message, or many


def admit(messages: Tree) -> tuple[Tree, jax.Array]:
    """Let in what is finite; a message that is not becomes a message of zeros.

    A message is rejected when one of its numbers is NaN or ±Inf, or is so large beside the
    typical message that its square could not be summed over all workers and coordinates:
    |value| > s √max / (4 √(n k)), where s is the median over workers of the largest finite
    |value| of the same array (1 if that is 0), max the largest number of the dtype, and k how many
    entries of any type a message has, which is never less than the coordinates it fills. So no
    stored row of a server is ever touched by a number that arithmetic cannot hold.

    Of a rejected message all numbers become 0; signs, levels and indices stay, and multiply or
    place zeros. `Signs` holds no number, and none is ever rejected.

    Args:
        messages: a batch of messages, every array [n, ...].

    Returns:
        The messages with rejected ones zeroed, and which were rejected, [n] bool.

    >>> from jaxbyz.messages import Dense
    >>> batch = Dense(jnp.array([[1.0, 2.0], [jnp.nan, 0.0], [1e30, 0.0], [2.0, 1.0]]))
    >>> batch, bad = admit(batch)
    >>> bad.tolist(), batch.values[1].tolist()
    ([False, True, True, False], [0.0, 0.0])
    """
    leaves, structure = jax.tree.flatten(messages)
    floats = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    n = leaves[0].shape[0]
    entries = sum(leaf.size for leaf in leaves) // n
    bad = jnp.zeros(n, bool)  # [n]
    for values in floats:
        bad = bad | oversized(values.reshape(n, -1), entries)

    def keep(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        shape = (-1,) + (1,) * (leaf.ndim - 1)
        return jnp.where(bad.reshape(shape), jnp.zeros((), leaf.dtype), leaf)

    kept: Any = jax.tree.unflatten(structure, [keep(leaf) for leaf in leaves])
    return kept, bad


def oversized(values: jax.Array, entries: int | None = None) -> jax.Array:
    """Which rows of [n, m] hold NaN, Inf, or numbers too large beside the rest, [n] bool.

    `entries` (m if not given) is how many coordinates such numbers may fill.

    >>> oversized(jnp.array([[1.0], [2.0], [1e25], [jnp.inf]])).tolist()
    [False, False, True, True]
    """
    n, m = values.shape
    k = m if entries is None else entries
    limits = jnp.finfo(values.dtype)
    largest = largest_entries(values)
    finite = jnp.isfinite(largest)
    # Rows that are not finite stand at the far end, so that the middle is that of honest rows.
    middle = in_order(jnp.where(finite, largest, jnp.inf), (n - 1) // 2)
    scale = jnp.where((middle > 0) & jnp.isfinite(middle), middle, 1)
    bound = float(limits.max) ** 0.5 / (4 * (n * k) ** 0.5)
    return ~finite | (largest / scale > bound)
