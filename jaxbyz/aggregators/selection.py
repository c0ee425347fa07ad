"""Rules that select the rows with the nearest neighbours: Krum, Multi-Krum, Bulyan.

Scores are sums over the smallest entries of each line of the matrix of squared distances. Ties go
to the lowest index, so these rules are permutation equivariant on tie-free rows only.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import (
    known_constants,
    only_for,
    ratio,
    unknown,
    within_ranges,
)
from jaxbyz.aggregators.coordinatewise import average, middle_ranks, nearest_values
from jaxbyz.aggregators.from_functions import Details, require_majority, with_details
from jaxbyz.aggregators.rows import FiniteRows, centred_distances, mean_of, sorted_rows
from jaxbyz.column_passes import smallest_of_lines
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregator


@part
def krum(f: int | None = None, margin: int = 1, power: int = 2) -> Aggregator:
    """The row with the least sum of squared distances to its n-f-1 nearest other rows.

    s_i = Σ ‖x_i - x_j‖^power over the n-f-margin rows j ≠ i nearest to i;  R = x_{argmin s}.

    The defaults are those of Allouah et al. (AISTATS 2023). margin 2, that is n-f-2 neighbours, is
    the rule of Blanchard et al. (NeurIPS 2017); public codes also use power 1 and 4 (distances
    squared twice). They select different rows. details: selected [n].

    Ties go to the lowest index, so the rule is permutation equivariant on tie-free rows only.
    Cost O(n²d). Published robustness κ ≤ 6 (1 + f/(n-2f)) for margin 1 and power 2 (Allouah et
    al., AISTATS 2023). With other options never further than 1 + (n-f-margin)^(1/power) diameters
    of the honest rows from their mean, if n ≥ 2f + margin (derived here; with margin 2 and n = 2f+1
    the neighbours of a Byzantine row may all be Byzantine, and there is no bound). For f = 0 this
    is the row of least total distance, not the mean.

    Raises:
        ValueError: f negative or not an integer, margin not 1 or 2, power not 1, 2 or 4; at trace
            time n ≤ 2f, or no neighbour left.

    >>> krum(f=1)(jnp.array([[0.0], [0.1], [0.3], [9.0]])).item()
    0.10000000149011612
    """
    f, margin, power = _checked(f, margin, power)

    def rule(rows: FiniteRows) -> tuple[jax.Array, Details]:
        n = rows.raw.shape[0]
        _require_neighbours("krum", n, f, margin)
        best = jnp.argmin(_scores(rows, f, margin, power))
        return rows.row(best), {"selected": jnp.arange(n) == best}

    as_published = margin == 1 and power == 2
    bound = only_for(f, lambda n, f: 6 * (1 + ratio(n, f)))
    published = bound if as_published else unknown
    return with_details(rule, known_constants(published=published, reach=_reach(f, margin, power)))


@part
def multi_krum(
    f: int | None = None, m: int | None = None, margin: int = 1, power: int = 2
) -> Aggregator:
    """The mean of the m rows of least Krum score; m = n-f unless said otherwise.

    s_i as for `krum`;  R = (1/m) Σ of the m rows with the least s_i.

    Public codes take other m, for instance n-f-2. details: selected [n].

    Ties go to the lowest index, so the rule is permutation equivariant on tie-free rows only.
    Cost O(n²d). No κ is given here (for bounds see arXiv 2602.03899). With m ≤ n-f and
    n ≥ 2f + margin never further than 1 + (n-f-margin)^(1/power) diameters of the honest rows from
    their mean (derived here).

    Raises:
        ValueError: f or m not an integer in range, margin not 1 or 2, power not 1, 2 or 4; at
            trace time n ≤ 2f, m > n, or no neighbour left.

    >>> multi_krum(f=1)(jnp.array([[0.0], [1.0], [2.0], [9.0]])).item()
    1.0
    """
    f, margin, power = _checked(f, margin, power)
    m = None if m is None else checks.count("m", m, minimum=1)

    def rule(rows: FiniteRows) -> tuple[jax.Array, Details]:
        n = rows.raw.shape[0]
        _require_neighbours("multi_krum", n, f, margin)
        if m is not None and m > n:
            raise ValueError(f"multi_krum needs n >= m rows, got n = {n}, f = {f} and m = {m}")
        count = n - f if m is None else m
        selected = least(_scores(rows, f, margin, power), count)
        return mean_of(selected, rows), {"selected": selected}

    return with_details(rule, known_constants(reach=_reach(f, margin, power, m)))


@part
def bulyan(f: int | None = None) -> Aggregator:
    """Krum applied n-2f times, then per coordinate the values nearest to the median of the chosen.

    n-2f times: of the n' rows that remain, the one with the least sum of squared distances to its
    n'-f-1 nearest others is chosen and removed (El Mhamdi et al., ICML 2018; scores are computed
    anew after every removal). R: per coordinate the mean of the n-4f values nearest to the median
    of the chosen n-2f (for even n the average of the two middle values), ties to the lower value.
    Public codes take fewer neighbours, or compute the scores once. details: selected [n].

    Ties go to the lowest index, so the rule is permutation equivariant only on rows without ties.
    For f = 1 there is always a tie: the last of the n-2f rounds has three rows and counts one
    neighbour, and two of three rows are nearest to each other.
    Cost O(n²d + n³). No κ is known. Never further than 2 √(n-f) diameters of the honest rows from
    their mean: at most f of the n-2f chosen rows are Byzantine (derived here). For f = 0 it is the
    mean.

    Raises:
        ValueError: f negative or not an integer; at trace time n < 4f + 3 with f > 0.

    >>> bulyan(f=1)(jnp.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [99.0]])).item()
    2.0
    """
    f = checks.count("f", f)

    def rule(rows: FiniteRows) -> tuple[jax.Array, Details]:
        n = rows.raw.shape[0]
        if f and n < 4 * f + 3:
            raise ValueError(f"bulyan needs n >= 4f + 3 rows, got n = {n} and f = {f}")
        chosen = _chosen_one_by_one(centred_distances(rows, f)[1], f)  # [n - 2f]
        ordered = sorted_rows(rows.array[chosen])
        count = len(ordered)
        centre = average(ordered[slice(*middle_ranks(count))])
        value = average(nearest_values(ordered, centre, count - 2 * f))
        return value, {"selected": jnp.zeros(n, bool).at[chosen].set(True)}

    return with_details(rule, known_constants(reach=only_for(f, within_ranges)))


def least(scores: jax.Array, count: int) -> jax.Array:
    """The `count` least of n scores, [n] bool; ties go to the lower index."""
    order = jnp.argsort(scores, stable=True)
    return jnp.zeros(scores.shape, bool).at[order[:count]].set(True)


def _reach(
    declared: int, margin: int, power: int, m: int | None = None
) -> Callable[[int, int], float | None]:
    """`reach` of the mean of m ≤ n-f rows of least score.

    None has a larger score than the worst honest row, which is at most (n-f-margin) diameter^power.
    With n > 2f + margin - 1 one of its neighbours is honest, and no farther than that allows.
    """

    def bound(n: int, f: int) -> float | None:
        if n < 2 * f + margin or (m is not None and m > n - f):
            return None
        return 1 + (n - f - margin) ** (1 / power)

    return only_for(declared, bound)


def _checked(f: int | None, margin: int, power: int) -> tuple[int, int, int]:
    f = checks.count("f", f)
    margin = checks.count("margin", margin, minimum=1, maximum=2)
    if checks.count("power", power) not in (1, 2, 4):
        raise ValueError(f"power must be 1, 2 or 4, got {power!r}")
    return f, margin, power


def _require_neighbours(rule: str, n: int, f: int, margin: int) -> None:
    require_majority(rule, n, f)
    if n - f - margin < 1 and n > 1:
        raise ValueError(
            f"{rule} needs n > f + margin rows, got n = {n}, f = {f} and margin = {margin}"
        )


def _scores(rows: FiniteRows, f: int, margin: int, power: int) -> jax.Array:
    """s_i for all rows, [n]."""
    n = rows.raw.shape[0]
    # A row's distance to itself is among them; it is 0 and adds nothing.
    distances = centred_distances(rows, f)[1]
    if power == 1:
        distances = jnp.sqrt(distances)
    elif power == 4:
        distances = distances**2  # at most (4 B²)² in the unit of `centred_distances`: a number
    return smallest_of_lines(distances, max(1, n - f - margin + 1))[0]


def _chosen_one_by_one(distances: jax.Array, f: int) -> jax.Array:
    """The winners of n-2f rounds of Krum, each among the rows that the others left, [n - 2f]."""
    n = distances.shape[0]
    order = jnp.argsort(distances, axis=1, stable=True)
    near = jnp.take_along_axis(distances, order, axis=1)

    def choose(alive: jax.Array, turn: jax.Array) -> tuple[jax.Array, jax.Array]:
        left = alive[order]  # [n, n], nearest first, each row itself included
        counted = left & (jnp.cumsum(left, axis=1) <= n - turn - f)
        scores = jnp.where(counted, near, 0).sum(axis=1)
        winner = jnp.argmin(jnp.where(alive, scores, jnp.inf))
        return alive.at[winner].set(False), winner

    # The last rounds may find only rows with a score of Inf; the first of those alive wins.
    _, winners = jax.lax.scan(choose, jnp.ones(n, bool), jnp.arange(n - 2 * f))
    return winners
