"""ALIE ("a little is enough"): the honest mean, moved by some standard deviations.

Baruch, Baruch, Goldberg, "A little is enough: circumventing defenses for distributed learning",
NeurIPS 2019. μ and σ are the mean and the standard deviation of the honest vectors [h, d] of the
round, coordinate by coordinate.
"""

from __future__ import annotations

import statistics
from typing import Any

import jax

from jaxbyz import checks
from jaxbyz.attacks.base import from_view
from jaxbyz.attacks.directions import honest_deviation, honest_mean
from jaxbyz.contracts.callers import warn
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View


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
    if not checks.among(ddof, (0, 1)):
        raise ValueError(f"ddof must be 0 or 1, got {ddof!r}")
    if z is not None:
        checks.interval("z", z, -float("inf"), float("inf"), closed="neither")

    def rows(key: Key, view: View) -> jax.Array:
        del key
        n, f = view.honest.shape[0] + view.byzantine, view.byzantine
        deviation = honest_deviation(view.honest, ddof)
        factor = z
        if factor is None:
            factor = alie_factor(n, f)
            if factor <= 0:
                warn(
                    f"ALIE with n = {n}, f = {f} has z = {factor:.3g}, which is harmless or "
                    "reversed; give z explicitly"
                )
        return honest_mean(view.honest) + sign * factor * deviation

    return from_view("ALIE", rows)
