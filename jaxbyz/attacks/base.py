"""How an attack on messages is made: from a function of the honest vectors, or of all that is seen.

What an attack returns is what the server shall read from the Byzantine workers; the simulation
encodes it as legal messages of the algorithm.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz.contracts import returned
from jaxbyz.contracts.constructors import part
from jaxbyz.contracts.parts import said
from jaxbyz.core import Attack, Key, Tree, View


def no_state(key: Key, d: int) -> None:
    """`init` of an attack without memory."""
    del key, d


@part
def from_view(
    name: str, rows: Callable[[Key, View], jax.Array], poison: Callable[[Tree], Tree] | None = None
) -> Attack:
    """An attack without memory, from a function (key, view) -> rows.

    `view` is everything that the attacker sees (`jaxbyz.core.View`). The rows are what the server
    shall read: [f, d], one for each Byzantine worker, or [d], the same for all of them. `poison`
    makes the Byzantine workers' data of honest data; None: they hold no data.

    Raises:
        ValueError: name is not a text; at trace time, rows of another shape.

    >>> from_view("last round's model", lambda key, view: view.server.x).name
    "last round's model"
    """

    def forge(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        with returned.explaining_tracers(f"attack {name!r}"):
            wanted = rows(key, view)
        shape = (view.byzantine, view.honest.shape[1])
        wanted = returned.rows(name, wanted, shape[1:], shape)
        return state, jnp.broadcast_to(wanted, shape).astype(view.honest.dtype)

    if not isinstance(name, str):
        raise ValueError(f"name must be a text, got {said(name)}")
    return Attack(name, no_state, forge, poison)


@part
def forged(name: str, vector: Callable[[jax.Array], jax.Array]) -> Attack:
    """An attack without memory, from a function of the honest vectors: [h, d] -> [f, d] or [d].

    The honest vectors are what the server reads from the h honest workers in this round. A result
    [d] is the vector of all Byzantine workers. This is all that a new attack needs.

    Raises:
        ValueError: name is not a text; at trace time, a result of another shape.

    >>> forged("twice the median", lambda honest: 2 * jnp.median(honest, axis=0)).name
    'twice the median'
    """
    return from_view(name, lambda key, view: vector(view.honest))


@part
def no_attack() -> Attack:
    """Byzantine workers follow the protocol, each on a copy of an honest worker's data.

    >>> no_attack().name
    'none'
    """
    return Attack("none", no_state, None, lambda data: data)


def own(view: View) -> jax.Array:
    """What the Byzantine workers would send if they followed the protocol, as it is read, [f, d].

    Raises:
        ValueError: they hold no data, because the attack has no `poison`.
    """
    if view.own is None:
        raise ValueError("this attack needs view.own: give it a `poison`, the identity if honest")
    return view.own
