"""ALIE ("a little is enough"): the honest mean, moved by some standard deviations.

Baruch, Baruch, Goldberg, "A little is enough: circumventing defenses for distributed learning",
NeurIPS 2019. μ and σ are the mean and the standard deviation of the honest vectors [h, d] of the
round, coordinate by coordinate.
"""

from __future__ import annotations

import statistics
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.attacks.base import from_view
from jaxbyz.attacks.directions import honest_deviation, honest_mean
from jaxbyz.contracts.callers import warn
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View
from jaxbyz.sanitize import saturated


def alie_factor(n: int, f: int) -> float:
    """The z of ALIE: Φ⁻¹((⌈n/2⌉ - 1)/(n-f)), from the total and the Byzantine number of workers.

    Baruch, Baruch, Goldberg, NeurIPS 2019: s = ⌊n/2+1⌋ - f, z = Φ⁻¹((n-f-s)/(n-f)).

    Raises:
        ValueError: the fraction is not inside (0, 1): n ≤ 2 or f > n/2.

    >>> round(alie_factor(13, 3), 4), alie_factor(11, 1)
    (0.2533, 0.0)
    """
    above = (n + 1) // 2 - 1
    if not 0 < above < n - f:
        raise ValueError(
            f"ALIE has a z for n > 2 and f <= n/2 only, got n = {n} and f = {f}: "
            f"Φ⁻¹ of {above}/{n - f} does not exist"
        )
    return statistics.NormalDist().inv_cdf(above / (n - f))


@part
def alie(z: Any = None, sign: int = -1, ddof: int = 1) -> Attack:
    """A little is enough: v = μ + sign · z · σ.

    Baruch, Baruch, Goldberg, NeurIPS 2019. z defaults to `alie_factor(n, f)`, computed when n and
    f are known; it is 0 or negative, hence harmless or reversed, for f ≤ 2 (even n) or f ≤ 1
    (odd n), which is legal but warned of.

    Args:
        z: number of standard deviations, or None.
        sign: -1 (public codes of Byz-VR-MARINA and Byz-DM21) or +1.
        ddof: σ divides by h - ddof; 1 (default) or 0.

    Raises:
        ValueError: sign not ±1, ddof not 0 or 1, z not finite; no z exists for (n, f); h ≤ ddof.

    >>> alie(z=1.5).name
    'ALIE'
    """
    if not checks.among(sign, (-1, 1)):
        raise ValueError(f"sign must be -1 or 1, got {sign!r}")
    _judge(z, ddof)

    def rows(key: Key, view: View) -> jax.Array:
        del key
        return honest_mean(view.honest) + sign * _moved(z, ddof, view)

    return from_view("ALIE", rows)


@part
def alie_time_coupled(z: Any = None, ddof: int = 1) -> Attack:
    """ALIE whose small steps add up: v = μ - z σ ∘ sign(μ_1 + … + μ_t).

    The sum is of the honest means of all rounds so far, coordinate by coordinate. Its sign hardly
    changes from round to round, so that a server that averages over time (by momenta, or by error
    feedback) adds the same deviation again and again, against the way the honest workers have gone.
    Plain ALIE takes one sign for all coordinates. Derived here; that attacks are strong if they are
    coupled over time is due to Karimireddy, He, Jaggi, "Learning from history for Byzantine robust
    optimization", ICML 2021. In round 0 the hello counts as a round.

    Args:
        z: number of standard deviations; None: `alie_factor(n, f)`, as of `alie`.
        ddof: σ divides by h - ddof; 1 (default) or 0.

    Raises:
        ValueError: as `alie`.

    >>> alie_time_coupled(z=1.5).name
    'time-coupled ALIE'
    """
    _judge(z, ddof)

    def init(key: Key, d: int) -> jax.Array:
        del key
        return jnp.zeros(d)

    def forge(key: Key, total: jax.Array, view: View) -> tuple[jax.Array, jax.Array]:
        del key
        mean = honest_mean(view.honest)
        total = saturated(total + mean.astype(total.dtype))
        row = mean - jnp.sign(total).astype(mean.dtype) * _moved(z, ddof, view)
        return total, jnp.broadcast_to(row, (view.byzantine, row.shape[0]))

    return Attack("time-coupled ALIE", init, forge, None)


def _judge(z: Any, ddof: int) -> None:
    if not checks.among(ddof, (0, 1)):
        raise ValueError(f"ddof must be 0 or 1, got {ddof!r}")
    if z is not None:
        checks.interval("z", z, -float("inf"), float("inf"), closed="neither")


def _moved(z: Any, ddof: int, view: View) -> jax.Array:
    """z σ [d], with the z of the numbers of workers if none is given."""
    n, f = view.honest.shape[0] + view.byzantine, view.byzantine
    deviation = honest_deviation(view.honest, ddof)
    if z is None:
        z = alie_factor(n, f)
        if z <= 0:
            warn(
                f"ALIE with n = {n}, f = {f} has z = {z:.3g}, which is harmless or reversed; give "
                "z explicitly"
            )
    moved: jax.Array = z * deviation
    return moved
