"""Mapping a function over workers or seeds: one by one, or some at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.deprecations import warn_renamed


def one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """Map a function over leading axes, one entry after another (the alternative to `jax.vmap`).

    On CPU this is the fast way for models whose gradients are large batched products.

    >>> one_by_one(lambda a, b: a + b)(jnp.arange(3), jnp.ones(3)).tolist()
    [1.0, 2.0, 3.0]
    """
    return lambda *arguments: jax.lax.map(lambda entry: function(*entry), arguments)


def in_batches(
    size: int, together: Callable[..., Any] = jax.vmap
) -> Callable[..., Callable[..., Any]]:
    """Map a function over leading axes, so many entries at once (between `vmap` and `one_by_one`).

    For many seeds of a small problem: a hundred at once whose state stays in a core's cache are
    faster than all at once.

    Args:
        size: of a batch. It should divide the number of entries: a smaller last batch is compiled
            apart.
        together: how the entries of a batch are mapped: `jax.vmap`, or what is called like it.

    Raises:
        ValueError: size < 1; when called, arguments without a leading axis common to all.

    >>> in_batches(2)(lambda a, b: a + b)(jnp.arange(3), jnp.ones(3)).tolist()
    [1.0, 2.0, 3.0]
    """
    size = checks.count("size", size, minimum=1)

    def mapping(function: Callable[..., Any]) -> Callable[..., Any]:
        batch = together(function)

        def mapped(*arguments: Any) -> Any:
            entries = _entries_of(arguments)
            whole = entries - entries % size

            def cut(leaf: jax.Array) -> jax.Array:
                return leaf[:whole].reshape(-1, size, *leaf.shape[1:])

            def joined(leaf: jax.Array, *rest: jax.Array) -> jax.Array:
                return jnp.concatenate([leaf.reshape(whole, *leaf.shape[2:]), *rest])

            last = jax.tree.map(lambda leaf: leaf[whole:], arguments)
            if whole == 0:
                return batch(*last)
            rest = [batch(*last)] if entries > whole else []
            return jax.tree.map(joined, one_by_one(batch)(*jax.tree.map(cut, arguments)), *rest)

        return mapped

    return mapping


def side_by_side(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.vmap`, under a name that goes with the next release.

    It kept the mapped axis last, which was faster for some methods and slower for others.
    """
    warn_renamed("jaxbyz.side_by_side", "jax.vmap")
    return jax.vmap(function)


def _entries_of(arguments: Any) -> int:
    """The length of the leading axis that all arrays have in common."""
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(arguments)]
    if len({shape[:1] for shape in shapes}) != 1 or not shapes[0]:
        raise ValueError(f"all arguments must have one leading axis, got shapes {shapes}")
    return shapes[0][0]
