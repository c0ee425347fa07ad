"""The minimiser of a ridge logistic regression, to the last digits of float64, on the host."""

from typing import Any

import numpy as np

_STEPS = 100


@np.errstate(over="ignore", invalid="ignore")  # a NaN never ends, and is then refused
def logistic_minimiser(rows: np.ndarray, weight: float, counts: Any = 1.0) -> np.ndarray:
    """argmin (1/N) Σ n_j log(1 + exp(-c_jᵀx)) + (λ/2) ‖x‖² for rows c = y a [N, d] and λ > 0, [d].

    n_j ≥ 0 are the counts [N], or one for all rows.

    Newton's method, with steps halved until the function falls by a quarter of what the slope
    promises; it ends when the Newton step no longer makes the gradient smaller.

    Raises:
        ValueError: no end after 100 steps (the data is too badly scaled for float64).

    >>> float(logistic_minimiser(np.zeros((3, 1)), 0.1)[0])
    0.0
    """

    def value(x: np.ndarray) -> float:
        return float((counts * np.logaddexp(0, -(rows @ x))).mean() + weight / 2 * x @ x)

    def pulls(x: np.ndarray) -> np.ndarray:  # 1 / (1 + exp(cᵀx)), [N], without overflow
        return np.exp(-np.logaddexp(0, rows @ x))

    def gradient(x: np.ndarray) -> np.ndarray:
        return weight * x - (counts * pulls(x)) @ rows / len(rows)

    x = np.zeros(rows.shape[1])
    slope = gradient(x)
    for _ in range(_STEPS):
        pull = pulls(x)
        hessian = (rows.T * (counts * pull * (1 - pull))) @ rows / len(rows) + weight * np.eye(
            len(x)
        )
        step = np.linalg.solve(hessian, slope)
        promise = float(slope @ step)
        if promise > 1e-10 * abs(value(x)):  # far away, where values tell steps apart
            size = 1.0
            while value(x - size * step) > value(x) - size / 4 * promise:
                size /= 2
            x = x - size * step
            slope = gradient(x)
            continue
        closer = x - step
        after = gradient(closer)
        if np.linalg.norm(after) >= np.linalg.norm(slope):
            return x
        x, slope = closer, after
    raise ValueError(
        f"expected Newton's method to end within {_STEPS} steps, got a gradient of norm "
        f"{np.linalg.norm(slope):.1e} after them; scale the features"
    )
