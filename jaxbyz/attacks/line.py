"""The most damaging point of a line v(τ) = μ + τ p, found by search through the server.

The damage of τ is piecewise smooth: it jumps where a rule changes its selection, and the worst τ
often stands right at a jump. So the search is in three steps, all with the same key:

1. a signed grid, τ in {0} ∪ ±geometric(1e-3 … 1e3);
2. a finer grid in the two cells beside each of the six highest peaks of the first;
3. beside each of the six highest peaks then known: golden section for a smooth maximum; and in
   each of the cells, bisection for the largest jump, and for the farthest point that does as much
   damage as the peak. A jump is approached from both sides, and both values count.

A rule that selects one row answers with the same honest row over long stretches: of such a
plateau only the ends count as peaks.

Intervals are not narrowed below √ε of τ. At the jump itself rounding decides who is selected, and
the server, compiled into another program than the search, might decide otherwise.

The best of all points that were tried is sent: never less than the grid's maximum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.attacks.damage import (
    Damage,
    Through,
    deviation_from_honest_mean,
    judge,
    through_server,
)
from jaxbyz.attacks.directions import honest_deviation, honest_mean, opposite_mean
from jaxbyz.attacks.messages import from_view
from jaxbyz.core import Attack, Key, View

__all__ = ["alie_line_search", "ipm_line_search", "line_search", "on_line", "signed_grid"]

PEAKS = 6
GOLDEN = (5**0.5 - 1) / 2

Score = Callable[[jax.Array], jax.Array]  # strengths [m] -> damage [m]


def signed_grid(per_sign: int) -> np.ndarray:
    """{0} ∪ ±geometric(1e-3 … 1e3) in increasing order, [2 per_sign + 1].

    >>> signed_grid(2).tolist()
    [-1000.0, -0.001, 0.0, 0.001, 1000.0]
    """
    up = np.geomspace(1e-3, 1e3, per_sign)
    return np.concatenate([-up[::-1], [0.0], up])


def on_line(view: View, direction: Callable[[jax.Array], jax.Array]) -> Callable:
    """τ -> the rows [f, d] that all equal μ + τ p."""
    mean, p = honest_mean(view.honest), direction(view.honest)
    return lambda tau: jnp.broadcast_to(mean + tau * p, (view.byzantine, p.shape[0]))


def line_search(
    name: str,
    direction: Callable[[jax.Array], jax.Array],
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
    *,
    per_sign: int = 128,
    steps: int = 40,
) -> Attack:
    """v = μ + τ p with p = direction(honest) and the τ that does most damage this round.

    All f rows are equal; f is the true number of attackers. Judged as the server will judge it,
    through its codec, memory and key. Some 2 per_sign + 200 + 36 steps server rounds per round.

    Args:
        name: of the attack.
        direction: honest vectors [h, d] -> p [d].
        damage: what to maximise, from `jaxbyz.attacks.damage`.
        through: who judges; `memoryless(rule)` looks at the round's messages alone.
        per_sign: grid points per sign, at least 48. Few suffice for smooth damage; a rule that
            selects one row (Krum) can be vulnerable in a narrow window of τ, which a grid must hit.
        steps: of golden section and bisection, at least 30.

    Raises:
        ValueError: per_sign < 48 or steps < 30.

    >>> line_search("sign", lambda honest: jnp.sign(honest_mean(honest))).name
    'sign'
    """
    per_sign = checks.count("per_sign", per_sign, minimum=48)
    steps = checks.count("steps", steps, minimum=30)

    def rows(key: Key, view: View) -> jax.Array:
        lie, scores = on_line(view, direction), judge(key, view, damage, through)
        grid = jnp.asarray(signed_grid(per_sign), view.honest.dtype)
        return lie(search(lambda taus: scores(lie, taus), grid, steps))

    return from_view(name, rows)


def ipm_line_search(
    damage: Damage = deviation_from_honest_mean, through: Through = through_server
) -> Attack:
    """v = μ - τ μ, the most damaging of all multiples of the mean (IPM with ε = τ - 1).

    >>> ipm_line_search().name
    'IPM line search'
    """
    return line_search("IPM line search", opposite_mean, damage, through)


def alie_line_search(
    damage: Damage = deviation_from_honest_mean, through: Through = through_server
) -> Attack:
    """v = μ + τ σ, the most damaging number of standard deviations, of either sign (ALIE).

    >>> alie_line_search().name
    'ALIE line search'
    """
    return line_search("ALIE line search", honest_deviation, damage, through)


# ---- the search over one number ------------------------------------------------------------


class _Intervals(NamedTuple):
    """Where to look further, [m, 2] each."""

    golden: jax.Array  # brackets of smooth maxima
    jumps: jax.Array  # cells with a jump
    heights: jax.Array  # damage at the ends of these
    edges: jax.Array  # (as damaging as the peak, farther out)


def search(score: Score, grid: jax.Array, steps: int) -> jax.Array:
    """The best τ of all that were tried, []; `grid` [m] is increasing."""
    heights = score(grid)
    low, top, high = _peaks(grid, heights)[:3]
    share = jnp.linspace(0, 1, 18, dtype=grid.dtype)[1:-1]
    finer = jnp.concatenate(
        [(a[:, None] + share * (b - a)[:, None]).ravel() for a, b in ((low, top), (top, high))]
    )
    grid, heights = jnp.concatenate([grid, finer]), jnp.concatenate([heights, score(finer)])
    order = jnp.argsort(grid)
    grid, heights = grid[order], heights[order]
    low, top, high, at_low, at_top, at_high = _peaks(grid, heights)
    best = jnp.argmax(heights)
    start = _Intervals(
        golden=jnp.stack([low, high], axis=1),
        jumps=_pairs((low, top), (top, high)),
        heights=_pairs((at_low, at_top), (at_top, at_high)),
        edges=_pairs((top, low), (top, high)),
    )
    goal = jnp.concatenate([at_top, at_top])

    def body(_: int, carry: tuple) -> tuple:
        now, tau, most = carry
        a, b = now.golden.T
        tried = [
            b - GOLDEN * (b - a),
            a + GOLDEN * (b - a),
            now.jumps.mean(axis=1),
            now.edges.mean(axis=1),
        ]
        together = jnp.concatenate(tried)
        found = score(together)
        left, right, middle, edge = jnp.split(found, np.cumsum([len(t) for t in tried])[:-1])
        narrower = _narrow(now, tried, left, right, middle, edge >= goal)
        i = jnp.argmax(found)
        better = found[i] > most
        return narrower, jnp.where(better, together[i], tau), jnp.where(better, found[i], most)

    return jax.lax.fori_loop(0, steps, body, (start, grid[best], heights[best]))[1]


def _narrow(
    now: _Intervals,
    tried: list[jax.Array],
    left: jax.Array,
    right: jax.Array,
    middle: jax.Array,
    reached: jax.Array,
) -> _Intervals:
    """Keep the part of every interval where the looked-for point must be."""
    least = float(jnp.finfo(left.dtype).eps) ** 0.5

    def ends(intervals: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
        a, b = intervals.T
        wide = jnp.abs(b - a) > least * jnp.maximum(jnp.abs(a), jnp.abs(b))
        return jnp.where(wide[:, None], jnp.stack([low, high], axis=1), intervals)

    a, b = now.golden.T
    c, d, m, e = tried
    down = left >= right
    golden = ends(now.golden, jnp.where(down, a, c), jnp.where(down, d, b))
    (a, b), (at_a, at_b) = now.jumps.T, now.heights.T
    first = jnp.abs(middle - at_a) >= jnp.abs(at_b - middle)  # the larger step is in [a, m]
    jumps = ends(now.jumps, jnp.where(first, a, m), jnp.where(first, m, b))
    heights = jnp.stack([jnp.where(first, at_a, middle), jnp.where(first, middle, at_b)], axis=1)
    near, far = now.edges.T
    edges = ends(now.edges, jnp.where(reached, e, near), jnp.where(reached, far, e))
    return _Intervals(golden, jumps, heights, edges)


def _peaks(grid: jax.Array, heights: jax.Array) -> tuple[jax.Array, ...]:
    """The highest peaks and their neighbours: τ below, at, above, and the damage there, [6] each.

    A peak is not below its neighbours, and above one. Where there are fewer, other points fill up.
    """
    end = jnp.full(1, -jnp.inf, heights.dtype)
    before, after = jnp.concatenate([end, heights[:-1]]), jnp.concatenate([heights[1:], end])
    peak = ((heights > before) & (heights >= after)) | ((heights >= before) & (heights > after))
    _, top = jax.lax.top_k(jnp.where(peak, heights, -jnp.inf), PEAKS)
    low, high = jnp.maximum(top - 1, 0), jnp.minimum(top + 1, grid.shape[0] - 1)
    return grid[low], grid[top], grid[high], heights[low], heights[top], heights[high]


def _pairs(*pairs: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Pairs of [m] one after another, [len(pairs) m, 2]."""
    return jnp.concatenate([jnp.stack(pair, axis=1) for pair in pairs])
