"""Inequalities between numbers behind Theorems A and B: (c1), (c2), (c2') and N ≤ 1 - q.

Derived here. Theorem A, with β as the variable (24x = 1-β², ca x = v ≤ 1): the two bounds on ω read

    ω(a-1) ≤ 12/c       iff at v = 1   12 ≤ c(1+β)
    ω²(a-1)/x ≤ 144/c   iff at v = 1   3+β ≤ (c/6)(1+β)

so that they hold for every c ≥ 18; c ≥ 24 is needed only for 1-24x ≥ 0 at a = 1.
"""

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.theory.checker.polynomials import rational
from jaxbyz.theory.claims import Claim, Hypothesis, Provenance, Scope
from jaxbyz.theory.rosdhb.boxes import BoxA, BoxB, box_a, box_b, hypotheses_a, hypotheses_b, spare_a
from jaxbyz.theory.rosdhb.parameters import theorem_a
from jaxbyz.theory.rosdhb.reductions import reduction_a, reduction_a_default, reduction_b
from jaxbyz.theory.rosdhb.states import Parameters, bound_terms
from jaxbyz.theory.subjects import Cases

# 1 - β²(1+p) of size x ≥ 1e-6 is formed from numbers of size 1.
CANCELLATION = 1e-8
derived = functools.partial(
    Claim,
    paper="rosdhb",
    provenance=Provenance.DERIVED,
    source="derived here: constants of Theorems A and B",
    scope=Scope.CONSTANTS,
)
boxed = functools.partial(derived, tolerance=CANCELLATION, grid=(-9.0, -3.0, 0.0, 3.0, 9.0))


def _c1(setting: Parameters) -> tuple[Any, Any]:
    _, x, fresh, *_, s, p, weight = setting
    return (1 + s) * x, weight * (1 - (1 - fresh) ** 2 * (1 + p))


def _c2(setting: Parameters, most: Fraction) -> tuple[Any, Any]:
    """1 - r ≤ most."""
    rest = bound_terms(setting)[1]
    return 1 - rest, rational(most, rest)


def constants_a(
    part: str, *, least_c: float = 24.0, first: float = 144.0, second: float = 12.0
) -> Claim:
    """Theorem A: (c1), (c2) or N ≤ 1 - q, as `part` says. The other arguments plant errors."""

    def noise(box: BoxA) -> tuple[Any, Any]:
        factor, most = rational(first, box.c), rational(second, box.c)
        spent = (1 + 1 / box.s) * box.kappa_b_squared * (1 + most / box.c)
        setting = box.parameters()
        return bound_terms(setting)[0], factor * setting.weight / box.c + spent

    statement, sides = {
        "c1": ("A[1-β²(1+ρx)] ≥ (1+s)x", lambda box: _c1(box.parameters())),
        "c2": ("r ≥ 0", lambda box: _c2(box.parameters(), Fraction(1))),
        "N": ("N ≤ 144A/c + (1+1/s)κB²(1+12/c)", noise),
    }[part]
    return boxed(
        name=f"A/{part}",
        title=f"Theorem A satisfies the master theorem's condition on {part}",
        statement=f"c ≥ {least_c:g}, x ≤ 1/(ca), A = (1+s)/(24-ρ) ≤ ρ(1-1/c): {statement}",
        sides=sides,
        families=(box_a(False, least_c),),
        hypotheses=hypotheses_a(least_c),
        reduction=reduction_a(weight_is_free=part == "c2") if least_c == 24 else None,
    )


def _doubled(setting: Parameters) -> tuple[Any, Any]:
    """(c2') as left ≤ 1."""
    noise, rest, _ = bound_terms(setting)
    return 1 - rest + noise * setting.x * (1 + setting.x), rational(1, rest)


