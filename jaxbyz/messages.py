"""What may cross the wire, and what it costs.

A message is a frozen dataclass whose arrays are what one worker sends in one round, and whose
`bits()` is what the channel is charged for them. Nothing else crosses.

A subset of coordinates that both ends derive from a shared seed is carried here *expanded*, as
indices, so that nobody draws it twice; it is charged as what crosses: the seed, once, by whoever
sends the seed. `Sparse` indices, which the sender chooses, are charged one by one.

| message         | arrays                       | bits              |
|-----------------|------------------------------|-------------------|
| `Dense`         | values [d]                   | d b               |
| `Sparse`        | values [k], indices [k]      | k (b + ⌈log₂ d⌉)  |
| `Seeded`        | values [k] (indices derived) | k b               |
| `SharedSupport` | values [k]                   | k b               |

with b the bits of the float that is sent. In a batch of messages every array has a leading worker
axis [n]; `bits()` speaks of one message, so it is asked under `vmap` (see `bit_words`).
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp

__all__ = [
    "Dense",
    "Message",
    "Seeded",
    "SharedSupport",
    "Sparse",
    "admit",
    "bit_words",
    "float_bits",
    "index_bits",
]

SEED_BITS = 64  # a seed from which a random subset is drawn

Tree = TypeVar("Tree")


class Message(Protocol):
    """What one worker sends in one round: a pytree of arrays that knows its cost."""

    def bits(self) -> int | jax.Array:
        """Bits the channel is charged: an exact int, or [] uint32 where the length is random."""
        ...


def float_bits(values: jax.Array) -> int:
    """Bits of one transmitted number, b = 8 · itemsize.

    >>> float_bits(jnp.zeros(3, jnp.float32))
    32
    """
    return 8 * values.dtype.itemsize


def index_bits(size: int) -> int:
    """Bits of one explicit index among `size` coordinates, I = ⌈log₂ size⌉.

    >>> index_bits(11_830), index_bits(1024), index_bits(1)
    (14, 10, 0)
    """
    return (size - 1).bit_length()


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Dense:
    """The whole vector: d b bits.

    >>> Dense(jnp.zeros(10)).bits()
    320
    """

    values: jax.Array  # [d]

    def bits(self) -> int:
        """d b."""
        return self.values.shape[-1] * float_bits(self.values)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sparse:
    """k numbers and where they belong: k (b + ⌈log₂ d⌉) bits.

    >>> Sparse(jnp.zeros(3), jnp.arange(3), size=1000).bits()
    126
    """

    values: jax.Array  # [k]
    indices: jax.Array  # [k] distinct, in 0..size-1
    size: int = dataclasses.field(metadata={"static": True})  # d

    def bits(self) -> int:
        """k (b + I)."""
        return self.values.shape[-1] * (float_bits(self.values) + index_bits(self.size))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Seeded:
    """k numbers on a subset that both ends draw from a seed of this worker: k b bits.

    >>> Seeded(jnp.zeros(3), jnp.arange(3), size=1000).bits()
    96
    """

    values: jax.Array  # [k]
    indices: jax.Array  # [k] derived from the seed, not charged
    size: int = dataclasses.field(metadata={"static": True})  # d

    def bits(self) -> int:
        """k b."""
        return self.values.shape[-1] * float_bits(self.values)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SharedSupport:
    """k numbers on the subset that the server announced to everybody: k b bits.

    >>> SharedSupport(jnp.zeros(1183)).bits()
    37856
    """

    values: jax.Array  # [k]

    def bits(self) -> int:
        """k b."""
        return self.values.shape[-1] * float_bits(self.values)


def bit_words(bits: int | jax.Array) -> jax.Array:
    """An exact count as two 32-bit words [2] (high, low), so that no counter overflows on device.

    >>> bit_words(2**33 + 5)
    Array([2, 5], dtype=uint32)
    """
    if isinstance(bits, int):
        return jnp.array([bits >> 32, bits & 0xFFFFFFFF], jnp.uint32)
    return jnp.stack([jnp.zeros_like(bits, jnp.uint32), bits.astype(jnp.uint32)])


def admit(messages: Tree) -> tuple[Tree, jax.Array]:
    """Let in what is finite; a message that is not becomes a message of zeros.

    A message is rejected when one of its numbers is NaN or ±Inf, or is so large beside the
    typical message that its square could not be summed over all workers and coordinates:
    |value| > s √max / (4 √(n d)), where s is the median over workers of the largest finite
    |value| (1 if that is 0) and max the largest number of the dtype. So no stored row of a
    server is ever touched by a number that arithmetic cannot hold.

    Args:
        messages: a batch of messages, every array [n, ...].

    Returns:
        The messages with rejected ones zeroed, and which were rejected, [n] bool.

    >>> batch = Dense(jnp.array([[1.0, 2.0], [jnp.nan, 0.0], [1e30, 0.0], [2.0, 1.0]]))
    >>> batch, bad = admit(batch)
    >>> bad.tolist(), batch.values[1].tolist()
    ([False, True, True, False], [0.0, 0.0])
    """
    leaves, structure = jax.tree.flatten(messages)
    floats = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    bad = jnp.zeros(leaves[0].shape[0], bool)  # [n]
    for values in floats:
        flat = values.reshape(values.shape[0], -1)  # [n, k]
        bad = bad | oversized(jnp.abs(flat))

    def keep(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        shape = (-1,) + (1,) * (leaf.ndim - 1)
        return jnp.where(bad.reshape(shape), jnp.zeros((), leaf.dtype), leaf)

    kept: Any = jax.tree.unflatten(structure, [keep(leaf) for leaf in leaves])
    return kept, bad


def oversized(magnitudes: jax.Array) -> jax.Array:
    """Which rows of |values| [n, k] hold NaN, Inf, or numbers too large beside the rest, [n] bool.

    >>> oversized(jnp.array([[1.0], [2.0], [1e25], [jnp.inf]])).tolist()
    [False, False, True, True]
    """
    n, k = magnitudes.shape
    limits = jnp.finfo(magnitudes.dtype)
    largest = magnitudes.max(axis=1, initial=0)  # [n], NaN where the row has one
    finite = jnp.isfinite(largest)
    # Rows that are not finite stand at the far end, so that the middle is that of honest rows.
    middle = jnp.sort(jnp.where(finite, largest, jnp.inf))[(n - 1) // 2]
    scale = jnp.where((middle > 0) & jnp.isfinite(middle), middle, 1)
    bound = float(limits.max) ** 0.5 / (4 * (n * k) ** 0.5)
    return ~finite | (largest / scale > bound)
