"""Robustness, resilience and dissimilarity: definitions one can evaluate, and claims about them.

(f, κ)-robust      ‖F(x) - x̄_S‖² ≤ κ Var_S  for all x and all |S| = n-f
(f, ε)-resilient   E‖∇L_H(θ̂)‖² ≤ ε,  θ̂ uniform on the models at which gradients were taken
(G, B)-dissimilar  (1/h) Σ ‖∇L_i - ∇L_H‖² ≤ G² + B² ‖∇L_H‖²  everywhere
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.aggregators import coordinate_median, kappa, nnm, robustness, trimmed_mean
from jaxbyz.core import Aggregator
from jaxbyz.history import History
from jaxbyz.problems.quadratics import quadratics_from_arrays
from jaxbyz.theory.claims import Budget, Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.engines import sampled, searched
from jaxbyz.theory.reports import Report, Status

__all__ = [
    "CLAIMS",
    "attained",
    "defined",
    "finite_rows",
    "dissimilarity",
    "lower_bound",
    "nearest_mixing",
    "plain_mixed",
    "plain_trimmed",
    "resilience",
    "robustness_ratio",
    "within",
]

SOURCE = "derived here: robustness coefficients"


def robustness_ratio(rule: Aggregator, rows: jax.Array, f: int) -> float:
    """The largest ‖F(x) - x̄_S‖²/Var_S over all S of n-f rows, for one input [n, d].

    A lower bound on κ; ∞ where some Var_S = 0 and F(x) is elsewhere.

    Raises:
        ValueError: rows that are not [n, d], f outside [0, n/2).

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


