"""The downlink of RoSDHB that sends changes: k numbers and a seed, in place of the model.

For rules by coordinate. Off the last mask the server's aggregate A only faded, and the model moved
by the optimiser's step along A. Every worker can compute both, if it keeps A, the state of the
optimiser, and the model. It has drawn the last mask M from its seed. So per round

    server   sends A[M] (k numbers) and the seed of the next mask; in round 1 θ_0 (d numbers)
    worker   A ← β A,   A[M] ← what was sent,   θ ← θ + update(A)

which is what the server did to A and θ, in the same operations on the same numbers. β, the
optimiser and the key schedule are those of the algorithm, and known to both. A worker that misses
one broadcast cannot follow the next, so there is no partial participation.

Downlink d b + 64 bits in round 1, then k b + 64.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.descent import moved
from jaxbyz.algorithms.rosdhb_by_age import AgedState, faded_aggregate
from jaxbyz.compressors.sparsifiers import SharedMask
from jaxbyz.core import Key
from jaxbyz.messages import SEED_BITS, float_bits


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class RoSDHBChanges:
    """What changed in the last round, and the mask of this one, which crosses as a seed."""

    first: jax.Array  # [] bool, known to everybody: whether this is round 1, or 0
    x: jax.Array  # [d] the model in round 1; afterwards it is not sent, and 0
    values: jax.Array  # [k] the aggregate on the last mask; in round 1 not sent
    subset: jax.Array  # [k]

    def bits(self) -> jax.Array:
        """d b + 64 in round 1, then k b + 64: [] uint32.

        Raises:
            ValueError: a model of 2³² bits or more.
        """
        whole, some = (
            values.shape[-1] * float_bits(values) + SEED_BITS for values in (self.x, self.values)
        )
        if whole >= 2**32:
            raise ValueError(f"d b + 64 must be below 2³², got {whole} for the model")
        return jnp.where(self.first, jnp.uint32(whole), jnp.uint32(some))


class Copy(NamedTuple):
    """What a worker keeps of the server's state."""

    x: jax.Array  # [d]
    aggregate: jax.Array  # [d]
    optimizer: Any
    subset: jax.Array  # [k] the last mask


def broadcast_changes(mask: SharedMask) -> Callable[[Key, AgedState], RoSDHBChanges]:
    """The server's `broadcast`."""

    def broadcast(key: Key, state: AgedState) -> RoSDHBChanges:
        first = state.round == 0
        x = jnp.where(first, state.x, 0)
        values = state.aggregate[state.subset]
        return RoSDHBChanges(first, x, values, mask.draw(key, x.shape[0]))

    return broadcast


def copy_of_nothing(optimizer: optax.GradientTransformation, broadcast: RoSDHBChanges) -> Copy:
    """A worker's copy before anything was sent."""
    x = jnp.zeros_like(broadcast.x)
    return Copy(x, x, optimizer.init(x), jnp.zeros_like(broadcast.subset))


def following(
    optimizer: optax.GradientTransformation, fresh: Any
) -> Callable[[Copy, RoSDHBChanges], Copy]:
    """A worker's copy, brought to the state of the server that sent the broadcast."""

    def received(copy: Copy, broadcast: RoSDHBChanges) -> Copy:
        aggregate = faded_aggregate(fresh, copy.aggregate, copy.subset, broadcast.values)
        x, moments = moved(optimizer, copy.optimizer, copy.x, aggregate)
        later = Copy(x, aggregate, moments, broadcast.subset)
        start = optimizer.init(broadcast.x)
        first = Copy(broadcast.x, jnp.zeros_like(aggregate), start, broadcast.subset)
        return jax.tree.map(lambda a, b: jnp.where(broadcast.first, a, b), first, later)

    return received
