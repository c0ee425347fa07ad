"""A function on a box, enclosed: its value at the centre, its slopes and its range on the box.

By the mean value theorem  f(y) = f(centre) + Σ_i f_i (y_i - centre_i)  with slopes f_i that f takes
somewhere in the box. Sums of such functions keep what cancels in them, which ranges alone do not.
"""

from __future__ import annotations

from fractions import Fraction

from .intervals import Interval, two_products

# () for a constant; None where a slope may be infinite: then the range alone is known.
Slopes = tuple[Interval, ...] | None


class Enclosed:
    """One function. Arithmetic is that of `intervals`.

    >>> x = Enclosed.variable(Interval.of(Fraction(1)), 0, 1)
    >>> (x * x - x).slopes[0].holds(Fraction(1))
    True
    """

    __slots__ = ("at_centre", "range", "slopes")

    def __init__(self, at_centre: Interval, range_: Interval, slopes: Slopes) -> None:
        self.at_centre, self.range, self.slopes = at_centre, range_, slopes

    @classmethod
    def of(cls, number: Fraction) -> Enclosed:
        """A constant."""
        value = Interval.of(number)
        return cls(value, value, ())

    @classmethod
    def variable(cls, side: Interval, place: int, dimensions: int) -> Enclosed:
        """The coordinate of this place on a box, whose side it is."""
        one, zero = Interval.of(Fraction(1)), Interval(0, 0)
        slopes = tuple(one if i == place else zero for i in range(dimensions))
        return cls(side.centre(), side, slopes)

    def __add__(self, other: Enclosed) -> Enclosed:
        slopes: Slopes
        if self.slopes is None or other.slopes is None:
            slopes = None
        elif not self.slopes or not other.slopes:
            slopes = self.slopes or other.slopes
        else:
            slopes = tuple(a + b for a, b in zip(self.slopes, other.slopes, strict=True))
        return Enclosed(self.at_centre + other.at_centre, self.range + other.range, slopes)

    def __neg__(self) -> Enclosed:
        slopes = None if self.slopes is None else tuple(-slope for slope in self.slopes)
        return Enclosed(-self.at_centre, -self.range, slopes)

    def __sub__(self, other: Enclosed) -> Enclosed:
        return self + (-other)

    def __mul__(self, other: Enclosed) -> Enclosed:
        slopes: Slopes
        if self.slopes is None or other.slopes is None:
            slopes = None
        elif not other.slopes:
            slopes = tuple(a * other.range for a in self.slopes)
        elif not self.slopes:
            slopes = tuple(b * self.range for b in other.slopes)
        else:
            mine, others = self.range, other.range
            slopes = tuple(
                two_products(a, others, b, mine)
                for a, b in zip(self.slopes, other.slopes, strict=True)
            )
        return Enclosed(self.at_centre * other.at_centre, self.range * other.range, slopes)

    def squared(self) -> Enclosed:
        """f²."""
        slopes = self.slopes
        if slopes is not None:
            slopes = tuple((slope + slope) * self.range for slope in slopes)
        return Enclosed(self.at_centre.squared(), self.range.squared(), slopes)

    def over(self, other: Enclosed) -> Enclosed:
        """f/g, g > 0: slopes (f' - (f/g) g')/g.

        Raises:
            ValueError: g may be 0 or below.
        """
        range_ = self.range.over(other.range)
        slopes: Slopes
        if self.slopes is None or other.slopes is None:
            slopes = None
        elif not other.slopes:
            slopes = tuple(slope.over(other.range) for slope in self.slopes)
        else:
            own = self.slopes or (Interval(0, 0),) * len(other.slopes)
            slopes = tuple(
                (a - range_ * b).over(other.range) for a, b in zip(own, other.slopes, strict=True)
            )
        return Enclosed(self.at_centre.over(other.at_centre), range_, slopes)

    def root(self) -> Enclosed:
        """√f, f ≥ 0: slopes f'/(2√f), which may be infinite where f may be 0.

        Raises:
            ValueError: f < 0.
        """
        range_ = self.range.root()
        slopes = self.slopes
        if slopes and range_.low > 0:
            slopes = tuple(slope.over(range_ + range_) for slope in slopes)
        elif slopes:
            slopes = None
        return Enclosed(self.at_centre.root(), range_, slopes)
