"""The identity behind the certificates of RoSDHB, in rational numbers with all masks enumerated.

    (V - E V⁺)/γ - ‖g‖² - Cw‖g‖² + Cκ S22
        = E⟨Q, products of (g, δ, ξ', e, r')⟩ + κ⟨Z, S⟩
          + cf E(f + ⟨g,Δθ⟩ + ½‖Δθ‖² - f⁺)/γ + ℓ E(‖D‖² - ‖r'‖²) + τ E(κΥ⁺ - ‖e‖²)

with Q, Z of the verifier itself (`checker.certificates.rosdhb`, where the symbols are). The left
side is computed from the algorithm's own steps: masks, rescaling, momenta, the step. Free are all
vectors, the error e, the new gradient and the new loss for each mask, the multipliers, κ, w, C, β,
√γ and √c. For fixed d and k, once denominators are cleared, both sides are polynomials of degree at
most 30 in these numbers, which are drawn from 10^6 values each. Two different polynomials agree at
such a point with probability at most 30/10^6 (Schwartz-Zippel), at two points 9·10^-10. L = 1: all
terms scale. √(k/d) is rational in the cases that are taken. Derived here.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from jaxbyz.theory.checker.certificates import rosdhb as method
from jaxbyz.theory.checker.rationals import (
    Vector,
    centred,
    dot,
    mean,
    mean_square,
    minus,
    plus,
    square,
    times,
)
from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.proofs.exact import Exact, products
from jaxbyz.theory.subjects import Cases

VALUES = 10**6
SIZES = ((1, 1), (2, 2), (4, 1), (8, 2))  # (d, k) with √(k/d) rational
WORKERS = 3
SEEDS = 2  # for each size


class Instance(NamedTuple):
    """Everything that the identity speaks of, but for what depends on the mask."""

    d: int
    k: int
    beta: Fraction
    root_step: Fraction  # √γ
    root_c: Fraction  # √c
    kappa: Fraction
    w: Fraction
    floor: Fraction  # C
    multipliers: dict[str, Fraction]
    loss: Fraction
    gradient: Vector
    momentum: Vector
    spread: list[Vector]  # μ_i
    difference: list[Vector]  # ν_i
    draw: Callable[[], Fraction]  # for what an adversary chooses at each mask


def instance(d: int, k: int, seed: int) -> Instance:
    """Random numbers."""
    generator = random.Random(1000 * (100 * d + k) + seed)

    def number() -> Fraction:
        return Fraction(generator.randint(1, VALUES), 1000) - 500

    def fraction() -> Fraction:
        return Fraction(generator.randint(1, VALUES), VALUES + 1)

    def vector() -> Vector:
        return [number() for _ in range(d)]

    return Instance(
        d, k, fraction(), fraction(), 1 + fraction(), number(), number(), number(),
        {name: number() for name in method.MULTIPLIERS}, number(), vector(), vector(),
        centred([vector() for _ in range(WORKERS)]), centred([vector() for _ in range(WORKERS)]),
        number,
    )  # fmt: skip


Matrices = Callable[..., dict[str, Any]]


def both_sides(at: Instance, matrices: Matrices = method.matrices) -> tuple[Fraction, Fraction]:
    """Left and right side of the identity; `matrices` may be wrong ones."""
    p, beta, step = at.multipliers, at.beta, at.root_step**2
    cf, p11, p12, p22, b0 = (p[name] for name in method.WEIGHTS)
    alpha, fresh, g = Fraction(at.d, at.k), 1 - beta, at.gradient
    c = at.root_c**2
    root_s = Exact(1 / alpha).root().value

    def lyapunov(loss: Fraction, m: Vector, gradient: Vector, drift: Fraction) -> Fraction:
        inner = p11 * square(m) + 2 * p12 * dot(m, gradient) + p22 * square(gradient)
        return cf * loss + inner + at.kappa * b0 * drift

    constants = {
        "c": c, "coupling": (1 - beta**2) / step, "kappa_b_squared": at.w, "C": at.floor
    }  # fmt: skip
    found = matrices(
        {name: Exact(value) for name, value in constants.items()},
        {name: Exact(value) for name, value in p.items()},
        [Exact(at.root_c * at.root_step / root_s), Exact(root_s)],
    )
    momenta = [plus(at.momentum, row) for row in at.spread]
    gradients = [plus(g, row) for row in at.difference]
    masks = list(itertools.combinations(range(at.d), at.k))
    after = right = Fraction(0)
    for mask in masks:
        received = [
            [alpha * part if i in mask else Fraction(0) for i, part in enumerate(row)]
            for row in gradients
        ]
        fresh_momenta = [
            plus(times(beta, old), times(fresh, new))
            for old, new in zip(momenta, received, strict=True)
        ]
        m, drift = mean(fresh_momenta), mean_square(centred(fresh_momenta))
        error, bent = [[at.draw() for _ in g] for _ in "er"]
        loss, direction = at.draw(), plus(m, error)
        after += lyapunov(loss, m, plus(g, times(step, bent)), drift)
        noise = times(at.root_step, minus(mean(received), g))  # √γ ξ
        right += products(found["Q"], [g, minus(at.momentum, g), noise, error, bent])
        slack = at.loss - step * dot(g, direction) + step**2 / 2 * square(direction) - loss
        right += cf * slack / step + p["l"] * (square(direction) - square(bent))
        right += p["tau"] * (at.kappa * drift - square(error))
    pairs = zip(at.spread, at.difference, strict=True)
    gram = sum((products(found["Z"], [mu, nu]) for mu, nu in pairs), Fraction(0)) / WORKERS
    right = right / len(masks) + at.kappa * gram
    now = lyapunov(at.loss, at.momentum, g, mean_square(at.spread))
    left = (now - after / len(masks)) / step - (1 + at.floor * at.w) * square(g)
    return left + at.floor * at.kappa * mean_square(at.difference), right


def identity_claim(matrices: Matrices = method.matrices) -> Claim:
    """The identity as a claim; `matrices` plants errors.

    Its sides are 1 + |left - right| and 1, so that left ≤ right is equality.
    """

    def sides(case: tuple[int, int, int]) -> tuple[Fraction, int]:
        left, right = both_sides(instance(*case), matrices)
        return 1 + abs(left - right), 1

    cases = tuple((d, k, seed) for d, k in SIZES for seed in range(SEEDS))
    return Claim(
        paper="rosdhb",
        name="C/identity",
        title="the identity behind the certificates",
        statement="(V - E V⁺)/γ - (1+Cw)‖g‖² + Cκ S22 = E⟨Q, ·⟩ + κ⟨Z, S⟩ + terms that are ≥ 0",
        provenance=Provenance.DERIVED,
        source="derived here: certificates of RoSDHB",
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="an identity between any numbers, with the law of the mask enumerated",
        subject=Cases(
            f"{len(cases)} random rational instances, (d, k) in {list(SIZES)}, all masks; "
            "left = right exactly",
            cases,
            exact=True,
        ),
        tight_from=None,
    )


def changed(key: str, i: int, j: int, change: Callable[[Any, dict[str, Any]], Any]) -> Matrices:
    """Matrices with one entry changed: change(entry, numbers by name).

    Numbers are the constants, the multipliers, and one, step = γ, inflated = γα, beta, zeta.
    """

    def matrices(constants: Any, multipliers: Any, variables: Any) -> dict[str, Any]:
        found = method.matrices(constants, multipliers, variables)
        root_x, root_s = variables
        one = type(root_x).of(Fraction(1))
        inflated = root_x.squared().over(constants["c"])
        step = inflated * root_s.squared()
        beta = (one - constants["coupling"] * step).root()
        given = {
            **constants, **multipliers, "one": one, "step": step, "inflated": inflated,
            "beta": beta, "zeta": constants["coupling"].over(one + beta),
        }  # fmt: skip
        for row, column in {(i, j), (j, i)}:
            found[key][row][column] = change(found[key][row][column], given)
        return found

    return matrices
