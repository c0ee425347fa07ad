"""Find the multipliers of a certificate by semidefinite programming, and round them to fractions.

Needs the extra `sdp` (cvxpy with Clarabel). All here is floating-point arithmetic and proves
nothing: what `find` returns has passed the verifier, `checker.certificates.prove`. That nothing was
found says nothing of what exists.

The matrices of a method are affine in its multipliers and C, and multipliers are lists of
coefficients. So the coefficients are the unknowns of a semidefinite program over the points of a
grid. It is read off the verifier's own matrices at these points.
"""

from __future__ import annotations

import importlib
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from jaxbyz.theory.checker.certificates import FORMAT, METHODS, Proof, prove
from jaxbyz.theory.checker.certificates.intervals import BITS
from jaxbyz.theory.checker.certificates.slopes import Enclosed

DENOMINATOR = 100_000
SIDE = 5  # points a side of the first grid
MOST_BOXES = 1200  # of a certificate that is worth keeping
MOST_ROUNDS = 12


class Found(NamedTuple):
    """A certificate that the verifier has accepted."""

    record: dict[str, Any]
    proof: Proof


def _number(entry: Enclosed) -> float:
    return float(Fraction(entry.at_centre.low + entry.at_centre.high, 2 << BITS))


def forms_at(
    method: ModuleType, constants: Mapping[str, Fraction], point: Sequence[Fraction]
) -> dict[str, np.ndarray]:
    """Every matrix at a point, affine: [2 + multipliers, n, n] for 1, C and the multipliers."""
    zero, one = Fraction(0), Fraction(1)
    variables = [Enclosed.of(part) for part in point]

    def at(floor: Fraction, raised: str | None) -> dict[str, np.ndarray]:
        values = {name: Enclosed.of(one if name == raised else zero) for name in method.MULTIPLIERS}
        given = {name: Enclosed.of(value) for name, value in constants.items()}
        found = method.matrices(given | {"C": Enclosed.of(floor)}, values, variables)
        return {
            name: np.array([[_number(entry) for entry in row] for row in matrix])
            for name, matrix in found.items()
        }

    base = at(zero, None)
    others = [at(one, None), *(at(zero, name) for name in method.MULTIPLIERS)]
    return {
        name: np.stack([matrix, *(other[name] - matrix for other in others)])
        for name, matrix in base.items()
    }


def grid(size: int, dimensions: int) -> list[tuple[Fraction, ...]]:
    """Points of [0, 1]^dimensions, `size` a side."""
    line = [Fraction(k, size - 1) for k in range(size)]
    return list(itertools.product(line, repeat=dimensions))


class Program:
    """The unknowns C and coefficients, and what a grid demands of them."""

    def __init__(self, method: ModuleType, constants: Mapping[str, Fraction], size: int) -> None:
        """Read the matrices off the verifier's, at the points of a grid of this size."""
        self.cp, self.method = importlib.import_module("cvxpy"), method
        self.floor = self.cp.Variable(nonneg=True)  # C
        self.most: int | None = None  # of all multipliers
        self.rows = {
            name: self.cp.Variable(
                method.AFFINE + (0 if name in method.WEIGHTS else method.FURTHER)
            )
            for name in method.MULTIPLIERS
        }
        self.constants = dict(constants)
        self.points: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
        for point in grid(size, len(method.VARIABLES)):
            self.add(point)

    def add(self, point: Sequence[Fraction]) -> None:
        """One more point of the box."""
        self.points.append((self._parts(point), forms_at(self.method, self.constants, point)))

    def _parts(self, point: Sequence[Fraction]) -> np.ndarray:
        """What multipliers are made of, at a point."""
        found = self.method.parts([Enclosed.of(part) for part in point])
        return np.array([1.0, *map(_number, found)])

    def values(self, parts: np.ndarray) -> list[Any]:
        """All multipliers at a point."""
        return [row @ parts[: row.size] for row in self.rows.values()]

    def demands(self, margin: Any) -> list[Any]:
        """All matrices ⪰ margin · scale, all positive multipliers ≥ margin · scale."""
        cp, found = self.cp, []
        for parts, forms in self.points:
            values = dict(zip(self.rows, self.values(parts), strict=True))
            unknown = cp.hstack([self.floor, *values.values()])
            found += [values[name] >= 0.1 * margin for name in self.method.POSITIVE]
            if self.most is not None:
                found += [value <= self.most for value in values.values()]
            for form in forms.values():
                n = form.shape[1]
                entries = cp.reshape(unknown @ form[1:].reshape(-1, n * n), (n, n), order="C")
                scale = np.diag(np.clip(np.abs(np.diagonal(form, 0, 1, 2)).max(axis=0), 0.1, 10.0))
                found.append(form[0] + (entries + entries.T) / 2 - margin * scale >> 0)
        return found

    def rate(self) -> tuple[Any, list[Any]]:
        """A variable above the rate at all corners, and what makes it so."""
        rate = self.cp.Variable()
        corners = [
            np.array([1.0, *map(float, corner)]) for corner in grid(2, self.method.AFFINE - 1)
        ]
        bounds = []
        for corner in corners:  # the rate is the largest of linear functions of the weights
            for terms in self.method.RATES:
                side = sum(factor * (self.rows[name] @ corner) for name, factor in terms.items())
                bounds.append(rate >= side)
        return rate, bounds

    def solve(self, objective: Any, demands: list[Any]) -> bool:
        """Whether the solver says that it found an optimum, which is no evidence."""
        problem = self.cp.Problem(objective, demands)
        with warnings.catch_warnings():  # of inaccuracy: the verifier decides
            warnings.simplefilter("ignore")
            try:
                problem.solve(solver=self.cp.CLARABEL)
            except self.cp.error.SolverError:
                return False
        return problem.status in ("optimal", "optimal_inaccurate")


