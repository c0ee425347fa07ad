"""Step sizes at which RoSDHB diverges, so that no function V proves anything of them.

Instance: L_H = ‖θ‖²/2 on d coordinates, ν_i = ±B∇L_H with as many of each sign (G = 0), momenta 0
at the start, and e = √w m⁺ with w = κB². Then μ_i = ±B m for ever, and ‖e‖² = κΥ⁺: feasible. Every
coordinate has the random recursion, with chance k/d of being in the mask,

    θ⁺ = θ - γ(1+√w) m,    m⁺ = βm + (1-β)(d/k)θ⁺  or  βm

Let M be the map of the second moments of (θ, m), which keeps order. After one round from m = 0 they
are above a multiple of every S, since m is then either 0 or (1-β)(d/k)θ. So if M(S) ⪰ ρS for some
S ≻ 0 and ρ > 1, E‖∇L_H‖² grows at least like ρᵗ, and no V that is bounded below satisfies
E V⁺ ≤ V - γ‖∇L_H‖². For β² = 1 - aγL and γ = k/(dcL) the largest such c that a grid of c and d/k
found was just below (1+√w)/2, for every a that was tried; this is no proof for larger c. A smaller
c than a is impossible too: 1 - aγL < 0 at k = d. Derived here.
"""

from fractions import Fraction
from typing import NamedTuple

from jaxbyz.theory.checker.rationals import definite, semidefinite
from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.subjects import Cases

Moments = tuple[Fraction, Fraction, Fraction]  # E θ², E θm, E m²
LEAST = Fraction(10_001, 10_000)  # ρ that counts as growth
ROUNDS = 400  # of the recursion from which S is taken, in 40 digits


class Diverging(NamedTuple):
    """β² = 1 - aγ, γ = 1/(cα): α = d/k follows."""

    a: Fraction
    c: Fraction
    beta: Fraction
    root: Fraction  # √w

    @property
    def step(self) -> Fraction:
        """γ."""
        return (1 - self.beta**2) / self.a

    @property
    def alpha(self) -> Fraction:
        """d/k."""
        return 1 / (self.c * self.step)


def after(at: Diverging, s: Moments) -> Moments:
    """M(S)."""
    speed, fresh, chance = at.step * (1 + at.root), (1 - at.beta) * at.alpha, 1 / at.alpha
    tt, tm, mm = s
    xx = tt - 2 * speed * tm + speed**2 * mm  # E θ⁺²
    xm = tm - speed * mm  # E θ⁺m
    cross = at.beta * xm + chance * fresh * xx
    last = at.beta**2 * mm + chance * (2 * at.beta * fresh * xm + fresh**2 * xx)
    return xx, cross, last


def growth(at: Diverging) -> Fraction:
    """A ρ ≤ 2 with M(S) ⪰ ρS for some S ≻ 0: nearly the largest for the S of many rounds."""
    s: Moments = (Fraction(1), Fraction(0), Fraction(1))
    for _ in range(ROUNDS):
        s = after(at, s)
        total = s[0] + s[2]
        tt, tm, mm = (Fraction(round(part / total * 10**40), 10**40) for part in s)
        s = (tt, tm, mm)
    if not definite([[s[0], s[1]], [s[1], s[2]]]):
        return Fraction(0)
    image, low, high = after(at, s), Fraction(0), Fraction(2)
    for _ in range(20):
        rho = (low + high) / 2
        tt, tm, mm = (new - rho * old for new, old in zip(image, s, strict=True))
        low, high = (rho, high) if semidefinite([[tt, tm], [tm, mm]]) else (low, rho)
    return low


CASES = tuple(
    Diverging(Fraction(a), share * (1 + root) / 2, Fraction(9, 10), root)
    for a in (4, 24)
    for root in (Fraction(0), Fraction(1, 5), Fraction(3, 8), Fraction(2, 3))
    for share in (Fraction(4, 5),)
)


def diverges(cases: tuple[Diverging, ...] = CASES) -> Claim:
    """At c a fifth below (1+√κB²)/2 an instance diverges; other cases may be wrong ones.

    >>> diverges().key
    'rosdhb/C/diverges'
    """
    return Claim(
        paper="rosdhb",
        name="C/diverges",
        title="step sizes of which nothing can be proved",
        statement="c = (4/5)(1+√κB²)/2, β² = 1-aγL, β = 9/10: E‖∇L_H‖² grows without bound",
        provenance=Provenance.DERIVED,
        source="derived here, jaxbyz/theory/rosdhb/unstable.py",
        scope=Scope.CONSTANTS,
        sides=lambda at: (LEAST, growth(at)),
        unconditional="one instance for each case; its masks are uniform and fresh",
        subject=Cases(
            f"{len(cases)} cases (a, c, β, κB²); ρ ≥ 1.0001 in fractions", cases, exact=True
        ),
        tight_from=None,
    )
