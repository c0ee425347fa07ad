"""Timing things side by side: the machine is noisy, so what counts is ratios within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax

ALONE = 0.1  # seconds


class Timing(NamedTuple):
    """Seconds of one contestant, and its ratio to the first one, round by round."""

    name: str
    median: float
    low: float  # lower quartile
    high: float  # upper quartile
    ratio: float  # median over rounds of (its time / time of the first contestant)
    ratio_low: float
    ratio_high: float


def race(contestants: dict[str, Callable[[], object]], repeats: int = 21) -> list[Timing]:
    """Run all contestants in turn, again and again; the first one is what others are measured by.

    A contestant returns its arrays, which are waited for. One round to warm up is not counted.
    The threads of a library (OpenMP, BLAS, XLA) wait busily for some milliseconds after a call,
    where they take a core from the next contestant, and then sleep, from which they wake slowly.
    So before every call that counts the same contestant is called for some time without counting:
    each is measured as it runs in a loop of its own.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, function in contestants.items():
            started = time.perf_counter()
            while time.perf_counter() - started < ALONE:
                jax.block_until_ready(function())
            began = time.perf_counter()
            jax.block_until_ready(function())
            if turn:
                times[name].append(time.perf_counter() - began)
    first = times[next(iter(times))]
    results = []
    for name, spent in times.items():
        ratios = [own / reference for own, reference in zip(spent, first, strict=True)]
        low, median, high = statistics.quantiles(spent, n=4)
        results.append(Timing(name, median, low, high, *_middle(ratios)))
    return results


def _middle(values: list[float]) -> tuple[float, float, float]:
    low, median, high = statistics.quantiles(values, n=4)
    return median, low, high


def table(title: str, timings: list[Timing]) -> str:
    """Milliseconds (median, quartiles) and ratios (median, quartiles)."""
    lines = [title, f"  {'':<34}{'ms':>9}  {'quartiles':<19}{'ratio':>8}  quartiles"]
    for t in timings:
        spread = f"{1e3 * t.low:.2f} … {1e3 * t.high:.2f}"
        lines.append(
            f"  {t.name:<34}{1e3 * t.median:>9.2f}  {spread:<19}{t.ratio:>8.2f}  "
            f"{t.ratio_low:.2f} … {t.ratio_high:.2f}"
        )
    return "\n".join(lines)