def lower_bound(largest: int = 40, *, scale: Fraction = Fraction(1)) -> Claim:
    """κ ≥ f/(n-2f) for every rule, from one input, in rational numbers for all n ≤ `largest`.

    n-f rows are 0, f are 1. With S the zeros, Var_S = 0 forces F = 0. With S some n-2f zeros and
    the ones, the error is (f/(n-f))² and Var_S = f(n-2f)/(n-f)². `scale` multiplies the bound.
    """

    def check(claim: Claim, budget: Budget) -> Report:
        began = time.perf_counter()
        worst, cases = Fraction(0), 0
        for n in range(2, largest + 1):
            for f in range(1, (n - 1) // 2 + 1):
                rows = [Fraction(0)] * (n - 2 * f) + [Fraction(1)] * f
                mean = sum(rows, Fraction(0)) / len(rows)
                squares = [(row - mean) * (row - mean) for row in rows]
                variance = sum(squares, Fraction(0)) / len(rows)
                worst = max(worst, scale * Fraction(f, n - 2 * f) / (mean * mean / variance))
                cases += 1
        evidence = f"one input in rational numbers, every f for all n ≤ {largest}: {cases} pairs"
        status = Status.CERTIFIED if worst <= 1 else Status.REFUTED
        seconds = time.perf_counter() - began
        return Report(
            claim.key, status, "rational input", evidence, float(worst), seconds, exact=True
        )

    return Claim(
        "robustness", "lower bound", "no rule has a smaller κ", "κ ≥ f/(n-2f) for every rule",
        Provenance.DERIVED, SOURCE, Scope.CONSTANTS, lambda instance: instance, checks=(check,),
        unconditional="one input for every pair with n > 2f; no rule is excepted",
    )  # fmt: skip


def attained(
    name: str, rule: Aggregator, n: int, f: int, statement: str, *, scale: float = 1.0
) -> Claim:
    """κ of a coordinate-wise rule is its formula: the formula against convex programs.

    One program for every piece of the rule and every place of the honest rows gives the supremum
    over all inputs up to the solver's rounding, and an input that attains it. `scale` multiplies
    the formula.
    """

    def check(claim: Claim, budget: Budget) -> Report:
        began = time.perf_counter()
        exact = kappa(rule, n, f).exact
        if exact is None:
            return Report(claim.key, Status.INCONCLUSIVE, "convex programs", "no formula is known")
        found = robustness(rule, n, f)
        formula = scale * exact
        ratio = robustness_ratio(rule, jnp.asarray(found.rows), f) / formula
        evidence = f"supremum {found.ratio:.9g} of all pieces, attained at one input; {formula:.9g}"
        seconds = time.perf_counter() - began
        # The rows are kept a millionth off ties, where rounding would choose.
        sharp = abs(found.ratio / formula - 1) < 1e-9 and abs(ratio - 1) < 1e-5
        status = Status.TIGHT if sharp else Status.INCONCLUSIVE
        said = evidence if sharp else f"suspected violation; {evidence}"
        return Report(claim.key, status, "convex programs", said, ratio, seconds, found.rows)

    return Claim(
        "robustness", name, f"κ of this rule, n = {n}, f = {f}", statement,
        Provenance.DERIVED, SOURCE, Scope.CONSTANTS, lambda instance: instance, checks=(check,),
        unconditional="a supremum over all inputs of one rule",
    )  # fmt: skip


def finite_rows(honest: int | None = None) -> Hypothesis:
    """Honest rows are finite (default: all rows); Byzantine ones may be anything.

    >>> rule = finite_rows(2).margin(jnp.array([[0.0], [1.0], [jnp.inf]]))
    >>> rule.item(), finite_rows(3).margin(jnp.array([[0.0], [1.0], [jnp.inf]])).item()
    (1.0, -1.0)
    """

    def margin(rows: jax.Array) -> jax.Array:  # [n, d] -> []
        return jnp.where(jnp.isfinite(rows[:honest]).all(), 1.0, -1.0)

    return Hypothesis("honest rows are finite" if honest else "rows are finite", margin)


def within(
    name: str, rule: Aggregator, n: int, f: int, bound: float, provenance: Provenance
) -> Claim:
    """‖F(x) - x̄‖² ≤ κ Var for the first n-f rows, by search over rows [n, 2]."""
    h = n - f

    def sides(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean = rows[:h].mean(axis=0)
        error = ((rule(rows) - mean) ** 2).sum()
        return error, bound * ((rows[:h] - mean) ** 2).sum() / h

    return Claim(
        "robustness", name, f"κ of this rule, n = {n}, f = {f}",
        f"‖F(x) - x̄_S‖² ≤ κ Var_S, κ = {bound:.6g}", provenance, SOURCE, Scope.ONE_STEP, sides,
        families=(Family(f"rows [{n}, 2]", 2 * n, lambda z: z.reshape(n, 2)),),
        hypotheses=(finite_rows(h),),
        checks=(sampled(), searched()),
    )  # fmt: skip


def plain_trimmed(rows: jax.Array, f: int) -> jax.Array:
    """The trimmed mean by its definition: sort every column, drop f at each end, average."""
    return jnp.sort(rows, axis=0)[f : rows.shape[0] - f].mean(axis=0)


def plain_mixed(rows: jax.Array, f: int) -> jax.Array:
    """The trimmed mean after nearest-neighbour mixing, by its definition."""
    distances = ((rows[:, None] - rows[None]) ** 2).sum(axis=-1)
    near = jnp.argsort(distances, axis=1)[:, : rows.shape[0] - f]
    return plain_trimmed(rows[near].mean(axis=1), f)


def defined(
    name: str, rule: Aggregator, n: int, definition: Callable[[jax.Array], jax.Array]
) -> Claim:
    """The shipped rule is what its definition says, on rows [n, 2]."""

    def sides(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Beside the length of the rows: a mean near 0 has no relative error of its own.
        size = jnp.abs(rows).max()
        return size + rule(rows), size + definition(rows)

    return Claim(
        "robustness", f"code/{name}", "the shipped rule", "F(x) is what its definition says",
        Provenance.DERIVED, "derived here: the definition, written plainly", Scope.IDENTITY, sides,
        families=(Family(f"rows [{n}, 2]", 2 * n, lambda z: z.reshape(n, 2)),),
        hypotheses=(finite_rows(),),
        checks=(sampled(1e-13),),
    )  # fmt: skip


def nearest_mixing(n: int = 7, f: int = 2, *, scale: float = 1.0) -> Claim:
    """The published bound 8f/(n-f)(κ_F+1) for nearest-neighbour mixing; `scale` multiplies it."""
    rule = nnm(f, trimmed_mean(f))
    published = kappa(rule, n, f).published
    assert published is not None
    name = "NNM, trimmed mean"
    return within(name, rule, n, f, scale * published, Provenance.RECALLED)


def dissimilarity(h: int = 3, d: int = 2, *, scale: float = 1.0) -> Claim:
    """(G, B) of quadratics in closed form is the smallest: attained at the worst point.

    `scale` multiplies G². Of every problem B² is twice the least that allows a finite G.
    """
    random = np.random.default_rng(0)
    mean = np.diag(np.linspace(0.3, 1.0, d))
    spread = random.normal(size=(h, d, d)) * 0.2
    spread = spread + spread.transpose(0, 2, 1)
    matrices = mean + spread - spread.mean(axis=0)
    vectors = random.normal(size=(h, d))

    @functools.cache
    def constants() -> tuple[float, float]:
        problem = quadratics_from_arrays(matrices, vectors)
        b_squared = 2 * problem.least_b_squared
        return b_squared, problem.g_squared(b_squared)

    def sides(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        b_squared, g_squared = constants()
        gradients = jnp.asarray(matrices) @ x - jnp.asarray(vectors)  # [h, d]
        average = gradients.mean(axis=0)
        left = ((gradients - average) ** 2).sum() / h - b_squared * (average**2).sum()
        return left, jnp.asarray(scale * g_squared)

    return Claim(
        "robustness", "dissimilarity", "(G, B) of quadratics",
        "sup_x (1/h) Σ ‖∇L_i - ∇L_H‖² - B² ‖∇L_H‖² = G² = r + qᵀ(B² I - Q)⁻¹ q",
        Provenance.DERIVED, SOURCE, Scope.ONE_STEP, sides,
        families=(Family(f"points, d = {d}", d, lambda z: z),),
        unconditional="one problem, whose B² is large enough, at every point",
        checks=(sampled(), searched()),
    )  # fmt: skip


CLAIMS = (
    lower_bound(),
    attained("trimmed mean", trimmed_mean(2), 7, 2, "κ = f/(n-2f)"),
    attained("median, odd", coordinate_median(2), 7, 2, "κ = (n-1)/(n+1-2f)"),
    attained("median, even", coordinate_median(2), 8, 2, "κ = (n-2)/(n+2-2f)"),
    nearest_mixing(),
    defined("trimmed mean", trimmed_mean(2), 7, lambda rows: plain_trimmed(rows, 2)),
    defined("median", coordinate_median(2), 7, lambda rows: jnp.median(rows, axis=0)),
    defined("NNM", nnm(2, trimmed_mean(2)), 7, lambda rows: plain_mixed(rows, 2)),
    dissimilarity(),
)