def constants_a_doubled() -> Claim:
    """Theorem A with default weights: (c2') wherever q > 0."""
    return boxed(
        name="A/c2'",
        title="(c2') under Theorem A with s = 1, ρ = 2",
        statement="q > 0 implies r - Nx(1+x) ≥ 0",
        sides=lambda box: _doubled(box.parameters()),
        families=(box_a(True),),
        hypotheses=(*hypotheses_a(), Hypothesis("q > 0", spare_a)),
        reduction=reduction_a_default(),
    )


def constants_b(
    part: str, *, first: Fraction | float = Fraction(1, 3), second: Fraction | float = 2.5
) -> Claim:
    """Theorem B: (c1), r ≥ 1/6 or N ≤ 1 - q, as `part` says. The other arguments plant errors."""

    def noise(box: BoxB) -> tuple[Any, Any]:
        fixed, factor = (rational(number, box.ratio) for number in (first, second))
        return bound_terms(box.parameters())[0], fixed + factor * box.kappa_b_squared

    statement, sides = {
        "c1": ("A[1-β²(1+p)] ≥ 2x", lambda box: _c1(box.parameters())),
        "c2": ("r ≥ 1/6", lambda box: _c2(box.parameters(), Fraction(5, 6))),
        "N": ("N ≤ 1/3 + (5/2)κB²", noise),
    }[part]
    return boxed(
        name=f"B/{part}",
        title=f"Theorem B satisfies the master theorem's condition on {part}",
        statement=f"β = 1-k/(4d), x ≤ k/(8d), s = 1, p = k/(10d), A = (16/3)(d/k)x: {statement}",
        sides=sides,
        families=(box_b(4 / 15),),
        hypotheses=hypotheses_b(4 / 15),
        reduction=reduction_b(Fraction(4, 15)),
    )


def constants_b_doubled(most: Fraction | float = Fraction(1, 7)) -> Claim:
    """Theorem B: (c2') for κB² ≤ 1/7."""
    return boxed(
        name="B/c2'",
        title="(c2') under Theorem B",
        statement="κB² ≤ 1/7 implies r - Nx(1+x) ≥ 0",
        sides=lambda box: _doubled(box.parameters()),
        families=(box_b(float(most)),),
        hypotheses=hypotheses_b(float(most)),
        reduction=reduction_b(most),
    )


# c, and the factors of D0/(γT) and of κG² at κB² = 1/7, rounded up.
TABLE = ((24, 84.0, 115.5), (48, 5.8948, 6.7544), (23200, 3.0576, 2.8043))


# A printed constant has up to four decimals: it is above the exact one by less than one of them.
PRINTED = 1e-4


def table_a(rows: Sequence[tuple[float, float, float]] = TABLE) -> Claim:
    """The printed constants of Theorem A are those of its formulas, rounded up.

    Neither too small, nor by one in the last place too large.
    """

    def sides(instance: Any) -> tuple[jax.Array, jax.Array]:
        del instance
        left, right = [], []
        for c, rate, floor in rows:
            promise = theorem_a(1.0, 1.0, kappa=1 / 7, b_squared=1.0, g_squared=1.0, c=c)
            assert promise.rate is not None
            assert promise.floor is not None
            left += [promise.rate, promise.floor, rate, floor]
            right += [rate, floor, promise.rate + PRINTED, promise.floor + PRINTED]
        return jnp.asarray(left, float), jnp.asarray(right, float)

    return derived(
        name="A/table",
        title="constants of Theorem A at κB² = 1/7",
        statement="; ".join(f"c = {c}: {rate} D0/(γT) + {floor} κG²" for c, rate, floor in rows),
        sides=sides,
        unconditional="printed numbers beside formulas at fixed arguments",
        tight_from=0.9999,
        subject=Cases(f"{len(rows)} rows", (None,)),
        unproved="floating-point numbers that `theorem_a` returns for three c",
        about=(theorem_a,),
    )


CONSTANTS = (
    *(constants_a(part) for part in ("c1", "c2", "N")),
    constants_a_doubled(),
    *(constants_b(part) for part in ("c1", "c2", "N")),
    constants_b_doubled(),
    table_a(),
)
