"""Where the states of a run lie between its programs: on one device, or divided over several.

A state has one form that no device decides: that of a checkpoint, with m workers and d coordinates.
On D devices, an array of the workers [S, m, ...] is divided by workers, and an array of the server
or of the attack with an axis of length d by coordinates. JAX stores only arrays that devices
share evenly. So between programs both axes are filled up to the next multiple of D, and the
programs themselves cut the coordinates again.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from jaxbyz.partitioned import AXIS, axis_of
from jaxbyz.seeds import is_key
from jaxbyz.simulation.devices import put_at
from jaxbyz.simulation.placement import filled_up
from jaxbyz.simulation.state import SimulationState


@dataclasses.dataclass(frozen=True)
class Layout:
    """The states of S seeds on a mesh.

    Args:
        mesh: the devices.
        workers: m, that compute.
        like: shapes of the states in a program, where workers are filled up and coordinates not.
    """

    mesh: Mesh
    workers: int
    like: SimulationState

    @property
    def shardings(self) -> SimulationState:
        """Where every array lies between programs."""
        by_workers = NamedSharding(self.mesh, Spec(None, AXIS))
        everywhere: Any = NamedSharding(self.mesh, Spec())
        return SimulationState(
            everywhere,
            jax.tree.map(lambda leaf: by_workers, self.like.workers),
            jax.tree.map(self._sharding, self.like.server),
            jax.tree.map(self._sharding, self.like.attack),
        )

    def at_rest(self, states: SimulationState) -> SimulationState:
        """States of a program, filled up for the devices."""

        def one(leaf: jax.Array) -> jax.Array:
            axis = self._axis(leaf)
            if axis is None or leaf.shape[axis] % self.mesh.size == 0:
                return leaf
            filling = [(0, 0)] * leaf.ndim
            filling[axis] = 0, -leaf.shape[axis] % self.mesh.size
            return jnp.pad(leaf, filling)

        return self._of_server(one, states)

    def in_program(self, states: SimulationState) -> SimulationState:
        """The same states again, from filled up ones."""

        def one(leaf: Any, like: Any) -> Any:
            axis = self._axis(like)
            if axis is None or leaf.shape == like.shape:
                return leaf
            return leaf[(*[slice(None)] * axis, slice(like.shape[axis]))]

        return self._of_server(one, states, self.like)

    def fetched(self, states: SimulationState) -> SimulationState:
        """Filled up states in the form that no device decides, on the host."""

        def on_host(leaf: Any) -> Any:
            # A key is no array of numbers; whoever writes it reads its words.
            return leaf if is_key(leaf) else np.asarray(leaf)

        states = self.in_program(jax.tree.map(on_host, states))
        workers = jax.tree.map(lambda leaf: leaf[:, : self.workers], states.workers)
        return states._replace(workers=workers)

    def placed(self, states: SimulationState) -> SimulationState:
        """States in the form that no device decides, filled up and on the devices."""

        def filled(leaf: Any) -> Any:
            return jnp.moveaxis(filled_up(jnp.moveaxis(leaf, 1, 0), self.mesh.size), 0, 1)

        workers = jax.tree.map(filled, states.workers)
        states = self.at_rest(states._replace(workers=workers))
        return jax.tree.map(put_at, states, self.shardings)

    def _of_server(self, function: Any, states: SimulationState, *others: Any) -> SimulationState:
        server = jax.tree.map(function, states.server, *(other.server for other in others))
        attack = jax.tree.map(function, states.attack, *(other.attack for other in others))
        return states._replace(server=server, attack=attack)

    def _axis(self, leaf: Any) -> int | None:
        """The axis of coordinates of an array [S, ...] of the server or of the attack."""
        if is_key(leaf):
            return None
        axis = axis_of(leaf.shape[1:], self.like.server.x.shape[-1])
        return None if axis is None else axis + 1

    def _sharding(self, leaf: Any) -> NamedSharding:
        axis = self._axis(leaf)
        return NamedSharding(self.mesh, Spec() if axis is None else Spec(*[None] * axis, AXIS))
