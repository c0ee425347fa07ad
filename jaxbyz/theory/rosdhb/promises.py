"""What users of RoSDHB's theorems receive, held against the statements; all derived here.

| claim       | about                                                                             |
|-------------|-----------------------------------------------------------------------------------|
| A/promise   | `theorem_a`: γ, β, rate, floor, and the master theorem at these γ and β           |
| B/promise   | `theorem_b`: the same                                                             |
| C/promise   | `theorem_c` beside its certificates, in fractions                                 |
| A/best c    | `best_c`: no other c needs fewer rounds                                           |
| paper/1/set | `published_setting`: the parameters, and which κB² are let in                     |

A factory takes the function that the claim is about, so that a wrong one makes a wrong claim. More
of them, of numbers of rounds and of given parameters, are in `promised_rounds`.
"""

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.guarantees import Guarantee
from jaxbyz.theory.promises import UNPROVED, Pair, cases, spread_out, stated
from jaxbyz.theory.rosdhb.guarantees import RoSDHBGuarantee
from jaxbyz.theory.rosdhb.parameters import (
    PUBLISHED_C,
    best_c,
    published_setting,
    theorem_a,
    theorem_b,
)
from jaxbyz.theory.rosdhb.proved import Proved, certificates, theorem_c
from jaxbyz.theory.rosdhb.states import Parameters, bound_terms

derived = functools.partial(
    Claim,
    paper="rosdhb",
    provenance=Provenance.DERIVED,
    source="derived here: RoSDHB, what the theorems return",
    scope=Scope.CONSTANTS,
    unconditional="what is returned for arguments inside the hypotheses, which it checks itself",
    unproved=UNPROVED,
    tight_from=None,
)
BOUND = (Guarantee.bound, RoSDHBGuarantee.lowest)
PROBLEMS = {
    "smoothness": (0.1, 10.0),
    "ratio": (1e-3, 1.0),
    "kappa": (1e-2, 10.0),
    "share": (0.01, 0.99),  # of the κB² that the theorem allows
    "g_squared": (1e-2, 10.0),
}
ROUNDS, GAP = 100, 3.0


def problem_of(point: dict[str, float], most: float) -> dict[str, float]:
    """Arguments of a theorem that allows κB² < most."""
    rest = {name: point[name] for name in ("smoothness", "ratio", "kappa", "g_squared")}
    return {**rest, "b_squared": point["share"] * most / point["kappa"]}


def _master(
    promise: RoSDHBGuarantee, given: dict[str, float], s: float, p: float, weight: float
) -> list[Pair]:
    """(c1), (c2), and the master theorem's rate and floor at the γ and β of a promise."""
    x, omega = promise.step_size * given["smoothness"], promise.one_minus_momentum
    constants = (given["kappa"], given["b_squared"], s, p, weight)
    setting = Parameters(given["smoothness"], x, omega, 1 / given["ratio"], *constants)  # type: ignore[arg-type]
    noise, rest, floor = bound_terms(setting)
    square = (1 - omega) ** 2
    return [
        ((1 + s) * x, weight * (omega * (2 - omega) - p * square)),
        (1 - rest, 1.0),
        (2 * (1 + weight * square) / (1 - noise), promise.rate),
        (floor / given["kappa"] / (1 - noise), promise.floor),
    ]


def _promised(promise: RoSDHBGuarantee, given: dict[str, float]) -> list[Pair]:
    """What holds of every promise: the form of the bound, and what was passed on."""
    assert promise.rate is not None
    assert promise.floor is not None
    floor = promise.floor * given["kappa"] * given["g_squared"]
    bound = promise.rate * GAP / (promise.step_size * ROUNDS) + floor
    return [
        (promise.bound(ROUNDS, GAP), bound),
        (promise.lowest, floor),
        (promise.momentum + promise.one_minus_momentum, 1.0),
        (promise.ratio, given["ratio"]),
    ]


