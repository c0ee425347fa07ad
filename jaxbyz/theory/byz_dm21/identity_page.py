"""The identity behind the certificates of Byz-DASHA-PAGE, in rational numbers.

It is that of `checker.certificates.dasha_page`, with the verifier's own Q and S; there the symbols
are. The left side is computed from the algorithm's own steps. Enumerated are the coin, two signs of
the noise of sampled differences, and two signs of the error of the compressor, which may be another
one for each of the others. Free are all vectors, constants and multipliers. As in `identity`, no
product has more than 60 factors, each of which has 10^6 values. Derived here.
"""

import itertools
import random
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

from jaxbyz.theory.byz_dm21.identity import (
    DIMENSIONS,
    VALUES,
    WORKERS,
    exact_identity,
    times_each,
)
from jaxbyz.theory.checker.certificates import byz_dasha_page, byz_dasha_page_rare
from jaxbyz.theory.checker.rationals import (
    Rows,
    centred,
    dot,
    mean,
    mean_square,
    plus,
    square,
)
from jaxbyz.theory.claims import Claim
from jaxbyz.theory.proofs.exact import Exact, products

METHODS: dict[str, ModuleType] = {
    method.NAME: method for method in (byz_dasha_page, byz_dasha_page_rare)
}


def _sum(*all_rows: Rows) -> Rows:
    return [plus(*rows) for rows in zip(*all_rows, strict=True)]


class Instance:
    """Random numbers for everything that the identity speaks of."""

    def __init__(self, method: ModuleType, seed: int) -> None:
        """Draw them."""
        generator = random.Random(f"{method.NAME} {seed}")

        def number() -> Fraction:
            return Fraction(generator.randint(1, VALUES), 1000)

        def vector() -> list[Fraction]:
            return [number() - 500 for _ in range(DIMENSIONS)]

        def rows() -> Rows:
            return [vector() for _ in range(WORKERS)]

        self.constants = {name: number() for name in method.CONSTANTS}
        self.multipliers = {name: number() for name in method.MULTIPLIERS}
        self.point = {name: number() for name in method.VARIABLES}
        big, s, y = self.point.values()
        rare = method is byz_dasha_page_rare
        self.a, root = (big, s * big) if rare else (s * big, big)
        self.p, self.step = root**2, y / self.constants["c"] * s * big
        self.scale = Fraction(1) if rare else s  # δ of the basis is δ/scale
        self.omega = (1 - self.a) / (2 * self.a)
        self.loss, self.new_loss, self.error = number(), number(), vector()
        self.old, self.bent, self.estimates, self.sent = rows(), rows(), rows(), rows()
        self.noise = rows()
        self.kicks = {signs: rows() for signs in ((0,), (1,), (-1,))}  # of coin and noise

    def lyapunov(self, loss: Fraction, old: Rows, h: Rows, g: Rows) -> Fraction:
        """V."""
        delta, pi = (_sum(one, times_each(Fraction(-1), two)) for one, two in ((h, old), (g, h)))
        inner = self.multipliers["a"] / self.a * mean_square(pi)
        inner += self.multipliers["c1"] / (self.p * self.scale**2) * mean_square(delta)
        return self.multipliers["cf"] * loss + self.step * inner


def both_sides(
    method: ModuleType, seed: int, matrices: Callable[..., Any] | None = None
) -> tuple[Fraction, Fraction]:
    """Left and right side of the identity at a random instance; `matrices` may be wrong ones."""
    at = Instance(method, seed)
    m, known, step, kappa = at.multipliers, at.constants, at.step, at.constants["kappa"]
    found = (matrices or method.matrices)(
        {name: Exact(value) for name, value in known.items()},
        {name: Exact(value) for name, value in m.items()},
        [Exact(value) for value in at.point.values()],
    )
    negative = Fraction(-1)
    new = _sum(at.old, times_each(step, at.bent))
    delta = _sum(at.estimates, times_each(negative, at.old))
    pi = _sum(at.sent, times_each(negative, at.estimates))
    g, direction, scaled = mean(at.old), plus(mean(at.sent), at.error), 1 / at.scale
    present = [times_each(scaled, delta), pi]
    right = products(found["Q"], [g, *map(mean, present), at.error, mean(at.bent)])
    deviations = [centred(part) for part in (at.old, *present, at.bent)]
    for i in range(WORKERS):
        right += products(found["S"], [part[i] for part in deviations]) / WORKERS
    norm = square(direction)
    smooth = at.loss - step * dot(g, direction) + step**2 / 2 * norm - at.new_loss
    right += m["cf"] * smooth / step + m["l"] * (norm - square(mean(at.bent)))
    right += m["k"] * (known["growth"] * norm - mean_square(at.bent))
    right += m["tau"] * (kappa * mean_square(centred(at.sent)) - square(at.error))
    spare = known["sample"] * step**2 * norm - mean_square(at.noise)
    weight = m["c1"] / (at.p * at.scale**2) + m["a"] * at.omega / at.a
    right += (1 - at.p) * weight * spare
    left = at.lyapunov(at.loss, at.old, at.estimates, at.sent) / step
    left -= (1 + known["C"] * known["kappa_b_squared"]) * square(g)
    left += known["C"] * kappa * mean_square(centred(at.old))
    outcomes = [(at.p, 0), ((1 - at.p) / 2, 1), ((1 - at.p) / 2, -1)]
    for (chance, noisy), sign in itertools.product(outcomes, (1, -1)):
        h = new
        if noisy:
            change = _sum(new, times_each(negative, at.old))
            h = _sum(at.estimates, change, times_each(Fraction(noisy), at.noise))
        wanted = _sum(h, times_each(negative, at.estimates), times_each(-at.a, pi))  # q
        kick = times_each(Fraction(sign), at.kicks[noisy,])
        sent = _sum(at.sent, wanted, kick)
        left -= chance / 2 * at.lyapunov(at.new_loss, new, h, sent) / step
        contraction = at.omega * mean_square(wanted) - mean_square(kick)
        right += chance / 2 * m["a"] / at.a * contraction
    return left, right


def page_identity_claim(name: str, matrices: Callable[..., Any] | None = None) -> Claim:
    """The identity of a method as a claim; `matrices` plants errors."""
    return exact_identity(
        name,
        lambda seed: both_sides(METHODS[name], seed, matrices),
        statement="(V - E V⁺)/γ - (1+Cw)‖p‖² + Cκ|ν|² = ⟨Q, ·⟩ + ⟨S, ·⟩ + terms ≥ 0",
        source="derived here: certificates of Byz-DASHA-PAGE",
        unconditional="an identity between any numbers, with the coin enumerated",
    )


PAGE_IDENTITIES = tuple(page_identity_claim(name) for name in METHODS)
