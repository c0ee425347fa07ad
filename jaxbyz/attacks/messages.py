"""Attacks on messages, in closed form from the honest vectors of the round.

μ and σ are the mean and the standard deviation of the honest rows [h, d], coordinate by
coordinate. What an attack returns is what the server shall read; the protocol encodes it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks, returned
from jaxbyz.attacks.directions import honest_deviation, honest_mean
from jaxbyz.callers import warn
from jaxbyz.constructors import part
from jaxbyz.core import Attack, Key, Tree, View
from jaxbyz.parts import said

__all__ = ["alie", "alie_factor", "forged", "from_view", "ipm", "no_attack"]


def no_state(key: Key, d: int) -> None:
    """`init` of an attack without memory."""
    del key, d


@part
def from_view(
    name: str,
    rows: Callable[[Key, View], jax.Array],
    poison: Callable[[Tree], Tree] | None = None,
) -> Attack:
    """An attack without memory from a function of everything that is seen: (key, view) -> rows.

    Rows are [d], said by all Byzantine workers, or [f, d] (else ValueError at trace time).

    >>> from_view("last round's model", lambda key, view: view.server.x).name
    "last round's model"
    """

    def forge(key: Key, state: Tree, view: View) -> tuple[Tree, jax.Array]:
        with returned.compiled(f"attack {name!r}"):
            wanted = rows(key, view)
        shape = (view.byzantine, view.honest.shape[1])
        wanted = returned.rows(name, wanted, shape[1:], shape)
        return state, jnp.broadcast_to(wanted, shape).astype(view.honest.dtype)

    if not isinstance(name, str):
        raise ValueError(f"name must be a text, got {said(name)}")
    return Attack(name, no_state, forge, poison)


@part
def forged(name: str, vector: Callable[[jax.Array], jax.Array]) -> Attack:
    """An attack from a plain function of the honest vectors: [h, d] -> [d], or [f, d].

    One vector is said by all Byzantine workers. This is all a new attack needs (another shape
    raises ValueError at trace time):

    >>> forged("twice the median", lambda honest: 2 * jnp.median(honest, axis=0)).name
    'twice the median'
    """
    return from_view(name, lambda key, view: vector(view.honest))


@part
def no_attack() -> Attack:
    """Byzantine workers follow the protocol, each on a copy of an honest worker's data.

    >>> no_attack().name
    'none'
    """
    return Attack("none", no_state, None, lambda data: data)


@part
def ipm(eps: Any = 0.1) -> Attack:
    """Inner-product manipulation, also "fall of empires" (FOE): v = -ε μ.

    Xie, Koyejo, Gupta, UAI 2019. ε = 0.1 is the value of the public codes of Byz-VR-MARINA,
    Byz-DASHA-PAGE and Byz-DM21.

    Raises:
        ValueError: eps is not a finite number > 0.

    >>> ipm(0.5).name
    'IPM'
    """
    checks.interval("eps", eps, 0, float("inf"), closed="neither")
    return forged("IPM", lambda honest: -eps * honest_mean(honest))


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
    if sign not in (-1, 1):
        raise ValueError(f"sign must be -1 or 1, got {sign!r}")
    if ddof not in (0, 1):
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
