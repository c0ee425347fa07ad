"""Coordinate-wise rules as piecewise linear functions of a sorted column.

On each of finitely many cones a rule of order statistics is linear. Written down as data, that is
all one needs to compute its robustness coefficient instead of searching for it.
"""

import numpy as np

from jaxbyz.core import LinearPiece


def ranks(n: int, low: int, high: int) -> list[LinearPiece]:
    """The mean of y_(low+1) ≤ … ≤ y_(high): one piece, everything.

    >>> ranks(4, 1, 3)[0].weights.tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    weights = np.zeros(n)
    weights[low:high] = 1 / (high - low)
    return [LinearPiece(weights, np.zeros((0, n)))]


def windows(centre: np.ndarray, keep: int) -> list[LinearPiece]:
    """The mean of the `keep` values nearest to centre · y: one piece for each window.

    In sorted order, counted from 0, the window begins at j exactly if
    y_{j-1} + y_{j-1+keep} < 2c ≤ y_j + y_{j+keep}, as far as there are such values.

    Args:
        centre: [n], the weights of the centre on sorted values; their sum is 1.
        keep: size of the window.

    >>> [piece.weights.tolist() for piece in windows(np.array([0.0, 1.0, 0.0]), 2)]
    [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    n = len(centre)
    unit = np.eye(n)
    pieces = []
    for j in range(n - keep + 1):
        moved = [unit[j - 1] + unit[j - 1 + keep] - 2 * centre] if j else []
        stays = [2 * centre - unit[j] - unit[j + keep]] if j + keep < n else []
        (piece,) = ranks(n, j, j + keep)
        pieces.append(LinearPiece(piece.weights, np.array(moved + stays).reshape(-1, n)))
    return pieces
