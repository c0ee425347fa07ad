"""Attacks made of attacks: one that waits, one of many by its number, one on some coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.base import own
from jaxbyz.attacks.closed_form.coordinates import most_varied
from jaxbyz.attacks.directions import honest_mean
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, Tree, View


@part
def after(rounds: int, attack: Attack) -> Attack:
    """The given attack from round `rounds` + 1 on; before that Byzantine workers are honest.

    Round 0 is the hello. Byzantine workers compute in all rounds, on copies of honest data or on
    what the attack makes of them. The attack is also asked in the rounds before, so that its own
    state is advanced from the start.

    Raises:
        ValueError: rounds negative or not an integer; an attack that does not forge messages.

    >>> from jaxbyz.attacks.closed_form.sign_flips import sign_flip
    >>> after(100, sign_flip()).name
    'sign flip after 100'
    """
    rounds = checks.count("rounds", rounds)
    inner = attack.forge
    if inner is None:
        raise ValueError(f"attack must forge messages, got {attack.name!r}, which does not")

    def forge(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        # It is asked for rows in every round, because it may remember what it returned.
        state, wanted = inner(key, state, view)
        return state, jnp.where(view.round > rounds, wanted, own(view))

    def abstain(state: Tree, view: View) -> jax.Array:
        quiet = view.round <= rounds
        return quiet if attack.abstain is None else quiet | attack.abstain(state, view)

    poison = attack.poison or (lambda data: data)
    return Attack(f"{attack.name} after {rounds}", attack.init, forge, poison, abstain)


@part
def one_of(attacks: Sequence[Attack], which: jax.Array | int) -> Attack:
    """The attack number `which` of a list; the number may be traced: one program serves them all.

    Byzantine workers compute gradients if any attack of the list wants them to. Only the chosen
    attack runs, unless `vmap` maps over `which`.

    Raises:
        ValueError: no attacks, or one that neither forges nor poisons; a number that is not traced
            and not one of theirs.

    >>> from jaxbyz.attacks.closed_form.sign_flips import sign_flip
    >>> one_of([sign_flip()], 0).name
    'one of: sign flip'
    """
    names = [attack.name for attack in attacks]
    if not attacks or any(a.forge is None and a.poison is None for a in attacks):
        raise ValueError(f"attacks must be some that forge or poison, got {names}")
    if not checks.is_traced(which):
        which = checks.count("which", which, maximum=len(attacks) - 1)

    def init(key: Key, d: int) -> tuple[Tree, ...]:
        return tuple(attack.init(key, d) for attack in attacks)

    def seen_by(attack: Attack, view: View) -> View:
        return view if attack.poison is not None else view._replace(own=None)

    def forge(key: Key, states: tuple[Tree, ...], view: View) -> tuple[Tree, jax.Array]:
        def branch(i: int, attack: Attack) -> Callable[[], Any]:
            def run() -> tuple[tuple[Tree, ...], jax.Array]:
                if attack.forge is None:
                    return states, own(view)
                state, rows = attack.forge(key, states[i], seen_by(attack, view))
                return (*states[:i], state, *states[i + 1 :]), rows

            return run

        return jax.lax.switch(which, [branch(i, attack) for i, attack in enumerate(attacks)])

    def poison(data: Tree) -> Tree:
        kinds = [attack.poison or (lambda data: data) for attack in attacks]
        return jax.lax.switch(which, kinds, data)

    def abstain(states: tuple[Tree, ...], view: View) -> jax.Array:
        def one(i: int, attack: Attack) -> jax.Array:
            if attack.abstain is None:
                return jnp.asarray(attack.forge is None)
            return attack.abstain(states[i], seen_by(attack, view))

        return jnp.stack([one(i, attack) for i, attack in enumerate(attacks)])[which]

    wanted = any(attack.poison is not None for attack in attacks)
    name = "one of: " + ", ".join(names)
    return Attack(name, init, forge, poison if wanted else None, abstain)


@part
def on_mask(attack: Attack, fraction: float = 1.0) -> Attack:
    """The given attack on the coordinates that a message may carry this round; 0 on the others.

    Where all workers share one subset of k coordinates (RoSDHB), these are the coordinates; where
    every worker has its own subset, each Byzantine worker uses its own. Only the ⌈fraction · k⌉ of
    largest honest variance among them are attacked. The rest of the k coordinates hold μ, the mean
    of the honest vectors.

    Raises:
        ValueError: fraction outside (0, 1]; an attack that does not forge messages.

    >>> from jaxbyz.attacks.closed_form.sign_flips import sign_flip
    >>> on_mask(sign_flip(), fraction=0.1).name
    'sign flip on the mask'
    """
    fraction = checks.interval("fraction", fraction, 0, 1, closed="right")
    inner = attack.forge
    if inner is None:
        raise ValueError(f"attack must forge messages, got {attack.name!r}, which does not")

    def forge(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        state, wanted = inner(key, state, view)
        legal = view.read(jnp.ones_like(wanted)) != 0  # [f, d]
        chosen = jax.vmap(lambda among: most_varied(view.honest, fraction, among))(legal)
        rows = jnp.where(chosen, wanted, honest_mean(view.honest))
        return state, jnp.where(legal, rows, 0)

    return Attack(f"{attack.name} on the mask", attack.init, forge, attack.poison, attack.abstain)
