"""Free numbers of a family, cut into arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax

__all__ = ["count_of", "cut"]

Shape = tuple[int, ...]


def count_of(shapes: Sequence[Shape]) -> int:
    """How many numbers fill arrays of these shapes.

    >>> count_of([(2, 3), (2,), ()])
    9
    """
    return sum(map(math.prod, shapes))


def cut(z: jax.Array, shapes: Sequence[Shape]) -> list[jax.Array]:
    """The numbers z in order, as arrays of these shapes.

    >>> [part.shape for part in cut(jax.numpy.arange(9.0), [(2, 3), (2,), ()])]
    [(2, 3), (2,), ()]
    """
    parts, begin = [], 0
    for shape in shapes:
        end = begin + math.prod(shape)
        parts.append(z[begin:end].reshape(shape))
        begin = end
    return parts
