"""Claims as data: a statement, its hypotheses, and the instances it speaks of."""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxbyz.deprecations import warn_renamed
from jaxbyz.theory.adversaries import Adversaries
from jaxbyz.theory.subjects import Brought, Reduction, Subject

# Rounding of sums of some thousand products of float64 numbers, relative to the largest of them.
TOLERANCE = 1e-9


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

    @classmethod
    def of(cls, name: str, shapes: Sequence[tuple[int, ...]], make: Callable[..., Any]) -> Family:
        """Free numbers in arrays: make(*arrays of these shapes) -> instance.

        >>> pair = Family.of("pairs", [(2,), ()], lambda u, v: (u, v))
        >>> pair.size, [part.shape for part in pair.make(jax.numpy.arange(3.0))]
        (3, [(2,), ()])
        """
        ends = [0, *itertools.accumulate(map(math.prod, shapes))]

        def cut(z: jax.Array) -> Any:
            spans = zip(itertools.pairwise(ends), shapes, strict=True)
            return make(*(z[low:high].reshape(shape) for (low, high), shape in spans))

        return cls(name, ends[-1], cut)


@dataclasses.dataclass(frozen=True)
class Budget:
    """How hard to look. One budget serves all engines of an audit."""

    random: int = 2000  # random instances
    starts: int = 32  # of a search
    steps: int = 400  # of a search
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Claim:
    """One statement that can be held against numbers and code. It is data: no engine is in it.

    `sides(instance)` gives (left, right), traceable. The claim reads left ≤ right, or left = right
    for identities. Inequalities are written so that right ≥ 0. Then left/right tells how much of
    the bound is used: at 1 the bound is attained, and more is a violation. Sides may be arrays of
    one shape, or an array and a number: several statements at once.

    A claim speaks of the instances of its `families`, or of its `subject`. It has hypotheses, or
    says in `unconditional` why there are none. Where a hypothesis fails the claim says nothing,
    whatever the sides are (see `engines.judge`).

    `recheck(instance)` evaluates one instance by other means, in exact arithmetic: whether it
    satisfies the hypotheses and violates the claim. It is None where there is no such checker.

    `reduction` leads from a claim between numbers to polynomials, for a proof on the whole box.
    `unproved` says of such a claim why there is none.

    `about` has the functions that users call and of which the statement speaks, properties too:
    evaluating the sides calls each of them, so that an error in one is an error of the claim.

    Which engines are held against a claim follows from these data; see `engines.engines_for`.
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
    recheck: Callable[[Any], bool] | None = None
    tolerance: float = TOLERANCE  # relative rounding of the sides: a violation must exceed it
    tight_from: float | None = 0.999  # left/right that attains the bound; None: it need not be met
    grid: tuple[float, ...] = ()  # values of free numbers; all their combinations are looked at too
    adversaries: Adversaries | None = None
    subject: Subject | None = None
    reduction: Reduction | None = None
    unproved: str = ""
    about: tuple[Any, ...] = ()

    @property
    def key(self) -> str:
        """paper/name, unique among all claims."""
        return f"{self.paper}/{self.name}"

    @property
    def checks(self) -> tuple[Callable[[Claim, Budget], Any], ...]:
        """The former name of `engines.engines_for(claim)`; it goes with the next release."""
        warn_renamed("claim.checks", "jaxbyz.theory.engines.engines_for(claim)")
        return importlib.import_module("jaxbyz.theory.engines").engines_for(self)


def _accepting_checks(made: Callable[..., None]) -> Callable[..., None]:
    """`Claim.__init__`, for one release with the argument `checks` that it had."""

    @functools.wraps(made)
    def init(self: Claim, *given: Any, **named: Any) -> None:
        if "checks" in named:
            warn_renamed("Claim(checks=)", "jaxbyz.theory.audit.audit(engines=)")
            named["subject"] = Brought(tuple(named.pop("checks")))
        made(self, *given, **named)

    return init


Claim.__init__ = _accepting_checks(Claim.__init__)  # type: ignore[method-assign]
