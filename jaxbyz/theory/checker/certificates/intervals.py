"""Intervals of real numbers, whose ends are whole multiples of 2^-96; rounding is outward.

An interval [low, high] stands for every real number between its ends. An operation returns an
interval that holds all results for all numbers of its operands: lower ends are rounded down, upper
ends up. Python's integers have no largest one, so that nothing overflows.
"""

from __future__ import annotations

import math
from fractions import Fraction

BITS = 96


def floor_ratio(top: int, bottom: int) -> int:
    """⌊top/bottom⌋."""
    return top // bottom


def ceiling_ratio(top: int, bottom: int) -> int:
    """⌈top/bottom⌉."""
    return -(-top // bottom)


def _ends(a: int, b: int, c: int, d: int) -> tuple[int, int]:
    """Ends of [a, b]·[c, d]: of four products of ends, the least and the largest."""
    if a >= 0:  # which these are is said by the signs
        return (a if c >= 0 else b) * c, (b if d >= 0 else a) * d
    if b <= 0:
        return (a if d >= 0 else b) * d, (b if c >= 0 else a) * c
    products = (a * c, a * d, b * c, b * d)
    return min(products), max(products)


class Interval:
    """[low, high] · 2^-96, with low ≤ high.

    >>> third = Interval.of(Fraction(1, 3))
    >>> third.high - third.low
    1
    >>> (third + third + third).holds(Fraction(1)), third.holds(Fraction(1, 3))
    (True, True)
    """

    __slots__ = ("high", "low")

    def __init__(self, low: int, high: int) -> None:
        if low > high:
            raise ValueError(f"low must be <= high, got {low} and {high}")
        self.low, self.high = low, high

    @classmethod
    def of(cls, number: Fraction) -> Interval:
        """The least interval with this number in it."""
        top, bottom = number.numerator << BITS, number.denominator
        return cls(floor_ratio(top, bottom), ceiling_ratio(top, bottom))

    def holds(self, number: Fraction) -> bool:
        """Whether the number lies in it."""
        top, bottom = number.numerator << BITS, number.denominator
        return self.low * bottom <= top <= self.high * bottom

    def centre(self) -> Interval:
        """A number in it, as an interval without width."""
        middle = (self.low + self.high) >> 1
        return Interval(middle, middle)

    def radius(self) -> int:
        """No number in it is further than this from the centre, in 2^-96."""
        return self.high - ((self.low + self.high) >> 1)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __mul__(self, other: Interval) -> Interval:
        low, high = _ends(self.low, self.high, other.low, other.high)
        return Interval(low >> BITS, -(-high >> BITS))

    def squared(self) -> Interval:
        """x² for every x, which is never below 0."""
        ends = (self.low * self.low, self.high * self.high)
        least = 0 if self.low <= 0 <= self.high else min(ends)
        return Interval(least >> BITS, -(-max(ends) >> BITS))

    def over(self, other: Interval) -> Interval:
        """x/y.

        Raises:
            ValueError: y may be 0 or below.
        """
        if other.low <= 0:
            raise ValueError("the divisor must be positive, got one that may not be")
        low, high = self.low << BITS, self.high << BITS
        return Interval(
            floor_ratio(low, other.high if low >= 0 else other.low),
            ceiling_ratio(high, other.low if high >= 0 else other.high),
        )

    def root(self) -> Interval:
        """√x for every x ≥ 0 in it; numbers below 0 that rounding put there are left out.

        Raises:
            ValueError: there is no x ≥ 0.
        """
        if self.high < 0:
            raise ValueError("the radicand must not be negative, got one that is")
        low = math.isqrt(max(self.low, 0) << BITS)
        high = math.isqrt(self.high << BITS)
        return Interval(low, high + (high * high < self.high << BITS))

    def __repr__(self) -> str:
        return f"Interval({self.low}, {self.high})"


def two_products(u: Interval, v: Interval, x: Interval, y: Interval) -> Interval:
    """u·v + x·y, rounded once."""
    low, high = _ends(u.low, u.high, v.low, v.high)
    least, most = _ends(x.low, x.high, y.low, y.high)
    return Interval(low + least >> BITS, -(-(high + most) >> BITS))
