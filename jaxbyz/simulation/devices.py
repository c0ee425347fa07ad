"""Devices that share a run, and arrays that are placed on them."""

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from jaxbyz.core import Tree
from jaxbyz.partitioned import AXIS
from jaxbyz.seeds import is_key
from jaxbyz.simulation.placement import filled_up


def chosen(devices: Any) -> list[jax.Device]:
    """The devices that are meant.

    Raises:
        ValueError: no list of devices, an empty one, one device twice, devices of different
            platforms, or none of this process.

    >>> chosen(jax.devices()[:1]) == jax.devices()[:1]
    True
    >>> chosen(2)
    Traceback (most recent call last):
    ValueError: devices must be a list of different jax devices, such as jax.devices()[:2], got 2
    """

    def refuse(got: str) -> ValueError:
        return ValueError(
            f"devices must be a list of different jax devices, such as jax.devices()[:2], got {got}"
        )

    if isinstance(devices, str | bytes | dict) or not isinstance(devices, Iterable):
        raise refuse(repr(devices))
    found = list(devices)
    strangers = [each for each in found if not isinstance(each, jax.Device)]
    if not found:
        raise refuse("none")
    if strangers:
        raise refuse(f"{strangers[0]!r} in it")
    twice = [each for each in found if found.count(each) > 1]
    if twice:
        raise refuse(f"{twice[0]!r} twice")
    platforms = sorted({each.platform for each in found})
    if len(platforms) > 1:
        raise refuse(f"devices of the platforms {platforms}, which cannot work together")
    here = jax.process_index(found[0].client)
    if all(each.process_index != here for each in found):
        raise refuse(f"none of this process, which has {jax.local_devices(backend=platforms[0])}")
    return found


def mesh_of(devices: Any) -> Mesh | None:
    """The one-axis mesh "workers" of these devices; None for None, that is, wherever JAX computes.

    Raises:
        ValueError: as for `chosen`.

    >>> mesh_of(jax.devices()[:1]).axis_names
    ('workers',)
    """
    return None if devices is None else Mesh(np.array(chosen(devices)), (AXIS,))


def processes(mesh: Mesh | None) -> list[int]:
    """Numbers of the processes that compute.

    >>> processes(None)
    [0]
    """
    if mesh is None:
        return [jax.process_index()]
    return sorted({device.process_index for device in mesh.devices.flat})


def require_one_process(name: str, folder: Any, mesh: Mesh | None) -> None:
    """Raise where a folder is given, and the devices are those of several processes.

    >>> require_one_process("folder", None, mesh_of(jax.devices()[:1]))
    """
    if folder is not None and len(processes(mesh)) > 1:
        raise ValueError(
            f"{name} needs all workers in one process: devices must be those of one process, "
            f"got devices of the processes {processes(mesh)}"
        )


def put(tree: Tree, mesh: Mesh | None, *, split: bool = False) -> Tree:
    """Arrays on all devices of a mesh, or (split) each device's workers [m, ...] on it.

    If the devices cannot share the workers evenly, the first ones fill them up. Where the mesh is
    of several processes, all of them must come with the same arrays.

    >>> put({"x": np.zeros(3)}, None)
    {'x': array([0., 0., 0.])}
    """
    if mesh is None:
        return tree
    if split:
        return put_at(filled_up(tree, mesh.size), NamedSharding(mesh, Spec(AXIS)))
    return put_at(tree, NamedSharding(mesh, Spec()))


def put_at(tree: Tree, sharding: NamedSharding) -> Tree:
    """Arrays where a sharding says; in every process of its mesh the same ones."""

    def one(leaf: Any) -> jax.Array:
        if not is_key(leaf):
            return jax.device_put(leaf, sharding)
        # Keys themselves cannot be put on devices of other processes, their words can.
        words = jax.device_put(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaf))

    return jax.tree.map(one, tree)
