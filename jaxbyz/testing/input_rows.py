"""Rows on which aggregation rules are tried: ordinary, spoilt, equal, and the worst that is known.

Every function gives (name, rows [n, d]) pairs in float64. A rule does not know which rows are
Byzantine, so the worst instances may be held against every set of n-f rows.
"""

import itertools
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxbyz.testing.any_size import of_any_size
from jaxbyz.testing.equivariances import CHANGES, EQUIVARIANCES, Change
from jaxbyz.testing.rule_evaluation import stacked, stacked_and_marked

Named = Iterator[tuple[str, np.ndarray]]


def ordinary(n: int, d: int, random: np.random.Generator) -> Named:
    """Gaussian, heavy-tailed, of unequal lengths, and far from the origin: without ties."""
    for i in range(3):
        yield f"Gaussian rows {i}", random.normal(size=(n, d))
        yield f"heavy-tailed rows {i}", random.standard_t(2, size=(n, d))
        lengths = random.lognormal(size=(n, 1))
        yield f"rows of unequal lengths {i}", lengths * random.normal(size=(n, d))
        yield f"rows far from 0, {i}", random.normal(size=(n, d)) + 5 * random.normal(size=d)


def spoilt(
    n: int, f: int, d: int, limits: np.finfo, random: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """f rows that are not finite, or at the ends of the range: (name, rows, which ones [n])."""
    inf, nan, largest = np.inf, np.nan, float(limits.max)
    root = largest**0.5
    kinds = {
        "NaN": [nan],
        "+Inf": [inf],
        "-Inf": [-inf],
        "NaN, +Inf and -Inf": [nan, inf, -inf, 1.0],
        "one NaN": [0.0] * (d - 1) + [nan],
        "one -Inf": [-inf] + [0.0] * (d - 1),
        "the largest number": [largest],
        "the largest number with both signs": [largest, -largest],
        "a third of the largest number": [largest / 3, 0.0],
        "the root of the largest number": [root, -root, 1.0],
        "1e38": [min(1e38, largest)],
        "1e19": [min(1e19, largest / 2)],
        "the smallest normal number": [float(limits.tiny)],
        "the smallest denormal number": [float(limits.smallest_subnormal)],
    }
    entries = {name: np.resize(kind, d) for name, kind in kinds.items()}
    good = random.normal(size=(n, d))
    places = {
        "first": list(range(f)),
        "last": list(range(n - f, n)),
        "spread": sorted({(1 + i * (n - 1) // max(f, 1)) % n for i in range(f)}),
    }
    for where, chosen in places.items():
        marked = np.isin(np.arange(n), chosen)
        for (name, kind), (other, second) in zip(
            entries.items(),
            itertools.islice(itertools.cycle(entries.items()), 1, None),
            strict=False,
        ):
            rows = good.copy()
            rows[chosen] = kind
            yield f"{f} rows ({where}) of {name}", rows, marked
            if f > 1:
                rows = rows.copy()
                rows[chosen[1::2]] = second
                yield f"{f} rows ({where}) of {name} and of {other}", rows, marked


def crowded(n: int, f: int, d: int, random: np.random.Generator) -> Named:
    """More than f rows that are not finite, up to all."""
    good = random.normal(size=(n, d))
    mixed = np.resize([np.nan, np.inf, -np.inf, 0.0], d)
    for count in range(f + 1, n + 1):
        for where, name, kind in (
            (slice(count), "NaN", np.nan),
            (slice(n - count, n), "+Inf", np.inf),
            (slice(count), "mixed", mixed),
        ):
            rows = good.copy()
            rows[where] = kind
            yield f"{count} of {n} rows {name}, declared {f}", rows


def equal(n: int, d: int, limits: np.finfo, random: np.random.Generator) -> Named:
    """n copies of one row, of any size."""
    base = np.sign(random.normal(size=d))
    for name, vector in {
        "0": np.zeros(d),
        "a Gaussian row": random.normal(size=d),
        "a row of unequal entries": base * np.geomspace(1e-6, 1e6, d),
        "a row of size 1e30": base * min(1e30, float(limits.max) ** 0.8),
        "a row of size 1e-30": base * max(1e-30, float(limits.tiny) * 2**10),
    }.items():
        yield f"{n} copies of {name}", np.tile(vector, (n, 1))


def lopsided(n: int, f: int, d: int, random: np.random.Generator) -> Named:
    """n-f copies of 0 and f of another row, which a finite κ forces to lose."""
    for size in (1e-3, 1.0, 1e3):
        v = size * random.normal(size=d)
        yield f"{n - f} rows 0 after {f} rows of size {size:g}", _stack((f, v), (n - f, 0 * v))
        yield f"{n - f} rows 0 before {f} rows of size {size:g}", _stack((n - f, 0 * v), (f, v))


def _stack(*groups: tuple[int, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.tile(row, (count, 1)) for count, row in groups])


def adversarial(n: int, f: int, d: int, kappa: float, random: np.random.Generator) -> Named:
    """Rows on which rules come near to their κ, as they are and disturbed.

    Zeros and copies: n-f zeros and f copies of v, of which every n-f hold n-2f zeros at least.
    Tight for the trimmed mean: per coordinate h-t honest values 0, t values 1 and f beyond, where
    κ = h/t - 1 with h = n-f; t = n-2f is the least κ of all rules.
    """
    signs = np.resize([1.0, -1.0], d)
    h = n - f
    for i in range(2):
        copies = _stack((n - f, np.zeros(d)), (f, random.normal(size=d)))
        yield f"zeros and copies {i}", copies
        for ones in sorted({n - 2 * f, round(h / (1 + kappa)), 1}):
            values = np.array([0.0] * (h - ones) + [1.0] * ones)
            for beyond in (1.0, 1.5, 8.0):
                columns = [random.permutation(values) if i else values for _ in range(d)]
                honest = np.stack(columns, axis=1) + 0.02 * i * random.normal(size=(h, d))
                rows = np.concatenate([honest, np.full((f, d), beyond)]) * signs
                yield f"{ones} of {h} values 1, {f} values {beyond:g}, disturbed {i}", rows
    for i in range(3):
        rows = random.normal(size=(n, d)) + 1
        rows[:f] *= -4
        yield f"Gaussian rows with {f} turned round, {i}", rows
    half = (np.arange(n) < (n + 1) // 2)[:, None]
    yield "two clusters", half * signs + 0.1 * random.normal(size=(n, d))
    yield "two clusters of equal rows", half * signs


class Inputs(NamedTuple):
    """What a rule is tried on."""

    groups: dict[str, tuple[list[str], np.ndarray]]  # kind -> names, rows [m, n, d]
    spoilt: np.ndarray  # [m, n] bool: the Byzantine rows of the group "spoilt"
    forged: np.ndarray  # [m, n] bool: the Byzantine rows of the group "any size"
    changes: dict[str, list[Change]]  # equivariance -> changes of the group "ordinary"


def all_inputs(
    n: int,
    f: int,
    d: int,
    limits: Any,
    random: np.random.Generator,
    seed: int,
    kappa: float | None,
    equivariances: Collection[str],
) -> Inputs:
    """All of them; the order of these lines is that of the random numbers."""
    names, rows = stacked(ordinary(n, d, random))
    *damaged, marked = stacked_and_marked(spoilt(n, f, d, limits, random))
    nobody = ("nobody is Byzantine", np.zeros((n, d)), np.zeros(n, bool))
    any_size = of_any_size(n, f, d, limits, np.random.default_rng(seed)) if f else [nobody]
    *large, forged = stacked_and_marked(any_size)
    changes = {
        name: list(CHANGES[name](rows, limits, random)) if name in equivariances else []
        for name in EQUIVARIANCES
    }
    assumed = kappa if kappa else f / (n - 2 * f)
    groups = {
        "ordinary": (names, rows),
        "spoilt": (damaged[0], damaged[1]),
        "crowded": stacked(crowded(n, f, d, random)),
        "equal": stacked(equal(n, d, limits, random)),
        "lopsided": stacked(lopsided(n, f, d, random)),
        "adversarial": stacked(adversarial(n, f, d, assumed, random)),
        "any size": (large[0], large[1]),
    }
    for several in changes.values():
        groups |= {change.says: (names, change.rows) for change in several}
    return Inputs(groups, marked, forged, changes)
