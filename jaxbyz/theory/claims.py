"""Claims as data: a statement, its hypotheses, and the instances it speaks of."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import jax

from jaxbyz.theory.reports import Report

__all__ = ["Budget", "Check", "Claim", "Family", "Hypothesis", "Provenance", "Scope"]


class Provenance(enum.Enum):
    """Where a statement comes from; printed with every result."""

    DERIVED = "derived here"  # by this project; never to be shown as a paper's text
    PAPER = "public text of the paper"
    RECALLED = "literature, quoted from memory"


class Scope(enum.Enum):
    """What a claim speaks of."""

    IDENTITY = "identity"  # left = right
    ONE_STEP = "one step"  # left ≤ right at every state, in conditional expectation
    TRAJECTORY = "trajectory"  # left ≤ right for whole runs
    CONSTANTS = "constants"  # left ≤ right between numbers


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """A condition on an instance: it holds where its margin is ≥ 0; a NaN margin is unknown.

    The margin tells how far the condition is from failing, relative to its own terms where these
    have a scale: tolerances of rounding apply to it.
    """

    name: str
    margin: Callable[[Any], Any]  # instance -> [], or an array of which the least counts


@dataclasses.dataclass(frozen=True)
class Family:
    """Instances that meet the hypotheses by construction, as a smooth function of free numbers.

    `make` is traceable and differentiable; standard normal numbers give a sensible random
    instance, and every instance of the family is reached by some numbers, or nearly so.
    """

    name: str
    size: int  # how many free numbers
    make: Callable[[jax.Array], Any]  # z [size] -> instance, a pytree of arrays


@dataclasses.dataclass(frozen=True)
class Budget:
    """How hard to look. One budget serves all engines of an audit."""

    random: int = 2000  # random instances
    starts: int = 32  # of a search
    steps: int = 400  # of a search
    seed: int = 0


Check = Callable[["Claim", Budget], Report]  # an engine, ready to be applied to its claim


@dataclasses.dataclass(frozen=True)
class Claim:
    """One statement that can be held against numbers and code.

    `sides(instance)` gives (left, right), traceable, so that the claim reads left ≤ right, or
    left = right for identities. Inequalities are written so that right > 0 (or ≥ 0) and left/right
    tells how much of the bound is used: 1 is tight, more is a violation.
    Where a hypothesis fails the claim says nothing, whatever the sides are (see `engines.judge`).
    A claim has hypotheses, or says in `unconditional` why there are none.
    `recheck(instance)` evaluates one instance by other means, in exact arithmetic: whether it
    satisfies the hypotheses and violates the claim; None where there is no such checker.
    """

    paper: str  # "rosdhb", "byz_dm21", "robustness"
    name: str  # "L6"
    title: str
    statement: str  # as one would write it on paper
    provenance: Provenance
    source: str  # section of a derivation, or a citation
    scope: Scope
    sides: Callable[[Any], tuple[Any, Any]]
    families: tuple[Family, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    unconditional: str = ""  # why there are no hypotheses; empty where there are
    checks: tuple[Check, ...] = ()
    recheck: Callable[[Any], bool] | None = None

    @property
    def key(self) -> str:
        """paper/name, unique among all claims."""
        return f"{self.paper}/{self.name}"
