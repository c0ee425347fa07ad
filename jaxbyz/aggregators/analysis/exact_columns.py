"""The exact worst column of a coordinate-wise rule, by convex programs.

Coordinates are independent, and numerator and denominator of κ add up over them, so that one
column decides. On a cone of sorted columns, with S at given places of the order, the rule is
linear and so is R(y) - ȳ_S = c · y. Hence

    κ = max over cones, places of S and both signs of   max { (c·y)² : Gy ≤ 0, Var_S(y) ≤ 1 },

and each inner maximum is h times the squared length of the projection of c_S on a cone,

    min { ‖c_S - (Gᵀλ)_S‖² : λ ≥ 0, (Gᵀλ)_B = c_B },

a non-negative least squares problem, whose residual is the worst y_S. Derived here.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy  # it comes with jax, which needs it; its parts are imported when they are used

from jaxbyz.core import LinearPiece

# Of the equalities beside the least squares, one after another until one finds who takes part:
# large ones spoil the condition of the system, and small ones move the minimum, by 1/weight².
WEIGHTS = (1e3, 1e2, 1e4, 1e5)
NEAR = 1e-5  # how far, relative to its size, the worst column is moved off the border of its piece


class WorstColumn(NamedTuple):
    """What the programs say."""

    kappa: float  # their maximum; infinite where a program is unbounded
    column: np.ndarray  # [n] that attains it up to 1e-4, the h rows of S first
    programs: int  # how many were solved


def programs(pieces: list[LinearPiece], n: int, f: int) -> int:
    """How many programs `worst_column` has to solve.

    >>> from jaxbyz.aggregators.analysis.linear_pieces import ranks
    >>> programs(ranks(7, 2, 5), 7, 2)
    2
    """
    return sum(2 if _monotone(piece) else 2 * math.comb(n, f) for piece in pieces)


def _monotone(piece: LinearPiece) -> bool:
    """Whether the rule is everywhere this piece, and grows with every row.

    Then the Byzantine rows are worst beyond all others, on the side where the error points.
    """
    return piece.inequalities.shape[0] == 0 and bool((piece.weights >= 0).all())


def worst_column(pieces: list[LinearPiece], n: int, f: int) -> WorstColumn:
    """The largest (R(y) - ȳ_S)²/Var_S over all columns y of n numbers and all |S| = n-f.

    >>> from jaxbyz.aggregators.analysis.linear_pieces import ranks
    >>> round(worst_column(ranks(7, 2, 5), 7, 2).kappa, 12) == round(2 / 3, 12)
    True
    """
    h = n - f
    order = np.eye(n)[:-1] - np.eye(n)[1:]  # y_i - y_{i+1} ≤ 0
    best, found = None, -1.0
    for piece in pieces:
        rows = np.concatenate([order, piece.inequalities])  # G
        for sign in (1, -1):
            if _monotone(piece):
                positions = [tuple(range(h)) if sign > 0 else tuple(range(f, n))]
            else:
                positions = list(itertools.combinations(range(n), h))
            for position in positions:
                chosen = np.isin(np.arange(n), position)
                c = sign * (piece.weights - chosen / h)
                residual = _projected(rows, c, chosen)
                if residual is None:
                    return WorstColumn(math.inf, np.full(n, math.nan), programs(pieces, n, f))
                if h * (residual @ residual) > found:
                    found, best = h * float(residual @ residual), (rows, c, chosen, residual)
    assert best is not None
    return WorstColumn(found, _completed(*best), programs(pieces, n, f))


def multiplier_guesses(rows: np.ndarray, c: np.ndarray, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """λ [m] of one program, as a solver has them, for several weights of the equalities."""
    for weight in WEIGHTS:
        weights = np.where(chosen, 1, weight)
        yield scipy.optimize.nnls(rows.T * weights[:, None], c * weights)[0]


def _projected(rows: np.ndarray, c: np.ndarray, chosen: np.ndarray) -> np.ndarray | None:
    """c_S - (Gᵀλ)_S at the minimum, [h]; None where no λ ≥ 0 has (Gᵀλ)_B = c_B: unbounded."""
    unbounded = True
    for multipliers in multiplier_guesses(rows, c, chosen):
        # With no solution the error is the distance of c_B from a cone of small integers.
        if np.abs(c - rows.T @ multipliers)[~chosen].max(initial=0) > 1e-3:
            continue
        unbounded = False
        residual, exact = _of_part(rows[multipliers > 0], c, chosen)
        if exact and np.abs(residual - (c - rows.T @ multipliers)[chosen]).max() < 1e-3:
            return residual
    if not unbounded:
        raise RuntimeError("the convex program of a piece was not solved: please report the rule")
    return None


def _of_part(part: np.ndarray, c: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, bool]:
    """The same with those λ > 0 known: a linear system (Lagrange); and whether it was solved."""
    inside, outside = part[:, chosen], part[:, ~chosen]
    f, m = outside.shape[1], len(part)
    system = np.block([[inside @ inside.T, outside], [outside.T, np.zeros((f, f))]])
    goal = np.concatenate([inside @ c[chosen], c[~chosen]])
    solution, *_ = np.linalg.lstsq(system, goal)
    exact = np.abs(system @ solution - goal).max(initial=0) <= 1e-9
    return c[chosen] - inside.T @ solution[:m], bool(exact)


def _completed(
    rows: np.ndarray, c: np.ndarray, chosen: np.ndarray, residual: np.ndarray
) -> np.ndarray:
    """The column with y_S = residual and the worst y_B, a little inside its piece: [n], S first.

    On the border a selection is a tie, which the rule may decide for the neighbouring piece.
    """
    n = len(chosen)
    residual = residual / max(np.abs(residual).max(), np.finfo(float).tiny)
    # The largest t with Gz ≤ -t in the box; then the y_B of greatest c·y with Gy ≤ 0,
    # up to the solver's 1e-7.
    inside = scipy.optimize.linprog(
        np.append(np.zeros(n), -1),
        A_ub=np.column_stack([rows, np.ones(len(rows))]),
        b_ub=np.zeros(len(rows)),
        bounds=[(-1, 1)] * n + [(0, None)],
    ).x[:n]
    free = scipy.optimize.linprog(
        -c[~chosen],
        A_ub=rows[:, ~chosen],
        b_ub=1e-9 - rows[:, chosen] @ residual,
        bounds=(None, None),
    ).x
    column = np.empty(n)
    column[chosen], column[~chosen] = residual, free
    column = column + NEAR * inside
    return np.concatenate([column[chosen], column[~chosen]])
