"""Gradient ascent on f rows that may all differ, through the server and its rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.directions import divide_or_zero, honest_deviation, honest_mean
from jaxbyz.attacks.search.line_search import alie_line_search, ipm_line_search
from jaxbyz.attacks.search.objectives import (
    Damage,
    Through,
    damages,
    deviation_from_honest_mean,
    through_server,
)
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, Tree, View


class _Ascent(NamedTuple):
    rows: jax.Array  # [s, f, d] current rows of every start
    best: jax.Array  # [f, d] the most damaging rows so far
    damage: jax.Array  # [] of these


@part
def ascent(
    steps: int = 30,
    starts: int = 8,
    *,
    tangents: int = 16,
    begin: Sequence[Attack] | None = None,
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
) -> Attack:
    """f distinct rows by normalised gradient ascent on the damage D; the best rows are sent.

    X ← X + η_t ‖σ‖ G/‖G‖,  G = Σ_u (∂_u D) u over random Gaussian directions u [f, d], with η_t
    from 1 to 1e-3. Derivatives are taken in forward mode, which also works for rules that iterate
    to convergence. The rows are encoded at every step, which projects them on legal messages.

    The ascent starts from the rows of the attacks in `begin` and from `starts` random points around
    μ. It sends the most damaging rows of the whole ascent, the starts included, so it is never less
    damaging than an attack in `begin`. It is a search: what it finds is a lower bound of the worst
    case. With s starts in all it costs (s tangents) server rounds per step, and those of `begin`.

    Args:
        steps: number of steps, at least 1.
        starts: number of random starting points, at least 0.
        tangents: random directions per gradient, at least 1.
        begin: attacks to start from, which forge messages and poison no data; None: the line
            searches of IPM and ALIE.
        damage: what to maximise, such as `jaxbyz.attacks.opposition`.
        through: what a forged row is tried on.

    Raises:
        ValueError: an argument outside its range; nowhere to start; an attack in `begin` that
            does not forge, or poisons data.

    >>> ascent(steps=5, starts=2).name
    'ascent'
    """
    steps = checks.count("steps", steps, minimum=1)
    starts = checks.count("starts", starts)
    tangents = checks.count("tangents", tangents, minimum=1)
    begin = (ipm_line_search(), alie_line_search()) if begin is None else tuple(begin)
    for attack in begin:
        if attack.forge is None or attack.poison is not None:
            raise ValueError(f"begin must hold attacks on messages alone, got {attack.name!r}")
    if starts + len(begin) == 0:
        raise ValueError("starts must be >= 1 where begin is empty, got 0")

    def init(key: Key, d: int) -> tuple:
        keys = jax.random.split(key, max(len(begin), 1))
        return tuple(attack.init(keys[i], d) for i, attack in enumerate(begin))

    def forge(key: Key, state: tuple, view: View) -> tuple[Tree, jax.Array]:
        begin_key, start_key, step_key, judge_key = jax.random.split(key, 4)
        shape = (view.byzantine, view.honest.shape[1])
        dtype = view.honest.dtype
        memories, initial = [], []
        for i, attack in enumerate(begin):
            assert attack.forge is not None
            memory, rows = attack.forge(jax.random.fold_in(begin_key, i), state[i], view)
            memories.append(memory)
            initial.append(rows[None])
        mean, spread = honest_mean(view.honest), honest_deviation(view.honest, ddof=0)
        radii = jnp.geomspace(0.3, 30, max(starts, 1), dtype=dtype)[:starts]
        noise = jax.random.normal(start_key, (starts, *shape), dtype)
        initial.append(mean + radii[:, None, None] * spread * noise)
        scores = damages(judge_key, view, damage, through)

        def direction_from(start: tuple[jax.Array, Key]) -> jax.Array:  # -> G/‖G‖ [f, d]
            rows, own = start
            directions = jax.random.normal(own, (tangents, *shape), dtype)

            def one(direction: jax.Array) -> jax.Array:
                change: Any = jax.jvp(
                    lambda wanted: jnp.asarray(
                        damage(through(judge_key, view, wanted), view.honest.shape[0])
                    ),
                    (rows,),
                    (direction,),
                )[1]
                return jnp.where(jnp.isfinite(change), change, 0)

            gradient = jnp.tensordot(jax.vmap(one)(directions), directions, axes=1)
            return divide_or_zero(gradient, jnp.sqrt((gradient**2).sum()))

        reach = jnp.sqrt((spread**2).sum())  # ‖σ‖

        def record(rows: jax.Array, so_far: _Ascent) -> _Ascent:
            found = scores(lambda one: one, rows)
            i = jnp.argmax(found)
            better = found[i] > so_far.damage
            best = jnp.where(better, rows[i], so_far.best)
            return _Ascent(rows, best, jnp.where(better, found[i], so_far.damage))

        def step(so_far: _Ascent, t: jax.Array) -> tuple[_Ascent, None]:
            keys = jax.random.split(jax.random.fold_in(step_key, t), so_far.rows.shape[0])
            uphill = jax.lax.map(direction_from, (so_far.rows, keys))
            size = reach * 1000.0 ** (-t / steps)
            return record(so_far.rows + size.astype(dtype) * uphill, so_far), None

        rows = jnp.concatenate(initial)
        nothing = jnp.array(-jnp.inf, jax.eval_shape(lambda x: scores(lambda r: r, x), rows).dtype)
        so_far = record(rows, _Ascent(rows, rows[0], nothing))
        so_far, _ = jax.lax.scan(step, so_far, jnp.arange(steps))
        return tuple(memories), so_far.best

    return Attack("ascent", init, forge, None)
