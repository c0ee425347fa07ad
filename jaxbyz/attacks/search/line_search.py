"""The most damaging point of a line v(τ) = μ + τ p, found by search through the server.

The damage of τ is piecewise smooth: it jumps where a rule changes its selection, and the worst τ
often stands right at a jump, or in a narrow window between two jumps. An interval here is what lies
between two neighbouring τ that were tried. The search has three parts, all with the same key:

1. It tries a signed grid, τ in {0} ∪ ±geometric(1e-3 … 1e3).
2. It tries a finer grid in the 64 intervals where the damage bends most, to find windows.
3. It halves the 16 most promising intervals, again and again. If an interval contains a jump, one
   half contains it too; a smooth maximum is enclosed by the two intervals beside it.

Two kinds of intervals are not halved: those without a rise of the damage (the plateau of a rule
that selects one honest row), and those narrower than √ε of τ. At the jump itself rounding decides
which row is selected, and the server, compiled into another program than the search, might decide
otherwise.

The best of all points that were tried is sent, so it is never below the maximum over the grid.

By default the first grid is that of `jaxbyz.attacks.certificate`, so that the certificate is at
least 1 for every rule: "optimal" for its family, beside that reference. A coarser grid is cheaper
and may miss a window narrower than an interval: with per_sign = 384 the certificate was ≥ 0.999 for
every rule of the catalogue at 7 workers. At 13 workers it was 0.91 in 1 line of 72, for NNM before
Krum, where a window of half a per cent was missed.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.attacks.base import from_view
from jaxbyz.attacks.directions import honest_deviation, honest_mean, opposite_mean
from jaxbyz.attacks.search.objectives import (
    Damage,
    Through,
    damages,
    deviation_from_honest_mean,
    through_server,
)
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View

REFINED = 64  # intervals that get a finer grid
POINTS = 11  # of that grid in each of them
HALVED = 16  # intervals per step
WIDE = 0.02  # relative width from which an interval promises its whole rise once more

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


@part
def line_search(
    name: str,
    direction: Callable[[jax.Array], jax.Array],
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
    *,
    per_sign: int = 2048,
    steps: int = 30,
) -> Attack:
    """v = μ + τ p with p = direction(honest) and the τ that does most damage this round.

    All f rows are equal; f is the true number of attackers. Each τ is judged as the server will
    judge it, through its codec, memory and key. That costs 2 per_sign + 705 + 16 steps server
    rounds per round: 5281 by default, 1953 with per_sign = 384.

    Args:
        name: of the attack.
        direction: honest vectors [h, d] -> p [d].
        damage: what to maximise, such as `jaxbyz.attacks.opposition`.
        through: what forged rows are tried on; `memoryless(rule)` uses this round's messages alone.
        per_sign: grid points per sign, at least 48. Few suffice for smooth damage; a rule that
            selects one row (Krum) can be vulnerable in a narrow window of τ, which a grid must hit:
            neighbours are a factor 10^(6/(per_sign - 1)) apart, by default 1.007.
        steps: of halving, at least 30.

    Raises:
        ValueError: per_sign < 48 or steps < 30.

    >>> line_search("sign", lambda honest: jnp.sign(honest_mean(honest))).name
    'sign'
    """
    per_sign = checks.count("per_sign", per_sign, minimum=48)
    steps = checks.count("steps", steps, minimum=30)

    def rows(key: Key, view: View) -> jax.Array:
        forged, scores = on_line(view, direction), damages(key, view, damage, through)
        grid = jnp.asarray(signed_grid(per_sign), view.honest.dtype)
        return forged(search(lambda taus: scores(forged, taus), grid, steps))

    return from_view(name, rows)


@part
def ipm_line_search(
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
    *,
    per_sign: int = 2048,
) -> Attack:
    """v = μ - τ μ, the most damaging of all multiples of the mean (IPM with ε = τ - 1).

    Optimal for its family beside the reference of `certificate`. See `line_search` for `per_sign`.

    >>> ipm_line_search().name
    'IPM line search'
    """
    return line_search("IPM line search", opposite_mean, damage, through, per_sign=per_sign)


@part
def alie_line_search(
    damage: Damage = deviation_from_honest_mean,
    through: Through = through_server,
    *,
    per_sign: int = 2048,
) -> Attack:
    """v = μ + τ σ, the most damaging number of standard deviations, of either sign (ALIE).

    Optimal for its family beside the reference of `certificate`. See `line_search` for `per_sign`.

    >>> alie_line_search().name
    'ALIE line search'
    """
    return line_search("ALIE line search", honest_deviation, damage, through, per_sign=per_sign)


# ---- the search over one number ------------------------------------------------------------


def search(score: Score, grid: jax.Array, steps: int) -> jax.Array:
    """The best τ of all that were tried, []; `grid` [m] is increasing."""
    damages = score(grid)
    finer = _points_inside(grid, _most_bent(damages))
    grid, damages = jnp.concatenate([grid, finer]), jnp.concatenate([damages, score(finer)])
    m, more = grid.shape[0], steps * HALVED
    taus = jnp.concatenate([grid, jnp.full(more, jnp.inf, grid.dtype)])
    damages = jnp.concatenate([damages, jnp.full(more, -jnp.inf, damages.dtype)])

    def halve(step: jax.Array, carry: tuple) -> tuple:
        taus, damages = carry
        order = jnp.argsort(taus)
        a, b = taus[order[:-1]], taus[order[1:]]
        promise, chosen = jax.lax.top_k(
            _promise(a, b, damages[order[:-1]], damages[order[1:]]), HALVED
        )
        middle = jnp.where(promise > -jnp.inf, (a[chosen] + b[chosen]) / 2, grid[0])
        start = (m + step * HALVED,)
        return (
            jax.lax.dynamic_update_slice(taus, middle, start),
            jax.lax.dynamic_update_slice(damages, score(middle), start),
        )

    taus, damages = jax.lax.fori_loop(0, steps, halve, (taus, damages))
    return taus[jnp.argmax(damages)]


def _most_bent(damages: jax.Array) -> jax.Array:
    """The intervals of a grid with the largest second differences, [REFINED] (a jump has three)."""
    bend = jnp.abs(damages[2:] - damages[1:-1] - (damages[1:-1] - damages[:-2]))
    bend = jnp.pad(jnp.where(jnp.isnan(bend), jnp.inf, bend), 1, mode="edge")  # at every point
    return jax.lax.top_k(jnp.maximum(bend[:-1], bend[1:]), REFINED)[1]


def _points_inside(grid: jax.Array, intervals: jax.Array) -> jax.Array:
    """POINTS equidistant strengths inside each of some intervals, given by their left ends."""
    share = jnp.arange(1, POINTS + 1, dtype=grid.dtype) / (POINTS + 1)
    a, b = grid[intervals][:, None], grid[intervals + 1][:, None]
    return (a + share * (b - a)).ravel()


def _promise(a: jax.Array, b: jax.Array, at_a: jax.Array, at_b: jax.Array) -> jax.Array:
    """How large the damage may be inside the interval a < b, from its values at both ends.

    It is the larger value, and once more the rise to it, in proportion to the interval's width.
    -∞ marks an interval that is not to be halved.
    """
    least = float(jnp.finfo(a.dtype).eps) ** 0.5
    width = jnp.where(jnp.isfinite(b), (b - a) / jnp.maximum(jnp.abs(a), jnp.abs(b)), 0)
    high, low = jnp.maximum(at_a, at_b), jnp.minimum(at_a, at_b)
    rises = high - low > least * jnp.abs(high)  # and not for rounding alone
    share = jnp.minimum(1, width / WIDE)
    return jnp.where((width > least) & rises, high + share * (high - low), -jnp.inf)
