"""A quick way to a result, and a careful one where the quick one was not right."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def unless(right: jax.Array, found: Any, given: Any, again: Callable[[Any], Any]) -> Any:
    """What was found if it is right, [] bool, and else `again(given)`, a tree of the same form.

    It is a loop of one turn or none: mapped over seeds, a `cond` would always go both ways. Only
    where it is differentiated it is a `cond`, for a loop cannot be differentiated in reverse.

    >>> slow = lambda x: 3 * x
    >>> [unless(jnp.array(right), 5.0, 7.0, slow).item() for right in (True, False)]
    [5.0, 21.0]
    >>> slope = jax.grad(lambda x: unless(x < 1, 2 * x, x, slow))
    >>> slope(0.0).item(), slope(4.0).item()
    (2.0, 3.0)
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
    def either(right: jax.Array, found: Any, given: tuple[Any, ...]) -> Any:
        return jax.lax.cond(right, lambda: found, lambda: again(*given))

    return jax.jvp(either, primals, tangents)
