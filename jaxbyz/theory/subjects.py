"""What a claim is held against where it does not speak of families of instances.

Each type here is data for one engine; `engines.engines_for` says which.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxbyz.core import Aggregator


@dataclasses.dataclass(frozen=True)
class Cases:
    """Finitely many instances. The sides are evaluated at each of them."""

    description: str  # printed as evidence
    instances: tuple[Any, ...]
    exact: bool = False  # the sides are fractions: the answer is then no matter of rounding


@dataclasses.dataclass(frozen=True)
class WorstInput:
    """The coefficient κ of a coordinate-wise rule, as `aggregators.kappa` states it.

    κ is the largest ‖F(x) - x̄_S‖²/Var_S over all inputs x of n rows and all S of n-f rows.
    """

    rule: Aggregator
    n: int
    f: int
    scale: float = 1.0  # multiplies the stated κ: an error to plant


@dataclasses.dataclass(frozen=True)
class QuadraticForm:
    """A quadratic form that must not be negative anywhere, in rational numbers."""

    instance: Any  # of which the hypotheses of the claim speak
    matrix: Callable[[], np.ndarray]  # -> the symmetric matrix of the form, of Fractions


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate of `checker.certificates`, for all parameters of its box."""

    name: str  # of the file
    record: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Frequencies:
    """Outcomes of random runs. The claim speaks of their law [...]: one probability an outcome."""

    count: Callable[[int, int], np.ndarray | None]  # (seed, runs) -> how often each was met;
    # None: something was met that is none of the outcomes
    impossible: str  # what that says
    description: str  # of one run
    least_runs: int
    level: float  # the chance of a wrong answer, of all outcomes together


@dataclasses.dataclass(frozen=True)
class SampledMean:
    """The mean of a random number X in [0, 1], which the claim says is at most `bound`."""

    draw: Callable[[int, int], np.ndarray]  # (seed, count) -> values [count]
    bound: float  # in (0, 1)
    count: int = 4000  # how many values there may be
    level: float = 0.05  # the chance of a wrong answer, of confirming and of objecting together


@dataclasses.dataclass(frozen=True)
class Reduction:
    """Why a claim between numbers holds on its whole box: polynomials that are nowhere negative.

    Sides that consist of + - * / and whole powers are evaluated at quotients of polynomials in
    place of numbers. What they return is right - left as a formula, and `checker.bernstein` shows
    that it is ≥ 0 wherever the variables are in [0, 1], or in [0, ∞).

    >>> from jaxbyz.theory.rosdhb.constants import constants_a
    >>> constants_a("c1").reduction.rays
    ('s', 'κB²')
    """

    variables: tuple[str, ...]  # of [0, 1], unless they are among the rays
    instance: Callable[..., Any]  # quotients, one for each variable -> what `sides` takes
    covers: str  # why every instance in the claim's box is met; read by a person
    rays: tuple[str, ...] = ()  # variables of [0, ∞)
    # -> left and right; None: those of the claim. Others where the claim's have roots. Then
    # `follows` says why the claim follows from these, and `same` returns, at an instance of the
    # claim's families, two arrays: numbers as the proof has them, and those that users receive.
    sides: Callable[[Any], tuple[Any, Any]] | None = None
    follows: str = ""
    same: Callable[[Any], tuple[Any, Any]] | None = None
    tolerance: float = 1e-9  # of `same`: two ways to write a formula differ by some roundings
    rests_on: tuple[Any, ...] = ()  # claims that must be proved by polynomials, too


@dataclasses.dataclass(frozen=True)
class Unknown:
    """Nothing can be evaluated, and why."""

    why: str


@dataclasses.dataclass(frozen=True)
class Brought:
    """Engines given as `Claim(checks=...)`, an argument that goes with the next release."""

    engines: tuple[Callable[..., Any], ...]


Subject = (
    Cases | WorstInput | QuadraticForm | Certificate | Frequencies | SampledMean | Unknown | Brought
)