def promised_a(make: Callable[..., RoSDHBGuarantee] = theorem_a, count: int = 60) -> Claim:
    """Theorem A as users receive it."""

    def instance(point: dict[str, float]) -> dict[str, float]:
        c, s, rho = point["c"], point["s"], point["rho"]
        most = (1 - 144 * (1 + s) / (24 - rho) / c) / ((1 + 1 / s) * (1 + 12 / c))
        return problem_of(point, most) | {"c": c, "s": s, "rho": rho}

    def sides(given: dict[str, float]) -> tuple[Any, Any]:
        promise = make(**given)
        c, s, rho = given["c"], given["s"], given["rho"]
        x, omega = promise.step_size * given["smoothness"], promise.one_minus_momentum
        weight = (1 + s) / (24 - rho)
        spent = (1 + 1 / s) * given["kappa"] * given["b_squared"] * (1 + 12 / c)
        q = 1 - 144 * weight / c - spent
        return stated(
            _master(promise, given, s, rho * x, weight),
            [
                (c * x, given["ratio"]),
                (omega * (2 - omega), 24 * x),  # β² = 1 - 24γL
                (promise.rate, 2 * (1 + weight) / q),
                (promise.floor, (1 + 1 / s) * (1 + 12 / c) / q),
                *_promised(promise, given),
            ],
        )

    # A ≤ ρ(1-1/c) and 144A < c in the whole box.
    box = {**PROBLEMS, "c": (60.0, 1e5), "s": (0.5, 2.0), "rho": (1.0, 15.0)}
    fitting = [p for p in spread_out(count, 1, **box) if (1 + p["s"]) / (24 - p["rho"]) < 0.4]
    return derived(
        name="A/promise",
        title="what `theorem_a` returns",
        statement="γ = k/(dcL), β² = 1-24γL, rate = 2(1+A)/q, floor = (1+1/s)(1+12/c)/q, and the "
        "master theorem at this γ and β gives no larger ones",
        sides=sides,
        subject=cases(map(instance, fitting)),
        about=(make, *BOUND),
    )


def promised_b(make: Callable[..., RoSDHBGuarantee] = theorem_b, count: int = 60) -> Claim:
    """Theorem B as users receive it; without a step size the largest."""

    def sides(given: dict[str, float]) -> tuple[Any, Any]:
        part = given["part"]
        arguments = {name: value for name, value in given.items() if name != "part"}
        largest = given["ratio"] / (8 * given["smoothness"])
        promise = make(**arguments) if part > 1 else make(**arguments, step_size=part * largest)
        a, x = 1 / given["ratio"], promise.step_size * given["smoothness"]
        weight, q = 16 / 3 * a * x, 2 / 3 - 5 / 2 * given["kappa"] * given["b_squared"]
        return stated(
            [
                (8 * a * x, 1.0),
                *_master(promise, given, 1.0, 1 / (10 * a), weight),
            ],
            [
                (promise.step_size, min(part, 1.0) * largest),
                (promise.one_minus_momentum, given["ratio"] / 4),
                (promise.rate, 2 * (1 + weight) / q),
                (promise.floor, 5 / (2 * q)),
                *_promised(promise, given),
            ],
        )

    box = {**PROBLEMS, "part": (0.1, 10.0)}
    points = spread_out(count, 2, **box)
    return derived(
        name="B/promise",
        title="what `theorem_b` returns",
        statement="γ ≤ k/(8dL), β = 1-k/(4d), rate = 2(1+A)/q, floor = 5/(2q), and the master "
        "theorem at this γ and β gives no larger ones",
        sides=sides,
        subject=cases(problem_of(point, 4 / 15) | {"part": point["part"]} for point in points),
        about=(make, *BOUND),
    )


