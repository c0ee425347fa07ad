"""Attacks that wait."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.signs import own
from jaxbyz.core import Attack, Key, Tree, View

__all__ = ["after"]


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
