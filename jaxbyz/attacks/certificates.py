"""How strong an attack is, beside a fixed reference: the number to store with a benchmark.

strength = damage of the attack / greatest damage in the reference. The reference consists of the
points μ + τ p for every given direction p and more than 4096 strengths τ of a signed grid, and of
given attacks in closed form. The strength may exceed 1. An attack may be called optimal for its
family at 0.999 or more, else "searched": a fixed reference is a lower bound of the worst case, not
a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.closed_form.lower_bounds import stall, tight_trimmed_mean
from jaxbyz.attacks.closed_form.mimic import mimic
from jaxbyz.attacks.closed_form.min_max import min_max, min_sum
from jaxbyz.attacks.closed_form.rule_specific import local_poisoning_ends
from jaxbyz.attacks.closed_form.sign_flips import cancel_mean, ipm, sign_flip
from jaxbyz.attacks.directions import honest_deviation, mean_sign, opposite_mean
from jaxbyz.attacks.search.line_search import on_line, signed_grid
from jaxbyz.attacks.search.objectives import (
    Damage,
    Through,
    damages,
    deviation_from_honest_mean,
    through_server,
)
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, Tree, View

DIRECTIONS = (opposite_mean, honest_deviation, mean_sign)


class Certificate(NamedTuple):
    """The strength of an attack in one round."""

    damage: jax.Array  # [] of the attack
    reference: jax.Array  # [] the greatest of the reference
    strength: jax.Array  # [] their ratio; 1 where neither does harm, 0 where only one does not


def closed_forms() -> tuple[Attack, ...]:
    """Attacks without search, memory and randomness, to compare with.

    >>> len(closed_forms())
    9
    """
    return (
        sign_flip(),
        cancel_mean(),
        ipm(),
        min_max(),
        min_sum(),
        mimic(),
        local_poisoning_ends(),
        stall(),
        tight_trimmed_mean(),
    )


def certificate(
    key: Key,
    view: View,
    rows: jax.Array,
    *,
    directions: Sequence[Callable[[jax.Array], jax.Array]] = DIRECTIONS,
    rivals: Sequence[Attack] | None = None,
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
    per_sign: int = 2048,
) -> Certificate:
    """The strength of rows [f, d] in this round.

    Args:
        key: for the server's round, the same for all forged rows.
        view: what the attacker saw.
        rows: what it wants the server to read.
        directions: of the lines in the reference, such as `jaxbyz.attacks.honest_deviation`. Give
            those of the attack's own family to judge a search, and all of them to compare attacks.
        rivals: attacks on messages in the reference; None: `closed_forms()`.
        damage: what is measured.
        through: what forged rows are tried on.
        per_sign: grid points per sign and direction, at least 2048.

    Raises:
        ValueError: per_sign < 2048; a rival that does not forge, or poisons data.
    """
    per_sign = checks.count("per_sign", per_sign, minimum=2048)
    rivals = closed_forms() if rivals is None else tuple(rivals)
    scores = damages(key, view, damage, through)
    found = []
    for direction in directions:
        taus = jnp.asarray(signed_grid(per_sign), view.honest.dtype)
        found.append(scores(on_line(view, direction), taus).max())
    said = [rows]
    for rival in rivals:
        if rival.forge is None or rival.poison is not None:
            raise ValueError(f"rivals must be attacks on messages alone, got {rival.name!r}")
        said.append(rival.forge(key, rival.init(key, rows.shape[1]), view)[1])
    own, *others = scores(lambda one: one, jnp.stack(said))
    reference = jnp.stack([*found, *others]).max()
    ratio = own / jnp.where(reference > 0, reference, 1)
    strength = jnp.where(reference > 0, ratio, jnp.where(own >= reference, 1, 0))
    return Certificate(own, reference, strength)


class _Certified(NamedTuple):
    inner: Tree
    certificate: Certificate


@part
def certified(
    attack: Attack,
    *,
    directions: Sequence[Callable[[jax.Array], jax.Array]] = DIRECTIONS,
    rivals: Sequence[Attack] | None = None,
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
    per_sign: int = 2048,
) -> Attack:
    """The same attack, with the `Certificate` of the last round in `state.attack.certificate`.

    Costs a reference grid of server rounds per round. Before the first round all is NaN.

    Raises:
        ValueError: an attack that does not forge messages; what `certificate` raises.

    >>> certified(sign_flip()).name
    'sign flip'
    """
    inner = attack.forge
    if inner is None:
        raise ValueError(f"attack must forge messages, got {attack.name!r}, which does not")

    def init(key: Key, d: int) -> _Certified:
        unknown = jnp.full((), jnp.nan)
        return _Certified(attack.init(key, d), Certificate(unknown, unknown, unknown))

    def forge(key: Key, state: _Certified, view: View) -> tuple[_Certified, jax.Array]:
        inner_key, judge_key = jax.random.split(key)
        memory, rows = inner(inner_key, state.inner, view)
        result = certificate(
            judge_key,
            view,
            rows,
            directions=directions,
            rivals=rivals,
            damage=damage,
            through=through,
            per_sign=per_sign,
        )
        kept = jax.tree.map(lambda new, old: new.astype(old.dtype), result, state.certificate)
        return _Certified(memory, kept), rows

    return Attack(attack.name, init, forge, attack.poison)
