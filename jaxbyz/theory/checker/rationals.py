"""Vectors and symmetric matrices of fractions, and verified bounds of irrational numbers."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

Vector = list[Fraction]
Rows = list[Vector]
Matrix = list[Vector]
# Hypotheses by name and whether they hold, left, right.
Sides = tuple[dict[str, bool], Fraction, Fraction]

SHORTER = 1 - Fraction(1, 2**36)


def exact(value: Any) -> Any:
    """Hexadecimal floats, at any depth, as fractions; OverflowError for those not finite."""
    if isinstance(value, dict):
        return {name: exact(part) for name, part in value.items()}
    if isinstance(value, list):
        return [exact(part) for part in value]
    number = float.fromhex(value)
    if not math.isfinite(number):
        raise OverflowError(f"number must be finite, got {value}")
    return Fraction(number)


# ---- vectors -----------------------------------------------------------------------------------


def plus(*vectors: Vector) -> Vector:
    """Their sum."""
    return [sum(parts, Fraction(0)) for parts in zip(*vectors, strict=True)]


def times(scale: Fraction, vector: Vector) -> Vector:
    """A multiple."""
    return [scale * part for part in vector]


def minus(u: Vector, v: Vector) -> Vector:
    """The difference."""
    return [a - b for a, b in zip(u, v, strict=True)]


def dot(u: Vector, v: Vector) -> Fraction:
    """⟨u, v⟩."""
    return sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0))


def square(u: Vector) -> Fraction:
    """‖u‖²."""
    return dot(u, u)


def mean(rows: Rows) -> Vector:
    """The mean row."""
    return times(Fraction(1, len(rows)), plus(*rows))


def mean_square(rows: Rows) -> Fraction:
    """The mean of ‖row‖²."""
    return sum(map(square, rows), Fraction(0)) / len(rows)


def centred(rows: Rows) -> Rows:
    """Rows less their mean."""
    middle = mean(rows)
    return [minus(row, middle) for row in rows]


# ---- matrices ----------------------------------------------------------------------------------


def transposed(matrix: Matrix) -> Matrix:
    """Aᵀ."""
    return [list(column) for column in zip(*matrix, strict=True)]


def apply(matrix: Matrix, vector: Vector) -> Vector:
    """A x."""
    return [dot(row, vector) for row in matrix]


def gram(matrix: Matrix) -> Matrix:
    """AᵀA."""
    columns = transposed(matrix)
    return [[dot(one, other) for other in columns] for one in columns]


def mean_matrix(matrices: list[Matrix]) -> Matrix:
    """The mean of matrices."""
    return [mean(list(rows)) for rows in zip(*matrices, strict=True)]


def shifted(matrix: Matrix, scale: Fraction, shift: Fraction) -> Matrix:
    """scale A + shift I."""
    return [
        [scale * part + shift * (i == j) for j, part in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def pivots(matrix: Matrix) -> Vector | None:
    """D of A = L D Lᵀ, symmetric A; None where a pivot is 0 and its row is not: A is indefinite."""
    found: Vector = []
    while matrix:
        (pivot, *row), *rest = matrix
        if pivot == 0 and any(row):
            return None
        found.append(pivot)
        matrix = [
            [part - other[0] / pivot * first for part, first in zip(other[1:], row, strict=True)]
            if pivot
            else other[1:]
            for other in rest
        ]
    return found


def semidefinite(matrix: Matrix) -> bool:
    """Whether a symmetric matrix is positive semidefinite."""
    found = pivots(matrix)
    return found is not None and all(pivot >= 0 for pivot in found)


def definite(matrix: Matrix) -> bool:
    """Whether a symmetric matrix is positive definite."""
    found = pivots(matrix)
    return found is not None and all(pivot > 0 for pivot in found)


def inverse_form(matrix: Matrix, vector: Vector) -> Fraction:
    """⟨b, A⁻¹b⟩ for positive definite A: less the last pivot of [[A, b], [bᵀ, 0]]."""
    bordered = [[*row, part] for row, part in zip(matrix, vector, strict=True)]
    found = pivots([*bordered, [*vector, Fraction(0)]])
    if found is None:
        raise ValueError("matrix must be positive definite, got another")
    return -found[-1]


# ---- bounds ------------------------------------------------------------------------------------


def bound(holds: Callable[[Fraction], bool]) -> Fraction:
    """A number that holds, above the least one by no more than one part in 2^36.

    Where a number holds, all larger ones do; some number must.
    """
    low, high = Fraction(0), Fraction(1)
    if holds(low):
        return low
    while not holds(high):
        low, high = high, 2 * high
    while (high - low) * 2**36 > high:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def largest_eigenvalue(matrix: Matrix) -> Fraction:
    """Slightly more than that of a positive semidefinite matrix."""
    return bound(lambda c: semidefinite(shifted(matrix, Fraction(-1), c)))


def norm(matrix: Matrix) -> Fraction:
    """Slightly more than the spectral norm of a symmetric matrix."""
    return bound(
        lambda c: all(semidefinite(shifted(matrix, Fraction(sign), c)) for sign in (1, -1))
    )


def least_eigenvalue(matrix: Matrix) -> Fraction:
    """Slightly less than that of a positive definite matrix."""
    return 1 / bound(lambda c: semidefinite(shifted(matrix, c, Fraction(-1))))


def _places(x: Fraction) -> int:
    """So many binary digits behind the point leave about 64 of them in x > 0."""
    return 64 - x.numerator.bit_length() + x.denominator.bit_length()


def below(x: Fraction) -> Fraction:
    """Slightly less than x ≥ 0, with few digits."""
    if x == 0:
        return x
    scale = Fraction(2) ** _places(x)
    return math.floor(x * scale) / scale


def root_below(x: Fraction) -> Fraction:
    """√x or slightly less, x ≥ 0."""
    if x == 0:
        return x
    places = max(_places(x), 0)
    return Fraction(math.isqrt(math.floor(x * 4**places)), 2**places)


def root_above(x: Fraction) -> Fraction:
    """Slightly more than √x, x > 0; 0 for 0."""
    if x == 0:
        return x
    places = max(_places(x), 0)
    return Fraction(math.isqrt(math.floor(x * 4**places)) + 1, 2**places)
