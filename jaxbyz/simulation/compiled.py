"""A session of many seeds, compiled, on one device or several: what `train` drives.

On several devices the states between two calls are as `jaxbyz.simulation.layout` says.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from jaxbyz.core import Tree
from jaxbyz.seeds import streams
from jaxbyz.simulation.devices import put
from jaxbyz.simulation.layout import Layout
from jaxbyz.simulation.sessions import Session
from jaxbyz.simulation.state import SimulationState
from jaxbyz.storage.programs import compiled_once


class Compiled(NamedTuple):
    """A session of many seeds S, compiled; every array has a leading axis [S]."""

    start: Callable[[], tuple[SimulationState, Tree]]
    advance: Callable[[int, SimulationState], tuple[SimulationState, tuple[Tree, Any]]]
    measure: Callable[[SimulationState], dict[str, jax.Array]]
    parameters: Callable[[SimulationState], jax.Array]  # [S, d], in every process
    fetched: Callable[[SimulationState], SimulationState]  # in the form that no device decides
    placed: Callable[[SimulationState], SimulationState]  # and back
    # What evaluators and `watch` return is judged, and nothing computed: names of what is watched.
    watched: Callable[[], list[str]]


def compiled(
    one: Session, seeds: Sequence[int], map_seeds: Callable[..., Any] = jax.vmap
) -> Compiled:
    """A session mapped over seeds, on its devices; each function is compiled when it is called.

    Programs are compiled once in a process (`jaxbyz.storage.programs`).

    >>> import jaxbyz as jb, optax
    >>> problem = jb.problems.quadratics(honest=4, byzantine=0, dimension=3)
    >>> sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())
    >>> runs = compiled(jb.simulation.session(sgd, problem), seeds=[0, 1])
    >>> states, _ = runs.start()
    >>> states, (records, _) = runs.advance(5, states)
    >>> states.round.tolist(), runs.measure(states)["loss"].shape
    ([5, 5], (2,))
    """
    mesh = one.mesh
    data, test = put(one.simulation.data, mesh, split=True), put(one.problem.test, mesh)
    model_keys, *keys = streams(seeds)
    start_keys, round_keys = put(keys, mesh)

    def start(keys: jax.Array, xs: jax.Array, data: Tree) -> Any:
        return map_seeds(lambda key, x: one.start(key, x, data))(keys, xs)

    def advance(rounds: int, keys: jax.Array, states: Any, data: Tree) -> Any:
        return map_seeds(lambda key, state: one.advance(rounds, key, state, data))(keys, states)

    def measure(xs: jax.Array, data: Tree, test: Tree) -> dict[str, jax.Array]:
        return map_seeds(lambda x: one.measure(x, data, test))(xs)

    # A program of its own: it is the slowest to compile, and the same for every algorithm.
    models = compiled_once(map_seeds(one.problem.init))
    xs = models.eval_shape(model_keys)
    layout = None if mesh is None else _layout(one, mesh, start, (start_keys, xs, data))

    def begun(keys: jax.Array, xs: jax.Array, data: Tree) -> Any:
        states, first = start(keys, xs, data)
        return states if layout is None else layout.at_rest(states), first

    def gone_on(rounds: int, keys: jax.Array, states: Any, data: Tree) -> Any:
        if layout is None:
            return advance(rounds, keys, states, data)
        states, seen = advance(rounds, keys, layout.in_program(states), data)
        return layout.at_rest(states), seen

    def models_of(states: Any) -> jax.Array:
        states = states if layout is None else layout.in_program(states)
        return map_seeds(lambda state: state.server.x)(states)

    known_at = None if mesh is None else NamedSharding(mesh, Spec())
    both_at = (None if layout is None else layout.shardings, known_at)
    begin = compiled_once(begun, out_shardings=both_at)
    go = compiled_once(gone_on, static_argnums=0, out_shardings=both_at)
    look = compiled_once(measure, out_shardings=known_at)
    read = compiled_once(models_of, out_shardings=known_at)

    def watched() -> list[str]:
        look.eval_shape(xs, data, test)
        if one.watch is None:
            return []
        states, _ = jax.eval_shape(start, start_keys, xs, data)
        _, (_, seen) = jax.eval_shape(functools.partial(advance, 1), round_keys, states, data)
        return list(seen)

    return Compiled(
        start=lambda: begin(start_keys, put(models(model_keys), mesh), data),
        advance=lambda rounds, states: go(rounds, round_keys, states, data),
        measure=lambda states: look(read(states), data, test),
        parameters=read,
        fetched=(lambda states: states) if layout is None else layout.fetched,
        placed=(lambda states: states) if layout is None else layout.placed,
        watched=watched,
    )


def _layout(one: Session, mesh: Mesh, start: Callable[..., Any], arguments: Any) -> Layout:
    workers = jax.tree.leaves(one.simulation.data)[0].shape[0]
    states, _ = jax.eval_shape(start, *arguments)
    return Layout(mesh, workers, states)