def promised_c(make: Callable[..., RoSDHBGuarantee] = theorem_c, count: int = 60) -> Claim:
    """Theorem C as users receive it: no number is on the wrong side of its certificate."""
    near = 1 + Fraction(1, 10**12)  # of what is rounded to one side

    def sides(given: dict[str, float]) -> tuple[list[Fraction], list[Fraction]]:
        promise = make(**given)
        one = next(o for o in certificates() if promise.theorem.endswith(f"({o.name})"))
        share, x = Fraction(given["ratio"]), Fraction(promise.step_size)
        x *= Fraction(given["smoothness"])
        assert promise.rate is not None
        assert promise.floor is not None
        rate, floor = one.rate(one.c * x / share, share), Fraction(promise.floor)
        kappa_g_squared = Fraction(given["kappa"]) * Fraction(given["g_squared"])
        omega = Fraction(promise.one_minus_momentum)
        pairs = [
            (one.c * x, share),
            (share, one.c * x * near),  # the largest step size
            (Fraction(given["kappa"]) * Fraction(given["b_squared"]), one.kappa_b_squared),
            (rate, Fraction(promise.rate)),
            (Fraction(promise.rate), rate * near),
            (one.floor, floor),
            (floor, one.floor * near),
            (kappa_g_squared, Fraction(promise.kappa_g_squared)),
            (Fraction(promise.kappa_g_squared), kappa_g_squared * near),
            # β² = 1 - aγL to rounding, in ω = 1-β, which is to full relative accuracy.
            (omega * (2 - omega), one.coupling * x * near),
            (one.coupling * x, omega * (2 - omega) * near),
            (abs(1 - omega - Fraction(promise.momentum)), Fraction(1, 10**15)),
        ]
        left, right = zip(*pairs, strict=True)
        return [*left], [*right]

    points = spread_out(count, 3, **PROBLEMS)
    return derived(
        name="C/promise",
        title="what `theorem_c` returns",
        statement="γ ≤ k/(dcL), β² = 1-aγL, rate ≥ cf + 2max(p22, 0), floor ≥ C of a certificate "
        "for this κB²; all of them equal to rounding",
        sides=sides,
        subject=cases((problem_of(point, 1 / 2) for point in points), exact=True),
        unproved="",
        about=(make, certificates, Proved.rate),
    )


def least_c(function: Callable[..., float] = best_c) -> Claim:
    """`best_c` has the least c · rate of all c."""

    def sides(given: tuple[float, float, float]) -> tuple[Any, Any]:
        kappa_b_squared, s, rho = given
        most = {"kappa": 1.0, "b_squared": kappa_b_squared, "g_squared": 1.0, "s": s, "rho": rho}

        def cost(c: float) -> float:
            try:
                rate = theorem_a(1.0, 0.1, c=c, **most).rate
            except ValueError:  # q ≤ 0
                return math.inf
            assert rate is not None
            return c * rate

        best = function(kappa_b_squared, s, rho)
        others = [best * factor for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0, 10.0)]
        allowed = [cost(c) for c in others if c >= 24]
        # Without a c the theorem takes this one.
        taken = theorem_a(1.0, 0.1, **most)
        return stated([(cost(best), min(allowed)), (24.0, best)], [(0.1 / taken.step_size, best)])

    points = [(w, s, rho) for w in (0.01, 0.1, 1 / 7, 0.3) for s, rho in ((1, 2), (2, 6))]
    return derived(
        name="A/best c",
        title="what `best_c` returns",
        statement="c · rate is no smaller at any other c ≥ 24",
        sides=sides,
        subject=cases(points, "arguments, seven other c each"),
        about=(function,),
    )


def published(function: Callable[..., RoSDHBGuarantee] = published_setting) -> Claim:
    """The parameters of the paper's Theorem 1, whose right side is not public."""

    def admits(kappa: float) -> float:
        try:
            function(1.0, 0.1, kappa=kappa, b_squared=1.0)
        except ValueError:
            return 0.0
        return 1.0

    def sides(point: dict[str, float]) -> tuple[Any, Any]:
        given = {name: point[name] for name in ("smoothness", "ratio", "kappa", "g_squared")}
        promise = function(**given, b_squared=point["share"] / 7 / point["kappa"])
        x, omega = promise.step_size * given["smoothness"], promise.one_minus_momentum
        return stated(
            [
                (1.0, admits(1 / 7)),
                (admits(1.001 / 7), 0.5),
                (float(promise.rate is not None), 0.5),
            ],
            [
                (PUBLISHED_C * x, given["ratio"]),
                (omega * (2 - omega), 24 * x),
                (promise.momentum + omega, 1.0),
                (promise.kappa_g_squared, given["kappa"] * given["g_squared"]),
            ],
        )

    return derived(
        name="paper/1/setting",
        title="what `published_setting` returns",
        statement="γ = k/(23200dL), β² = 1-24γL, for κB² ≤ 1/7 and no more, without a bound",
        provenance=Provenance.PAPER,
        source="arXiv 2508.17129, AISTATS 2026, Theorem 1: hypotheses only",
        sides=sides,
        subject=cases(spread_out(10, 4, **PROBLEMS)),
        about=(function,),
    )


PROMISES = (promised_a(), promised_b(), promised_c(), least_c(), published())
