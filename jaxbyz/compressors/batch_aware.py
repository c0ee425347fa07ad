"""Functions that see all vectors that `jax.vmap` applies them to, and choose how to treat them.

The fastest way to choose among d numbers depends on how many vectors there are. A function of one
vector cannot know that, because `vmap` adds its axis to every single step. So the function is
written for any number of leading axes, and each `vmap` around it adds one of them to its argument.
"""

import math
from collections.abc import Callable
from typing import Any

import jax

LONG = 2**14  # vectors so long are taken one after another


def sees_its_batch(function: Callable[[jax.Array], Any]) -> Callable[[jax.Array], Any]:
    """The function [..., d] -> [..., *], to which every `vmap` gives one more leading axis.

    Its argument is a constant for differentiation: for functions whose values are places or marks.

    >>> import jax.numpy as jnp
    >>> vectors = sees_its_batch(lambda x: jnp.full(x.shape[:-1], x[..., 0].size))
    >>> jax.vmap(jax.vmap(vectors))(jnp.ones((2, 3, 5))).tolist()
    [[6, 6, 6], [6, 6, 6]]
    """
    # Compiled as one, for those who call it step by step outside `jit`.
    aware = jax.custom_batching.custom_vmap(jax.jit(function))

    @aware.def_vmap
    def _(size: int, batched: list[bool], x: jax.Array) -> Any:
        del size, batched
        found = aware(x)
        return found, jax.tree.map(lambda _: True, found)

    return lambda x: aware(jax.lax.stop_gradient(x))


def mapped(function: Callable[[jax.Array], Any], x: jax.Array, axes: int, length: int) -> Any:
    """Map a function over the first axes of x: vectors of `length` numbers side by side if short.

    Long ones are taken one after another, so that what is made of one stays in the cache.

    >>> import jax.numpy as jnp
    >>> mapped(lambda x: x.sum(), jnp.ones((4, 2, 3)), axes=2, length=3).shape
    (4, 2)
    """
    if axes == 0 or length < LONG:
        for _ in range(axes):
            function = jax.vmap(function)
        return function(x)
    leading = x.shape[:axes]
    found = jax.lax.map(function, x.reshape(math.prod(leading), *x.shape[axes:]))
    return jax.tree.map(lambda leaf: leaf.reshape(*leading, *leaf.shape[1:]), found)
