"""Messages: what workers send, and how many bits that is.

A message is a frozen dataclass. Its arrays are what one worker sends in one round, and `bits()` is
their length on the channel. Workers and server exchange nothing but messages and broadcasts.

Both ends may derive a subset of coordinates from a shared seed. A message then holds the subset as
indices, so that it is drawn only once in the program; but only the seed is sent, and its bits are
counted once, in the message or broadcast that brings it. In `Sparse` the sender chooses the
indices, and the bits of every index are counted.

| message         | arrays                       | bits                           |
|-----------------|------------------------------|--------------------------------|
| `Dense`         | values [d]                   | d b                            |
| `Sparse`        | values [k], indices [k]      | k (b + I)                      |
| `SparseInPlace` | values [d] (k of them sent)  | k (b + I)                      |
| `Seeded`        | values [k] (indices derived) | k b                            |
| `SharedSupport` | values [k]                   | k b                            |
| `Masked`        | values [d], kept [d]         | c b + min(d, c I), c = #kept   |
| `Signs`         | positive [d]                 | d                              |
| `ScaledSigns`   | scale [], positive [d]       | b + d                          |
| `Levels`        | scale [], levels [d]         | b + d (1 + ⌈log₂(s+1)⌉)        |
| `Exponents`     | values [d] (powers of two)   | d (1 + E): 9 d, 12 d           |
| `Blocks`        | parts, one message per block | the sum                        |
| `Either`        | two messages, which was sent | those of the one that was sent |

with b the bits of the float that is sent, E those of its exponent, I = ⌈log₂ d⌉ and levels in
-s..s. The arrays in memory may be larger than what is sent; `bits()` counts what is sent. In a
batch of messages every array has a leading axis of workers, [n]. `bits()` is of one message, so for
a batch it is called under `vmap` (see `bit_words`).
"""