def least_floor(
    method: str, constants: Mapping[str, Fraction], size: int = 2 * SIDE
) -> float | None:
    """The least C for which the points of a grid have multipliers, or None: a floating number."""
    program = Program(METHODS[method], constants, size)
    found = program.solve(program.cp.Minimize(program.floor), program.demands(0.0))
    return float(program.floor.value) if found else None


def rounded_up(number: float, places: int = 100) -> Fraction:
    """The next multiple of 1/places.

    >>> rounded_up(1.7401)
    Fraction(7, 4)
    """
    return Fraction(math.ceil(number * places), places)


def find(
    method: str,
    constants: Mapping[str, Fraction],
    *,
    slack: Fraction = Fraction(1, 20),
    room: Fraction = Fraction(1, 20),
    most: int | None = None,
) -> Found | None:
    """A certificate for these constants with C nearly as small as this search can, and a low rate.

    On a grid: the least C; at (1 + slack) C the least rate; at a rate slightly larger the largest
    margin of all matrices. Then fractions, which the verifier examines. Where it stops, the centre
    of its box becomes one more point of the program, until it accepts.

    Args:
        method: one of `checker.certificates.METHODS`.
        constants: all but C; or all, and then C is kept.
        slack: what is given up of the least C, for a lower rate.
        room: what is given up of the least rate, for a margin: fewer boxes.
        most: no multiplier is larger at points of the grid. Where nothing else bounds the weights
            of V, the largest margin has large ones, of which boxes know little: more boxes.

    Returns:
        None if none was found, which does not say that there is none.
    """
    program = Program(METHODS[method], constants, SIDE)
    cp = program.cp
    if "C" in constants:
        floor = constants["C"]
    elif program.solve(cp.Minimize(program.floor), program.demands(0.0)):
        floor = rounded_up(float(program.floor.value) * float(1 + slack))
    else:
        return None
    if most is not None:
        program.most = most
    rate, bounds = program.rate()
    fixed = [program.floor == float(floor), *bounds]
    if not program.solve(cp.Minimize(rate), [*fixed, *program.demands(0.0)]):
        return None
    margin = cp.Variable(nonneg=True)
    fixed += [rate <= float(1 + room) * float(rate.value), margin <= 1]
    for _ in range(MOST_ROUNDS):
        if not program.solve(cp.Maximize(margin), [*fixed, *program.demands(margin)]):
            return None
        record = record_of(method, {**constants, "C": floor}, program.rows)
        proof = prove(record, most_boxes=MOST_BOXES)
        if proof.proved:
            return Found(record, proof)
        if not proof.where or float(margin.value) < 1e-7:
            return None
        program.add(proof.where)
    return None


def record_of(
    method: str, constants: Mapping[str, Fraction], rows: Mapping[str, Any]
) -> dict[str, Any]:
    """A certificate with coefficients rounded to fractions."""
    return {
        "format": FORMAT,
        "method": method,
        "constants": {name: str(value) for name, value in constants.items()},
        "multipliers": {
            name: [str(Fraction(float(part)).limit_denominator(DENOMINATOR)) for part in row.value]
            for name, row in rows.items()
        },
    }
