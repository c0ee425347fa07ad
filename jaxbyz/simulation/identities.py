"""What a run must have in common with the one it continues."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxbyz.seeds import streams
from jaxbyz.simulation.sessions import Session
from jaxbyz.storage.checkpoints import Identity
from jaxbyz.storage.fingerprints import fingerprint


def identity_of(
    one: Session, map_seeds: Callable[..., Any], seeds: Sequence[int]
) -> tuple[Identity, Any]:
    """The identity of a run, and the shapes of its states.

    Args:
        one: the session, with all workers in one program: devices decide nothing.
        map_seeds: maps over seeds.
        seeds: of the run.
    """
    data, test = one.simulation.data, one.problem.test
    model_keys, start_keys, round_keys = streams(seeds)

    def begin(model_keys: jax.Array, start_keys: jax.Array, data: Any) -> Any:
        xs = map_seeds(one.problem.init)(model_keys)
        return map_seeds(lambda key, x: one.start(key, x, data)[0])(start_keys, xs)

    def proceed(keys: jax.Array, states: Any, data: Any) -> Any:
        unwatched = dataclasses.replace(one, watch=None)  # what is watched decides no state
        return map_seeds(lambda key, state: unwatched.advance(1, key, state, data)[0])(keys, states)

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
