"""Finite rows of any size: what f Byzantine rows do to a result, from 10³ to the largest number.

A number that is not NaN or Inf passes every filter for such numbers, and yet its square may
overflow, or stand beside honest numbers that vanish next to it. So rules are asked with forged rows
of every size, in every arrangement, and near and far from the origin.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxbyz.testing.report import Battery
from jaxbyz.testing.rule_evaluation import Evaluated

NAME = "bounded by the honest rows, whatever f finite rows are"
OFFSETS = (0.0, 1e4, 1e8)
Bound = Callable[[np.ndarray], np.ndarray]  # honest rows [m, h, d] -> [m] distances from their mean


def sizes(limits: Any) -> list[float]:
    """10³, 10⁶, … and the largest number; in steps of 10³⁰ beyond 10³⁹.

    >>> [f"{size:.1g}" for size in sizes(np.finfo("float16"))]
    ['1e+03', '7e+04']
    """
    largest = float(limits.max)
    exponents = [*range(3, 39, 3), *range(39, 309, 30)]
    return [10.0**e for e in exponents if 10.0**e < largest] + [largest]


def forged(f: int, d: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrangements of f rows [f, d] with largest entry at most 1, by name."""
    direction = random.normal(size=d)
    direction /= np.abs(direction).max()
    signs = np.where(np.arange(f) % 2 == 0, 1.0, -1.0)[:, None]
    axis = np.zeros(d)
    axis[0] = 1.0
    scattered = random.normal(size=(f, d))
    return {
        "equal": np.tile(direction, (f, 1)),
        "one per cent apart": np.clip(direction * (1 - 0.01 * random.random((f, 1))), -1, 1),
        "opposite": signs * direction,
        "along one axis": np.linspace(0.5, 1, f)[:, None] * axis,
        "in all directions": scattered / np.abs(scattered).max(),
        "each a thousandth of the one before": scattered
        / np.abs(scattered).max(axis=1, keepdims=True)
        * 1e-3 ** np.arange(f)[:, None],
    }


def of_any_size(
    n: int, f: int, d: int, limits: Any, random: np.random.Generator, every: bool = False
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, rows [n, d], which are Byzantine [n]), for every size.

    Offsets and numbers of forged rows take turns, unless `every` combination is asked for. An
    offset at which rows of size 1 cannot be told apart in this kind of number is left out.
    """
    offsets = [o for o in OFFSETS if o * float(limits.eps) < 0.1]
    counts = sorted({1, f})
    settings = list(itertools.product(offsets, counts))
    turn = 0
    for size in sizes(limits):
        for name in forged(f, d, random):
            for offset, count in settings if every else [settings[turn % len(settings)]]:
                forms = forged(count, d, random)
                places = random.permutation(n)[:count]
                rows = random.normal(size=(n, d)) + offset
                rows[places] = size * forms[name]
                marked = np.isin(np.arange(n), places)
                yield (
                    f"{count} rows of size {size:.2g}, {name}, others near {offset:g}",
                    rows,
                    marked,
                )
            turn += 1
        if f > 1:
            # A row that is replaced stands near the middle, and must not make the others look far.
            places = random.permutation(n)[:f]
            rows = random.normal(size=(n, d)) * 10.0 ** random.integers(-6, 6, size=(n, 1))
            rows[places] = size
            rows[places[0]] = np.nan
            marked = np.isin(np.arange(n), places)
            yield f"a row of NaN, {f - 1} of {size:.2g}, others of unequal sizes", rows, marked


def diameters(honest: np.ndarray) -> np.ndarray:
    """Largest distance between rows, [m, h, d] -> [m]."""
    return np.linalg.norm(honest[:, :, None] - honest[:, None], axis=-1).max(axis=(1, 2))


def some_honest(marked: np.ndarray, f: int) -> np.ndarray:
    """The first n-f rows that are not marked [m, n], [m, n] bool."""
    return ~marked & ((~marked).cumsum(axis=1) <= marked.shape[1] - f)


def moved(
    rows: np.ndarray, value: np.ndarray, honest: np.ndarray, bound: Bound, rounding: float
) -> tuple[np.ndarray, np.ndarray]:
    """‖R - x̄_S‖ of rows [m, n, d] and results [m, d], and what is allowed, both [m]."""
    chosen = rows[honest].reshape(len(rows), -1, rows.shape[2]).astype(np.float64)
    error = np.linalg.norm(value - chosen.mean(axis=1), axis=1)
    # What the honest rows themselves, and their sums, are rounded to.
    slack = rounding * (1 + np.linalg.norm(chosen, axis=2).max(axis=1))
    return error, bound(chosen) * (1 + rounding) + slack


def judge_sizes(
    battery: Battery, group: Evaluated, marked: np.ndarray, f: int, bound: Bound, rounding: float
) -> None:
    """‖R - x̄_S‖ ≤ bound for S of n-f honest rows."""
    honest = some_honest(marked, f)
    error, allowed = moved(group.rows, group.value, honest, bound, rounding)
    code = "assert distance(aggregate(rows).value, rows[honest].mean(axis=0)) <= ALLOWED"
    reason = "a bound by the honest rows alone, and rounding"
    battery.judge(NAME, group.cases(honest=honest), error, allowed, reason, code)
