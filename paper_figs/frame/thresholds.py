"""When a curve first reaches a value: rounds or bits to an accuracy."""

from __future__ import annotations

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
