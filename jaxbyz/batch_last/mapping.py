"""`jax.vmap` with the mapped axis last, so that numbers of different entries are neighbours.

`jax.vmap` puts the mapped axis first at most steps. For many runs of a small problem that is slow.
A core does the same to sixteen neighbouring numbers as fast as to one. The fifty coordinates of one
vector fill three registers and a part of a fourth, and sums or selections along the coordinates
are done number after number. When the entries are neighbours, every step fills whole registers.

The function is traced to JAX's list of primitive steps, and each step is done for all entries at
once. Some rules here leave the axis where `jax.vmap` would move it; every other step is done by
`jax.vmap` itself, told that the axis is last. A value that is the same for all entries stays one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.batch_last.batching_rules import with_batch_axis
from jaxbyz.batch_last.interpreter import BatchLast

__all__ = ["entries_of", "side_by_side"]


def side_by_side(function: Callable[..., Any]) -> Callable[..., Any]:
    """Map a function over leading axes, as `jax.vmap(function)`; inside, that axis is kept last.

    For many entries of small arrays, such as the seeds of a run. It is faster than `jax.vmap` where
    steps are entrywise or along rows, and slower where numbers are drawn, sorted or gathered, since
    the axis is then moved there and back (measured ratios: see `jaxbyz.batch_last`). Steps inside
    `shard_map` and custom derivatives are those of `jax.vmap`.

    Args:
        function: of positional arguments; every leaf of one entry has one axis less. What it closes
            over is the same for all entries.

    Returns:
        The function of all entries: every leaf [e, ...] -> every leaf [e, ...].

    Raises:
        ValueError: when called, if there are no arguments, or no leading axis common to all.

    >>> side_by_side(lambda a, b: (a * b.sum(), 1))(jnp.arange(3), jnp.ones((3, 2)))
    (Array([0., 2., 4.], dtype=float32), Array([1, 1, 1], dtype=int32))
    """

    def mapped(*arguments: Any) -> Any:
        batch = BatchLast(entries_of(arguments))
        leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, arguments))
        one = [_of_one_entry(leaf) for leaf in leaves]
        steps, result = jax.make_jaxpr(function, return_shape=True)(
            *jax.tree.unflatten(structure, one)
        )
        inputs = [(jnp.moveaxis(leaf, 0, -1), True) for leaf in leaves]
        found = [with_batch_axis(value, batch.entries) for value in batch.evaluate(steps, inputs)]
        outputs = [jnp.moveaxis(value, -1, 0) for value in found]
        return jax.tree.unflatten(jax.tree.structure(result), outputs)

    return mapped


def entries_of(arguments: Any) -> int:
    """The length of the leading axis that all arrays have in common.

    Raises:
        ValueError: there is none.

    >>> entries_of((jnp.ones((3, 2)), jnp.ones(3)))
    3
    """
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(arguments)]
    if len({shape[:1] for shape in shapes}) != 1 or not shapes[0]:
        raise ValueError(f"all arguments must have one leading axis, got shapes {shapes}")
    return shapes[0][0]


def _of_one_entry(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    weak = getattr(jax.typeof(leaf), "weak_type", False)
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype, weak_type=weak)
