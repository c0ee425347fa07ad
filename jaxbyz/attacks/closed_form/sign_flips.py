"""IPM and sign flips: multiples -ε μ of the honest mean, or of a single vector.

μ is the mean of the h honest vectors [h, d] of the round, f the number of Byzantine workers.
"""

from __future__ import annotations

from typing import Any

import jax

from jaxbyz import checks
from jaxbyz.attacks.base import forged, from_view, own
from jaxbyz.attacks.directions import honest_mean
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View


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


@part
def sign_flip() -> Attack:
    """v = -μ.

    >>> sign_flip().name
    'sign flip'
    """
    return forged("sign flip", lambda honest: -honest_mean(honest))


@part
def sign_flip_own() -> Attack:
    """v_j = -(what worker j would honestly say, from its copy of an honest worker's data).

    The form of the public codes of Byz-VR-MARINA and Byz-DM21. Byzantine workers compute.

    >>> sign_flip_own().name
    'sign flip, own'
    """
    return from_view("sign flip, own", lambda key, view: -own(view), poison=lambda data: data)


@part
def sign_flip_other() -> Attack:
    """v_j = -x_i, with a fresh uniform honest i for every Byzantine worker.

    >>> sign_flip_other().name
    'sign flip, other'
    """

    def rows(key: Key, view: View) -> jax.Array:
        victims = jax.random.randint(key, (view.byzantine,), 0, view.honest.shape[0])
        return -view.honest[victims]

    return from_view("sign flip, other", rows)


@part
def cancel_mean() -> Attack:
    """v = -(h/f) μ, with the real f: the sum of all vectors, hence the plain mean, is 0.

    >>> cancel_mean().name
    'cancel the mean'
    """

    def rows(key: Key, view: View) -> jax.Array:
        del key
        ratio = view.honest.shape[0] / max(view.byzantine, 1)
        return -ratio * honest_mean(view.honest)

    return from_view("cancel the mean", rows)
