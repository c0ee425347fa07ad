"""Attacks that wait, and attacks among which a number chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.signs import own
from jaxbyz.core import Attack, Key, Tree, View

__all__ = ["after", "one_of"]


def after(rounds: int, attack: Attack) -> Attack:
    """Honest up to and including round `rounds`, then another attack; the hello is round 0.

    Byzantine workers compute all the time, on copies of honest data or on what the attack makes
    of them. The attack's own state runs from the first round.

    Raises:
        ValueError: rounds negative or not an integer; an attack that does not forge messages.

    >>> from jaxbyz.attacks.signs import sign_flip
    >>> after(100, sign_flip()).name
    'sign flip after 100'
    """
    rounds = checks.count("rounds", rounds)
    inner = attack.forge
    if inner is None:
        raise ValueError(f"attack must forge messages, got {attack.name!r}, which does not")

    def forge(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        state, wanted = inner(key, state, view)
        return state, jnp.where(view.round > rounds, wanted, own(view))

    poison = attack.poison or (lambda data: data)
    return Attack(f"{attack.name} after {rounds}", attack.init, forge, poison)


def one_of(attacks: Sequence[Attack], which: jax.Array | int) -> Attack:
    """The attack of this number; it may be traced, so that one program serves all of them.

    Byzantine workers compute if any of the attacks wants them to. Only the chosen one runs, if the
    number is not mapped over.

    Raises:
        ValueError: no attacks, or one that does not forge messages.

    >>> from jaxbyz.attacks.signs import sign_flip
    >>> one_of([sign_flip()], 0).name
    'one of: sign flip'
    """
    forging = [(attack, attack.forge) for attack in attacks if attack.forge is not None]
    if not attacks or len(forging) < len(attacks):
        names = [attack.name for attack in attacks]
        raise ValueError(f"attacks must be some that forge messages, got {names}")

    def init(key: Key, d: int) -> tuple[Tree, ...]:
        return tuple(attack.init(key, d) for attack in attacks)

    def forge(key: Key, states: tuple[Tree, ...], view: View) -> tuple[Tree, jax.Array]:
        def branch(i: int, attack: Attack, lie: Callable[..., Any]) -> Callable[[], Any]:
            seen = view if attack.poison is not None else view._replace(own=None)

            def run() -> tuple[tuple[Tree, ...], jax.Array]:
                state, rows = lie(key, states[i], seen)
                return (*states[:i], state, *states[i + 1 :]), rows

            return run

        return jax.lax.switch(which, [branch(i, *both) for i, both in enumerate(forging)])

    def poison(data: Tree) -> Tree:
        own = [attack.poison or (lambda data: data) for attack in attacks]
        return jax.lax.switch(which, own, data)

    wanted = any(attack.poison is not None for attack in attacks)
    name = "one of: " + ", ".join(attack.name for attack in attacks)
    return Attack(name, init, forge, poison if wanted else None)
