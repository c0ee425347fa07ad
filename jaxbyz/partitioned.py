"""Arrays that JAX's partitioner divides over devices by their axis of coordinates.

A server whose arrays [n, d] and [d] are divided is the same program as on a single device. JAX's
partitioner (XLA's SPMD) makes the program of every device from it: what is done to each coordinate
on its own stays where it is, and a sum over coordinates becomes one sum on each device, and one
over the devices. It follows what it is told of some arrays, and these functions tell it.

Whether a program is divided, and over how many devices, is read from the mesh on which JAX traces
(`jax.sharding.get_abstract_mesh`), a part of what JAX remembers traced functions by. Off such a
mesh, and for the workers, each of which is computed on one device, these functions do nothing.

    with dividing(mesh): ...        what is traced inside is divided
    by_coordinates(tree, d)         arrays with an axis of length d are divided by it
    everywhere(tree)                every device holds these arrays
    in_shards(x)                    [..., d] as [..., devices, ⌈d/devices⌉], filled up by zeros

What is where, with D devices, n workers and b bytes a number. In a round a device receives

| what                          | held by a device | received in a round                           |
|-------------------------------|------------------|-----------------------------------------------|
| workers' memory, data         | of n/D workers   | nothing                                       |
| model, as workers read it     | d b              | d b (1 - 1/D), from the others' coordinates   |
| messages of k numbers         | n k b            | n k b (1 - 1/D), and their indices            |
| RoSDHB: momenta on the mask   | n k b            | a sum of n k numbers over the devices         |
| messages of d numbers         | n d b/D          | (n/D) d b (1 - 1/D), those of its coordinates |
| server's memory, rows, moments| n d b/D each     | nothing                                       |
| rules by coordinates          |                  | 2n numbers, which rows are finite             |
| rules by distances            | n²               | n(n-1)/2 numbers, sums over coordinates       |
| rules by steps (T of them)    | d b/D            | T (n + 2) numbers                             |

A plan on paper for d = 10^10 and n = 64 workers on 64 accelerators of 80 GB, in bfloat16 (b = 2),
k/d = 0.01. It was not run. The model takes 20 GB on every device, and so does a gradient; a server
row is 20 GB/64 on each. RoSDHB keeps one momentum a worker at the server: 64 · 20 GB/64 = 20 GB a
device, and as much again while rows are changed. So a device is full with one worker whose model is
not divided (20 + 20 + 20 + 20 GB); beyond that, momenta in 8 bits or two axes of devices are
needed, which this module does not do. In a round a device receives the model, 19.7 GB, and 64
messages of 0.2 GB, 12.6 GB: at 50 GB/s 0.65 s. The trimmed mean adds 128 numbers, NNM, Krum and CAF
2,016 sums, the geometric median some hundred a step: they cost arithmetic, not bytes. Selection
networks compare 64 rows of 1.6 · 10^8 entries, one pass over 20 GB of memory; distances are 2,016
differences of such rows, or one product of matrices [64, 1.6 · 10^8] with itself, 1.3 · 10^12
operations. Methods whose workers send d numbers in some rounds (MARINA, DASHA-PAGE's hello) receive
one worker's vector there, 19.7 GB, as much as the model.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as Spec

from jaxbyz.seeds import is_key

AXIS = "workers"  # of the mesh: one device holds some workers, and some coordinates of the server

Tree = Any


def dividing(mesh: Mesh) -> contextlib.AbstractContextManager[None]:
    """Divide what is traced inside over the devices of a mesh with the one axis "workers"."""
    return jax.sharding.use_abstract_mesh(mesh.abstract_mesh)


def undivided(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, computed as a whole on every device."""

    def whole(*arguments: Any) -> Any:
        with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), ())):
            return function(*arguments)

    return whole


def shards() -> int:
    """Over how many devices the program that is traced is divided by coordinates.

    >>> shards()
    1
    """
    mesh = jax.sharding.get_abstract_mesh()
    if AXIS not in mesh.axis_names or mesh.axis_types[0] != AxisType.Auto:
        return 1
    return mesh.shape[AXIS]


def axis_of(shape: tuple[int, ...], d: int) -> int | None:
    """The axis of coordinates of an array of the server, the last one of length d; None: no such.

    >>> axis_of((20, 5), 5), axis_of((5, 20), 5), axis_of((5, 5), 5), axis_of((20,), 5)
    (1, 0, 1, None)
    """
    return max((axis for axis, length in enumerate(shape) if length == d), default=None)


def by_coordinates(tree: Tree, d: int) -> Tree:
    """The same arrays; those that have an axis of coordinates are divided by it.

    >>> by_coordinates({"x": jnp.zeros(3)}, 3)["x"].shape
    (3,)
    """
    if shards() == 1:
        return tree

    def one(leaf: Any) -> Any:
        axis = None if is_key(leaf) else axis_of(jnp.shape(leaf), d)
        if axis is None:
            return leaf
        return jax.lax.with_sharding_constraint(leaf, Spec(*[None] * axis, AXIS))

    return jax.tree.map(one, tree)


def everywhere(tree: Tree) -> Tree:
    """The same arrays, all of which every device holds."""
    if shards() == 1:
        return tree
    return jax.tree.map(
        lambda leaf: leaf if is_key(leaf) else jax.lax.with_sharding_constraint(leaf, Spec()), tree
    )


def in_shards(x: jax.Array) -> jax.Array:
    """[..., d] as [..., devices, ⌈d/devices⌉]: what every device holds, filled up by zeros.

    >>> in_shards(jnp.arange(3)).tolist()
    [[0, 1, 2]]
    """
    count = shards()
    *before, d = x.shape
    width = -(-d // count)
    filled = jnp.pad(x, [(0, 0)] * len(before) + [(0, count * width - d)])
    cut = filled.reshape(*before, count, width)
    if count == 1:
        return cut
    return jax.lax.with_sharding_constraint(cut, Spec(*[None] * len(before), AXIS, None))
