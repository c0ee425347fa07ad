"""Multipliers that depend on where in the box one is, and numbers as they are printed.

A multiplier is a list of coefficients, of 1 and of the method's `parts`; those not given are 0.
The first `AFFINE` of these are 1 and numbers that range over [0, 1] independently of each other;
weights of V are made of these alone, so that the largest rate is at a corner.
"""

import itertools
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType

from .positivity import Matrix
from .slopes import Enclosed
from .subdivision import Box

Numbers = dict[str, Fraction]  # constants
Rows = dict[str, list[Fraction]]  # coefficients of every multiplier
Matrices = dict[str, Matrix]
Values = dict[str, Enclosed]  # constants or multipliers on one box

HYPOTHESES = (  # of all statements, in their words
    "every L-smooth average honest loss f = (1/h) Σ f_i that is bounded below,\n"
    "every G, B with (1/h) Σ ‖∇f_i - ∇f‖² ≤ G² + B² ‖∇f‖² everywhere, every rule whose result has\n"
    "a squared distance from the mean of the honest rows of at most κ times their mean squared\n"
    "distance from it, with "
)


def enclosed(rows: Rows) -> dict[str, list[Enclosed]]:
    """Coefficients, once for all boxes."""
    return {name: [Enclosed.of(part) for part in row] for name, row in rows.items()}


def values(parts: list[Enclosed], rows: dict[str, list[Enclosed]]) -> Values:
    """Every multiplier on a box, whose `parts` these are."""
    found = {}
    for name, row in rows.items():
        total = row[0]
        for coefficient, part in zip(row[1:], parts, strict=False):
            total = total + coefficient * part
        found[name] = total
    return found


def variables(box: Box) -> list[Enclosed]:
    """The coordinates."""
    return [Enclosed.variable(side, place, len(box)) for place, side in enumerate(box)]


def required(method: ModuleType, constants: Numbers, rows: Rows) -> Callable[[Box], Matrices]:
    """Box -> its matrices; multipliers that must be positive are matrices of one row."""
    given = {name: Enclosed.of(value) for name, value in constants.items()}
    coefficients = enclosed(rows)

    def matrices(box: Box) -> Matrices:
        point = variables(box)
        at = values(method.parts(point), coefficients)
        signs: Matrices = {name: [[at[name]]] for name in method.POSITIVE}
        return signs | method.matrices(given, at, point)

    return matrices


def affine(row: list[Fraction], point: tuple[Fraction, ...]) -> Fraction:
    """The value of a weight of V at a point of the variables."""
    parts = (Fraction(1), *point)
    return sum((one * part for one, part in zip(row, parts, strict=False)), Fraction(0))


def rate_at(method: ModuleType, rows: Rows, point: tuple[Fraction, ...]) -> Fraction:
    """The factor of (f(θ_0) - inf f)/(γT) at a point: the largest of the method's `RATES`."""
    return max(
        sum((factor * affine(rows[name], point) for name, factor in terms.items()), Fraction(0))
        for terms in method.RATES
    )


def rate(method: ModuleType, rows: Rows) -> Fraction:
    """The largest one of the box: weights are affine, `rate_at` is convex, so a corner has it."""
    corners = itertools.product((Fraction(0), Fraction(1)), repeat=method.AFFINE - 1)
    return max(rate_at(method, rows, corner) for corner in corners)


def shown_above(number: Fraction, places: int = 4) -> str:
    """A number in decimals, rounded up.

    >>> shown_above(Fraction(7, 4)), shown_above(Fraction(1, 3)), shown_above(Fraction(-1, 3))
    ('1.75', '0.3334', '-0.3333')
    """
    scale = int("1" + "0" * places)
    whole = -(-number.numerator * scale // number.denominator)
    digits = str(abs(whole)).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
    return f"-{text}" if whole < 0 else text
