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


def pieces(box: Box, doubts: list[int], halvings: int) -> list[Box]:
    """The box cut across the side that adds most to the doubt, unless another is far longer.

    Each half is cut again if there is more than one halving, and so on.
    """
    if not halvings:
        return [box]
    widths = [side.high - side.low for side in box]
    longest = max(widths)
    may = [i for i, width in enumerate(widths) if width << 3 > longest]
    place = max(may, key=lambda i: (doubts[i], widths[i]))
    side = box[place]
    cut = (side.low + side.high) >> 1
    left = [doubt >> 1 if i == place else doubt for i, doubt in enumerate(doubts)]
    return [
        piece
        for half in (Interval(side.low, cut), Interval(cut, side.high))
        for piece in pieces([*box[:place], half, *box[place + 1 :]], left, halvings - 1)
    ]


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
    name = ""
    while waiting:
        box = waiting.pop()
        if seen == most_boxes:
            return Outcome(False, seen, f"matrix {name} is undecided after {seen} boxes", box)
        seen += 1
        radii = [side.radius() for side in box]
        answer = Answer(Sign.DEFINITE, [])
        for key, matrix in matrices(box).items():
            answer = sign(matrix, radii)
            if answer.sign is not Sign.DEFINITE:
                name = key  # kept until another one is in doubt
                break
        if answer.sign is Sign.DEFINITE:
            proved += 1
            continue
        if answer.sign is Sign.NOT:
            return Outcome(False, seen, f"matrix {name} is not positive definite", box)
        if all((side.high - side.low) << MOST_HALVINGS <= 1 << BITS for side in box):
            return Outcome(False, seen, f"matrix {name} is undecided in the smallest box", box)
        waiting += reversed(pieces(box, answer.doubts, answer.halvings))
    return Outcome(True, proved, "", [])
