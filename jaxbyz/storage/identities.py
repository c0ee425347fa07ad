"""What a run must have in common with the one it continues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxbyz.seeds import streams
from jaxbyz.simulation.sessions import Session
from jaxbyz.storage.fingerprints import fingerprint

__all__ = ["Identity", "identity_of"]


class Identity(NamedTuple):
    """Runs with equal `states` agree bit for bit; length and evaluations may differ."""

    states: str  # fingerprint of what decides the states
    measures: str  # fingerprint of what is measured at them
    columns: Sequence[str]  # names of what is measured


def identity_of(
    one: Session, map_seeds: Callable[..., Any], seeds: Sequence[int]
) -> tuple[Identity, Any]:
    """The identity of a run, and the shapes of its states.

    Args:
        one: the session, with all workers in one program: devices decide nothing.
        map_seeds: maps over seeds.
        seeds: of the run.
    """
    simulation, problem = one.simulation, one.problem
    data, test = simulation.data, problem.test
    model_keys, start_keys, round_keys = streams(seeds)

    def begin(model_keys: jax.Array, start_keys: jax.Array, data: Any) -> Any:
        xs = map_seeds(problem.init)(model_keys)
        return map_seeds(lambda key, x: simulation.init(key, x, data)[0])(start_keys, xs)

    def proceed(keys: jax.Array, states: Any, data: Any) -> Any:
        def step(key: jax.Array, state: Any) -> Any:
            return simulation.step(jax.random.fold_in(key, state.round), state, data)[0]

        return map_seeds(step)(keys, states)

    def look(keys: jax.Array, states: Any, data: Any, test: Any) -> dict[str, jax.Array]:
        def columns(key: jax.Array, state: Any) -> dict[str, jax.Array]:
            measured = dict(one.measure(state.server.x, data, test))
            watched = {} if one.watch is None else one.advance(1, key, state, data)[1][1]
            return measured | watched

        return map_seeds(columns)(keys, states)

    start, like = jax.make_jaxpr(begin, return_shape=True)(model_keys, start_keys, data)
    step = jax.make_jaxpr(proceed)(round_keys, like, data)
    view, columns = jax.make_jaxpr(look, return_shape=True)(round_keys, like, data, test)
    chosen = np.array(seeds)
    states = f"{fingerprint(start, data, chosen)} {fingerprint(step)}"
    return Identity(states, fingerprint(view, data, test), sorted(columns)), like
