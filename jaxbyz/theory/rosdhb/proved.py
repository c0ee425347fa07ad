"""Theorem C: RoSDHB's step size, momentum, rate and floor from certificates that are PROVED.

    γ ≤ k/(dcL),  β² = 1 - aγL,  κB² ≤ w:
    (1/T) Σ_{t<T} E‖∇L_H(θ_t)‖² ≤ rate · D0/(γT) + C κG²

for every certificate (a, c, w, C) of the package, from momenta 0. The step size is rounded down,
what bounds is rounded up; β² = 1 - aγL holds to rounding only: β is a float, its square another
number. The Lyapunov function, its proof and what is trusted: `checker.certificates.rosdhb`.
c = 23200, a = 24, w = 1/7 is the setting of the paper's Theorem 1. What is proved is a theorem on
that setting, not the paper's proof. Derived here.
"""

import functools
import math
import sys
from fractions import Fraction
from typing import NamedTuple

from jaxbyz import checks
from jaxbyz.theory.checker.certificates import read, rosdhb
from jaxbyz.theory.checker.certificates.multipliers import Rows, rate_at
from jaxbyz.theory.claims import Provenance
from jaxbyz.theory.proofs.wanted import stored
from jaxbyz.theory.rosdhb.guarantees import RoSDHBGuarantee
from jaxbyz.theory.rosdhb.parameters import check_problem


class Proved(NamedTuple):
    """One certificate of the package."""

    name: str
    c: Fraction
    coupling: Fraction  # a
    kappa_b_squared: Fraction  # w
    floor: Fraction  # C
    rows: Rows

    def rate(self, share: Fraction, ratio: Fraction) -> Fraction:
        """The factor of D0/(γT) at x = cγLd/k and s = k/d: cf + 2 max(p22, 0)."""
        return rate_at(rosdhb, self.rows, (share, ratio))


@functools.cache
def certificates() -> tuple[Proved, ...]:
    """Those of RoSDHB, by name; each is verified by the audit and in the tests."""
    found = []
    for name, record in stored():
        if record["method"] == rosdhb.NAME:
            _, constants, rows = read(record)
            c, coupling, bound, floor = (constants[key] for key in rosdhb.CONSTANTS)
            found.append(Proved(name, c, coupling, bound, floor, rows))
    return tuple(found)


def _above(number: Fraction) -> float:
    """The least float that is not below; ∞ if all are.

    >>> Fraction(_above(Fraction(1, 3))) > Fraction(1, 3) > Fraction(_below(Fraction(1, 3)))
    True
    """
    if number > Fraction(sys.float_info.max):
        return math.inf
    near = float(number)
    return near if Fraction(near) >= number else math.nextafter(near, math.inf)


def _below(number: Fraction) -> float:
    """The largest finite float that is not above a number ≥ 0."""
    if number > Fraction(sys.float_info.max):
        return sys.float_info.max
    near = float(number)
    return near if Fraction(near) <= number else math.nextafter(near, 0.0)


def theorem_c(
    smoothness: float,
    ratio: float,
    *,
    kappa: float,
    b_squared: float,
    g_squared: float,
    c: float | None = None,
    step_size: float | None = None,
) -> RoSDHBGuarantee:
    """Theorem C: any γ ≤ k/(dcL), β² = 1 - aγL, with (a, c), rate and floor of a certificate.

    Proved by machine, for every d, k, n, f and rule; see `checker.certificates.rosdhb`. Of all
    certificates with κB² ≤ w it takes the one that needs the fewest rounds at the largest step
    size: the least c · rate. No float is on the wrong side of its theorem: `step_size` is not above
    k/(dcL), `rate`, `floor` and `kappa_g_squared` are not below theirs; β is right to rounding.
    Derived here.

    The factor of D0/T is 0.39 (κB² = 0), 0.30 (1/8) and 0.27 (1/7) of that of Theorem B, 0.37
    at 0.15 and 0.29 at 1/5. Theorem B ends at κB² = 4/15, the certificates at 1/2.

    Args:
        smoothness: L > 0 of the average honest loss.
        ratio: k/d in (0, 1], exactly: with ratio·d not whole, RoSDHB sends fewer coordinates.
        kappa: κ ≥ 0 of the aggregation rule.
        b_squared: B² ≥ 0.
        g_squared: G² ≥ 0.
        c: only certificates with this c, 23200 for instance; None: any.
        step_size: γ in (0, k/(dcL)]; None: the largest.

    Raises:
        ValueError: an argument outside its range; no certificate is for so large a κB², or for c.

    >>> promise = theorem_c(1.0, 0.1, kappa=0.125, b_squared=1.0, g_squared=1.0)
    >>> promise.rate / promise.step_size * 0.1 < 25, promise.floor < 4  # Theorem B: 75.3, 7.06
    (True, True)
    """
    check_problem(smoothness, ratio, kappa, b_squared, g_squared)
    known = [one for one in certificates() if c is None or one.c == c]
    if not known:
        there = sorted({float(one.c) for one in certificates()})
        raise ValueError(f"c must be one of {there}, got {c!r}")
    needed = Fraction(kappa) * Fraction(b_squared)
    fitting = [one for one in known if needed <= one.kappa_b_squared]
    if not fitting:
        most = max(one.kappa_b_squared for one in known)
        near = ", above it as a fraction" if _below(needed) <= most else ""
        raise ValueError(f"kappa b_squared must be <= {most}, got {float(needed)!r}{near}")
    share = Fraction(ratio)
    best = min(fitting, key=lambda one: one.c * one.rate(Fraction(1), share))
    largest = _below(share / (best.c * Fraction(smoothness)))
    step = largest if step_size is None else float(step_size)
    checks.interval("step_size", step, 0, largest, closed="right")
    x = Fraction(step) * Fraction(smoothness)
    momentum = math.sqrt(1 - best.coupling * x)
    return RoSDHBGuarantee(
        theorem=f"RoSDHB, Theorem C ({best.name})",
        provenance=Provenance.DERIVED,
        step_size=step,
        ratio=ratio,
        momentum=momentum,
        one_minus_momentum=float(best.coupling * x) / (1 + momentum),
        rate=_above(best.rate(best.c * x / share, share)),
        floor=_above(best.floor),
        kappa_g_squared=_above(Fraction(kappa) * Fraction(g_squared)),
    )
