"""Numbers of rounds, bits and arguments of promises, and bounds of given parameters, of RoSDHB.

| claim   | about                                                                                 |
|---------|---------------------------------------------------------------------------------------|
| rounds  | `rounds`, `uplink_bits` and `arguments` of the promises of Theorems A, B and C        |
| certify | `certify` and `factors`: (c1), (c2) and the master theorem's own rate and floor       |

A factory takes the function that the claim is about. All are derived here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxbyz.theory.claims import Claim
from jaxbyz.theory.guarantees import Guarantee
from jaxbyz.theory.promises import cases, inverted, relative_room, spread_out, stated, step_of
from jaxbyz.theory.rosdhb.certification import Certified, Factors, certify, factors
from jaxbyz.theory.rosdhb.guarantees import RoSDHBGuarantee
from jaxbyz.theory.rosdhb.parameters import theorem_a, theorem_b
from jaxbyz.theory.rosdhb.promises import GAP, PROBLEMS, derived, problem_of
from jaxbyz.theory.rosdhb.proved import theorem_c
from jaxbyz.theory.rosdhb.states import Parameters, bound_terms

BITS = {"k": 7, "float_bits": 16}


def fewest_rounds(
    changed: Callable[[RoSDHBGuarantee], RoSDHBGuarantee] = lambda promise: promise,
    count: int = 12,
) -> Claim:
    """T(ε) is the fewest rounds for which the bound is ≤ ε; `changed` plants errors."""

    def sides(given: tuple[Callable[..., RoSDHBGuarantee], dict[str, float]]) -> tuple[Any, Any]:
        make, problem = given
        promise = changed(make(**problem))
        pairs, rounds = inverted(promise, relative_room(promise, GAP), GAP)
        epsilon = pairs[0][1]
        algorithm = promise.arguments()
        return stated(
            pairs,
            [
                (
                    promise.uplink_bits(epsilon, GAP, **BITS),
                    rounds * BITS["k"] * BITS["float_bits"],
                ),
                (step_of(promise), promise.step_size),
                (algorithm["ratio"], problem["ratio"]),
                (algorithm["one_minus_momentum"], promise.one_minus_momentum),
            ],
        )

    makes = (theorem_a, theorem_b, theorem_c)
    points = [problem_of(point, 1 / 8) for point in spread_out(count, 5, **PROBLEMS)]
    shipped = (
        *(Guarantee.rounds, Guarantee.bound, RoSDHBGuarantee.uplink_bits),
        *(RoSDHBGuarantee.arguments, RoSDHBGuarantee.lowest),
    )
    return derived(
        name="rounds",
        title="numbers of rounds, bits and arguments",
        statement="bound(T) ≤ ε < bound(T-1) for T = rounds(ε); bits = T k b; arguments are those "
        "of the promise",
        sides=sides,
        subject=cases((make, point) for make in makes for point in points),
        about=shipped,
    )


def _of_factors(found: Factors, x: float, omega: float, a: float, w: float) -> list[Any]:
    """(c1), (c2); rate and floor of the master theorem at these s, p and A, with κ = 1."""
    setting = Parameters(1.0, x, omega, a, 1.0, w, found.s, found.p, found.weight)  # type: ignore[arg-type]
    noise, rest, floor = bound_terms(setting)
    square = (1 - omega) ** 2
    fresh = found.weight * (omega * (2 - omega) - found.p * square)
    return [
        ((1 + found.s) * x, fresh * (1 + 1e-9)),
        (1 - rest, 1 + 1e-9),  # p is the smaller root of r = 0
        (2 * (1 + found.weight * square) / (1 - noise), found.rate * (1 + 1e-9)),
        (found.rate, 2 * (1 + found.weight * square) / (1 - noise) * (1 + 1e-9)),
        (floor / (1 - noise), found.floor * (1 + 1e-9)),
        (found.floor, floor / (1 - noise) * (1 + 1e-9)),
    ]


def certified(make: Callable[..., Certified | None] = certify, count: int = 24) -> Claim:
    """The factors for given γ and β are those of the master theorem, and of all s the best."""

    def sides(point: dict[str, float]) -> tuple[Any, Any]:
        x, ratio, w = point["x"] * point["ratio"], point["ratio"], point["share"] * 4 / 15
        omega = ratio / 4
        found = make(
            step_size=x / point["smoothness"],
            smoothness=point["smoothness"],
            ratio=ratio,
            kappa_b_squared=w,
            one_minus_momentum=omega,
        )
        assert found is not None  # Theorem B covers these
        pairs = []
        for one in found:
            pairs += _of_factors(one, x, omega, 1 / ratio, w)
            bound = one.rate * GAP / (x * 100) + one.floor * 2.0
            pairs += [(one.at(x, 100, GAP, 2.0), bound), (bound, one.at(x, 100, GAP, 2.0))]
        every = factors(x, omega, 1 / ratio, w, np.geomspace(0.1, 10, 21))
        pairs += [
            (found.best_rate.rate, every["rate"].min()),
            (found.best_floor.floor, every["floor"].min()),
        ]
        return stated(pairs)

    box = {
        "smoothness": (0.1, 10.0),
        "ratio": (0.01, 1.0),
        "x": (0.005, 0.125),
        "share": (0.1, 0.9),
    }
    return derived(
        name="certify",
        title="what `certify` returns",
        statement="(c1), (c2), rate = 2(1+Aβ²)/q and floor = μ(1+ω(a-1))/q at the s, p, A that "
        "come with them; no other s is better",
        sides=sides,
        subject=cases(spread_out(count, 6, **box)),
        about=(make, factors, Factors.at),
    )


PROMISED_ROUNDS = (fewest_rounds(), certified())
