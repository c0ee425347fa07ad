"""Rules that look at every subset of n-f rows: least diameter, least variance, least covariance.

All three see the n×n matrix of squared distances alone. Subsets are never stored: they are made
from their ranks, a chunk at a time, by the combinatorial number system, in lexicographic order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import known_constants, only_for, ratio
from jaxbyz.aggregators.from_functions import Details, require_majority, with_details
from jaxbyz.aggregators.rows import FiniteRows, centred_distances, centred_products, mean_of
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator

# [chunk, n, n] numbers of one chunk of subsets.
CHUNK_NUMBERS = 2**18
RANKS = 2**31 - 1  # ranks are 32-bit integers
DERIVED = "derived here: the chosen set and S share n-2f rows"


@part
def mda(f: int | None = None, max_subsets: Any = 10**6) -> Aggregator:
    """Minimum-diameter averaging: the mean of the n-f rows of least diameter.

    S* = argmin_{|S| = n-f} max_{i,j∈S} ‖x_i - x_j‖, ties to the lexicographically first;
    R = x̄_{S*}  ("Brute" in older codes). details: selected [n], huge_rows [n].

    huge_rows [n]: rows further than 2^20 q from the centre (q: the (n-f)-th smallest distance from
    it), which count as rows at that distance.

    Cost O(n²d) and C(n, f) subsets of O(n²); more than `max_subsets` raise ValueError. Robustness
    κ ≤ 8f²/(n-f) (derived here; loose for large f). Permutation equivariant on tie-free rows.

    Raises:
        ValueError: f or max_subsets not an integer in range; at trace time n ≤ 2f, too many
            subsets.

    >>> mda(f=1)(jnp.array([[0.0], [9.0], [1.0], [2.0]])).item()
    1.0
    """

    def score(distances: jax.Array, kept: jax.Array) -> jax.Array:
        both = kept[:, :, None] & kept[:, None, :]
        return jnp.where(both, distances, 0).max(axis=(1, 2))

    bound = known_constants(
        published=only_for(f, lambda n, f: 8 * f * f / (n - f)),
        source="derived here: the diameter of the chosen set is at most that of S",
    )
    return _least_subset("mda", f, max_subsets, score, bound, roundings=0)


@part
def mva(f: int | None = None, max_subsets: Any = 10**6) -> Aggregator:
    """Minimum-variance averaging: the mean of the n-f rows of least variance.

    S* = argmin_{|S| = n-f} Σ_{i∈S} ‖x_i - x̄_S‖² = (1/2(n-f)) Σ_{i,j∈S} ‖x_i - x_j‖², ties (within
    rounding) to the lexicographically first;  R = x̄_{S*}. details: selected [n], huge_rows [n].

    huge_rows [n]: rows further than 2^20 q from the centre (q: the (n-f)-th smallest distance from
    it), which count as rows at that distance.

    Cost O(n²d) and C(n, f) subsets of O(n²); more than `max_subsets` raise ValueError. Robustness
    κ ≤ 4f/(n-2f) (derived here; attained by small integer inputs). Permutation equivariant on
    tie-free rows.

    Raises:
        ValueError: f or max_subsets not an integer in range; at trace time n ≤ 2f, too many
            subsets.

    >>> mva(f=1)(jnp.array([[0.0], [9.0], [1.0], [2.0]])).item()
    1.0
    """

    def score(distances: jax.Array, kept: jax.Array) -> jax.Array:
        weights = kept / kept.sum(axis=1, keepdims=True).astype(distances.dtype)
        # Summed row by row; no difference is taken, in which a far row would drown the others.
        sums = jnp.matmul(weights, distances, precision=jax.lax.Precision.HIGHEST)
        return (sums * weights).sum(axis=1)

    bound = known_constants(published=only_for(f, lambda n, f: 4 * ratio(n, f)), source=DERIVED)
    return _least_subset("mva", f, max_subsets, score, bound, roundings=4)


@part
def smea(f: int | None = None, max_subsets: Any = 10**6) -> Aggregator:
    """Smallest maximum-eigenvalue averaging: the mean of the n-f rows whose covariance is least.

    S* = argmin_{|S| = n-f} λ_max(Cov_S), Cov_S = (1/(n-f)) Σ_{i∈S} (x_i - x̄_S)(x_i - x̄_S)ᵀ, ties
    (within rounding) to the lexicographically first;  R = x̄_{S*}. The eigenvalue is that of the
    centred n×n matrix of products, found exactly. details: selected [n], huge_rows [n].

    huge_rows [n]: rows further than 2^20 q from the centre (q: the (n-f)-th smallest distance from
    it), which count as rows at that distance.

    Cost O(n²d) and C(n, f) subsets of O(n³); more than `max_subsets` raise ValueError. Robustness
    κ ≤ 4f/(n-2f), even with λ_max(Cov_S) in the place of Var_S (derived here; attained by small
    integer inputs). Permutation equivariant on tie-free rows.

    Raises:
        ValueError: f or max_subsets not an integer in range; at trace time n ≤ 2f, too many
            subsets.

    >>> smea(f=1)(jnp.array([[0.0], [9.0], [1.0], [2.0]])).item()
    1.0
    """

    def top(distances: jax.Array, kept: jax.Array) -> jax.Array:
        weights = kept / kept.sum().astype(distances.dtype)
        products = centred_products(jnp.where(kept[:, None] & kept, distances, 0), weights)
        products = jnp.where(kept[:, None] & kept, products, 0)  # eigenvalues: those, and zeros
        return jnp.linalg.eigvalsh(products)[-1]

    bound = known_constants(published=only_for(f, lambda n, f: 4 * ratio(n, f)), source=DERIVED)
    score = jax.vmap(top, in_axes=(None, 0))
    return _least_subset("smea", f, max_subsets, score, bound, roundings=64)


def subset_masks(n: int, f: int, ranks: jax.Array) -> jax.Array:
    """The subsets of n-f of n rows with these ranks in lexicographic order, [..., n] bool.

    A subset is given by the f rows r that it leaves out. Write c = n-1-r for each, in increasing
    order c_1 < … < c_f. Then Σ_j C(c_j, j) numbers the subsets (the combinatorial number system):
    from 0, which leaves out the last f rows, to C(n, f) - 1, which leaves out the first f.

    >>> subset_masks(4, 2, jnp.arange(6)).astype(int).tolist()[:3]
    [[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]
    """
    binomials = np.array([[min(math.comb(c, j), RANKS) for c in range(n)] for j in range(f + 1)])
    table = jnp.asarray(binomials, jnp.int32)  # [f + 1, n]

    def remove(step: int, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        left, kept = carry
        line = table[f - step]
        c = (line <= left[..., None]).sum(axis=-1) - 1  # the largest with C(c, j) ≤ left
        return left - line[c], kept & (jnp.arange(n) != (n - 1 - c)[..., None])

    everything = jnp.ones((*ranks.shape, n), bool)
    _, kept = jax.lax.fori_loop(0, f, remove, (ranks.astype(jnp.int32), everything))
    return kept


def _least_subset(
    name: str,
    f: int | None,
    max_subsets: Any,
    score: Callable[[jax.Array, jax.Array], jax.Array],
    robustness: Any,
    roundings: int,
) -> Aggregator:
    """The mean of the first subset whose score is least, or so within some roundings per row."""
    f = checks.count("f", f)
    # 1e6 and the like are counts as well.
    if isinstance(max_subsets, float) and max_subsets.is_integer():
        max_subsets = int(max_subsets)
    allowed = checks.count("max_subsets", max_subsets, minimum=1, maximum=RANKS)

    def rule(rows: FiniteRows) -> tuple[jax.Array, Details]:
        n = rows.raw.shape[0]
        require_majority(name, n, f)
        count = math.comb(n, f)
        if count > allowed:
            raise ValueError(
                f"{name} with n = {n} and f = {f} would look at {count} subsets, "
                f"which is more than max_subsets = {allowed}"
            )
        seen, distances = centred_distances(rows, f)
        chunk = min(count, max(1, CHUNK_NUMBERS // n**2))
        slack = 1 - roundings * n * float(jnp.finfo(distances.dtype).eps)

        def look(i: jax.Array, best: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            ranks = jnp.minimum(i * chunk + jnp.arange(chunk), count - 1)
            scores = score(distances, subset_masks(n, f, ranks))
            first = jnp.argmax(scores * slack <= scores.min())
            better = scores[first] < best[0] * slack
            return (
                jnp.where(better, scores[first], best[0]),
                jnp.where(better, ranks[first], best[1]).astype(jnp.int32),
            )

        begin = jnp.full((), jnp.inf, distances.dtype), jnp.zeros((), jnp.int32)
        _, rank = jax.lax.fori_loop(0, -(-count // chunk), look, begin)
        selected = subset_masks(n, f, rank)
        return mean_of(selected, rows), {"selected": selected, "huge_rows": seen.far}

    return with_details(rule, robustness)
