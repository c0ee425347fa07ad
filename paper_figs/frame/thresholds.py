"""When a curve first reaches a value: rounds or bits to an accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import jaxbyz as jb


def reached(history: jb.History, column: str, threshold: float, x: str = "round") -> np.ndarray:
    """The value of `x` at the first evaluation with column ≥ threshold, [S]; never: ∞.

    >>> history = jb.History(np.array([0, 5, 10]), {"a": np.array([[0.1, 0.9, 0.8], [0, 0, 0]])},
    ...                      np.zeros((2, 1)), np.arange(2), {})
    >>> reached(history, "a", 0.5).tolist()
    [5.0, inf]
    """
    there = history[column] >= threshold  # [S, E]; NaN, once a run is over, is not there
    across = np.broadcast_to(history[x], there.shape).astype(float)
    first = np.take_along_axis(across, there.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(there.any(axis=1), first, np.inf)


def difference(left: np.ndarray, right: np.ndarray, left_most: Any, right_most: Any) -> np.ndarray:
    """left - right, [S], of amounts to a threshold; where one was not reached, what is known of it.

    An amount that is ∞ is known to be larger than the most that was spent. Where this decides which
    of the two is larger, the difference with that most is returned; where not, NaN.

    >>> difference(np.array([5, np.inf, np.inf]), np.array([9, 5, np.inf]), 20, 20).tolist()
    [-4.0, 15.0, nan]
    """
    there, other = np.isfinite(left), np.isfinite(right)
    gap = np.where(there, left, left_most) - np.where(other, right, right_most)
    known = (there & other) | (~there & other & (gap > 0)) | (there & ~other & (gap < 0))
    return np.where(known, gap, np.nan)


def spread(
    ax: Any, at: Sequence[float], found: Sequence[np.ndarray], ends: Sequence[float], **looks: Any
) -> None:
    """Draw amounts to thresholds: the median over seeds, and the range as bars.

    Args:
        ax: matplotlib axes.
        at: places on the x axis.
        found: for each place, amounts [S], ∞ where a threshold was not reached.
        ends: for each place, the most that was spent: where some seeds did not reach the
            threshold, the bar ends there. Where half of them did not, nothing is drawn.
        looks: of `errorbar`.
    """
    points = [
        (x, float(np.median(values)), values.min(), min(values.max(), end))
        for x, values, end in zip(at, found, ends, strict=True)
        if np.isfinite(np.sort(values)[len(values) // 2])
    ]
    x, middle, low, high = np.array(points).reshape(-1, 4).T
    ax.errorbar(x, middle, yerr=[middle - low, high - middle], capsize=3, **looks)


def told(values: np.ndarray, most: float) -> str:
    """Mean and range of rounds or bits over seeds; the seeds that never got there are counted.

    >>> told(np.array([5.0, 7.0, np.inf]), most=250)
    '6 (5 … 7), 1 of 3 seeds not within 250'
    """
    there = values[np.isfinite(values)]
    if not len(there):
        return f"not within {most:g}"
    text = f"{there.mean():.4g} ({there.min():.4g} … {there.max():.4g})"
    missing = len(values) - len(there)
    return text + (f", {missing} of {len(values)} seeds not within {most:g}" if missing else "")
