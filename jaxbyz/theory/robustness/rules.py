"""Claims about κ of robust rules, rules beside their definitions, and (G, B) of quadratics.

(G, B)-dissimilar  (1/h) Σ ‖∇L_i - ∇L_H‖² ≤ G² + B² ‖∇L_H‖²  everywhere

A factory takes the constant that it states, or a factor of it, so that a wrong constant makes a
wrong claim, for tests of the engines.
"""

import functools
from collections.abc import Callable
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.aggregators import coordinate_median, kappa, lower_median, nnm, trimmed_mean
from jaxbyz.core import Aggregator
from jaxbyz.problems.quadratics import quadratics_from_arrays
from jaxbyz.theory.claims import Claim, Family, Provenance, Scope
from jaxbyz.theory.robustness.definitions import finite_rows
from jaxbyz.theory.robustness.worst_columns import as_fraction, exact_kappa
from jaxbyz.theory.subjects import Cases, WorstInput

SOURCE = "derived here: robustness coefficients"
derived = functools.partial(Claim, paper="robustness", provenance=Provenance.DERIVED, source=SOURCE)


def lower_bound(largest: int = 40, *, scale: Fraction = Fraction(1)) -> Claim:
    """κ ≥ f/(n-2f) for every rule, from one input, in rational numbers for all n ≤ `largest`.

    n-f rows are 0, f are 1. With S the zeros, Var_S = 0 forces F = 0. With S some n-2f zeros and
    the ones, the error is (f/(n-f))² and Var_S = f(n-2f)/(n-f)². `scale` multiplies the bound.
    """
    pairs = tuple((n, f) for n in range(2, largest + 1) for f in range(1, (n - 1) // 2 + 1))

    def sides(pair: tuple[int, int]) -> tuple[Fraction, Fraction]:
        n, f = pair
        rows = [Fraction(0)] * (n - 2 * f) + [Fraction(1)] * f
        mean = sum(rows, Fraction(0)) / len(rows)
        variance = sum(((row - mean) ** 2 for row in rows), Fraction(0)) / len(rows)
        return scale * Fraction(f, n - 2 * f), mean * mean / variance

    done = f"one input in rational numbers, every f for all n ≤ {largest}: {len(pairs)} pairs"
    return derived(
        name="lower bound",
        title="no rule has a smaller κ",
        statement="κ ≥ f/(n-2f) for every rule",
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="one input for every pair with n > 2f; no rule is excepted",
        subject=Cases(done, pairs, exact=True),
    )


def attained(
    name: str, rule: Aggregator, n: int, f: int, statement: str, *, scale: float = 1.0
) -> Claim:
    """κ of a coordinate-wise rule is its formula. `scale` multiplies the formula."""
    return derived(
        name=name,
        title=f"κ of this rule, n = {n}, f = {f}",
        statement=statement,
        scope=Scope.CONSTANTS,
        sides=lambda instance: instance,
        unconditional="a supremum over all inputs of one rule",
        subject=WorstInput(rule, n, f, scale),
    )


def attained_everywhere(
    name: str, make: Callable[[int], Aggregator], statement: str, largest: int = 20
) -> Claim:
    """κ of a coordinate-wise rule is its formula for all n ≤ `largest` and all f, in fractions.

    Up to n = 8 all places of the honest rows among the sorted ones are looked at.
    """
    pairs = tuple((n, f) for n in range(3, largest + 1) for f in range(1, (n - 1) // 2 + 1))

    def sides(pair: tuple[int, int]) -> tuple[list[Fraction], list[Fraction]]:
        n, f = pair
        stated = kappa(make(f), n, f).exact
        assert stated is not None
        formula, bounds = as_fraction(stated), exact_kappa(make(f), n, f)
        return [bounds.above, formula], [formula, bounds.below]

    return derived(
        name=f"{name}, n ≤ {largest}",
        title="κ of this rule",
        statement=statement,
        scope=Scope.CONSTANTS,
        sides=sides,
        unconditional="a supremum over all inputs of one rule",
        subject=Cases(f"{len(pairs)} pairs (n, f) in fractions", pairs, True),
        tight_from=None,
    )


def within(
    name: str, rule: Aggregator, n: int, f: int, bound: float, provenance: Provenance
) -> Claim:
    """‖F(x) - x̄‖² ≤ κ Var for the first n-f rows, of rows [n, 2]; `bound` is κ."""
    h = n - f

    def sides(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean = rows[:h].mean(axis=0)
        error = ((rule(rows) - mean) ** 2).sum()
        return error, bound * ((rows[:h] - mean) ** 2).sum() / h

    return derived(
        name=name,
        title=f"κ of this rule, n = {n}, f = {f}",
        statement=f"‖F(x) - x̄_S‖² ≤ κ Var_S, κ = {bound:.6g}",
        provenance=provenance,
        scope=Scope.ONE_STEP,
        sides=sides,
        families=(_rows(n),),
        hypotheses=(finite_rows(h),),
    )


def _rows(n: int) -> Family:
    return Family(f"rows [{n}, 2]", 2 * n, lambda z: z.reshape(n, 2))


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

    return derived(
        name=f"code/{name}",
        title="the shipped rule",
        statement="F(x) is what its definition says",
        source="derived here: the definition, written plainly",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(_rows(n),),
        hypotheses=(finite_rows(),),
        tolerance=1e-13,
    )


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

    return derived(
        name="dissimilarity",
        title="(G, B) of quadratics",
        statement="sup_x (1/h) Σ ‖∇L_i - ∇L_H‖² - B² ‖∇L_H‖² = G² = r + qᵀ(B² I - Q)⁻¹ q",
        scope=Scope.ONE_STEP,
        sides=sides,
        families=(Family(f"points, d = {d}", d, lambda z: z),),
        unconditional="one problem, whose B² is large enough, at every point",
    )


CLAIMS = (
    lower_bound(),
    attained("trimmed mean", trimmed_mean(2), 7, 2, "κ = f/(n-2f)"),
    attained("median, odd", coordinate_median(2), 7, 2, "κ = (n-1)/(n+1-2f)"),
    attained("median, even", coordinate_median(2), 8, 2, "κ = (n-2)/(n+2-2f)"),
    attained_everywhere("trimmed mean", trimmed_mean, "κ = f/(n-2f)"),
    attained_everywhere(
        "median", coordinate_median, "κ = (n-1)/(n+1-2f) for odd n, (n-2)/(n+2-2f) for even n"
    ),
    attained_everywhere(
        "lower median", lower_median, "κ = n/(n-2f) for even n, that of the median for odd n"
    ),
    nearest_mixing(),
    defined("trimmed mean", trimmed_mean(2), 7, lambda rows: plain_trimmed(rows, 2)),
    defined("median", coordinate_median(2), 7, lambda rows: jnp.median(rows, axis=0)),
    defined("NNM", nnm(2, trimmed_mean(2)), 7, lambda rows: plain_mixed(rows, 2)),
    dissimilarity(),
)
