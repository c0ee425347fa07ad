"""Changes of the rows whose effect on the result of a rule is known: the equivariances."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxbyz.testing.report import Battery, Case
from jaxbyz.testing.rule_evaluation import Evaluated


class Change(NamedTuple):
    """A change of the rows whose effect on the result is known."""

    name: str
    says: str
    rows: np.ndarray  # [m, n, d] changed
    value: Callable[[np.ndarray], np.ndarray]  # result [m, d] -> what it should become
    written: str = "value"  # the same in the reproducer
    given: Mapping[str, Any] = {}  # and the arrays that it needs
    columns: int | None = None  # how many of the result's are known


def _permuted(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[Change]:
    order = np.roll(random.permutation(rows.shape[1]), 1)
    for says, places in (("shuffled", order), ("reversed", np.arange(rows.shape[1])[::-1])):
        yield Change("permutation", f"rows {says}", rows[:, places], lambda value: value)


def _translated(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[Change]:
    shift = 3 * random.normal(size=rows.shape[2])
    yield Change(
        "translation",
        "rows moved",
        rows + shift,
        lambda value: value + shift,
        "value + shift",
        {"shift": shift},
    )


def _scaled(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[Change]:
    end = int(0.8 * limits.maxexp)
    for factor in (2.0**10, 3.7, 2.0**-7, 2.0**end, 2.0**-end):
        yield Change(
            "scale",
            f"rows times {factor:g}",
            rows * factor,
            partial(np.multiply, factor),
            f"value * {factor}",
        )


def _turned(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[Change]:
    q, _ = np.linalg.qr(random.normal(size=(rows.shape[2], rows.shape[2])))
    yield Change(
        "orthogonal", "rows turned", rows @ q, lambda value: value @ q, "value @ q", {"q": q}
    )


def _recolumned(rows: np.ndarray, limits: Any, random: np.random.Generator) -> Iterator[Change]:
    changed = rows.copy()
    changed[:, :, 1:] = 10 * random.normal(size=changed[:, :, 1:].shape)
    yield Change("coordinate-local", "other columns", changed, lambda value: value, columns=1)


CHANGES = {
    "permutation": _permuted,
    "translation": _translated,
    "scale": _scaled,
    "orthogonal": _turned,
    "coordinate-local": _recolumned,
}
EQUIVARIANCES = tuple(CHANGES)


def check_equivariance(
    battery: Battery, before: Evaluated, after: Evaluated, change: Change, rounding: float
) -> None:
    """The result has changed as the rows have."""
    columns = slice(change.columns)
    expected = change.value(before.value)
    error = np.linalg.norm((after.value - expected)[:, columns], axis=1)
    size = np.maximum(
        np.linalg.norm(after.rows.astype(np.float64), axis=2).max(axis=1),
        np.linalg.norm(expected, axis=1),
    )
    cases = [
        Case(f"{case.name}, and {change.says}", {**case.arrays, "changed": rows, **change.given})
        for case, rows in zip(before.cases(), after.rows, strict=True)
    ]
    part = ":" if change.columns is None else f":{change.columns}"
    code = f"""
value, found = (np.asarray(aggregate(x).value, np.float64) for x in (rows, changed))
expected = {change.written}
assert distance(found[{part}], expected[{part}]) <= ALLOWED
"""
    both = before.settled & after.settled
    battery.judge(
        change.name,
        [case for case, yes in zip(cases, both, strict=True) if yes],
        error[both],
        (rounding * size)[both],
        f"{rounding:.2g} of the largest row, for rounding",
        code,
    )
