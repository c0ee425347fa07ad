"""A polynomial that is nowhere negative on a box, by its coefficients in Bernstein's basis.

On [0, 1] a polynomial of degree n is Σ_i b_i C(n, i) x^i (1-x)^(n-i), and as the weights of b_i are
nowhere negative there, b_i ≥ 0 for all i shows that it is not either. The same for products of
several variables. Where some b_i < 0 the box is halved, and coefficients of the halves come closer
to the values. b_i at the corners of a box are values of the polynomial: one that is < 0 refutes it.

Positive definite matrices (`certificates`) need strict inequalities on the closed box. Here both
sides of a statement may be equal on the box's border: coefficients are then 0 there.

A variable of [0, ∞) is a *ray*: the polynomial's coefficients of its powers, polynomials of the
other variables, must not be negative.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any, NamedTuple

from .polynomials import Polynomial, Powers, Quotient, monomials

MOST_BOXES = 4_000
MOST_HALVINGS = 40
MOST_COEFFICIENTS = 200_000  # of one polynomial

Coefficients = dict[Powers, Any]  # of Bernstein's basis


class Answer(NamedTuple):
    """What was found."""

    holds: bool
    boxes: int  # looked at
    coefficients: int  # of all of them
    reason: str = ""  # why it does not hold, or is not known to


def in_bernstein_basis(polynomial: Polynomial, degrees: Powers) -> Coefficients:
    """Its coefficients on [0, 1]^m: b_i = Σ_{j ≤ i} [C(i, j)/C(n, j)] a_j, in every variable.

    >>> x, = Polynomial.variables(1)
    >>> one = Polynomial.constant(1, 1)
    >>> [str(b) for b in in_bernstein_basis(x * x - x + one, (2,)).values()]
    ['1', '1/2', '1']
    """
    found: Coefficients = {powers: polynomial.terms.get(powers, 0) for powers in monomials(degrees)}
    for place, n in enumerate(degrees):
        weights = [
            [Fraction(math.comb(i, j), math.comb(n, j)) for j in range(i + 1)] for i in range(n + 1)
        ]
        found = {
            powers: sum(
                (
                    weight * found[(*powers[:place], j, *powers[place + 1 :])]
                    for j, weight in enumerate(weights[powers[place]])
                ),
                start=Fraction(0),
            )
            for powers in found
        }
    return found


def halves(found: Coefficients, degrees: Powers, place: int) -> tuple[Coefficients, Coefficients]:
    """The coefficients on both halves of a box across one side, by de Casteljau's scheme.

    Neighbours are averaged again and again: first and last of every row belong to the halves.
    """
    n = degrees[place]
    low, high, half = {}, {}, Fraction(1, 2)
    for start in found:
        if start[place]:
            continue
        keys = [(*start[:place], i, *start[place + 1 :]) for i in range(n + 1)]
        row = [found[key] for key in keys]
        for i in range(n + 1):
            low[keys[i]], high[keys[n - i]] = row[0], row[-1]
            row = [(a + b) * half for a, b in itertools.pairwise(row)]
    return low, high


def nowhere_negative(
    polynomial: Polynomial, rays: frozenset[int] = frozenset(), most_boxes: int = MOST_BOXES
) -> Answer:
    """Whether it is ≥ 0 on the box: variables of these places in [0, ∞), the others in [0, 1].

    At most `most_boxes` boxes are looked at, none with a side below 2^-40, and no polynomial of
    more than 200,000 coefficients. An answer without `holds` says nothing against the polynomial,
    unless it names a point where the value is negative.

    >>> x, y = Polynomial.variables(2)
    >>> nowhere_negative(x * x - x * y - x * y + y * y).holds  # (x-y)² touches 0 inside the box
    False
    >>> nowhere_negative(x + y, frozenset({1})).holds
    True
    >>> nowhere_negative(x - y).reason
    'negative at (0, 1)'
    """
    boxes = coefficients = 0
    for part in _by_rays(polynomial, rays).values():
        answer = _on_cube(part, most_boxes - boxes)
        boxes, coefficients = boxes + answer.boxes, coefficients + answer.coefficients
        if not answer.holds:
            of_ray = "a coefficient of the rays' powers is " if rays else ""
            return Answer(False, boxes, coefficients, of_ray + answer.reason)
    return Answer(True, boxes, coefficients)


def _by_rays(polynomial: Polynomial, rays: frozenset[int]) -> dict[Powers, Polynomial]:
    """The coefficient of every product of powers of the rays."""
    groups: dict[Powers, dict[Powers, Any]] = {}
    for powers, by in polynomial.terms.items():
        key = tuple(power for i, power in enumerate(powers) if i in rays)
        rest = tuple(0 if i in rays else power for i, power in enumerate(powers))
        groups.setdefault(key, {})[rest] = by
    return {key: Polynomial(terms) for key, terms in groups.items()}


def _on_cube(polynomial: Polynomial, most_boxes: int) -> Answer:
    degrees = polynomial.degrees
    if math.prod(n + 1 for n in degrees) > MOST_COEFFICIENTS:
        return Answer(False, 0, 0, f"undecided: more than {MOST_COEFFICIENTS} coefficients")
    corner = [(Fraction(0), Fraction(1)) for _ in degrees]
    waiting = [(in_bernstein_basis(polynomial, degrees), corner)]
    boxes = coefficients = 0
    while waiting:
        if boxes >= most_boxes:
            return Answer(False, boxes, coefficients, f"undecided after {boxes} boxes")
        found, sides = waiting.pop()
        boxes, coefficients = boxes + 1, coefficients + len(found)
        if all(b >= 0 for b in found.values()):
            continue
        for powers, b in found.items():
            at_corner = all(i in (0, n) for i, n in zip(powers, degrees, strict=True))
            if at_corner and b < 0:
                point = [side[bool(i)] for i, side in zip(powers, sides, strict=True)]
                where = ", ".join(map(str, point))
                return Answer(False, boxes, coefficients, f"negative at ({where})")
        widths = [
            high - low if n else Fraction(0) for (low, high), n in zip(sides, degrees, strict=True)
        ]
        place = widths.index(max(widths))
        if widths[place] <= Fraction(1, 2**MOST_HALVINGS):
            return Answer(False, boxes, coefficients, "undecided in the smallest box")
        low, high = sides[place]
        cut = (low + high) / 2
        for half, side in zip(
            halves(found, degrees, place), ((low, cut), (cut, high)), strict=True
        ):
            waiting.append((half, [*sides[:place], side, *sides[place + 1 :]]))
    return Answer(True, boxes, coefficients)


def quotient_nowhere_negative(
    quotient: Quotient, rays: frozenset[int] = frozenset(), most_boxes: int = MOST_BOXES
) -> Answer:
    """The same for a quotient, of which every factor below is shown to be > 0 inside the box.

    A factor whose coefficients are all ≥ 0, and not all 0, without halving, is > 0 at every inner
    point, where all weights of Bernstein's basis are. On the border it may be 0. There left ≤ right
    holds too, if both sides of the claim are continuous at that point.
    """
    boxes = coefficients = 0
    for factor in quotient.below:
        for part in _by_rays(factor, rays).values():
            answer = _on_cube(part, 1)
            boxes, coefficients = boxes + answer.boxes, coefficients + answer.coefficients
            if not answer.holds:
                return Answer(False, boxes, coefficients, f"a divisor is {answer.reason}")
    answer = nowhere_negative(quotient.top, rays, most_boxes)
    boxes, coefficients = boxes + answer.boxes, coefficients + answer.coefficients
    return Answer(answer.holds, boxes, coefficients, answer.reason)
