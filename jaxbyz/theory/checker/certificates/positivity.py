"""Whether a symmetric matrix of functions is positive definite at every point of a box.

A(y) = A(c) + Σ_i (y_i - c_i) A_i with slopes A_i, all known up to intervals; c is the centre. For
*any* square matrix T: if TᵀA(y)T is positive definite, so is A(y). T is taken so that TᵀA(c)T is
nearly the identity. A symmetric matrix of which every diagonal entry is larger than the sum of the
absolute values of the others in its row is positive definite (Gershgorin), and this is decided in
whole numbers, exactly.

That A(c) is not positive definite is decided by its pivots in intervals.
"""

import enum
import math
from operator import add, mul
from typing import NamedTuple

from .intervals import BITS, Interval
from .slopes import Enclosed

Matrix = list[list[Enclosed]]  # square and symmetric
Whole = list[list[int]]  # numbers in units of 2^-96, or of their products


class Sign(enum.Enum):
    """What is known of a matrix on a box."""

    DEFINITE = "positive definite"
    NOT = "not positive definite"
    UNKNOWN = "not known to be positive definite"


class Answer(NamedTuple):
    """Of one matrix on one box."""

    sign: Sign
    doubts: list[int]  # what each direction adds to the doubt: the larger, the better to bisect it
    halvings: int = 1  # fewer will hardly do, if it is not known


def sign(matrix: Matrix, radii: list[int]) -> Answer:
    """DEFINITE everywhere on a box with these half sides; NOT at its centre; or UNKNOWN.

    >>> from fractions import Fraction
    >>> one, two = Enclosed.of(Fraction(1)), Enclosed.of(Fraction(2))
    >>> sign([[two, one], [one, one]], []).sign.name, sign([[one, two], [two, one]], []).sign.name
    ('DEFINITE', 'NOT')
    """
    if len(matrix) == 1 and _least(matrix[0][0], radii) > 0:
        return Answer(Sign.DEFINITE, [])
    factor = _factor([[entry.at_centre for entry in row] for row in matrix])
    if factor is None:
        return Answer(Sign.NOT, [])
    if not factor:
        return Answer(Sign.UNKNOWN, list(radii))
    near = _congruent(_centres(matrix), factor)
    far, doubts = _deviations(matrix, radii, factor)
    halvings = 0
    for i, (row, more) in enumerate(zip(near, far, strict=True)):
        room, doubt = row[i] + abs(row[i]) - sum(map(abs, row)), sum(more)
        if doubt >= room:  # half a side leaves at least half of the doubt
            halvings = max(halvings, 2 if doubt >= 2 * room else 1)
    if halvings:  # ranges that came without slopes shrink with every side
        return Answer(Sign.UNKNOWN, doubts if any(doubts) else list(radii), halvings)
    return Answer(Sign.DEFINITE, doubts)


def _deviations(matrix: Matrix, radii: list[int], factor: Whole) -> tuple[Whole, list[int]]:
    """How far TᵀA(y)T is at most from TᵀA(c)T, entry by entry; what each direction adds to it.

    In units of 2^-288. What intervals leave open is added up before it is multiplied by |T|.
    """
    sizes = [[abs(part) for part in row] for row in factor]
    totals = [sum(row) for row in sizes]
    open_ = _spreads(matrix)
    tilts, doubts = [], []
    for place, radius in enumerate(radii):
        slopes, doubt = _slopes(matrix, place)
        more = [[-(-radius * part >> BITS) for part in row] for row in doubt]
        open_ = [list(map(add, row, rest)) for row, rest in zip(open_, more, strict=True)]
        tilted = _congruent(slopes, factor)
        tilts.append([[-(-radius * abs(part) >> BITS) for part in row] for row in tilted])
        weights = [sum(map(mul, row, totals)) for row in more]  # of |T|ᵀ·more·|T|, all entries
        doubts.append(sum(map(sum, tilts[-1])) + sum(map(mul, weights, totals)))
    far = _congruent(open_, sizes)
    for tilt in tilts:
        far = [list(map(add, row, rest)) for row, rest in zip(far, tilt, strict=True)]
    return far, doubts


def _steady(entry: Enclosed) -> Interval:
    """What slopes are added to: the value at the centre, or the range if they are unknown."""
    return entry.range if entry.slopes is None else entry.at_centre


def _least(entry: Enclosed, radii: list[int]) -> int:
    """A number that the entry is nowhere below."""
    least = _steady(entry).low
    for radius, slope in zip(radii, entry.slopes or (), strict=False):
        least -= -(-radius * max(abs(slope.low), abs(slope.high)) >> BITS)
    return least


def _centres(matrix: Matrix) -> Whole:
    return [[_steady(entry).centre().low for entry in row] for row in matrix]


def _spreads(matrix: Matrix) -> Whole:
    return [[_steady(entry).radius() for entry in row] for row in matrix]


def _slopes(matrix: Matrix, place: int) -> tuple[Whole, Whole]:
    """Centres and radii of the slopes in one direction; 0 where there are none."""
    nothing = Interval(0, 0)
    found = [[entry.slopes[place] if entry.slopes else nothing for entry in row] for row in matrix]
    centres = [[slope.centre().low for slope in row] for row in found]
    return centres, [[slope.radius() for slope in row] for row in found]


def _congruent(matrix: Whole, factor: Whole) -> Whole:
    """TᵀAT, exactly, for symmetric A."""
    columns = list(zip(*factor, strict=True))
    half = [[sum(map(mul, row, column)) for row in matrix] for column in columns]  # TᵀA
    return [[sum(map(mul, row, column)) for column in columns] for row in half]


def _factor(matrix: list[list[Interval]]) -> Whole | None:
    """T with TᵀAT nearly the identity; None: A is not positive definite; []: it may not be.

    From A = LDLᵀ of the centres of the entries: the columns of T are those of L⁻ᵀ, divided by roots
    of pivots. Nothing is claimed of T. Only None is, and it comes from intervals that hold A.
    """
    rows = [[(entry.low + entry.high) >> 1 for entry in row] for row in matrix]
    size = len(rows)
    lower = [[0] * size for _ in range(size)]  # L, whose diagonal is 1
    for k in range(size):
        above, pivot = rows[k], rows[k][k]
        if pivot <= 0:
            return None if _not_definite(matrix) else []
        for i in range(k + 1, size):
            lower[i][k] = share = (above[i] << BITS) // pivot
            rows[i] = [
                part - (share * more >> BITS) for part, more in zip(rows[i], above, strict=True)
            ]
    factor = [[0] * size for _ in range(size)]
    for j in range(size):  # back substitution: Lᵀ t = e_j/√d_j
        factor[j][j] = (1 << BITS + BITS) // max(1, math.isqrt(rows[j][j] << BITS))
        for i in range(j - 1, -1, -1):
            known = sum(lower[k][i] * factor[k][j] for k in range(i + 1, j + 1))
            factor[i][j] = -known >> BITS
    return factor


def _not_definite(matrix: list[list[Interval]]) -> bool:
    """Whether a pivot is at most 0, for every matrix with entries in these intervals."""
    rows = [list(row) for row in matrix]
    for k, above in enumerate(rows):
        pivot = above[k]
        if pivot.low <= 0:
            return pivot.high <= 0
        for i in range(k + 1, len(rows)):
            for j in range(i, len(rows)):
                rows[i][j] = rows[i][j] - (above[i] * above[j]).over(pivot)
    return False
