"""Rates with intervals that mean something: a T^-p + floor, fitted to each of several runs.

A least-squares line through the logarithms of one run does not estimate the exponent. The errors of
neighbouring points depend on each other, and a floor bends the line: with true exponent 1 and floor
0.01 it says 0.34. Here the floor is in the model. Every run gives one exponent, and the interval is
a t-interval over independent runs.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, stats


class Rate(NamedTuple):
    """y ≈ a T^-p + floor."""

    exponent: float  # p, mean over the runs
    half_width: float  # of its t-interval
    floor: float  # mean over the runs
    runs: int

    def __str__(self) -> str:
        return f"T^-({self.exponent:.3f} ± {self.half_width:.3f}) + {self.floor:.3g}"


def fit_power(times: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """(a, p, floor) of y = a T^-p + floor, least squares of log y, a, p, floor ≥ 0.

    Raises:
        ValueError: fewer than 4 points, or some that are not positive.

    >>> t = np.array([1.0, 10, 100, 1000, 10000])
    >>> a, p, floor = fit_power(t, 2 / t + 0.01)
    >>> round(a, 6), round(p, 6), round(floor, 6)
    (2.0, 1.0, 0.01)
    """
    times, values = np.asarray(times, float), np.asarray(values, float)
    if times.shape != values.shape or len(times) < 4 or not ((times > 0) & (values > 0)).all():
        raise ValueError("times and values must be at least 4 positive pairs, got others")
    logs, target = np.log(times), np.log(values)

    def misfit(free: np.ndarray) -> np.ndarray:
        log_a, p, log_floor = free
        return np.logaddexp(log_a - p * logs, log_floor) - target

    def start(p: float, share: float) -> np.ndarray:  # the best a for this exponent and floor
        floor = np.log(values.min() * share)
        a = np.median(np.log(np.maximum(values - np.exp(floor), values * 1e-3)) + p * logs)
        return np.array([a, p, floor])

    # The floor makes the problem non-convex: the best of a coarse grid begins.
    grid = [start(p, share) for p in np.linspace(0.1, 3, 30) for share in (0.99, 0.9, 0.5, 1e-6)]
    begin = min(grid, key=lambda free: float((misfit(free) ** 2).sum()))
    box = ([-np.inf, 0, -np.inf], [np.inf, 10, np.inf])
    found = optimize.least_squares(misfit, begin, bounds=box, x_scale="jac").x
    return float(np.exp(found[0])), float(found[1]), float(np.exp(found[2]))


def fit_rate(times: np.ndarray, runs: np.ndarray, level: float = 0.05) -> Rate:
    """The exponent of independent runs [R, T] at these times [T], R ≥ 8.

    Raises:
        ValueError: fewer than 8 runs.

    >>> times = np.geomspace(10, 1e5, 9)
    >>> noise = np.exp(0.01 * np.random.default_rng(0).normal(size=(8, 9)))
    >>> rate = fit_rate(times, noise / times)
    >>> abs(rate.exponent - 1) < rate.half_width + 0.02
    True
    """
    runs = np.asarray(runs, float)
    if runs.ndim != 2 or len(runs) < 8:
        raise ValueError(f"runs must have shape [R ≥ 8, T], got {runs.shape}")
    fits = np.array([fit_power(times, run) for run in runs])
    quantile = stats.t.ppf(1 - level / 2, len(runs) - 1)
    half = quantile * fits[:, 1].std(ddof=1) / len(runs) ** 0.5
    return Rate(float(fits[:, 1].mean()), float(half), float(fits[:, 2].mean()), len(runs))


def local_slope(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """d log y/d log T between neighbouring points, [T-1]: for exact values, without noise.

    >>> local_slope(np.array([1.0, 10, 100]), np.array([1.0, 0.1, 0.01])).round(12).tolist()
    [-1.0, -1.0]
    """
    return np.diff(np.log(values)) / np.diff(np.log(times))
