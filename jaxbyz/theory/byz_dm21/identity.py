"""The identity behind the certificates of error feedback, in rational numbers.

It is that of `checker.certificates.error_feedback`, with the matrices Q and S of the verifier
itself; there the symbols are. The left side is computed from the algorithms' own steps: models,
momenta, messages. Free are all vectors: gradients before and after, the momenta, the noise and the
error of the compressor for every worker and outcome, the error of the rule; the new loss; and all
constants and multipliers. Noise has three outcomes, whose mean is 0 for every worker. Nothing else
of its law enters. For fixed sizes and cleared of denominators both sides are sums of products of at
most 60 of these numbers, which are drawn from 10^6 values each. Two different polynomials of degree
60 agree at such a point with probability at most 60/10^6 (Schwartz-Zippel), at three points
3·10^-13. L = 1: all terms scale. Derived here.
"""

import random
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

from jaxbyz.theory.checker.certificates import byz_dm21, byz_ef21, byz_ef21_sgdm, byz_vr_dm21
from jaxbyz.theory.checker.rationals import (
    Rows,
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
ZERO = Fraction(0)
WORKERS, DIMENSIONS, OUTCOMES = 3, 2, 3
SEEDS = 3
METHODS: dict[str, ModuleType] = {
    method.NAME: method for method in (byz_ef21, byz_ef21_sgdm, byz_dm21, byz_vr_dm21)
}


def _pairs(one: Callable[..., Any], rows: Rows, others: Rows) -> Rows:
    return [one(row, other) for row, other in zip(rows, others, strict=True)]


def _moved(
    method: ModuleType, eta: Fraction, first: Rows, second: Rows, old: Rows, new: Rows,
    noise: Rows, stale: Rows,
) -> tuple[Rows, Rows]:  # fmt: skip
    """v⁺ and u⁺: from v and u, the gradients before and after, the noise of one sample at both."""
    if not method.RECURSION.momenta:
        return new, new
    fresh = _pairs(plus, new, noise)
    if method.RECURSION.recursive:
        before = _pairs(plus, old, stale)
        kept = [times(1 - eta, minus(v, s)) for v, s in zip(first, before, strict=True)]
        v = _pairs(plus, fresh, kept)
    else:
        v = [plus(times(1 - eta, a), times(eta, b)) for a, b in zip(first, fresh, strict=True)]
    if method.RECURSION.momenta == 1:
        return v, v
    return v, [plus(times(1 - eta, a), times(eta, b)) for a, b in zip(second, v, strict=True)]


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

        self.recursion = method.RECURSION
        self.constants = {name: number() for name in method.CONSTANTS}
        self.multipliers = {name: number() for name in method.MULTIPLIERS}
        self.weights = {"c1": ZERO, "c2": ZERO, "b1": ZERO, "b2": ZERO} | self.multipliers
        self.point = {name: number() for name in method.VARIABLES}
        self.alpha = self.point["α"]
        self.speed = Fraction(1)  # η/α
        if self.recursion.momenta:
            self.speed = self.constants["ratio"] * self.point["z"]
        self.eta = self.speed * self.alpha
        self.part = self.point["y"] / self.constants["c"]  # γ/η
        self.step = self.part * self.eta
        self.loss, self.new_loss, self.error = number(), number(), vector()
        self.old, self.bent, self.sent = rows(), rows(), rows()  # ∇f_i, r_i, g_i
        self.new = _pairs(plus, self.old, [times(self.step, row) for row in self.bent])
        self.v = rows() if self.recursion.momenta else self.old
        self.u = rows() if self.recursion.momenta > 1 else self.v
        # Of each outcome: noise of the sample at x⁺ and at x, and π⁺.
        fresh, stale = (
            [list(row) for row in zip(*map(centred, (rows(), rows(), rows())), strict=True)]
            for _ in "+-"
        )
        self.outcomes = [(fresh[k], stale[k], rows()) for k in range(OUTCOMES)]

    def lyapunov(self, loss: Fraction, old: Rows, v: Rows, u: Rows, sent: Rows) -> Fraction:
        """V."""
        inner = self.multipliers["a"] / self.alpha * mean_square(_pairs(minus, sent, u))
        for one, name in ((_pairs(minus, v, old), "c"), (_pairs(minus, u, v), "b")):
            split = self.weights[f"{name}1"] * square(mean(one))
            split += self.weights[f"{name}2"] * mean_square(centred(one))
            inner += split / self.eta
        return self.multipliers["cf"] * loss + self.step * inner

    def noise_weights(self) -> list[Fraction]:
        """m1, m2."""
        sent = self.multipliers["a"] * self.speed * (1 - self.alpha)
        if self.recursion.momenta < 2:
            return [self.weights[f"c{j}"] + sent for j in (1, 2)]
        kept = (1 - self.eta) ** 2
        return [
            self.weights[f"c{j}"] + kept * self.weights[f"b{j}"] + sent * self.eta**2
            for j in (1, 2)
        ]

    def omega(self, noise: Rows, stale: Rows) -> Rows:
        """ω_i of one outcome."""
        if not self.recursion.recursive:
            return noise
        more = times_each((1 - self.eta) / self.eta, _pairs(minus, noise, stale))
        return _pairs(plus, noise, more)


def times_each(scale: Fraction, rows: Rows) -> Rows:
    """A multiple of every row."""
    return [times(scale, row) for row in rows]


def both_sides(
    method: ModuleType, seed: int, matrices: Callable[..., Any] | None = None
) -> tuple[Fraction, Fraction]:
    """Left and right side of the identity at a random instance; `matrices` may be wrong ones."""
    at = Instance(method, seed)
    p, known, step, kappa = at.multipliers, at.constants, at.step, at.constants["kappa"]
    found = (matrices or method.matrices)(
        {name: Exact(value) for name, value in known.items()},
        {name: Exact(value) for name, value in p.items()},
        [Exact(value) for value in at.point.values()],
    )
    g, direction = mean(at.old), plus(mean(at.sent), at.error)
    errors = {
        "δ": _pairs(minus, at.v, at.old),
        "χ": _pairs(minus, at.u, at.v),
        "π": _pairs(minus, at.sent, at.u),
    }
    present = [errors[name] for name in at.recursion.errors]
    right = products(found["Q"], [g, *map(mean, present), at.error, mean(at.bent)])
    deviations = [centred(part) for part in (at.old, *present, at.bent)]
    for i in range(WORKERS):
        right += products(found["S"], [part[i] for part in deviations]) / WORKERS
    smooth = at.loss - step * dot(g, direction) + step**2 / 2 * square(direction) - at.new_loss
    right += p["cf"] * smooth / step + p["l"] * (square(direction) - square(mean(at.bent)))
    right += p["k"] * (known["growth"] * square(direction) - mean_square(at.bent))
    right += p["tau"] * (kappa * mean_square(centred(at.sent)) - square(at.error))
    left = at.lyapunov(at.loss, at.old, at.v, at.u, at.sent) / step
    left -= (1 + known["C"] * known["kappa_b_squared"]) * square(g)
    left += known["C"] * kappa * mean_square(centred(at.old))
    m1, m2 = at.noise_weights()
    if at.recursion.recursive:
        spent = (m1 + m2) * (1 - at.eta) ** 2 * known["sample"]  # n
        left -= 2 * spent * at.part * step * square(direction)
    for noise, stale, kick in at.outcomes:
        v, u = _moved(method, at.eta, at.v, at.u, at.old, at.new, noise, stale)
        sent = _pairs(plus, u, kick)  # π⁺ added
        left -= at.lyapunov(at.new_loss, at.new, v, u, sent) / step / OUTCOMES
        contraction = (1 - at.alpha) * mean_square(_pairs(minus, u, at.sent)) - mean_square(kick)
        right += p["a"] / at.alpha * contraction / OUTCOMES
        if at.recursion.momenta:
            omega = at.omega(noise, stale)
            split = m1 * square(mean(omega)) + m2 * mean_square(centred(omega))
            left += at.eta * split / OUTCOMES
    return left, right


def exact_identity(
    name: str,
    both: Callable[[int], tuple[Any, Any]],
    *,
    statement: str,
    source: str,
    unconditional: str,
) -> Claim:
    """An identity as a claim: both sides at random rational instances, one for each seed.

    Its sides are 1 + |left - right| and 1, so that left ≤ right is equality.
    """

    def sides(seed: int) -> tuple[Fraction, int]:
        left, right = both(seed)
        return 1 + abs(left - right), 1

    return Claim(
        paper="byz_dm21",
        name=f"C/identity, {name}",
        title="the identity behind the certificates",
        statement=statement,
        provenance=Provenance.DERIVED,
        source=source,
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional=unconditional,
        subject=Cases(
            f"{SEEDS} random rational instances; left = right exactly",
            tuple(range(SEEDS)),
            exact=True,
        ),
        tight_from=None,
    )


def identity_claim(name: str, matrices: Callable[..., Any] | None = None) -> Claim:
    """The identity of a method as a claim; `matrices` plants errors."""
    return exact_identity(
        name,
        lambda seed: both_sides(METHODS[name], seed, matrices),
        statement="(V - E V⁺)/γ - (1+Cw)‖p‖² + Cκ|ν|² + noise = ⟨Q, ·⟩ + ⟨S, ·⟩ + terms ≥ 0",
        source="derived here: certificates of error feedback",
        unconditional="an identity between any numbers; of noise its mean alone enters",
    )


IDENTITIES = tuple(identity_claim(name) for name in METHODS)
