"""Lemmas L1-L7 of Byz-DM21 (DM) and Byz-VR-DM21 (VR) in rational arithmetic.

The step size and μ are slightly smaller than the largest ones that the hypotheses allow. A
statement about both R and R̄, or both Q and Q̄, is represented by that of larger left/right.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .byz_dm21_states import Numbers, State, noise_at, now, read, then
from .rationals import (
    Sides,
    Vector,
    apply,
    below,
    centred,
    definite,
    dot,
    inverse_form,
    least_eigenvalue,
    mean_square,
    minus,
    root_above,
    semidefinite,
    shifted,
    square,
    times,
)

Constants = dict[str, Fraction]


# ---- coefficients and weights ------------------------------------------------------------------


def coefficients(state: State, recursive: bool, factors: Constants) -> Numbers:
    """Those of the lemmas: `q_r` is that of R in the bound of E Q⁺; s is S, n is σ².

    Each is multiplied by the factor of its name, if there is one.
    """
    eta, beta, alpha, honest = state.eta, state.beta, state.alpha, len(state.g)
    each, whole = state.each, state.smoothness**2
    stay = (1 - eta) ** 2
    if recursive:  # noise of v⁺: nu_s S + nu_n σ²
        nu_s, nu_n, speed = 2 * stay * state.sample, 2 * eta**2, Fraction(1)
        r_r, r_s, rb_s = stay, nu_s, nu_s / honest
    else:
        nu_s, nu_n, speed = Fraction(0), eta**2, eta
        r_r, young = stay * (1 + eta), stay * (1 + 1 / eta)
        r_s, rb_s = young * each, young * whole
    slow = (1 - beta) ** 2
    q_q = slow * (1 + beta)
    p_q = 3 * (1 - alpha) * (1 + 2 / alpha) * beta**2
    found = {
        "p_p": (1 - alpha) * (1 + alpha / 2),
        "p_q": p_q,
        "p_r": p_q * eta**2,
        "p_s": p_q * speed**2 * each + (1 - alpha) * beta**2 * nu_s,
        "p_n": (1 - alpha) * beta**2 * nu_n,
        "q_q": q_q,
        "q_r": q_q * 2 / beta * eta**2,
        "q_s": q_q * 2 / beta * speed**2 * each + slow * nu_s,
        "q_n": slow * nu_n,
        "r_r": r_r,
        "r_s": r_s,
        "r_n": nu_n,
        "qb_qb": q_q,
        "qb_rb": q_q * 2 / beta * eta**2,
        "qb_s": q_q * 2 / beta * speed**2 * whole + slow * nu_s / honest,
        "qb_n": slow * nu_n / honest,
        "rb_rb": r_r,
        "rb_s": rb_s,
        "rb_n": nu_n / honest,
    }
    unknown = set(factors) - set(found)
    if unknown:
        raise ValueError(f"constants must be among {[*found]}, got {sorted(unknown)}")
    return {name: value * factors.get(name, 1) for name, value in found.items()}


def weighted(weights: Numbers, values: Numbers) -> Fraction:
    """a P + b Q + c R + b' Q̄ + c' R̄."""
    return sum((weights[name] * values[name] for name in weights), Fraction(0))


def solved(state: State, c: Numbers, spare: Fraction) -> Numbers:
    """The weights: each leaves the part `spare` of its contraction unused."""
    young, kappa, left = 1 + 1 / state.theta, (1 + state.theta) * state.kappa, 1 - spare
    a_b = Fraction(3, 2) * young
    p = a_b * (1 + kappa) / (left * (1 - c["p_p"]))
    q = (a_b * kappa + p * c["p_q"]) / (left * (1 - c["q_q"]))
    r = (a_b * kappa + p * c["p_r"] + q * c["q_r"]) / (left * (1 - c["r_r"]))
    qb = a_b / (left * (1 - c["qb_qb"]))
    rb = (a_b + qb * c["qb_rb"]) / (left * (1 - c["rb_rb"]))
    return {"P": p, "Q": q, "R": r, "Qb": qb, "Rb": rb}


def column(c: Numbers, which: str) -> Numbers:
    """The coefficients of S ("s") or σ² ("n")."""
    names = {"P": "p", "Q": "q", "R": "r", "Qb": "qb", "Rb": "rb"}
    return {name: c[f"{row}_{which}"] for name, row in names.items()}


# ---- claims ------------------------------------------------------------------------------------

Known = Callable[[dict[str, Any], Constants], Sides]


def dispersion(given: dict[str, Any], constants: Constants) -> Sides:
    """L1: V ≤ (1+θ)ζ² + three (1+1/θ)(P + Q + R)."""
    state = read(given)
    theta, before = state.theta, now(state)
    right = (1 + theta) * mean_square(centred(state.gradients))
    right += constants["three"] * (1 + 1 / theta) * (before["P"] + before["Q"] + before["R"])
    return state.hypotheses, mean_square(centred(state.g)), right


def direction(given: dict[str, Any], constants: Constants) -> Sides:
    """L2: ½‖F(g) - ∇f‖² ≤ ½(1+θ)²κζ² + A_P P + A_Q (Q + R) + A_b (Q̄ + R̄)."""
    state = read(given)
    before, zeta = now(state), mean_square(centred(state.gradients))
    a_b = constants["three"] / 2 * (1 + 1 / state.theta)
    a_q = a_b * (1 + state.theta) * state.kappa
    right = (1 + state.theta) ** 2 * state.kappa * zeta / 2 + (a_b + a_q) * before["P"]
    right += a_q * (before["Q"] + before["R"]) + a_b * (before["Qb"] + before["Rb"])
    return state.hypotheses, square(minus(state.direction, state.gradient)) / 2, right


def change_of_loss(state: State, step: Vector) -> Fraction:
    """f(x + step) - f(x)."""
    return dot(step, state.gradient) + dot(step, apply(state.hessian, step)) / 2


def descent(given: dict[str, Any], constants: Constants) -> Sides:
    """L3 divided by γ, at γ = 2 · fraction / L; `curvature` multiplies the L of the statement."""
    state = read(given)
    smooth = state.smoothness
    if smooth == 0:
        return state.hypotheses, Fraction(0), Fraction(0)
    size = below(2 * state.fraction / smooth)
    step = times(-size, state.direction)
    left = change_of_loss(state, step) / size + square(state.gradient) / 2
    left += (1 - constants["curvature"] * size * smooth) / 2 * square(state.direction)
    return state.hypotheses, left, square(minus(state.direction, state.gradient)) / 2


BOUNDS = {  # lemma -> the averages that it bounds, and the coefficients by name
    "L4": {
        "R": {"R": "r_r", "S": "r_s", "n": "r_n"},
        "Rb": {"Rb": "rb_rb", "S": "rb_s", "n": "rb_n"},
    },
    "L5": {
        "Q": {"Q": "q_q", "R": "q_r", "S": "q_s", "n": "q_n"},
        "Qb": {"Qb": "qb_qb", "Rb": "qb_rb", "S": "qb_s", "n": "qb_n"},
    },
    "L6": {"P": {"P": "p_p", "Q": "p_q", "R": "p_r", "S": "p_s", "n": "p_n"}},
}


def recursion(lemma: str, recursive: bool, top: bool = False) -> Known:
    """L4, L5 or L6, for x⁺ = x - F(g); they hold for any x⁺."""

    def sides(given: dict[str, Any], constants: Constants) -> Sides:
        state = read(given)
        step = times(Fraction(-1), state.direction)
        c = coefficients(state, recursive, constants)
        known = now(state) | {"S": square(step), "n": noise_at(state, step)}
        after = then(state, step, recursive, top)
        pairs = [
            (after[name], sum((c[by] * known[of] for of, by in row.items()), Fraction(0)))
            for name, row in BOUNDS[lemma].items()
        ]
        # The right side vanishes with the left one, at α = 1 or β = 1, unless an error is planted.
        left, right = max(
            pairs, key=lambda pair: (pair[0] > pair[1], pair[0] / pair[1] if pair[1] else 0)
        )
        hypotheses = dict(state.hypotheses)
        if top:
            hypotheses["α ≤ 1/d"] = state.alpha * len(state.gradient) <= 1
        return hypotheses, left, right

    return sides


def lyapunov(recursive: bool, pl: bool = False) -> Known:
    """L7 divided by γ, at γ = factor · fraction · γ_max."""

    def sides(given: dict[str, Any], constants: Constants) -> Sides:
        state = read(given)
        hypotheses = dict(state.hypotheses)
        factors = {name: constants[name] for name in set(constants) - {"spare", "factor"}}
        c = coefficients(state, recursive, factors)
        kept = (c["p_p"], c["q_q"], c["r_r"], c["qb_qb"], c["rb_rb"])
        spare, factor = constants["spare"], constants["factor"]
        hypotheses["contractions"] = max(kept) < 1 and min(kept) >= 0
        hypotheses["spare and factor"] = 0 <= spare < 1 and factor > 0 and (spare > 0 or not pl)
        if pl:
            hypotheses["f is strongly convex"] = definite(state.hessian)
        if not all(hypotheses.values()):  # then there may be no weights at all
            return hypotheses, Fraction(0), Fraction(0)
        weights = solved(state, c, spare)
        smooth, k_s = state.smoothness, weighted(weights, column(c, "s"))
        largest = 2 / (smooth + root_above(smooth**2 + 8 * k_s))
        mu, contraction = Fraction(0), spare * (1 - max(kept))
        if pl:
            mu = least_eigenvalue(state.hessian)
            largest = min(largest, contraction / mu)
            hypotheses["PL"] = semidefinite(shifted(state.hessian, Fraction(1), -mu))
        limit = below(state.fraction * largest)
        size = factor * limit  # a planted factor states the same for larger steps
        hypotheses["2γ²K_S + γL ≤ 1"] = 2 * limit**2 * k_s + limit * smooth <= 1
        hypotheses["γμ ≤ contraction"] = limit * mu <= contraction

        step = times(-size, state.direction)
        before, after = now(state), then(state, step, recursive, top=False)
        left = change_of_loss(state, step) / size
        left += weighted(weights, after) - weighted(weights, before)
        if pl:
            gap = inverse_form(state.hessian, state.gradient) / 2
            left += mu * (gap + size * weighted(weights, before))
        else:
            left += square(state.gradient) / 2
        right = (1 + state.theta) ** 2 * state.kappa * mean_square(centred(state.gradients)) / 2
        right += weighted(weights, column(c, "n")) * noise_at(state, step)
        return hypotheses, left, right

    return sides


METHODS = {"DM": False, "VR": True}  # name -> whether v⁺ uses the sample at both points
CLAIMS: dict[str, Known] = {
    "byz_dm21/L1": dispersion,
    "byz_dm21/L2": direction,
    "byz_dm21/L3": descent,
    **{
        f"byz_dm21/{lemma}-{method}": recursion(lemma, recursive)
        for lemma in BOUNDS
        for method, recursive in METHODS.items()
    },
    "byz_dm21/L6-DM-top": recursion("L6", recursive=False, top=True),
    "byz_dm21/L6-VR-top": recursion("L6", recursive=True, top=True),
    "byz_dm21/L7-DM": lyapunov(recursive=False),
    "byz_dm21/L7-VR": lyapunov(recursive=True),
    "byz_dm21/L7-DM-full": lyapunov(recursive=False),  # the same, of instances without noise
    "byz_dm21/L7-VR-full": lyapunov(recursive=True),
    "byz_dm21/L7-DM-PL": lyapunov(recursive=False, pl=True),
    "byz_dm21/L7-VR-PL": lyapunov(recursive=True, pl=True),
}
