"""Inequalities between numbers behind Theorems A and B: (c1), (c2), (c2') and N ≤ 1 - q.

Derived here. Theorem A, with β as the variable (24x = 1-β², ca x = v ≤ 1): the two bounds on ω read

    ω(a-1) ≤ 12/c       iff at v = 1   12 ≤ c(1+β)
    ω²(a-1)/x ≤ 144/c   iff at v = 1   3+β ≤ (c/6)(1+β)

so that they hold for every c ≥ 18; c ≥ 24 is needed only for 1-24x ≥ 0 at a = 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.claims import Budget, Check, Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.conditions import in_unit_interval, positive
from jaxbyz.theory.engines import judge, measure, sampled, searched
from jaxbyz.theory.reports import Report
from jaxbyz.theory.rosdhb.parameters import theorem_a
from jaxbyz.theory.rosdhb.states import Parameters, bound_terms

__all__ = [
    "CONSTANTS",
    "constants_a",
    "constants_a_doubled",
    "constants_b",
    "constants_b_doubled",
    "gridded",
    "table_a",
]

SOURCE = "derived here: constants of Theorems A and B"
# 1 - β²(1+p) of size x ≥ 1e-6 is formed from numbers of size 1.
CANCELLATION = 1e-8


def gridded(values: Sequence[float] = (-9.0, -3.0, 0.0, 3.0, 9.0)) -> Check:
    """A check at all points of a grid of free numbers: the corners of the box and its inside."""

    def check(claim: Claim, budget: Budget) -> Report:
        del budget

        def find() -> tuple[float, Any, str]:
            worst, where, points = -np.inf, None, 0
            for family in claim.families:
                grid = jnp.asarray(list(itertools.product(values, repeat=family.size)), float)
                found = jax.jit(jax.vmap(lambda z, f=family: measure(claim, f.make(z))))(grid)
                found = np.asarray(found)
                best = int(np.argmax(np.where(np.isnan(found), np.inf, found)))
                points += len(grid)
                if where is None or not found[best] <= worst:
                    worst, where = float(found[best]), family.make(grid[best])
            return worst, where, f"{points} points of a grid"

        return judge(claim, "grid", find, tolerance=CANCELLATION)

    return check


class BoxA(NamedTuple):
    """One point of the hypotheses of Theorem A."""

    c: jax.Array  # ≥ 24
    inflation: jax.Array  # a ≥ 1
    share: jax.Array  # v = cax in (0, 1]
    s: jax.Array
    rho: jax.Array
    kappa_b_squared: jax.Array

    def parameters(self) -> Parameters:
        """With L = 1 and κ = 1."""
        x = self.share / (self.c * self.inflation)
        fresh = 24 * x / (1 + jnp.sqrt(jnp.maximum(1 - 24 * x, 0.0)))
        weight, one = (1 + self.s) / (24 - self.rho), jnp.ones_like(x)
        return Parameters(
            one, x, fresh, self.inflation, one, self.kappa_b_squared, self.s, self.rho * x, weight
        )


def _box_a(defaults: bool, least_c: float = 24.0) -> Family:
    def make(z: jax.Array) -> BoxA:
        sigmoid = jax.nn.sigmoid
        c = least_c * jnp.exp(5 * sigmoid(z[0]))  # up to 3600
        a = jnp.exp(5 * sigmoid(z[1]))
        share = 0.01 + 0.99 * sigmoid(z[2])
        one = jnp.ones_like(c)
        if defaults:
            s, rho = one, 2 * one
            # κB² up to the edge of q > 0.
            most = jnp.maximum((1 - 144 / (11 * c)) / (2 + 24 / c), 0.0)
            return BoxA(c, a, share, s, rho, most * sigmoid(z[3]))
        rho = 0.1 + 23.8 * sigmoid(z[3])
        most_s = rho * (24 - rho) * (1 - 1 / c) - 1
        return BoxA(c, a, share, most_s * (0.001 + 0.999 * sigmoid(z[4])), rho, sigmoid(z[5]))

    name = "box of Theorem A" + (", default weights" if defaults else "")
    return Family(name, 4 if defaults else 6, make)


def _c1(setting: Parameters) -> tuple[jax.Array, jax.Array]:
    _, x, fresh, *_, s, p, weight = setting
    return (1 + s) * x, weight * (1 - (1 - fresh) ** 2 * (1 + p))


def _c2(setting: Parameters, most: float) -> tuple[jax.Array, jax.Array]:
    """1 - r ≤ most."""
    rest = bound_terms(setting)[1]
    return 1 - rest, jnp.full_like(rest, most)


def _weights_fit(box: BoxA) -> jax.Array:
    """0 < ρ < 24, s > 0, A ≤ ρ(1-1/c), the last relative to its right side."""
    most = box.rho * (1 - 1 / box.c)
    room = 1 - (1 + box.s) / (24 - box.rho) / most
    return jnp.min(jnp.stack([positive(box.rho), positive(24 - box.rho), positive(box.s), room]))


def _hypotheses_a(least_c: float = 24.0) -> tuple[Hypothesis, ...]:
    """Those of Theorem A; `least_c` is the least c that a statement admits."""
    return (
        Hypothesis(f"c ≥ {least_c:g}", lambda box: box.c / least_c - 1),
        Hypothesis("a = d/k ≥ 1", lambda box: box.inflation - 1),
        Hypothesis("0 < γ ≤ k/(dcL)", lambda box: in_unit_interval(box.share)),
        Hypothesis("0 < ρ < 24, s > 0, A ≤ ρ(1-1/c)", _weights_fit),
        Hypothesis("κB² ≥ 0", lambda box: box.kappa_b_squared),
    )


def _spare_a(box: BoxA) -> jax.Array:
    """q ≥ 0, of terms of size 1."""
    spent = (1 + 1 / box.s) * box.kappa_b_squared * (1 + 12 / box.c)
    return 1 - 144 * (1 + box.s) / (24 - box.rho) / box.c - spent


def _hypotheses_b(most: float) -> tuple[Hypothesis, ...]:
    """Those of Theorem B, for κB² ≤ `most`."""
    return (
        Hypothesis("k/d in (0, 1]", lambda box: in_unit_interval(box.ratio)),
        Hypothesis("0 < γ ≤ k/(8dL)", lambda box: in_unit_interval(box.share)),
        Hypothesis(
            f"0 ≤ κB² ≤ {most:.6g}",
            lambda box: jnp.minimum(box.kappa_b_squared, 1 - box.kappa_b_squared / most),
        ),
    )


def _constants(
    name: str,
    title: str,
    statement: str,
    sides: Any,
    family: Family,
    hypotheses: tuple[Hypothesis, ...],
) -> Claim:
    return Claim(
        paper="rosdhb",
        name=name,
        title=title,
        statement=statement,
        provenance=Provenance.DERIVED,
        source=SOURCE,
        scope=Scope.CONSTANTS,
        sides=sides,
        families=(family,),
        hypotheses=hypotheses,
        checks=(sampled(CANCELLATION), gridded(), searched(CANCELLATION)),
    )


def constants_a(
    part: str, *, least_c: float = 24.0, first: float = 144.0, second: float = 12.0
) -> Claim:
    """Theorem A: (c1), (c2) or N ≤ 1 - q, as `part` says. The other arguments plant errors."""

    def noise(box: BoxA) -> tuple[jax.Array, jax.Array]:
        spent = (1 + 1 / box.s) * box.kappa_b_squared * (1 + second / box.c)
        setting = box.parameters()
        return bound_terms(setting)[0], first * setting.weight / box.c + spent

    statement, sides = {
        "c1": ("A[1-β²(1+ρx)] ≥ (1+s)x", lambda box: _c1(box.parameters())),
        "c2": ("r ≥ 0", lambda box: _c2(box.parameters(), 1.0)),
        "N": ("N ≤ 144A/c + (1+1/s)κB²(1+12/c)", noise),
    }[part]
    return _constants(
        f"A/{part}",
        f"Theorem A satisfies the master theorem's condition on {part}",
        f"c ≥ 24, x ≤ 1/(ca), A = (1+s)/(24-ρ) ≤ ρ(1-1/c): {statement}",
        sides,
        _box_a(False, least_c),
        _hypotheses_a(least_c),
    )


def _doubled(setting: Parameters) -> tuple[jax.Array, jax.Array]:
    """(c2') as left ≤ 1."""
    noise, rest, _ = bound_terms(setting)
    return 1 - rest + noise * setting.x * (1 + setting.x), jnp.ones_like(rest)


def constants_a_doubled() -> Claim:
    """Theorem A with default weights: (c2') wherever q > 0."""
    return _constants(
        "A/c2'",
        "(c2') under Theorem A with s = 1, ρ = 2",
        "q > 0 implies r - Nx(1+x) ≥ 0",
        lambda box: _doubled(box.parameters()),
        _box_a(True),
        (*_hypotheses_a(), Hypothesis("q > 0", _spare_a)),
    )


class BoxB(NamedTuple):
    """One point of the hypotheses of Theorem B."""

    ratio: jax.Array  # u = k/d in (0, 1]
    share: jax.Array  # v = 8ax in (0, 1]
    kappa_b_squared: jax.Array

    def parameters(self) -> Parameters:
        """With L = 1 and κ = 1."""
        u, one = self.ratio, jnp.ones_like(self.ratio)
        x = self.share * u / 8
        return Parameters(
            one, x, u / 4, 1 / u, one, self.kappa_b_squared, one, u / 10, 16 / 3 * x / u
        )


def _box_b(most: float) -> Family:
    def make(z: jax.Array) -> BoxB:
        u = 1e-4 + (1 - 1e-4) * jax.nn.sigmoid(z[0])
        v = 1e-3 + (1 - 1e-3) * jax.nn.sigmoid(z[1])
        return BoxB(u, v, most * jax.nn.sigmoid(z[2]))

    return Family("box of Theorem B", 3, make)


def constants_b(part: str, *, first: float = 1 / 3, second: float = 5 / 2) -> Claim:
    """Theorem B: (c1), r ≥ 1/6 or N ≤ 1 - q, as `part` says. The other arguments plant errors."""

    def noise(box: BoxB) -> tuple[jax.Array, jax.Array]:
        return bound_terms(box.parameters())[0], first + second * box.kappa_b_squared

    statement, sides = {
        "c1": ("A[1-β²(1+p)] ≥ 2x", lambda box: _c1(box.parameters())),
        "c2": ("r ≥ 1/6", lambda box: _c2(box.parameters(), 5 / 6)),
        "N": ("N ≤ 1/3 + (5/2)κB²", noise),
    }[part]
    return _constants(
        f"B/{part}",
        f"Theorem B satisfies the master theorem's condition on {part}",
        f"β = 1-k/(4d), x ≤ k/(8d), s = 1, p = k/(10d), A = (16/3)(d/k)x: {statement}",
        sides,
        _box_b(4 / 15),
        _hypotheses_b(4 / 15),
    )


def constants_b_doubled(most: float = 1 / 7) -> Claim:
    """Theorem B: (c2') for κB² ≤ 1/7."""
    return _constants(
        "B/c2'",
        "(c2') under Theorem B",
        "κB² ≤ 1/7 implies r - Nx(1+x) ≥ 0",
        lambda box: _doubled(box.parameters()),
        _box_b(most),
        _hypotheses_b(most),
    )


# c, and the factors of D0/(γT) and of κG² at κB² = 1/7, rounded up.
TABLE = ((24, 84.0, 115.5), (48, 5.8948, 6.7544), (23200, 3.0576, 2.8043))


def table_a(rows: Sequence[tuple[float, float, float]] = TABLE) -> Claim:
    """The printed constants of Theorem A are those of its formulas, rounded up."""

    def sides(instance: Any) -> tuple[jax.Array, jax.Array]:
        del instance
        left, right = [], []
        for c, rate, floor in rows:
            promise = theorem_a(1.0, 1.0, kappa=1 / 7, b_squared=1.0, g_squared=1.0, c=c)
            left += [promise.rate, promise.floor]
            right += [rate, floor]
        return jnp.asarray(left, float), jnp.asarray(right, float)

    def check(claim: Claim, budget: Budget) -> Report:
        del budget
        made: Callable[[], tuple[float, Any, str]] = lambda: (  # noqa: E731
            float(measure(claim, None)),
            None,
            f"{len(rows)} rows",
        )
        return judge(claim, "evaluation", made, tight=0.9999)

    return Claim(
        paper="rosdhb",
        name="A/table",
        title="constants of Theorem A at κB² = 1/7",
        statement="; ".join(f"c = {c}: {rate} D0/(γT) + {floor} κG²" for c, rate, floor in rows),
        provenance=Provenance.DERIVED,
        source=SOURCE,
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="printed numbers beside formulas at fixed arguments",
        checks=(check,),
    )


CONSTANTS = (
    *(constants_a(part) for part in ("c1", "c2", "N")),
    constants_a_doubled(),
    *(constants_b(part) for part in ("c1", "c2", "N")),
    constants_b_doubled(),
    table_a(),
)
