"""One momentum or two: what one cannot reach on an instance, and what is proved of two.

An instance of Byz-EF21-SGDM that never moves where its loss is not flat, for every number of honest
workers, none Byzantine, and the mean as rule (κ = 0, so that it is robust for every κ):

    f_i(x) = x_1²/2 for all i (L = L̃ = 1, G = B = 0)
    s_i(x) = ∇f_i(x) ± σ e_j, with a coordinate j > 1 for every round that no other round has
    C(q) = q + √(1-α) ‖q‖ e_1, which satisfies ‖C(q) - q‖² = (1-α)‖q‖²

The law of noise may change from round to round, as in the certificates. With δ_i = v_i - ∇f_i and
π_i = g_i - u_i, as soon as δ_i is orthogonal to e_1 with ‖δ_i‖² = ησ²/(2-η), π_i = πe_1 with
π² = 2(1-α)η²σ²/(α(2-η)), and x_1 = -π, the next round has the same: v_i moves by η(±σe_j - δ_i),
orthogonal to e_1, of squared length 2η²σ²/(2-η), so that ‖q‖² = π² + this = π²/(1-α); and ḡ has no
component along e_1. So for ever

    ‖∇f(x)‖² = 2(1-α)/(2-η) · (η/α) · ησ²

and every function of loss and lengths of errors stays as it is: N + N'/h of every certificate of
`checker.certificates.error_feedback` for Byz-EF21-SGDM is at least 2(1-α)/(2-η) · η/α. The largest
number below all of these on the box η ≤ ρα is ρ, for α → 0. Two momenta move u_i by far less in one
round, and a certificate of Byz-DM21 proves a smaller N + N'/h. Derived here.
"""

import itertools
from fractions import Fraction
from typing import Any, NamedTuple

from jaxbyz.theory.checker.certificates import byz_dm21, read
from jaxbyz.theory.checker.rationals import Vector, mean, minus, plus, square, times
from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.proofs.exact import Exact
from jaxbyz.theory.proofs.wanted import stored
from jaxbyz.theory.subjects import Cases

SMALLER = "byz_dm21-c20-r1_16-k1_4000-w0"  # the certificate that is compared
ROUNDS = 4


def stalled_share(alpha: Fraction, eta: Fraction) -> Fraction:
    """‖∇f(x)‖²/(ησ²) of the instance: 2(1-α)/(2-η) · η/α.

    >>> stalled_share(Fraction(1, 2), Fraction(1, 4))
    Fraction(2, 7)
    """
    return 2 * (1 - alpha) / (2 - eta) * eta / alpha


class Stall(NamedTuple):
    """η = 2/(1+σ²), α = 1/(1+(1+σ²)r²): all numbers of the instance are then rational."""

    sigma: Fraction
    r: Fraction
    step: Fraction  # γ

    @property
    def eta(self) -> Fraction:
        """η."""
        return 2 / (1 + self.sigma**2)

    @property
    def alpha(self) -> Fraction:
        """α."""
        return 1 / (1 + (1 + self.sigma**2) * self.r**2)


def gradients(at: Stall, signs: tuple[tuple[int, ...], ...]) -> list[Fraction]:
    """‖∇f(x)‖² after each round of the algorithm; `signs` of the noise: [rounds][workers].

    Coordinates: e_1, one for δ at the start (of length 1), one for each round.
    """
    size, workers = 2 + len(signs), len(signs[0])
    unit = [[Fraction(i == j) for j in range(size)] for i in range(size)]
    drift = 2 * at.r  # π
    x = times(-drift, unit[0])
    v = [plus(times(x[0], unit[0]), unit[1]) for _ in range(workers)]
    g = [plus(row, times(drift, unit[0])) for row in v]
    found = []
    for t, of_workers in enumerate(signs):
        x = minus(x, times(at.step, mean(g)))
        gradient = times(x[0], unit[0])
        for i, sign in enumerate(of_workers):
            sample = plus(gradient, times(sign * at.sigma, unit[2 + t]))
            v[i] = plus(times(1 - at.eta, v[i]), times(at.eta, sample))
            g[i] = plus(g[i], _compressed(minus(v[i], g[i]), at.alpha))
        found.append(square(gradient))
    return found


def _compressed(q: Vector, alpha: Fraction) -> Vector:
    """C(q)."""
    length = Exact((1 - alpha) * square(q)).root().value
    return [q[0] + length, *q[1:]]


STALLS = tuple(
    Stall(Fraction(sigma), Fraction(1, r), Fraction(*step))
    for sigma, r in ((3, 4), (7, 5), (9, 10))
    for step in ((1, 100), (3, 2))
)


