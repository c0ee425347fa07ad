"""States of Byz-DM21 (DM) and Byz-VR-DM21 (VR), and one round from them, in rational arithmetic.

Hessians are made symmetric and noise is centred again, exactly. Expectations are sums over all
joint samples of all workers, each of which is one round of the recursions. The compressor is one
with E‖C(q) - q‖² = (1-α)‖q‖², such as the one that sends all with probability α and else nothing,
or Top-1. What is irrational is replaced so that no hypothesis weakens: L, L̃², ℓ² by slightly
larger numbers, √(κV) by a slightly smaller one.
"""

import itertools
from fractions import Fraction
from typing import Any, NamedTuple

from .rationals import (
    SHORTER,
    Matrix,
    Rows,
    Vector,
    apply,
    centred,
    gram,
    largest_eigenvalue,
    mean,
    mean_matrix,
    mean_square,
    minus,
    norm,
    plus,
    root_below,
    semidefinite,
    shifted,
    square,
    times,
    transposed,
)

Numbers = dict[str, Fraction]


class State(NamedTuple):
    """A problem, a state and the parameters of the round."""

    hessians: list[Matrix]  # A_i, symmetric
    hessian: Matrix  # their mean
    gradients: Rows  # ∇f_i(x)
    gradient: Vector  # ∇f(x)
    noise: list[Rows]  # z_ij, centred over j
    slopes: list[list[Matrix]]  # Z_ij, centred over j
    v: Rows
    u: Rows
    g: Rows
    direction: Vector  # F(g)
    eta: Fraction
    beta: Fraction
    alpha: Fraction
    kappa: Fraction
    theta: Fraction
    fraction: Fraction  # of the largest step size
    smoothness: Fraction  # L
    each: Fraction  # L̃²
    sample: Fraction  # ℓ²
    hypotheses: dict[str, bool]


def read(given: dict[str, Any]) -> State:
    """The state, with what must be exact made so, and its hypotheses."""
    half = Fraction(1, 2)
    hessians = [
        [times(half, plus(row, column)) for row, column in zip(a, transposed(a), strict=True)]
        for a in given["hessians"]
    ]
    slopes = []
    for matrices in given["noise_slopes"]:
        middle = mean_matrix(matrices)
        slopes.append([[minus(a, b) for a, b in zip(one, middle, strict=True)] for one in matrices])
    eta, beta, alpha, kappa, theta, fraction = (
        given[name] for name in ("eta", "beta", "alpha", "kappa", "theta", "fraction")
    )
    allowed = kappa * mean_square(centred(given["g"]))
    error = times(SHORTER * root_below(max(allowed, Fraction(0))), given["error"])
    hessian = mean_matrix(hessians)
    second = mean_matrix([gram(a) for a in hessians])
    noise_second = mean_matrix([gram(one) for matrices in slopes for one in matrices])
    smoothness, each = norm(hessian), largest_eigenvalue(second)
    sample = largest_eigenvalue(noise_second)
    less = Fraction(-1)
    hypotheses = {
        "η, β, α in (0, 1]": all(0 < number <= 1 for number in (eta, beta, alpha)),
        "κ ≥ 0, θ > 0": kappa >= 0 and theta > 0,
        "γ at most the largest": 0 < fraction <= 1,
        "error in the ball": square(error) <= allowed,
        "f is L-smooth, L > 0": smoothness > 0
        and semidefinite(shifted(hessian, less, smoothness))
        and semidefinite(shifted(hessian, -less, smoothness)),
        "L̃": semidefinite(shifted(second, less, each)),
        "ℓ": semidefinite(shifted(noise_second, less, sample)),
    }
    return State(
        hessians=hessians,
        hessian=hessian,
        gradients=given["gradients"],
        gradient=mean(given["gradients"]),
        noise=[centred(rows) for rows in given["noise"]],
        slopes=slopes,
        v=given["v"],
        u=given["u"],
        g=given["g"],
        direction=plus(mean(given["g"]), error),
        eta=eta,
        beta=beta,
        alpha=alpha,
        kappa=kappa,
        theta=theta,
        fraction=fraction,
        smoothness=smoothness,
        each=each,
        sample=sample,
        hypotheses=hypotheses,
    )


def differences(one: Rows, other: Rows) -> Rows:
    """Row by row."""
    return [minus(a, b) for a, b in zip(one, other, strict=True)]


def averages(v: Rows, u: Rows, lag: Fraction, gradients: Rows) -> Numbers:
    """P (which is `lag`), Q, R, Q̄, R̄."""
    behind, wrong = differences(u, v), differences(v, gradients)
    return {
        "P": lag,
        "Q": mean_square(behind),
        "R": mean_square(wrong),
        "Qb": square(mean(behind)),
        "Rb": square(mean(wrong)),
    }


def now(state: State) -> Numbers:
    """The averages before the round."""
    lag = mean_square(differences(state.g, state.u))
    return averages(state.v, state.u, lag, state.gradients)


def then(state: State, step: Vector, recursive: bool, top: bool) -> Numbers:
    """Their expectations after x⁺ = x + step: the mean over all joint samples."""
    eta, beta = state.eta, state.beta
    workers = range(len(state.g))
    after = [plus(state.gradients[i], apply(state.hessians[i], step)) for i in workers]
    draws = list(itertools.product(*(range(len(rows)) for rows in state.noise)))
    total = dict.fromkeys(("P", "Q", "R", "Qb", "Rb"), Fraction(0))
    for draw in draws:
        v, u = [], []
        for i, j in enumerate(draw):
            old = plus(state.gradients[i], state.noise[i][j])
            new = plus(after[i], state.noise[i][j], apply(state.slopes[i][j], step))
            if recursive:
                v.append(plus(new, times(1 - eta, minus(state.v[i], old))))
            else:
                v.append(plus(times(1 - eta, state.v[i]), times(eta, new)))
            u.append(plus(times(1 - beta, state.u[i]), times(beta, v[i])))
        sent = differences(u, state.g)
        lag = (1 - state.alpha) * mean_square(sent)
        if top:
            lost = [square(row) - max(part**2 for part in row) for row in sent]
            lag = sum(lost, Fraction(0)) / len(lost)
        for name, value in averages(v, u, lag, after).items():
            total[name] += value / len(draws)
    return total


def noise_at(state: State, step: Vector) -> Fraction:
    """σ² at x⁺ = x + step."""
    rows = [
        plus(z, apply(slope, step))
        for noise, slopes in zip(state.noise, state.slopes, strict=True)
        for z, slope in zip(noise, slopes, strict=True)
    ]
    return mean_square(rows)
