"""Averages of one-dimensional runs as claims: what `rates` returns beside a loop over the rounds.

| claim   | what is compared                                                                    |
|---------|-------------------------------------------------------------------------------------|
| average | `average_square` of the recursions with the moments of a loop that steps y, v and u |
| best    | `best_average` with the average at its own (h, η), and with a coarse grid           |

All are derived here.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxbyz.theory.byz_dm21 import rates
from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.promises import UNPROVED, cases, spread_out, stated

derived = functools.partial(
    Claim,
    paper="byz_dm21",
    provenance=Provenance.DERIVED,
    source="derived here, jaxbyz/theory/byz_dm21/rates.py",
    scope=Scope.CONSTANTS,
    tight_from=None,
    unproved=UNPROVED,
)
BOX = {"part": (0.01, 0.9), "eta": (0.02, 1.0), "beta": (0.02, 1.0), "variance": (0.01, 10.0)}
ROUNDS = 50


def _stepped(
    z: np.ndarray, noise: np.ndarray, given: dict[str, float], h: float, recursive: bool
) -> Any:
    """(y, v, u) [3, m] after one round with noise [m], from the recursions as they are stated."""
    y, v, u = z
    eta, beta = given["eta"], given["beta"]
    after = y - h * u
    momentum = (1 - eta) * v + eta * (after + noise)
    v = after + (1 - eta) * (v - y) + eta * noise if recursive else momentum
    return np.stack([after, v, (1 - beta) * u + beta * v])


def _looped(given: dict[str, float], h: float, recursive: bool) -> float:
    """(1/T) Σ E y², each random number followed by itself: y is linear in all of them."""
    size, start = given["variance"] ** 0.5, (given["variance"] / 2) ** 0.5
    z = np.zeros((3, ROUNDS + 2))
    z[:, 0] = 1.0  # the start
    z[1:, 1] = start  # the error of the first estimate
    total = 0.0
    for t in range(ROUNDS):
        total += float((z[0] ** 2).sum())
        noise = np.zeros(ROUNDS + 2)
        noise[2 + t] = size
        z = _stepped(z, noise, given, h, recursive)
    return total / ROUNDS


def averages(function: Callable[..., Any] = rates.average_square) -> Claim:
    """`average_square` of both recursions is that of a loop over the rounds."""

    def sides(given: dict[str, float]) -> tuple[Any, Any]:
        pairs = []
        eta, beta = given["eta"], given["beta"]
        for recursive in (False, True):
            limit = rates.recursive_limit(beta) if recursive else rates.momentum_limit(eta, beta)
            h = given["part"] * min(limit, 2.0)
            make = rates.recursive_recursion if recursive else rates.momentum_recursion
            transition, noise = make(h, eta, beta)
            start = rates.start_moments(given["variance"] / 2)
            noise = noise * given["variance"] ** 0.5
            pairs.append(
                (float(function(transition, noise, start, ROUNDS)), _looped(given, h, recursive))
            )
        return stated([], pairs)

    return derived(
        name="average",
        title="exact averages of runs",
        statement="(1/T) Σ E y_t² of the matrices = that of a loop over y, v and u",
        unconditional="any h, η, β and start; a finite number of rounds",
        sides=sides,
        subject=cases(spread_out(20, 40, **BOX)),
        about=(
            *(function, rates.start_moments, rates.momentum_recursion, rates.recursive_recursion),
            *(rates.momentum_limit, rates.recursive_limit),
        ),
    )


def best(function: Callable[..., tuple[float, float, float]] = rates.best_average) -> Claim:
    """`best_average` is the average at its own (h, η), and no point of a grid is better."""

    def average(h: Any, eta: Any, rounds: int, variance: float, start: float) -> Any:
        transition, noise = rates.recursive_recursion(h, eta, eta)
        begin = rates.start_moments(start)
        return rates.average_square(transition, noise * math.sqrt(variance), begin, rounds)

    def sides(given: tuple[int, float, float]) -> tuple[Any, Any]:
        value, h, eta = function(*given)
        grid = np.meshgrid(np.geomspace(1e-4, 3, 25), np.geomspace(1e-4, 1, 25))
        hs, etas = (axis.ravel() for axis in grid)
        stable = hs < rates.recursive_limit(etas)
        least = float(average(hs[stable], etas[stable], *given).min())
        return stated([(value, least)], [(value, float(average(h, eta, *given)))])

    return derived(
        name="best average",
        title="what `best_average` returns",
        statement="the average of Byz-VR-DM21 at its own h and β = η; no other (h, η) has less",
        unconditional="all stable constant parameters are admitted",
        sides=sides,
        subject=cases([(100, 1.0, 0.0), (1000, 0.3, 0.2)], "numbers of rounds"),
        about=(function,),
    )


AVERAGES = (averages(), best())
