"""A quick way to a result, and a careful one where the quick one was not right."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def unless(right: jax.Array, found: Any, given: Any, again: Callable[[Any], Any]) -> Any:
    """What was found if it is right, [] bool, and else `again(given)`, a tree of the same form.

    It is a loop of one turn or none: mapped over seeds, a `cond` would always go both ways. Where
    it is differentiated it is always `again(given)`, value and derivative: a loop cannot be
    differentiated in reverse, and a quick way that went wrong has derivatives that are no numbers,
    which a factor of 0 does not remove. So what was found, where it is right and asked for, must be
    what `again` finds but for roundings, and all that it depends on must be in `given` or `again`.

    >>> slow = lambda x: 3 * x
    >>> [unless(jnp.array(right), 5.0, 7.0, slow).item() for right in (True, False)]
    [5.0, 21.0]
    >>> jax.value_and_grad(lambda x: unless(jnp.array(False), jnp.sqrt(-x), x, slow))(4.0)
    (Array(12., dtype=float32, weak_type=True), Array(3., dtype=float32, weak_type=True))
    """
    # Values that `again` closes over would have no derivative: they become arguments.
    again, closed_over = jax.closure_convert(again, given)
    return _unless(again, right, found, (given, *closed_over))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _unless(again: Callable[..., Any], right: jax.Array, found: Any, given: tuple[Any, ...]) -> Any:
    def turn(carry: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
        # Otherwise the compiler takes what does not change out of the loop, and it is always done.
        held, _ = jax.lax.optimization_barrier((given, carry))
        return jnp.array(True), again(*held)

    return jax.lax.while_loop(lambda carry: ~carry[0], turn, (right, found))[1]


@_unless.defjvp
def _differentiated(again: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    return jax.jvp(again, primals[2], tangents[2])
