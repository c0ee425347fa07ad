"""Lemmas and Lyapunov functions of RoSDHB in rational arithmetic.

Vectors that must be centred are centred again; those that must be short are shortened.
Expectations over masks are sums over all masks: Bernoulli ones, whose coordinates are kept with
probability 1/a each and multiplied by a. They have every moment that the claims speak of.
"""

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from .rationals import SHORTER, Sides, centred, dot, mean, mean_square, minus, plus, square, times


class Round(NamedTuple):
    """One round of RoSDHB from one state, with expectations over all masks."""

    hypotheses: dict[str, bool]
    loss_change: Fraction  # (L_H(θ_t) - L_H(θ_{t-1}))/γ
    gradient: Fraction  # ‖∇_t‖²
    next_gradient: Fraction  # ‖∇_{t+1}‖²
    aggregate: Fraction  # ‖R‖²
    error: Fraction  # ‖ξ‖²
    deviation: Fraction  # ‖δ_t‖²
    drift: Fraction  # Υ_t
    difference: Fraction  # Δ_{t+1}
    next_deviation: Fraction  # E ‖δ_{t+1}‖²
    next_drift: Fraction  # E Υ_{t+1}


def one_round(state: dict[str, Any]) -> Round:
    """The round."""
    given = state["parameters"]
    x, omega, a, kappa = (given[name] for name in ("x", "fresh", "inflation", "kappa"))
    smoothness, b_squared = given["smoothness"], given["b_squared"]
    step, beta = x / smoothness, 1 - omega
    gradient, deviation, curvature = state["gradient"], state["deviation"], state["curvature"]
    spread, difference = centred(state["spread"]), centred(state["difference"])
    difference = [times(SHORTER, row) for row in difference]
    error = times(SHORTER, state["error"])

    aggregate = plus(gradient, deviation, error)
    bent = [h * part for h, part in zip(curvature, aggregate, strict=True)]
    after = plus(gradient, times(-step, bent))
    momenta = [plus(gradient, deviation, row) for row in spread]
    gradients = [plus(after, row) for row in difference]
    next_deviation = next_drift = Fraction(0)
    for mask in itertools.product((0, 1), repeat=len(gradient)):
        chance = Fraction(1)
        for kept in mask:
            chance *= 1 / a if kept else 1 - 1 / a
        received = [
            [a * kept * part for kept, part in zip(mask, row, strict=True)] for row in gradients
        ]
        fresh = [
            plus(times(beta, old), times(omega, new))
            for old, new in zip(momenta, received, strict=True)
        ]
        next_deviation += chance * square(minus(mean(fresh), after))
        next_drift += chance * mean_square(centred(fresh))
    allowed = state["g_squared"] + b_squared * square(after)
    hypotheses = {
        "0 < γ, 0 < ω ≤ 1, a ≥ 1, κ ≥ 0, B² ≥ 0": step > 0
        and 0 < omega <= 1
        and a >= 1
        and kappa >= 0
        and b_squared >= 0,
        "L_H is L-smooth": all(abs(h) <= smoothness for h in curvature),
        "(G, B)-dissimilarity": mean_square(difference) <= allowed,
        "error in the ball": square(error) <= kappa * mean_square(spread),
    }
    return Round(
        hypotheses,
        -dot(gradient, aggregate) + step / 2 * dot(aggregate, bent),
        square(gradient),
        square(after),
        square(aggregate),
        square(error),
        square(deviation),
        mean_square(spread),
        mean_square(difference),
        next_deviation,
        next_drift,
    )


def drift_bound(state: dict[str, Any], constants: dict[str, Fraction]) -> Sides:
    """E Υ_{t+1} ≤ βΥ + power · ω(1+ω(a-1))Δ."""
    round_, given = one_round(state), state["parameters"]
    omega, a = given["fresh"], given["inflation"]
    noise = omega * (1 + omega * (a - 1)) * round_.difference
    right = (1 - omega) * round_.drift + constants["power"] * noise
    return round_.hypotheses, round_.next_drift, right


def deviation_bound(state: dict[str, Any], constants: dict[str, Fraction]) -> Sides:
    """E‖δ_{t+1}‖² ≤ β²(1+p)‖δ‖² + power · β²(1+1/p)x²‖R‖² + ω²(a-1)‖∇_{t+1}‖²."""
    round_, given = one_round(state), state["parameters"]
    x, omega, a, p = (given[name] for name in ("x", "fresh", "inflation", "p"))
    old = (1 - omega) ** 2
    right = old * (1 + p) * round_.deviation + omega**2 * (a - 1) * round_.next_gradient
    right += constants["power"] * old * (1 + 1 / p) * x**2 * round_.aggregate
    return round_.hypotheses | {"p > 0": p > 0}, round_.next_deviation, right


def descent(state: dict[str, Any], constants: dict[str, Fraction]) -> Sides:
    """2(change)/γ + ‖∇_t‖² + (1-x)‖R‖² ≤ power · ((1+s)‖δ‖² + (1+1/s)‖ξ‖²)."""
    round_, given = one_round(state), state["parameters"]
    x, s = given["x"], given["s"]
    left = 2 * round_.loss_change + round_.gradient + (1 - x) * round_.aggregate
    right = (1 + s) * round_.deviation + (1 + 1 / s) * round_.error
    return round_.hypotheses | {"s > 0": s > 0}, left, constants["power"] * right


def lyapunov(second: bool) -> Callable[[dict[str, Any], dict[str, Fraction]], Sides]:
    """(E V_{t+1} - V_t)/γ + … ≤ μκ(1+ω(a-1))G², in the first or the second form."""

    def sides(state: dict[str, Any], constants: dict[str, Fraction]) -> Sides:
        round_, given = one_round(state), state["parameters"]
        x, omega, a, kappa = (given[name] for name in ("x", "fresh", "inflation", "kappa"))
        s, p, weight, b_squared = (given[name] for name in ("s", "p", "weight", "b_squared"))
        old, mu = (1 - omega) ** 2, 1 + 1 / s
        floor = mu * kappa * (1 + omega * (a - 1))
        noise = weight / x * omega**2 * (a - 1) + floor * b_squared
        rest = 1 - x - weight * old * (1 + 1 / p) * x
        change = 2 * round_.loss_change
        change += constants["deviation"] * weight / x * (round_.next_deviation - round_.deviation)
        change += constants["drift"] * mu * kappa / omega * (round_.next_drift - round_.drift)
        right = constants["floor"] * floor * state["g_squared"]
        hypotheses = round_.hypotheses | {
            "s, p, A > 0": s > 0 and p > 0 and weight > 0,
            "(c1)": weight * (1 - old * (1 + p)) >= (1 + s) * x,
        }
        if second:
            hypotheses["(c2')"] = rest - noise * x * (1 + x) >= 0
            left = change + constants["decrease"] * (1 - (1 + x) * noise) * round_.gradient
            return hypotheses, left, right
        hypotheses["(c2)"] = rest >= 0
        left = change + constants["decrease"] * round_.gradient + rest * round_.aggregate
        return hypotheses, left, right + constants["noise"] * noise * round_.next_gradient

    return sides


CLAIMS: dict[str, Callable[[dict[str, Any], dict[str, Fraction]], Sides]] = {
    "rosdhb/L2<=": drift_bound,
    "rosdhb/L3<=": deviation_bound,
    "rosdhb/L4": descent,
    "rosdhb/L6": lyapunov(second=False),
    "rosdhb/L6'": lyapunov(second=True),
}
