"""The identity behind the certificates with a mask for each worker, in rational numbers.

As in `identity`, from which instances are taken; all combinations of masks are enumerated. Two
numbers come in addition, K and u of `checker.certificates.rosdhb_local`, where the identity is.
Cleared of denominators, no product has more than 30 factors. Derived here.
"""

import itertools
import random
from fractions import Fraction
from typing import Any

from jaxbyz.theory.checker.certificates import rosdhb_local as method
from jaxbyz.theory.checker.rationals import (
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
from jaxbyz.theory.rosdhb.identity import VALUES, WORKERS, Instance, Matrices, instance
from jaxbyz.theory.subjects import Cases

SIZES = ((1, 1), (2, 2), (4, 1))  # (d, k) with √(k/d) rational; (4, 1): 64 combinations
SEEDS = 2


def both_sides(at: Instance, matrices: Matrices = method.matrices) -> tuple[Fraction, Fraction]:
    """Left and right side of the identity; `matrices` may be wrong ones."""
    p, beta, step, g, h = at.multipliers, at.beta, at.root_step**2, at.gradient, WORKERS
    alpha, fresh, c = Fraction(at.d, at.k), 1 - beta, at.root_c**2
    root_s = Exact(1 / alpha).root().value
    generator = random.Random(str(at.loss))
    bound, share = (Fraction(generator.randint(1, VALUES), 1000) for _ in "Ku")

    def lyapunov(loss: Fraction, m: Any, gradient: Any, drift: Fraction) -> Fraction:
        inner = p["p11"] * square(m) + 2 * p["p12"] * dot(m, gradient)
        return p["cf"] * loss + inner + p["p22"] * square(gradient) + at.kappa * p["b0"] * drift

    constants = {
        "c": c, "coupling": (1 - beta**2) / step, "kappa_b_squared": at.w, "C": at.floor,
        "kappa": bound, "share": share, "N": Fraction(0),
    }  # fmt: skip
    found = matrices(
        {name: Exact(value) for name, value in constants.items()},
        {name: Exact(value) for name, value in p.items()},
        [Exact(at.root_c * at.root_step / root_s), Exact(root_s)],
    )
    momenta = [plus(at.momentum, row) for row in at.spread]
    gradients = [plus(g, row) for row in at.difference]
    masks = list(itertools.product(itertools.combinations(range(at.d), at.k), repeat=h))
    after = right = Fraction(0)
    for of_workers in masks:
        received = [
            [alpha * part if i in mask else Fraction(0) for i, part in enumerate(row)]
            for mask, row in zip(of_workers, gradients, strict=True)
        ]
        moved = [
            plus(times(beta, old), times(fresh, new))
            for old, new in zip(momenta, received, strict=True)
        ]
        m, drift = mean(moved), mean_square(centred(moved))
        error, bent = [[at.draw() for _ in g] for _ in "er"]
        loss, direction = at.draw(), plus(m, error)
        after += lyapunov(loss, m, plus(g, times(step, bent)), drift)
        noise = times(at.root_step, minus(mean(received), g))  # √γ ξ
        right += products(found["Q"], [g, minus(at.momentum, g), noise, error, bent])
        slack = at.loss - step * dot(g, direction) + step**2 / 2 * square(direction) - loss
        right += p["cf"] * slack / step + p["l"] * (square(direction) - square(bent))
        right += p["tau"] * (at.kappa * drift - square(error))
    pairs = zip(at.spread, at.difference, strict=True)
    gram = sum((products(found["Z"], [mu, nu]) for mu, nu in pairs), Fraction(0)) / h
    norm, spread, noisy = square(g), mean_square(at.difference), step * (alpha - 1)
    held = (p["b0"] + p["tau"] * step) * (fresh / step) ** 2 * noisy  # H
    spare = (bound - at.kappa) * norm + at.kappa * (norm + spread) / h
    right = right / len(masks) + at.kappa * gram + held * spare
    now = lyapunov(at.loss, at.momentum, g, mean_square(at.spread))
    left = (now - after / len(masks)) / step - (1 + at.floor * at.w) * norm
    left += at.floor * at.kappa * spread
    return left + p["q3"] * noisy * ((norm + spread) / h - share * norm), right


def local_identity_claim(matrices: Matrices = method.matrices) -> Claim:
    """The identity as a claim; `matrices` plants errors. Sides as in `identity_claim`."""

    def sides(case: tuple[int, int, int]) -> tuple[Fraction, int]:
        left, right = both_sides(instance(*case), matrices)
        return 1 + abs(left - right), 1

    cases = tuple((d, k, seed) for d, k in SIZES for seed in range(SEEDS))
    return Claim(
        paper="rosdhb",
        name="C/identity, local",
        title="the identity behind the certificates with a mask for each worker",
        statement="(V - E V⁺)/γ - (1+Cw)‖g‖² + Cκ S22 + q3 ν(…) = E⟨Q, ·⟩ + κ⟨Z, S⟩ + terms ≥ 0",
        provenance=Provenance.DERIVED,
        source="derived here: certificates of RoSDHB",
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="an identity between any numbers, with the law of the masks enumerated",
        subject=Cases(
            f"{len(cases)} random rational instances, (d, k) in {list(SIZES)}, all masks of "
            f"{WORKERS} workers; left = right exactly",
            cases,
            exact=True,
        ),
        tight_from=None,
    )
