"""Polynomials in several variables, and quotients of them, with exact coefficients.

Formulas that consist of + - * / and whole powers can be called with quotients in place of numbers:
what they return is then the formula itself, and `bernstein` can show that it is nowhere negative.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

Powers = tuple[int, ...]  # of each variable
MOST_POWER = 100  # of `**`: more is a mistake, and takes long


class Polynomial:
    """Σ coefficient · x_1^p_1 ⋯ x_m^p_m, with whole numbers or fractions as coefficients.

    >>> x, y = Polynomial.variables(2)
    >>> ((x + y) * (x - y) + y * y - x * x).terms
    {}
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: Mapping[Powers, Any]) -> None:
        if any(not isinstance(by, int | Fraction) for by in terms.values()):
            raise TypeError(f"coefficients must be whole numbers or fractions, got {terms!r:.60}")
        if any(power < 0 for powers in terms for power in powers):
            raise ValueError(f"powers must be >= 0, got {terms!r:.60}")
        self.terms = {powers: by for powers, by in terms.items() if by != 0}
        self._hash = hash(frozenset(self.terms.items()))

    @classmethod
    def constant(cls, number: Any, variables: int) -> Polynomial:
        """A number as a polynomial in so many variables."""
        return cls({(0,) * variables: number})

    @classmethod
    def variables(cls, count: int) -> tuple[Polynomial, ...]:
        """x_1, …, x_count."""
        return tuple(
            cls({tuple(int(i == place) for i in range(count)): 1}) for place in range(count)
        )

    def __add__(self, other: Polynomial) -> Polynomial:
        total = dict(self.terms)
        for powers, by in other.terms.items():
            total[powers] = total.get(powers, 0) + by
        return Polynomial(total)

    def __neg__(self) -> Polynomial:
        return Polynomial({powers: -by for powers, by in self.terms.items()})

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + (-other)

    def __mul__(self, other: Polynomial) -> Polynomial:
        total: dict[Powers, Any] = collections.defaultdict(int)
        for one, by in self.terms.items():
            for two, times in other.terms.items():
                powers = tuple(a + b for a, b in zip(one, two, strict=True))
                total[powers] += by * times
        return Polynomial(total)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    @property
    def degrees(self) -> Powers:
        """The largest power of each variable."""
        return tuple(max(column) for column in zip(*self.terms, strict=True))

    def at(self, *numbers: Any) -> Any:
        """Its value.

        >>> x, y = Polynomial.variables(2)
        >>> (x * x * y).at(Fraction(1, 2), 3)
        Fraction(3, 4)
        """
        total: Any = 0
        for powers, by in self.terms.items():
            for number, power in zip(numbers, powers, strict=True):
                by = by * number**power
            total = total + by
        return total


