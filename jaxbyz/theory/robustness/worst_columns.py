"""κ of a coordinate-wise rule in rational numbers: bounds from above and from below.

`aggregators.analysis.exact_columns` states the convex programs. On a cone Gy ≤ 0 of columns where
the rule is linear, with S at given places and R(y) - ȳ_S = c·y,

    above   (c·y)² ≤ h ‖c_S - (Gᵀλ)_S‖² Var_S(y)   for every λ ≥ 0 with (Gᵀλ)_B = c_B,
    below   (c·y)²/Var_S(y)                         at any y of the cone.

A floating-point solver guesses which λ are not 0. The system that these satisfy at the minimum is
then solved in fractions, and its solution gives λ and a column y. Both lines are evaluated with
these, so that the solver need not be believed. What is believed: that the pieces which the rule
declares are the whole rule. Derived here.
"""

import itertools
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from jaxbyz import checks
from jaxbyz.aggregators.analysis.exact_columns import multiplier_guesses
from jaxbyz.core import Aggregator, LinearPiece

MOST_DENOMINATOR = 10_000  # of weights, which are 1/m for a number m of rows
ALL_PLACES = 8  # rows of which all places of S are looked at
Row = list[Fraction]


class Bounds(NamedTuple):
    """below ≤ κ ≤ above."""

    below: Fraction
    above: Fraction


def as_fraction(number: float) -> Fraction:
    """The fraction of a small denominator that is this number, but for its rounding.

    Raises:
        ValueError: there is none.

    >>> as_fraction(1 / 3)
    Fraction(1, 3)
    """
    exact = Fraction(float(number)).limit_denominator(MOST_DENOMINATOR)
    if abs(float(exact) - number) > 4e-16 * abs(number):
        raise ValueError(f"a number must be a fraction of a small denominator, got {number!r}")
    return exact


def exact_kappa(rule: Aggregator, n: int, f: int) -> Bounds:
    """Bounds of κ that are valid whatever a solver did, equal where it did well.

    Raises:
        ValueError: n ≤ 2f; the rule has no linear pieces, these are no fractions of small
            denominators, or a program has no solution in fractions.

    >>> from jaxbyz.aggregators import trimmed_mean
    >>> [str(bound) for bound in exact_kappa(trimmed_mean(f=2), 7, 2)]
    ['2/3', '2/3']
    """
    f = checks.count("f", f)
    n = checks.count("n", n, minimum=2 * f + 1)
    pieces = None if rule.robustness is None else rule.robustness.pieces
    if pieces is None:
        raise ValueError("rule must be linear on pieces that it declares, got one without")
    each = [_on_piece(piece, n, f) for piece in pieces(n)]
    return Bounds(max(one.below for one in each), max(one.above for one in each))


def _on_piece(piece: LinearPiece, n: int, f: int) -> Bounds:
    weights = list(map(as_fraction, piece.weights))
    order = np.eye(n)[:-1] - np.eye(n)[1:]
    rows = [
        list(map(as_fraction, row))
        for row in np.concatenate([order, np.asarray(piece.inequalities).reshape(-1, n)])
    ]
    if sum(weights) != 1 or any(map(sum, rows)):  # else means of S are no longer without loss
        raise ValueError("weights of a piece must add up to 1, and rows of its inequalities to 0")
    found = []
    for sign in (1, -1):
        for honest in _places(weights, piece, n, f, sign):
            share = Fraction(1, n - f)
            c = [sign * (w - share * (i in honest)) for i, w in enumerate(weights)]
            found.append(_program(rows, c, honest))
    return Bounds(max(one.below for one in found), max(one.above for one in found))


