"""Rational numbers in the place of enclosed functions: the verifier's matrices at one point."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from jaxbyz.theory.checker.rationals import Vector, dot


class Exact:
    """A rational number with the arithmetic of `checker.certificates.slopes.Enclosed`."""

    def __init__(self, value: Fraction) -> None:
        self.value = value

    @classmethod
    def of(cls, number: Fraction) -> Exact:
        """The number."""
        return cls(number)

    def __add__(self, other: Exact) -> Exact:
        return Exact(self.value + other.value)

    def __sub__(self, other: Exact) -> Exact:
        return Exact(self.value - other.value)

    def __neg__(self) -> Exact:
        return Exact(-self.value)

    def __mul__(self, other: Exact) -> Exact:
        return Exact(self.value * other.value)

    def squared(self) -> Exact:
        """x²."""
        return Exact(self.value**2)

    def over(self, other: Exact) -> Exact:
        """x/y."""
        return Exact(self.value / other.value)

    def root(self) -> Exact:
        """√x of the square of a rational number; ValueError for another.

        >>> Exact(Fraction(4, 9)).root().value
        Fraction(2, 3)
        """
        top, bottom = math.isqrt(self.value.numerator), math.isqrt(self.value.denominator)
        if (top * top, bottom * bottom) != self.value.as_integer_ratio():
            raise ValueError(f"number must be the square of a fraction, got {self.value}")
        return Exact(Fraction(top, bottom))


def products(matrix: Any, vectors: list[Vector]) -> Fraction:
    """⟨matrix, Gram matrix of the vectors⟩."""
    return sum(
        (
            matrix[i][j].value * dot(one, other)
            for i, one in enumerate(vectors)
            for j, other in enumerate(vectors)
        ),
        Fraction(0),
    )
