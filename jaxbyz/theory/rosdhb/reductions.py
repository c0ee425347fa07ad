"""The boxes of Theorems A and B on a cube, by fractions: for proofs by polynomials. Derived here.

Theorem A, with y = 1-β² = 24x. Its parameters are c ≥ 24, a ≥ 1 and v = cax in (0, 1], so that with
m = 24/c and r = 1/a in (0, 1]

    y = v m r,    x = y/24.

β is taken as a variable, which leaves no root. Then m r ≥ y is what v ≤ 1 says, and

    m = y + (1-y) m',     m r = y + (m-y) r'      with m', r' in [0, 1]

are all m and r with y ≤ m r ≤ m ≤ 1. For a smaller c than 24 there may be no real β.
"""

from fractions import Fraction
from typing import Any, NamedTuple

from jaxbyz.theory.checker.polynomials import Quotient, rational
from jaxbyz.theory.rosdhb.boxes import BoxB
from jaxbyz.theory.rosdhb.states import Parameters
from jaxbyz.theory.subjects import Reduction


class RationalA(NamedTuple):
    """What `boxes.BoxA` has, with β in place of its root."""

    c: Any
    s: Any
    kappa_b_squared: Any
    setting: Any

    def parameters(self) -> Parameters:
        """With L = 1 and κ = 1."""
        return self.setting


def _point(beta: Any, m: Any, r: Any) -> tuple[Any, Any, Any]:
    """c, x and a of the variables β, m', r'."""
    y = (1 - beta) * (1 + beta)
    part = y + (1 - y) * m
    return 24 / part, y / 24, part / (y + (part - y) * r)


def reduction_a(weight_is_free: bool) -> Reduction:
    """Theorem A: all c ≥ 24, a, x, ρ, s and κB².

    With `weight_is_free` the weight A = ρ(1-1/c) q is a variable, q in (0, 1], and s = A(24-ρ) - 1:
    that is for (c2), which s enters through A alone.
    """

    def instance(beta: Any, m: Any, r: Any, p: Any, s: Any, kappa_b_squared: Any) -> RationalA:
        c, x, a = _point(beta, m, r)
        rho, one = 24 * p, beta**0
        weight = (1 + s) / (24 - rho)
        if weight_is_free:
            weight = rho * (1 - 1 / c) * s
            s = weight * (24 - rho) - 1
        known = Parameters(one, x, 1 - beta, a, one, kappa_b_squared, s, rho * x, weight)
        return RationalA(c, s, kappa_b_squared, known)

    names = ("β", "m'", "r'", "ρ/24")
    return Reduction(
        (*names, "q" if weight_is_free else "s", "κB²"),
        instance,
        "y = 1-β² = 24x; 24/c = y + (1-y)m', 24/(ca) = y + (24/c-y)r'",
        rays=("κB²",) if weight_is_free else ("s", "κB²"),
    )


def reduction_a_default() -> Reduction:
    """Theorem A with s = 1, ρ = 2, c ≥ 24 and κB² up to the edge of q ≥ 0."""

    def instance(beta: Any, m: Any, r: Any, share: Any) -> RationalA:
        c, x, a = _point(beta, m, r)
        one = beta**0
        kappa_b_squared = share * (1 - 144 / (11 * c)) / (2 + 24 / c)
        weight = one * Fraction(1, 11)
        known = Parameters(one, x, 1 - beta, a, one, kappa_b_squared, one, 2 * x, weight)
        return RationalA(c, one, kappa_b_squared, known)

    return Reduction(
        ("β", "m'", "r'", "share of κB²"),
        instance,
        "as for (c1); κB² is a share of (1-144/(11c))/(2+24/c), where q = 0",
    )


def reduction_b(most: Fraction | float) -> Reduction:
    """Theorem B with κB² ≤ `most`."""

    def instance(ratio: Quotient, share: Quotient, part: Quotient) -> BoxB:
        return BoxB(ratio, share, part * rational(most, part))  # type: ignore[arg-type]

    return Reduction(
        ("k/d", "8γdL/k", "share of κB²"), instance, f"κB² is a share of {float(most):.6g}"
    )
