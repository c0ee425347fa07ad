"""A second verifier of RoSDHB's certificates, in ball arithmetic (extra `proof`: python-flint).

With one mask for all workers, and with one for each.

It shares no code with `checker`: the numbers are Arb's balls, the matrices are sums of quadratic
terms as the derivation has them, and a matrix is examined by its pivots in balls. Slopes are
carried along by hand, as there. An error of one is thus noticed by the other in what is compared:
the conditions on the constants, the matrices Q, Z and V, the signs, and that they hold on the whole
box. Shared are the identity, the rate and the words of the statement, and the reading of `record`
as JSON.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

DIGITS = 128  # bits of a ball
MOST_BOXES = 4000
HALF = 0.5  # a binary number: products with it are as exact as others


class Ball:
    """A function of two variables on a box: value at the centre, range, two slopes."""

    def __init__(self, centre: Any, whole: Any, one: Any, other: Any) -> None:
        self.parts = (centre, whole, one, other)

    def __add__(self, right: Any) -> Ball:
        if not isinstance(right, Ball):
            right = Ball(right, right, 0, 0)
        return Ball(*(a + b for a, b in zip(self.parts, right.parts, strict=True)))

    __radd__ = __add__

    def __mul__(self, right: Any) -> Ball:
        if not isinstance(right, Ball):
            return Ball(*(a * right for a in self.parts))
        (a, whole_a, *slopes_a), (b, whole_b, *slopes_b) = self.parts, right.parts
        slopes = [p * whole_b + whole_a * q for p, q in zip(slopes_a, slopes_b, strict=True)]
        return Ball(a * b, whole_a * whole_b, *slopes)

    __rmul__ = __mul__

    def __neg__(self) -> Ball:
        return self * -1

    def __sub__(self, right: Any) -> Ball:
        return self + right * -1

    def __rsub__(self, left: Any) -> Ball:
        return -self + left

    def inverse(self) -> Ball:
        """1/f."""
        centre, whole, *slopes = self.parts
        return Ball(1 / centre, 1 / whole, *(-slope / (whole * whole) for slope in slopes))

    def root(self) -> Ball:
        """√f of f ≥ 0; where f may be 0, a number that is only known to lie in its range."""
        centre, whole, *slopes = self.parts
        if not whole > 0:
            half = whole.upper().sqrt() * HALF
            between = half + half * type(whole)(0, 1)
            return Ball(between, between, 0, 0)
        root = whole.sqrt()
        return Ball(centre.sqrt(), root, *(slope / (2 * root) for slope in slopes))


def _outer(coefficient: Any, u: list[Any], v: list[Any], into: list[list[Any]]) -> None:
    """Add coefficient · ⟨u, v⟩ as a symmetric matrix."""
    for i, one in enumerate(u):
        for j, other in enumerate(v):
            if (isinstance(one, int) and not one) or (isinstance(other, int) and not other):
                continue
            term = coefficient * one * other * HALF
            into[i][j] = into[i][j] + term
            into[j][i] = into[j][i] + term


def _quadratic(terms: list[tuple[Any, list[Any], list[Any]]], size: int) -> list[list[Any]]:
    found: list[list[Any]] = [[0] * size for _ in range(size)]
    for coefficient, u, v in terms:
        _outer(coefficient, u, v, found)
    return found


def _matrices(
    constants: Mapping[str, Any], p: Mapping[str, Any], root_x: Ball, root_s: Ball
) -> list[list[list[Any]]]:
    """All matrices that must be positive definite; signs of multipliers are such of one row."""
    c, a, w, sigma = (constants[name] for name in ("c", "coupling", "kappa_b_squared", "C"))
    x, s = root_x * root_x, root_s * root_s
    step = x * s * (1 / c)
    beta = (1 - a * step).root()
    zeta = a * (1 + beta).inverse()
    g, delta, xi, e, r = ([int(i == j) for j in range(5)] for i in range(5))
    noise = zeta * (root_x * root_s) * (1 / c.sqrt())
    momentum: list[Any] = [1, beta, noise, 0, 0]
    direction: list[Any] = [1, beta, noise, 1, 0]
    held = p["b0"] + p["tau"] * step
    paid, further = p["q3"], []
    if "share" in constants:  # a mask for each worker
        paid = p["q3"] * constants["share"] + constants["kappa"] * held * zeta * zeta
        further = [[[p["q3"]]], [[constants["N"] - p["q3"]]]]
    q = _quadratic(
        [
            (p["cf"], g, direction),
            (-(p["cf"] * step * HALF) - p["l"], direction, direction),
            (p["l"], r, r),
            (2 * p["p11"] * zeta, g, delta),
            (a * p["p11"], delta, delta),
            (-(p["p11"] * zeta * zeta), xi, xi),
            (2 * p["p12"] * zeta, delta, g),
            (-2 * p["p12"], momentum, r),
            (-2 * p["p22"], g, r),
            (-(p["p22"] * step), r, r),
            (Ball(-1 - sigma * w, -1 - sigma * w, 0, 0), g, g),
            (p["tau"], e, e),
            (p["q3"], xi, xi),
            (-(paid * x * (1 - s) * (1 / c)), g, g),
            (2 * p["t1"], g, xi),
            (2 * p["t2"], delta, xi),
        ],
        5,
    )
    mu, nu = [1, 0], [0, 1]
    z = _quadratic(
        [
            (a * p["b0"] - p["tau"] * beta * beta, mu, mu),
            (-2 * held * beta * zeta, mu, nu),
            (sigma - held * zeta * zeta * x * (1 / c), nu, nu),
        ],
        2,
    )
    v = _quadratic(
        [
            (p["p11"], mu, mu),
            (2 * p["p12"], mu, nu),
            (p["p22"] + p["cf"] * HALF, nu, nu),
        ],
        2,
    )
    return [[[p[name]]] for name in ("cf", "b0", "l", "tau")] + further + [v, z, q]


def _definite(flint: Any, matrix: list[list[Any]], radii: list[Any]) -> bool:
    """Whether it is positive definite on the box."""
    size = len(matrix)

    def part(place: int) -> Any:
        rows = [
            [entry.parts[place] if isinstance(entry, Ball) else 0 for entry in row]
            for row in matrix
        ]
        return flint.arb_mat(rows)

    centre = part(0)
    middle = np.array([[float(centre[i, j].mid()) for j in range(size)] for i in range(size)])
    try:
        factor = np.linalg.inv(np.linalg.cholesky(middle)).T
    except np.linalg.LinAlgError:
        return False
    t = flint.arb_mat([[float(entry) for entry in row] for row in factor])
    turned = t.transpose() * centre * t
    for place, radius in enumerate(radii):
        tilted = t.transpose() * part(2 + place) * t
        turned = turned + tilted * flint.arb(0, radius)
    rows = [[turned[i, j] for j in range(size)] for i in range(size)]
    for k in range(size):
        if not rows[k][k] > 0:
            return False
        for i in range(k + 1, size):
            for j in range(k + 1, size):
                rows[i][j] = rows[i][j] - rows[i][k] * rows[k][j] / rows[k][k]
    return True


def proved(record: Mapping[str, Any], most_boxes: int = MOST_BOXES) -> bool:
    """Whether balls prove a certificate of RoSDHB, by at most so many boxes.

    Raises:
        ImportError: python-flint is not installed.
    """
    flint = importlib.import_module("flint")
    before = flint.ctx.prec
    flint.ctx.prec = DIGITS
    try:

        def number(text: str) -> Any:
            top, _, bottom = text.partition("/")
            return flint.arb(int(top)) / int(bottom or "1")

        constants = {name: number(text) for name, text in record["constants"].items()}
        c, a = constants["c"], constants["coupling"]
        if not (a > 0 and (c > a or record["constants"]["c"] == record["constants"]["coupling"])):
            return False
        if not constants["kappa_b_squared"] >= 0:
            return False
        if "share" in constants and not (constants["kappa"] >= 0 and constants["share"] > 0):
            return False
        rows = {name: [number(text) for text in row] for name, row in record["multipliers"].items()}
        return _covered(flint, constants, rows, most_boxes)
    finally:
        flint.ctx.prec = before


def _covered(flint: Any, constants: Any, rows: Any, most_boxes: int) -> bool:
    waiting = [((0, 0), 0)]  # integers of the corner, and how often both sides were halved
    for _ in range(most_boxes):
        if not waiting:
            return True
        (i, j), depth = waiting.pop()
        radius = flint.arb(1) / 2 ** (depth + 1)
        sides = []
        for place, corner in enumerate((i, j)):
            centre = flint.arb(2 * corner + 1) * radius
            slopes = [flint.arb(1), flint.arb(0)] if place == 0 else [flint.arb(0), flint.arb(1)]
            sides.append(Ball(centre, centre + flint.arb(0, 1) * radius, *slopes))
        root_x, root_s = sides
        made = [Ball(flint.arb(1), flint.arb(1), flint.arb(0), flint.arb(0))]
        made += [root_x * root_x, root_s * root_s, root_x * root_s]
        values = {}
        for name, row in rows.items():
            total: Any = 0
            for coefficient, part in zip(row, made, strict=False):
                total = part * coefficient + total
            values[name] = total
        matrices = _matrices(constants, values, root_x, root_s)
        if all(_definite(flint, matrix, [radius, radius]) for matrix in matrices):
            continue
        if depth >= 20:
            return False
        waiting += [((2 * i + di, 2 * j + dj), depth + 1) for di in (0, 1) for dj in (0, 1)]
    return not waiting
