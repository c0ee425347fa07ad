"""Rules that treat every coordinate on its own: mean, trimmed mean, medians, MeaMed, Phocas.

Rules that sort a coordinate do not replace rejected rows: an entry that is NaN or ±Inf stands at
an end of the order of its coordinate, and is trimmed there with at most f - 1 others.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import known_constants, only_for, ratio, within_ranges
from jaxbyz.aggregators.analysis.linear_pieces import ranks, windows
from jaxbyz.aggregators.from_functions import aggregated, no_state, require_majority, with_details
from jaxbyz.aggregators.rows import (
    Coordinatewise,
    partly_sorted,
    reciprocal,
    rejected_rows,
    select_ranks,
    widened,
)
from jaxbyz.aggregators.rows.inner_rules import ColumnRule, Rows
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Robustness, Tree


def average(rows: Rows) -> jax.Array:
    """Σ x_i (1/m), summed over whole rows, in one pass; finite if all x_i are.

    Half of it is summed: the whole, of the largest numbers, could be rounded to Inf.
    """
    part = reciprocal(2 * len(rows), rows[0].dtype)
    total = rows[0] * part
    for row in rows[1:]:
        total = total + row * part
    return doubled(total)


def doubled(half: jax.Array) -> jax.Array:
    """2 x, at most the largest number; where x is not finite it stays so."""
    largest = jnp.finfo(half.dtype).max
    return jnp.where(jnp.isfinite(half), jnp.clip(2 * half, -largest, largest), half)


def middle_ranks(n: int) -> tuple[int, int]:
    """The ranks of the two middle values of n, which are the same one for odd n: from, to."""
    return (n - 1) // 2, n // 2 + 1


def median(rows: Rows) -> jax.Array:
    """The average of the two middle values of every column, [w]; they may be one."""
    return average(select_ranks(rows, *middle_ranks(len(rows))))


@part
def mean() -> Aggregator:
    """The plain average (1/n) Σ x_i: no robustness, the reference for everything else.

    Cost O(nd). κ = 0 for f = 0; for f > 0 there is none. Rejected rows, which hold NaN or ±Inf, are
    replaced by the coordinate-wise median of the others, as before every rule.

    >>> mean()(jnp.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [2.0, 3.0]
    """
    whole = with_details(
        lambda rows: (average([rows.row(i) for i in range(rows.raw.shape[0])]), {}),
        known_constants(lambda n, f: None if f else 0.0, pieces=lambda n: ranks(n, 0, n)),
    )
    return Coordinatewise(
        whole.init,
        whole.apply,
        whole.robustness,
        columns=average,
        is_mean=True,
        by_coordinate=True,
    )


@part
def trimmed_mean(f: int | None = None, trim: int | None = None) -> Aggregator:
    """Coordinate-wise trimmed mean: drop the `trim` smallest and largest values, average the rest.

    y_(1) ≤ … ≤ y_(n) per coordinate;  R = (1/(n-2b)) Σ_{b<j≤n-b} y_(j),  b = trim ≥ f (default f).

    Cost: one pass over [n, d] through a selection network. Exact robustness κ = b/(n-f-b), hence
    f/(n-2f) for b = f, the smallest possible for any rule (derived here); published bound
    6f/(n-2f) (1 + f/(n-2f)) (Allouah et al., AISTATS 2023).

    Raises:
        ValueError: f negative or not an integer, trim < f; at trace time n ≤ 2 trim.

    >>> trimmed_mean(f=1)(jnp.array([[0.0], [1.0], [2.0], [jnp.nan]])).item()
    1.5
    """
    f = checks.count("f", f)
    trim = f if trim is None else checks.count("trim", trim, minimum=f)

    def rule(rows: Rows) -> jax.Array:
        n = len(rows)
        if n <= 2 * trim:
            raise ValueError(
                f"trimmed_mean needs n > 2 trim rows, got n = {n}, f = {f} and trim = {trim}"
            )
        return average(select_ranks(rows, trim, n - trim))

    def exact(n: int, f: int) -> float | None:
        return trim / (n - f - trim) if f <= trim and n > 2 * trim else None

    def published(n: int, f: int) -> float | None:
        return 6 * ratio(n, f) * (1 + ratio(n, f)) if f == trim else None

    return _by_entries(
        rule, known_constants(exact, published, pieces=lambda n: ranks(n, trim, n - trim))
    )


@part
def coordinate_median(f: int | None = 0) -> Aggregator:
    """Coordinate-wise median; for even n the average of the two middle values.

    Cost: one pass over [n, d] through a selection network. The rule does not use f, which only
    states for how many Byzantine rows it is trusted. Exact robustness
    κ = (n-f)/(⌊n/2⌋+1-f) - 1 (derived here); published bound 4(1 + f/(n-2f))²
    (Allouah et al., AISTATS 2023).

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> coordinate_median()(jnp.array([[0.0], [1.0], [5.0], [jnp.inf]])).item()
    3.0
    """
    f = checks.count("f", f)

    def rule(rows: Rows) -> jax.Array:
        n = len(rows)
        require_majority("coordinate_median", n, f)
        return median(rows)

    def exact(n: int, f: int) -> float:
        return (n - f) / (n // 2 + 1 - f) - 1

    def published(n: int, f: int) -> float:
        return 4 * (1 + ratio(n, f)) ** 2

    return _by_entries(
        rule, known_constants(exact, published, pieces=lambda n: ranks(n, *middle_ranks(n)))
    )


@part
def lower_median(f: int | None = 0) -> Aggregator:
    """Coordinate-wise lower median: for even n the lower of the two middle values.

    R = y_(⌈n/2⌉) per coordinate. What `torch.median` returns, and with it many published codes;
    for even n it is worse than averaging the two middle values, and not symmetric under x → -x.

    Cost: one pass over [n, d] through a selection network. The rule does not use f, which only
    states for how many Byzantine rows it is trusted. Exact robustness κ = n/(n-2f) for even n,
    that of `coordinate_median` for odd n (derived here); no published bound.

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> lower_median()(jnp.array([[0.0], [1.0], [5.0], [jnp.inf]])).item()
    1.0
    """
    f = checks.count("f", f)

    def rule(rows: Rows) -> jax.Array:
        n = len(rows)
        require_majority("lower_median", n, f)
        return select_ranks(rows, (n - 1) // 2, (n + 1) // 2)[0]

    def exact(n: int, f: int) -> float:
        return n / (n - 2 * f) if n % 2 == 0 else (n - f) / (n // 2 + 1 - f) - 1

    return _by_entries(
        rule, known_constants(exact, pieces=lambda n: ranks(n, (n - 1) // 2, (n + 1) // 2))
    )


def nearest_values(ordered: Rows, centre: jax.Array, keep: int) -> list[jax.Array]:
    """The `keep` values nearest to a centre, from the sorted values; ties: the lower one.

    In order y_0 ≤ … ≤ y_{n-1} they are a window. It does not begin at y_k or before exactly if
    y_{k+keep} is strictly nearer to the centre than y_k, which then takes its place in the list.
    """
    window = list(ordered[:keep])
    for k in range(len(ordered) - keep):
        stays = centre - ordered[k] <= ordered[k + keep] - centre
        window[k % keep] = jnp.where(stays, window[k % keep], ordered[k + keep])
    return window


def _ends(n: int, f: int) -> list[int]:
    """Cuts around each of the f lowest and f highest ranks, which `nearest_values` weighs up."""
    return [*range(f + 1), *range(n - f, n)]


@part
def meamed(f: int | None = None) -> Aggregator:
    """Mean around the median: per coordinate the mean of the n-f values nearest to the median.

    m = median of y_(1) ≤ … ≤ y_(n) (for even n the average of the two middle values);
    R = mean of the n-f values with the least |y - m|, ties to the lower value. Also called mean of
    medians (Xie, Koyejo, Gupta, 2018).

    Cost: one pass over [n, d] through a sorting network. No closed form of κ
    is known; `robustness` computes it for given n and f: 3/2 for 1 of 5 rows, 16/5 for 2 of 7.
    Never further than 2 √(n-f) diameters of the honest rows from their mean (derived here).

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> meamed(f=1)(jnp.array([[0.0], [1.0], [2.0], [jnp.nan]])).item()
    1.0
    """
    f = checks.count("f", f)

    def rule(rows: Rows) -> jax.Array:
        n = len(rows)
        require_majority("meamed", n, f)
        middle = middle_ranks(n)
        ordered = partly_sorted(rows, [*_ends(n, f), *middle])
        return average(nearest_values(ordered, average(ordered[slice(*middle)]), n - f))

    return _by_entries(
        rule,
        known_constants(
            pieces=lambda n: windows(ranks(n, *middle_ranks(n))[0].weights, n - f),
            reach=only_for(f, within_ranges),
        ),
    )


@part
def phocas(f: int | None = None) -> Aggregator:
    """Per coordinate the mean of the n-f values nearest to the trimmed mean.

    m = (1/(n-2f)) Σ_{f<j≤n-f} y_(j);  R = mean of the n-f values with the least |y - m|, ties to
    the lower value (Xie, Koyejo, Gupta, 2018).

    Cost: one pass over [n, d] through a sorting network. No closed form of κ
    is proved; `robustness` computes it, and every value computed so far equals 4f/(n-2f). Never
    further than 2 √(n-f) diameters of the honest rows from their mean (derived here).

    Raises:
        ValueError: f negative or not an integer; at trace time n ≤ 2f.

    >>> round(phocas(f=1)(jnp.array([[0.0], [1.0], [3.5], [jnp.nan]])).item(), 3)
    1.5
    """
    f = checks.count("f", f)

    def rule(rows: Rows) -> jax.Array:
        n = len(rows)
        require_majority("phocas", n, f)
        ordered = partly_sorted(rows, _ends(n, f))
        middle = average(ordered[f : n - f])
        nearest = nearest_values(ordered, middle, n - f)
        # All but the first f of them are the rows of which `middle` is the mean.
        part = reciprocal(2 * (n - f), middle.dtype)
        half = middle * ((n - 2 * f) * part)
        for row in nearest[:f]:
            half = half + row * part
        return doubled(half)

    return _by_entries(
        rule,
        known_constants(
            pieces=lambda n: windows(ranks(n, f, n - f)[0].weights, n - f),
            reach=only_for(f, within_ranges),
        ),
    )


def _by_entries(rule: ColumnRule, robustness: Robustness | None = None) -> Aggregator:
    """An aggregator from an order-based rule on rows, where NaN counts as +Inf.

    With more than f rejected rows a kept value may not be finite: then that coordinate is 0.
    """

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        wide = widened(rows)
        return state, aggregated(rows, columns(wide), rejected_rows(wide))

    def columns(rows: Rows) -> jax.Array:
        value = rule(rows)
        return jnp.where(jnp.isfinite(value), value, 0)

    return Coordinatewise(no_state, apply, robustness, columns=columns, by_coordinate=True)
