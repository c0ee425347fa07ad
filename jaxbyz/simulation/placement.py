"""Where workers are computed: all in one program, or divided over devices.

A `Placement` tells `build` which workers a program computes and how their messages come together.
`over_mesh` and `over_pmap` then run the program on all devices. The only gathered arrays are the
messages; everything else of a worker stays on its device.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as Spec

from jaxbyz import checks
from jaxbyz.core import Key, Oracle, Tree
from jaxbyz.simulation.state import SimulationState

AXIS = "workers"

Ask = Callable[[Tree], Oracle]


class Placement(NamedTuple):
    """Where workers are: which of them this program computes, and how messages come together."""

    ids: Callable[[int], jax.Array]  # local number of workers -> their ids
    gather: Callable[[Tree], Tree]  # local messages [m_local, ...] -> all messages [m, ...]
    asking: Callable[[Ask], Ask]  # entry of the data -> oracle: how workers ask it here


def here() -> Placement:
    """All workers in one program."""
    return Placement(jnp.arange, lambda messages: messages, lambda oracle: oracle)


def along_axis() -> Placement:
    """Workers along the mapped axis of `over_mesh` or `over_pmap`, consecutive ones together."""

    def ids(local: int) -> jax.Array:
        return jax.lax.axis_index(AXIS) * local + jnp.arange(local)

    def gather(messages: Tree) -> Tree:
        return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, AXIS, tiled=True), messages)

    return Placement(ids, gather, _asked_off_the_mesh)


def off_the_mesh(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of arrays, traced as if its arguments were on no mesh of devices.

    This works around a limit of JAX. The derivative of a convolution records the mesh on which it
    is traced. Mapping it over workers makes it a convolution in groups, and JAX then refuses to map
    it again, over seeds, on a mesh. What one worker computes does not depend on the mesh.

    >>> off_the_mesh(lambda x, y: {"sum": x + y})(jnp.ones(2), 1.0)["sum"].tolist()
    [2.0, 2.0]
    """

    def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
        kind = jax.typeof(leaf)
        return jax.ShapeDtypeStruct(kind.shape, kind.dtype, weak_type=kind.weak_type)

    def traced(*arguments: Tree) -> Any:
        with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), ())):
            shapes = jax.tree.map(shape_of, arguments)
            program, result = jax.make_jaxpr(function, return_shape=True)(*shapes)
        leaves = jax.tree.leaves(arguments)
        found = jax.core.eval_jaxpr(program.jaxpr, program.consts, *leaves)
        return jax.tree.unflatten(jax.tree.structure(result), found)

    return traced


def _asked_off_the_mesh(oracle: Ask) -> Ask:
    full = off_the_mesh(lambda entry, x: oracle(entry).full(x))
    grad = off_the_mesh(lambda entry, batch, x: oracle(entry).grad(batch, x))

    def of(entry: Tree) -> Oracle:
        return oracle(entry)._replace(
            full=lambda x: full(entry, x), grad=lambda batch, x: grad(entry, batch, x)
        )

    return of


def _state_spec(sharded: Any, replicated: Any) -> SimulationState:
    return SimulationState(replicated, sharded, replicated, replicated)


def require_even(data: Tree, devices: int) -> None:
    """Raise unless every device gets the same number of workers."""
    workers = jax.tree.leaves(data)[0].shape[0]
    if workers % devices:
        raise ValueError(
            "the number of computing workers must be a multiple of the number of devices, got "
            f"{workers} computing workers on {devices} devices"
        )


def over_mesh(function: Callable[..., Any], mesh: Mesh, *, initial: bool = False) -> Any:
    """Spread a function of the simulation over the devices of a one-axis mesh "workers".

    `function` is `init` (with initial=True), `step` or what `run` returns, of a simulation built
    with `placement=along_axis()`. The number of computing workers must be a multiple of the
    number of devices. What `run` records must not hold `state.workers`, of which a device has only
    its own.

    Raises:
        ValueError: another mesh; when called, workers that cannot be spread evenly.
    """
    if getattr(mesh, "axis_names", None) != (AXIS,):
        raise ValueError(f"mesh must have the one axis {AXIS!r}, got {mesh!r}")
    split, whole = Spec(AXIS), Spec()
    state = _state_spec(split, whole)
    mapped = jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(whole, whole, split) if initial else (whole, state, split),
        out_specs=(state, whole),
        check_vma=False,  # gathered messages are equal on all devices; this cannot be inferred
    )

    def spread(key: Key, second: Any, data: Tree) -> Any:
        require_even(data, mesh.shape[AXIS])
        return mapped(key, second, data)

    return spread


def over_pmap(function: Callable[..., Any], devices: int, *, initial: bool = False) -> Any:
    """The same as `over_mesh`, with `jax.pmap` over so many devices.

    Raises:
        ValueError: devices that this process does not have; when called, workers that cannot be
            spread evenly.
    """
    devices = checks.count("devices", devices, minimum=1, maximum=jax.local_device_count())
    state = _state_spec(0, None)
    mapped = jax.pmap(
        function,
        axis_name=AXIS,
        in_axes=(None, None, 0) if initial else (None, state, 0),
        out_axes=(state, None),
    )

    def fold(tree: Tree) -> Tree:  # [m, ...] -> [devices, m/devices, ...]
        return jax.tree.map(lambda leaf: leaf.reshape(devices, -1, *leaf.shape[1:]), tree)

    def unfold(tree: Tree) -> Tree:
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tree)

    def spread(key: Key, second: Any, data: Tree) -> Any:
        require_even(data, devices)
        if not initial:
            second = second._replace(workers=fold(second.workers))
        state, info = mapped(key, second, fold(data))
        return state._replace(workers=unfold(state.workers)), info

    return spread
