"""Positive definite on all of [0, 1]^n: boxes are bisected until it shows.

It ends: at most `MOST_BOXES` boxes are looked at, and none with a side below 2^-`MOST_HALVINGS`.
"""

from collections.abc import Callable
from typing import NamedTuple

from .intervals import BITS, Interval
from .positivity import Answer, Matrix, Sign, sign

MOST_BOXES = 4_000
MOST_HALVINGS = 40

Box = list[Interval]


class Outcome(NamedTuple):
    """What was found: all matrices are positive definite on the whole cube, or where that ended."""

    proved: bool
    boxes: int  # that cover the cube, if proved; else of those looked at
    reason: str  # why it is not proved
    where: Box  # the box of which the reason speaks


def halves(box: Box, doubts: list[int]) -> tuple[Box, Box]:
    """Both halves across the side that adds most to the doubt, unless another is far longer."""
    widths = [side.high - side.low for side in box]
    longest = max(widths)
    may = [i for i, width in enumerate(widths) if width << 3 > longest]
    place = max(may, key=lambda i: (doubts[i], widths[i]))
    side = box[place]
    cut = (side.low + side.high) >> 1
    return (
        [*box[:place], Interval(side.low, cut), *box[place + 1 :]],
        [*box[:place], Interval(cut, side.high), *box[place + 1 :]],
    )


def all_definite(
    matrices: Callable[[Box], dict[str, Matrix]], dimensions: int, most_boxes: int = MOST_BOXES
) -> Outcome:
    """Whether all matrices are positive definite at every point of [0, 1]^dimensions.

    >>> from fractions import Fraction
    >>> from .slopes import Enclosed
    >>> def shifted(by):
    ...     one = Enclosed.of(Fraction(by))
    ...     return lambda box: {"A": [[Enclosed.variable(box[0], 0, 1) + one]]}
    >>> all_definite(shifted(1), 1).proved
    True
    >>> all_definite(shifted(-1), 1).reason
    'matrix A is not positive definite'
    """
    waiting: list[Box] = [[Interval(0, 1 << BITS) for _ in range(dimensions)]]
    seen = proved = 0
    while waiting:
        box = waiting.pop()
        seen += 1
        radii = [side.radius() for side in box]
        name, answer = "", Answer(Sign.DEFINITE, [])
        for key, matrix in matrices(box).items():
            name, answer = key, sign(matrix, radii)
            if answer.sign is not Sign.DEFINITE:
                break
        if answer.sign is Sign.DEFINITE:
            proved += 1
            continue
        if answer.sign is Sign.NOT:
            return Outcome(False, seen, f"matrix {name} is not positive definite", box)
        if seen >= most_boxes:
            return Outcome(False, seen, f"matrix {name} is undecided after {seen} boxes", box)
        if all((side.high - side.low) << MOST_HALVINGS <= 1 << BITS for side in box):
            return Outcome(False, seen, f"matrix {name} is undecided in the smallest box", box)
        waiting += reversed(halves(box, answer.doubts))
    return Outcome(True, proved, "", [])
