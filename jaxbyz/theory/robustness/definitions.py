"""Robustness and resilience: definitions one can evaluate, and what rows must satisfy.

(f, κ)-robust      ‖F(x) - x̄_S‖² ≤ κ Var_S  for all x and all |S| = n-f
(f, ε)-resilient   E‖∇L_H(θ̂)‖² ≤ ε,  θ̂ uniform on the models at which gradients were taken
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.core import Aggregator
from jaxbyz.history import History
from jaxbyz.theory.claims import Hypothesis


def robustness_ratio(rule: Aggregator, rows: jax.Array, f: int) -> float:
    """The largest ‖F(x) - x̄_S‖²/Var_S over all S of n-f rows, for one input [n, d].

    A lower bound on κ; ∞ where some Var_S = 0 and F(x) is elsewhere.

    Raises:
        ValueError: rows that are not [n, d], f outside [0, n/2).

    >>> from jaxbyz.aggregators import kappa, trimmed_mean
    >>> rows = jnp.array([[0.0], [0.0], [1.0]])
    >>> robustness_ratio(trimmed_mean(f=1), rows, f=1), kappa(trimmed_mean(f=1), 3, 1).exact
    (1.0, 1.0)
    """
    rows = jnp.asarray(rows)
    if rows.ndim != 2:
        raise ValueError(f"rows must have shape [n, d], got {rows.shape}")
    n = rows.shape[0]
    f = checks.count("f", f, maximum=(n - 1) // 2)
    value, plain = np.asarray(rule(rows), float), np.asarray(rows, float)
    worst = 0.0
    for chosen in itertools.combinations(range(n), n - f):
        some = plain[list(chosen)]
        error = ((value - some.mean(axis=0)) ** 2).sum()
        variance = ((some - some.mean(axis=0)) ** 2).sum() / (n - f)
        if error > 0:
            worst = max(worst, float(error / variance) if variance > 0 else float("inf"))
    return worst


def resilience(history: History) -> float:
    """The ε of a run: the mean of ‖∇L_H‖² over seeds and the models of all rounds but the last.

    θ̂ is uniform on θ_0, …, θ_{T-1}; a mean over S seeds, so an estimate of the expectation.

    Raises:
        ValueError: the run was not evaluated after every round, or has no column gradient_norm.

    >>> history = History(np.array([0, 1, 2]), {"gradient_norm": np.array([[2.0, 0.0, 9.0]])},
    ...                   np.zeros((1, 1)), np.array([0]), {})
    >>> resilience(history)
    2.0
    """
    if "gradient_norm" not in history.columns or (np.diff(history.rounds) != 1).any():
        raise ValueError(
            "history must have gradient_norm after every round (evaluate_every=1), got "
            f"{sorted(history.columns)} at rounds {history.rounds.tolist()}"
        )
    return float((history["gradient_norm"][:, :-1] ** 2).mean())


def finite_rows(honest: int | None = None) -> Hypothesis:
    """Honest rows are finite (default: all rows); Byzantine ones may be anything.

    >>> rule = finite_rows(2).margin(jnp.array([[0.0], [1.0], [jnp.inf]]))
    >>> rule.item(), finite_rows(3).margin(jnp.array([[0.0], [1.0], [jnp.inf]])).item()
    (1.0, -1.0)
    """

    def margin(rows: jax.Array) -> jax.Array:  # [n, d] -> []
        return jnp.where(jnp.isfinite(rows[:honest]).all(), 1.0, -1.0)

    return Hypothesis("honest rows are finite" if honest else "rows are finite", margin)