class Quotient:
    """A polynomial divided by a product of polynomials; `bernstein` checks that these are > 0.

    Arithmetic takes whole numbers (1.0 too) and fractions; it refuses other floating-point numbers,
    whose last digits would be part of a statement. A quotient has no truth and is not compared, so
    that a formula with cases cannot be called with it.

    >>> x, = Quotient.variables(1)
    >>> third = 1 / (1 + x) + x / (1 + x)
    >>> third.at(Fraction(2, 7))
    Fraction(1, 1)
    """

    __slots__ = ("below", "count", "top")

    def __init__(self, top: Polynomial, below: Mapping[Polynomial, int], count: int) -> None:
        self.top, self.count = top, count
        self.below = {factor: power for factor, power in below.items() if power}
        if any(not factor.terms or power < 0 for factor, power in self.below.items()):
            raise ValueError("divisors must be other polynomials than 0, with powers > 0")

    @classmethod
    def variables(cls, count: int) -> tuple[Quotient, ...]:
        """x_1, …, x_count."""
        return tuple(cls(x, {}, count) for x in Polynomial.variables(count))

    def _other(self, other: Any) -> Quotient:
        if isinstance(other, Quotient):
            if other.count != self.count:
                raise ValueError(f"variables must be as many, got {self.count} and {other.count}")
            return other
        if isinstance(other, float) and other.is_integer():
            other = int(other)  # 1.0 is 1
        if isinstance(other, bool) or not isinstance(other, int | Fraction):
            raise TypeError(f"a quotient takes whole numbers and fractions, got {other!r:.60}")
        exact = Fraction(int(other.numerator), int(other.denominator))  # of Python's own integers
        return Quotient(Polynomial.constant(exact, self.count), {}, self.count)

    def __eq__(self, other: object) -> bool:
        raise TypeError("quotients are not compared: a formula must have no cases")

    def __bool__(self) -> bool:
        raise TypeError("a quotient has no truth: a formula must have no cases")

    __hash__ = None  # type: ignore[assignment]

    def _product(self, factors: Mapping[Polynomial, int]) -> Polynomial:
        total = Polynomial.constant(1, self.count)
        for factor, power in factors.items():
            for _ in range(power):
                total = total * factor
        return total

    def __add__(self, other: Any) -> Quotient:
        other = self._other(other)
        every = {
            factor: max(self.below.get(factor, 0), other.below.get(factor, 0))
            for factor in (*self.below, *other.below)
        }
        tops = [
            one.top
            * self._product({factor: n - one.below.get(factor, 0) for factor, n in every.items()})
            for one in (self, other)
        ]
        return Quotient(tops[0] + tops[1], every, self.count)

    __radd__ = __add__

    def __neg__(self) -> Quotient:
        return Quotient(-self.top, self.below, self.count)

    def __sub__(self, other: Any) -> Quotient:
        return self + (-self._other(other))

    def __rsub__(self, other: Any) -> Quotient:
        return self._other(other) + (-self)

    def __mul__(self, other: Any) -> Quotient:
        other = self._other(other)
        below = dict(self.below)
        for factor, power in other.below.items():
            below[factor] = below.get(factor, 0) + power
        return Quotient(self.top * other.top, below, self.count)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Quotient:
        other = self._other(other)
        if not other.top.terms:
            raise ZeroDivisionError("division by the polynomial 0")
        return self * other._inverse()

    def __rtruediv__(self, other: Any) -> Quotient:
        return self._other(other) / self

    def _inverse(self) -> Quotient:
        if set(self.top.terms) == {(0,) * self.count}:  # a number: no factor
            ((_, number),) = self.top.terms.items()
            top = Polynomial.constant(Fraction(1) / number, self.count)
            return Quotient(top * self._product(self.below), {}, self.count)
        return Quotient(self._product(self.below), {self.top: 1}, self.count)

    def __pow__(self, power: int) -> Quotient:
        if isinstance(power, bool) or not (isinstance(power, int) and 0 <= power <= MOST_POWER):
            raise TypeError(f"powers must be whole numbers in 0..{MOST_POWER}, got {power!r}")
        return Quotient(
            self._product({self.top: power}),
            {factor: n * power for factor, n in self.below.items()},
            self.count,
        )

    def at(self, *numbers: Any) -> Fraction:
        """Its value."""
        value: Any = self.top.at(*numbers)
        for factor, power in self.below.items():
            value = value / Fraction(factor.at(*numbers)) ** power
        return Fraction(value)


def rational(number: Any, beside: Any) -> Any:
    """A constant of a formula: exact beside quotients, a floating-point number beside arrays.

    Decimals are taken as they are printed.

    >>> rational(0.1, 2.0), rational(Fraction(1, 3), 2.0)
    (0.1, 0.3333333333333333)
    >>> rational(0.1, Quotient.variables(1)[0])
    Fraction(1, 10)
    """
    if isinstance(beside, Quotient):
        return Fraction(str(number)) if isinstance(number, float) else Fraction(number)
    return float(number)


def monomials(degrees: Powers) -> Iterator[Powers]:
    """All powers up to these degrees."""
    return itertools.product(*(range(degree + 1) for degree in degrees))
