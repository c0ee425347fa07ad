"""Rounds in which some workers take no part (`Algorithm.participation`).

A worker that is not asked keeps its state and sends nothing; in the program, where arrays have one
shape, its message is one of zeros, which the server does not read and which costs no bits. Under
`vmap` it is computed like the others and then discarded; under `one_by_one` it is not computed.

Attacks and observers see rows of all n workers, since shapes do not vary. An absent worker's row is
that of one who took part, in turn, and honest for honest: means and variances over rows are then
those of the present ones, up to weights that differ by one row.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz.core import Key, Oracle, Tree
from jaxbyz.faulty_rounds import Answer

Answering = Callable[[Key, Tree, Tree, Oracle], Answer]


def staying_away(
    answer: Answering,
) -> Callable[[Key, Tree, Tree, Oracle, jax.Array], Answer]:
    """`answer` of a worker that is asked, and nothing of one that is not: its last argument."""

    def step(key: Key, state: Tree, broadcast: Tree, oracle: Oracle, asked: jax.Array) -> Answer:
        shapes = jax.eval_shape(lambda: answer(key, state, broadcast, oracle)).message
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return jax.lax.cond(
            asked,
            lambda: answer(key, state, broadcast, oracle),
            lambda: Answer(state, nothing, jnp.array(False)),
        )

    return step


def stand_ins(asked: jax.Array, honest: int) -> jax.Array:
    """Whose row is seen in the place of every worker's, [n]: its own if it took part.

    Of a group in which nobody took part all rows are its own: the server has none of them.

    >>> stand_ins(jnp.array([False, True, False, True, False, True]), honest=4).tolist()
    [1, 1, 3, 3, 5, 5]
    """

    def of(group: jax.Array, first: int) -> jax.Array:
        size = group.shape[0]
        own = jnp.arange(size)
        present = jnp.argsort(~group, stable=True)  # those who took part come first
        turn = jnp.cumsum(~group) - 1  # of an absent one, among the absent
        other = present[turn % jnp.maximum(group.sum(), 1)]
        return first + jnp.where(group | ~group.any(), own, other)

    return jnp.concatenate([of(asked[:honest], 0), of(asked[honest:], honest)])