def one_momentum_claim(scale: Fraction = Fraction(1)) -> Claim:
    """Every N + N'/h of Byz-EF21-SGDM is at least 2(1-α)/(2-η) · η/α; `scale` multiplies it.

    >>> one_momentum_claim().key
    'byz_dm21/C/stall, one momentum'
    """

    def sides(at: Stall) -> tuple[Fraction, Fraction]:
        promised = scale * stalled_share(at.alpha, at.eta) * at.eta * at.sigma**2
        # All signs of two workers in the first round, then alternating ones.
        rest = tuple((1, (-1) ** t) for t in range(1, ROUNDS))
        met = [
            norm
            for first in itertools.product((1, -1), repeat=2)
            for norm in gradients(at, (first, *rest))
        ]
        return promised, min(met)

    return Claim(
        paper="byz_dm21",
        name="C/stall, one momentum",
        title="what no certificate of one momentum reaches",
        statement="N + N'/h ≥ 2(1-α)/(2-η) · η/α for Byz-EF21-SGDM: an instance stays there",
        provenance=Provenance.DERIVED,
        source="derived here, jaxbyz/theory/byz_dm21/stall.py",
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="one instance for each (α, η, γ); any round repeats the one before",
        subject=Cases(f"{len(STALLS)} (α, η, γ), {ROUNDS} rounds in fractions", STALLS, exact=True),
    )


def two_momenta_claim(workers: int = 1000, name: str = SMALLER) -> Claim:
    """At η = ρα, α ≤ 1/1000 two momenta have a smaller noise floor than one, class against class.

    Left is N + N'/h of a certificate of Byz-DM21, right what one momentum cannot go below.
    """
    record: Any = dict(stored())[name]
    method, constants, _ = read(record)
    if method is not byz_dm21:
        raise ValueError(f"name must be that of a certificate of byz_dm21, got {name!r}")
    ratio, most = constants["ratio"], Fraction(1, 1000)

    def sides(h: int) -> tuple[Fraction, Fraction]:
        floor = constants["N"] + constants["N_h"] / h
        return floor, stalled_share(most, ratio * most)  # which falls with α

    return Claim(
        paper="byz_dm21",
        name="C/two momenta",
        title="two momenta have a smaller neighbourhood than one",
        statement=(
            f"h ≥ {workers}, κ ≤ {constants['kappa']}, G = 0, α ≤ {most}, η = {ratio} α: limit of "
            "the bound of Byz-DM21 < what Byz-EF21-SGDM stays at"
        ),
        provenance=Provenance.DERIVED,
        source=f"derived here: {name} and the instance of jaxbyz/theory/byz_dm21/stall.py",
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="what is assumed is in the statement, and in that of the certificate",
        subject=Cases(f"h = {workers}; the left side falls with h", (workers,), exact=True),
        tight_from=None,
    )


class Tilted(NamedTuple):
    """Two workers with ∇f_i = x ± (b0 x + g0) on the line, and weights (1 ∓ root)/2 of the rule."""

    root: Fraction  # √κ
    b0: Fraction
    g0: Fraction


def tilted_round(at: Tilted) -> tuple[Fraction, Fraction]:
    """κG²/(1-κB²), and ‖∇f‖² after a step from x = √κ g0/(1-√κ b0) with all estimates exact.

    B² = b0²(1+y), G² = g0²(1+1/y), y = g0/(b0 x): dissimilarity holds everywhere, equal at x.
    """
    kappa, x = at.root**2, at.root * at.g0 / (1 - at.root * at.b0)
    y = at.g0 / (at.b0 * x)
    b_squared, g_squared = at.b0**2 * (1 + y), at.g0**2 * (1 + 1 / y)
    sent = [x + sign * (at.b0 * x + at.g0) for sign in (1, -1)]
    moved = sum((1 - sign * at.root) / 2 * one for sign, one in zip((1, -1), sent, strict=True))
    return kappa * g_squared / (1 - kappa * b_squared), (x - moved) ** 2


def floor_claim(scale: Fraction = Fraction(1)) -> Claim:
    """Every C of error feedback is at least 1/(1-κB²); `scale` multiplies it.

    >>> floor_claim().key
    'byz_dm21/C/stall, floor'
    """

    def sides(at: Tilted) -> tuple[Fraction, Fraction]:
        floor, met = tilted_round(at)
        return scale * floor, met

    cases = tuple(
        Tilted(Fraction(1, r), Fraction(b, 3), Fraction(g))
        for r, b, g in itertools.product((2, 3, 10), (1, 2, 4), (1, 5))
    )
    return Claim(
        paper="byz_dm21",
        name="C/stall, floor",
        title="what no certificate of error feedback reaches",
        statement="C ≥ 1/(1-κB²) for every method whose estimates are exact at rest",
        provenance=Provenance.DERIVED,
        source="derived here, jaxbyz/theory/byz_dm21/stall.py",
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="one instance for each κ, G, B: the step is 0, so that all rounds are alike",
        subject=Cases(f"{len(cases)} instances in fractions", cases, exact=True),
    )


STALL = (one_momentum_claim(), two_momenta_claim(), floor_claim())
