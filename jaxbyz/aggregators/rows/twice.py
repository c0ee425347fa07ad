"""A quick way to a result, and a careful one where the quick one was not right."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def unless(right: jax.Array, found: Any, given: Any, again: Callable[[Any], Any]) -> Any:
    """What was found if it is right, [] bool, and else `again(given)`, a tree of the same form.

    It is a loop of one turn or none: mapped over seeds, a `cond` would always go both ways.

    >>> slow = lambda x: x + 1
    >>> [unless(jnp.array(right), 5, 7, slow).item() for right in (True, False)]
    [5, 8]
    """

    def turn(carry: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
        # Otherwise the compiler takes what does not change out of the loop, and it is always done.
        held, _ = jax.lax.optimization_barrier((given, carry))
        return jnp.array(True), again(held)

    return jax.lax.while_loop(lambda carry: ~carry[0], turn, (right, found))[1]
