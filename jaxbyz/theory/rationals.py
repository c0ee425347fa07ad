"""Symmetric matrices of fractions: decisions without rounding.

`checker.rationals` does the same in other words, on purpose: the checker shares no code with what
it checks.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

__all__ = ["fractions", "inverse", "is_semidefinite", "least_pivot"]


def fractions(values: object) -> np.ndarray:
    """An array of Fractions."""
    return np.vectorize(Fraction, otypes=[object])(np.asarray(values, dtype=object))


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Gauss-Jordan; for matrices that are positive definite."""
    n = len(matrix)
    table = np.concatenate([matrix, fractions(np.eye(n, dtype=int))], axis=1)
    for i in range(n):
        table[i] = table[i] / table[i, i]
        for j in range(n):
            if j != i:
                table[j] = table[j] - table[j, i] * table[i]
    return table[:, n:]


def least_pivot(matrix: np.ndarray) -> Fraction | float:
    """The least pivot of LDLᵀ of a symmetric matrix of Fractions; ≥ 0 iff it is ⪰ 0.

    A decision, not an estimate. -∞ where a pivot is 0 and its row is not: A is indefinite.

    >>> least_pivot(fractions([[1, 1], [1, 1]])), least_pivot(fractions([[0, 1], [1, 1]]))
    (Fraction(0, 1), -inf)
    """
    rest, least = matrix.copy(), Fraction(1) if not len(matrix) else matrix[0, 0]
    while len(rest):
        pivot, row = rest[0, 0], rest[0, 1:]
        if pivot == 0 and any(entry != 0 for entry in row):
            return -float("inf")
        least = min(least, pivot)
        rest = rest[1:, 1:] - (np.outer(row, row) / pivot if pivot else 0)
    return least


def is_semidefinite(matrix: np.ndarray) -> bool:
    """Whether a symmetric matrix of Fractions is ⪰ 0.

    >>> is_semidefinite(fractions([[1, 1], [1, 1]])), is_semidefinite(fractions([[0, 1], [1, 1]]))
    (True, False)
    """
    return least_pivot(matrix) >= 0