def _places(
    weights: Row, piece: LinearPiece, n: int, f: int, sign: int
) -> Iterable[tuple[int, ...]]:
    """Of S among the sorted rows: all, or for many rows and a rule that grows with each the worst.

    Such a rule is nowhere larger than with all f Byzantine rows above the honest ones, which leaves
    S as it is; and nowhere smaller than with all of them below.
    """
    grows = len(piece.inequalities) == 0 and min(weights) >= 0
    if n <= ALL_PLACES or not grows:
        return itertools.combinations(range(n), n - f)
    return [tuple(range(n - f))] if sign > 0 else [tuple(range(f, n))]


def _program(rows: list[Row], c: Row, honest: tuple[int, ...]) -> Bounds:
    """Both bounds for one cone, one choice of S and one sign.

    Raises:
        ValueError: no guess of the solver leads to a solution in fractions.
    """
    chosen = np.isin(np.arange(len(c)), honest)
    for guess in multiplier_guesses(np.array(rows, float), np.array(c, float), chosen):
        # Only a guess, of a solver that leaves exact zeros: what follows from it is verified.
        part = [row for row, by in zip(rows, guess, strict=True) if by > 0]
        found = _stationary(part, c, chosen)
        if found is not None:
            residual, column = found
            fits = all(_dot(row, column) <= 0 for row in rows)
            below = _ratio(c, column, chosen) if fits else Fraction(0)
            return Bounds(below, len(residual) * _dot(residual, residual))
    raise ValueError("a program of a worst column has no solution in fractions")


def _stationary(part: list[Row], c: Row, chosen: np.ndarray) -> tuple[Row, Row] | None:
    """c_S - (Gᵀλ)_S and y, where λ ≥ 0 and G_S(c_S - G_Sᵀλ) = -G_B y_B, (Gᵀλ)_B = c_B; or None."""
    honest, other = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    inside = [[Fraction(row[i]) for i in honest] for row in part]
    outside = [[Fraction(row[i]) for i in other] for row in part]
    goal = [c[i] for i in honest]
    system = [
        [*(_dot(row, column) for column in inside), *(-entry for entry in out), _dot(row, goal)]
        for row, out in zip(inside, outside, strict=True)
    ]
    for place, i in enumerate(other):
        system.append([*(row[place] for row in outside), *[Fraction(0)] * len(other), c[i]])
    solution = _solved(system, len(part) + len(other))
    if solution is None or min(solution[: len(part)], default=Fraction(0)) < 0:
        return None
    multipliers = solution[: len(part)]
    residual = [
        entry - _dot(multipliers, [row[j] for row in inside]) for j, entry in enumerate(goal)
    ]
    column = [Fraction(0)] * len(c)
    for i, value in zip((*honest, *other), (*residual, *solution[len(part) :]), strict=True):
        column[i] = value
    return residual, column


def _ratio(c: Row, column: Row, chosen: np.ndarray) -> Fraction:
    """(c·y)²/Var_S(y); 0 where Var_S is."""
    own = [column[i] for i in np.flatnonzero(chosen)]
    mean = sum(own, Fraction(0)) / len(own)
    variance = sum(((y - mean) ** 2 for y in own), Fraction(0)) / len(own)
    return _dot(c, column) ** 2 / variance if variance else Fraction(0)


def _dot(one: Row, other: Row) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


def _solved(system: list[Row], unknowns: int) -> Row | None:
    """A solution of linear equations [.., right side], free unknowns 0; None if there is none."""
    rows = [list(row) for row in system]
    pivots: list[int] = []
    for place in range(unknowns):
        first = next((i for i in range(len(pivots), len(rows)) if rows[i][place]), None)
        if first is None:
            continue
        at = len(pivots)
        rows[at], rows[first] = rows[first], rows[at]
        rows[at] = [entry / rows[at][place] for entry in rows[at]]
        for i, row in enumerate(rows):
            if i != at and row[place]:
                rows[i] = [a - row[place] * b for a, b in zip(row, rows[at], strict=True)]
        pivots.append(place)
    if any(row[-1] for row in rows[len(pivots) :]):
        return None
    found = [Fraction(0)] * unknowns
    for row, place in zip(rows, pivots, strict=False):
        found[place] = row[-1]
    return found
