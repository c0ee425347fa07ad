"""Where workers and the server are computed: all in one program, or divided over devices.

A `Placement` tells `build` which workers a program computes, how their messages come together, and
where the server's arrays are.

    here()          one program, one device
    divided(mesh)   workers by their numbers, the server by coordinates; what `train` uses
    along_axis()    workers by their numbers, the whole server on every device: under `over_mesh`
                    and `over_pmap`, which run the program on all devices
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as Spec

from jaxbyz import checks
from jaxbyz.core import Key, Oracle, Tree
from jaxbyz.partitioned import AXIS, by_coordinates, dividing, everywhere
from jaxbyz.simulation.state import SimulationState

Ask = Callable[[Tree], Oracle]
Compute = Callable[..., Tree]  # (what all workers know, data, *states)


class Placement(NamedTuple):
    """Where workers and the server are."""

    # What a program computes of its workers, (shared, data, *states) -> [m, ...], on the devices.
    workers: Callable[[Compute], Compute]
    ids: Callable[[int], jax.Array]  # local number of workers -> their ids
    asking: Callable[[Ask], Ask]  # entry of the data -> oracle: how workers ask it here
    gather: Callable[[Tree], Tree]  # what the workers of this program computed -> of all workers
    messages: Callable[[Tree, int], Tree]  # (messages, d) -> the same where the server reads them
    server: Callable[[Tree, int], Tree]  # (arrays of the server, d) -> the same where they belong
    serving: Callable[[], contextlib.AbstractContextManager[None]]  # in which the server is traced


def here() -> Placement:
    """All workers in one program."""
    return Placement(
        workers=lambda compute: compute,
        ids=jnp.arange,
        asking=lambda oracle: oracle,
        gather=lambda computed: computed,
        messages=lambda tree, d: tree,
        server=lambda tree, d: tree,
        serving=contextlib.nullcontext,
    )


def along_axis() -> Placement:
    """Workers along the mapped axis of `over_mesh` or `over_pmap`, consecutive ones together.

    Every device computes all of the server.
    """

    def gather(computed: Tree) -> Tree:
        return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, AXIS, tiled=True), computed)

    return here()._replace(ids=_ids_along_axis, asking=_asked_off_the_mesh, gather=gather)


def divided(mesh: Mesh) -> Placement:
    """Workers by their numbers and the server by coordinates, over the devices of one mesh.

    The simulation is then one program that is compiled by `jax.jit` and divided by JAX's
    partitioner (see `jaxbyz.partitioned`), on devices of one or several processes. Workers need not
    be a multiple of the devices: the last devices then compute copies of some, which nobody reads,
    and `SimulationState.workers` has room for them.

    Args:
        mesh: with the one axis "workers".

    Raises:
        ValueError: another mesh.

    >>> mesh = Mesh(np.array(jax.devices()[:1]), ("workers",))
    >>> divided(mesh).messages(jnp.zeros((2, 3)), 3).shape
    (2, 3)
    """
    require_axis(mesh)

    def workers(compute: Compute) -> Compute:
        whole, split = Spec(), Spec(AXIS)

        def spread(shared: Tree, data: Tree, *states: Tree) -> Tree:
            specs = (whole, split, *(split for _ in states))
            on_each = jax.shard_map(
                compute, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False
            )
            return on_each(shared, filled_up(data, mesh.size), *states)

        return spread

    def messages(tree: Tree, d: int) -> Tree:
        # A vector of coordinates goes to the devices that hold them, all else to every device.
        def one(leaf: jax.Array) -> jax.Array:
            whole = leaf.ndim > 1 and leaf.shape[-1] == d  # [m, d]
            return by_coordinates(leaf, d) if whole else everywhere(leaf)

        return jax.tree.map(one, tree)

    return here()._replace(
        workers=workers,
        ids=_ids_along_axis,
        asking=_asked_off_the_mesh,
        messages=messages,
        server=by_coordinates,
        serving=lambda: dividing(mesh),
    )


def first(count: int, tree: Tree) -> Tree:
    """The first entries of arrays [m, ...]: those of workers, without what fills up devices."""
    return jax.tree.map(lambda leaf: leaf[:count], tree)


def filled_up(data: Tree, devices: int) -> Tree:
    """Data [m, ...] of so many workers that the devices share them evenly: the first ones again.

    >>> filled_up(jnp.arange(3), 2).tolist()
    [0, 1, 2, 0]
    """
    m = jax.tree.leaves(data)[0].shape[0]
    if m % devices == 0:
        return data
    chosen = np.arange(-(-m // devices) * devices) % m
    return jax.tree.map(lambda leaf: leaf[chosen], data)


def _ids_along_axis(local: int) -> jax.Array:
    return jax.lax.axis_index(AXIS) * local + jnp.arange(local)


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


def require_axis(mesh: Any) -> None:
    """Raise unless that is a mesh with the one axis "workers"."""
    if getattr(mesh, "axis_names", None) != (AXIS,):
        raise ValueError(f"mesh must have the one axis {AXIS!r}, got {mesh!r}")


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
    require_axis(mesh)
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