import dataclasses
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp

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
class SparseInPlace:
    """The message of `Sparse`, held as the vector that it stands for: k (b + ⌈log₂ d⌉) bits.

    For short vectors it is faster to keep all d places, with zeros in most, than to gather k
    numbers and to scatter them again at every reader. `bits()` charges k entries. Whoever makes the
    message must see to it that at most k numbers are not 0.

    >>> SparseInPlace(jnp.array([0.0, 5.0, 0.0, 7.0]), kept=2).bits()
    68
    """

    values: jax.Array  # [d], at most k of them not 0
    kept: int = dataclasses.field(metadata={"static": True})  # k

    def bits(self) -> int:
        """k (b + I)."""
        return self.kept * (float_bits(self.values) + index_bits(self.values.shape[-1]))


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
    """k numbers on the subset that the broadcast brings to all workers: k b bits.

    >>> SharedSupport(jnp.zeros(1183)).bits()
    37856
    """

    values: jax.Array  # [k]

    def bits(self) -> int:
        """k b."""
        return self.values.shape[-1] * float_bits(self.values)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Masked:
    """Those c of d numbers that chance kept: c b + min(d, c I) bits, a random length.

    After the numbers comes the cheaper of two codes for where they belong: a bitmap of d bits, or c
    indices. The length grows with c, so it tells the receiver c, and c tells which code it is.

    >>> message = Masked(jnp.array([0.0, 2.0, 0.0, 4.0]), jnp.array([False, True, False, True]))
    >>> message.bits()
    Array(68, dtype=uint32)
    """

    values: jax.Array  # [d], 0 where not kept
    kept: jax.Array  # [d] bool

    def bits(self) -> jax.Array:
        """c b + min(d, c I), [] uint32.

        Raises:
            ValueError: a message of so many coordinates that the count could overflow.
        """
        d, b = self.values.shape[-1], float_bits(self.values)
        index = index_bits(d)
        if d * (b + 1) >= 2**32:
            raise ValueError(f"d (b + 1) must be below 2³², got d = {d} with b = {b}")
        count = self.kept.sum(dtype=jnp.uint32)
        # c I itself could overflow; where it is the smaller one it cannot.
        places = count * index if index == 0 else jnp.where(count > d // index, d, count * index)
        return count * b + places.astype(jnp.uint32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Signs:
    """One bit per coordinate, +1 or -1: d bits. There is no illegal one.

    >>> Signs(jnp.ones(10, bool), dtype=jnp.dtype(jnp.float32)).bits()
    10
    """

    positive: jax.Array  # [d] bool
    dtype: Any = dataclasses.field(metadata={"static": True})  # of the decoded vector

    def bits(self) -> int:
        """d."""
        return self.positive.shape[-1]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ScaledSigns:
    """One number and one bit per coordinate: b + d bits.

    >>> ScaledSigns(jnp.array(0.5), jnp.ones(10, bool)).bits()
    42
    """

    scale: jax.Array  # []
    positive: jax.Array  # [d] bool

    def bits(self) -> int:
        """b + d."""
        return float_bits(self.scale) + self.positive.shape[-1]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Levels:
    """One number, and of every coordinate a sign and a level: b + d (1 + ⌈log₂(s+1)⌉) bits.

    With s = 1 there are three symbols, and ⌈log₂ 3⌉ = 2 = 1 + ⌈log₂ 2⌉ bits for each.

    >>> Levels(jnp.array(0.5), jnp.zeros(10, jnp.int8), most=4).bits()
    72
    """

    scale: jax.Array  # []
    levels: jax.Array  # [d] integers in -s..s
    most: int = dataclasses.field(metadata={"static": True})  # s

    def bits(self) -> int:
        """b + d (1 + ⌈log₂(s+1)⌉)."""
        return float_bits(self.scale) + self.levels.shape[-1] * (1 + index_bits(self.most + 1))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Exponents:
    """Signs and exponents: the leading bits of floats whose other bits are 0.

    9 d bits from float32, 12 d from float64. What has only leading bits is ± a power of two, 0 or
    infinity; there is no NaN among them.

    >>> Exponents(jnp.array([1.0, -0.25])).bits()
    18
    """

    values: jax.Array  # [d]

    def bits(self) -> int:
        """d (1 + E)."""
        return self.values.shape[-1] * (1 + jnp.finfo(self.values.dtype).nexp)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Blocks:
    """One message for each block of coordinates, one after another.

    >>> Blocks((Dense(jnp.zeros(3)), Signs(jnp.ones(4, bool), dtype=jnp.dtype("float32")))).bits()
    100
    """

    parts: tuple[Any, ...]

    def bits(self) -> int | jax.Array:
        """The sum; an exact int where all lengths are known.

        Raises:
            ValueError: a random length of so many coordinates that the count could overflow.
        """
        lengths = [part.bits() for part in self.parts]
        fixed = sum(length for length in lengths if isinstance(length, int))
        chance = [length for length in lengths if not isinstance(length, int)]
        if not chance:
            return fixed
        # No message here takes more than b + 1 + I <= 128 bits for each entry of its arrays.
        if fixed + 128 * _entries(self.parts) >= 2**32:
            raise ValueError(
                "a message of random length must have less than 2³² bits, got "
                f"{_entries(self.parts)} entries of up to 128 bits"
            )
        return sum(chance, start=jnp.array(fixed, jnp.uint32))


def _entries(message: Any) -> int:
    """How many numbers the arrays of one message hold."""
    return sum(leaf.size for leaf in jax.tree.leaves(message))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Either:
    """One of two messages; which one, both ends know from the broadcast. Made by `either`.

    >>> Either(jnp.array(False), Dense(jnp.zeros(10)), Dense(jnp.zeros(3))).bits()
    Array(96, dtype=uint32)
    """

    is_first: jax.Array  # [] bool, known to the receiver: not charged
    first: Any
    second: Any

    def bits(self) -> jax.Array:
        """Those of the message that is sent, [] uint32.

        Raises:
            ValueError: a message of 2³² bits or more.
        """
        lengths = self.first.bits(), self.second.bits()
        if any(isinstance(length, int) and length >= 2**32 for length in lengths):
            raise ValueError(f"each of two messages must have less than 2³² bits, got {lengths}")
        first, second = (jnp.asarray(length, jnp.uint32) for length in lengths)
        return jnp.where(self.is_first, first, second)


def either(is_first: jax.Array, first: Any, second: Any) -> Either:
    """The first message where `is_first`, else the second; of the other one all numbers are 0.

    Only the message that is sent is checked: NaN or Inf in the other one does not cause a
    rejection.

    >>> message = either(jnp.array(True), Dense(jnp.ones(2)), Dense(jnp.array([jnp.inf])))
    >>> message.second.values.tolist()
    [0.0]
    """

    def only(sent: jax.Array, message: Tree) -> Tree:
        def silence(leaf: jax.Array) -> jax.Array:
            if not jnp.issubdtype(leaf.dtype, jnp.floating):
                return leaf
            return jnp.where(sent, leaf, jnp.zeros((), leaf.dtype))

        return jax.tree.map(silence, message)

    return Either(is_first, only(is_first, first), only(~is_first, second))


def bit_words(bits: int | jax.Array) -> jax.Array:
    """An exact count as two 32-bit words [2] (high, low), so that no counter overflows on device.

    >>> bit_words(2**33 + 5)
    Array([2, 5], dtype=uint32)
    """
    if isinstance(bits, int):
        return jnp.array([bits >> 32, bits & 0xFFFFFFFF], jnp.uint32)
    return jnp.stack([jnp.zeros_like(bits, jnp.uint32), bits.astype(jnp.uint32)])
