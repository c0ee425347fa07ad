"""Sign flips: of the mean, of one's own or another's vector, and so strong that it cancels."""

from __future__ import annotations

import jax

from jaxbyz.attacks.directions import honest_mean
from jaxbyz.attacks.messages import forged, from_view
from jaxbyz.constructors import part
from jaxbyz.core import Attack, Key, View

__all__ = ["cancel_mean", "sign_flip", "sign_flip_other", "sign_flip_own"]


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


def own(view: View) -> jax.Array:
    """What the Byzantine workers would say, [f, d]; ValueError where they hold no data."""
    if view.own is None:
        raise ValueError("this attack needs view.own: give it a `poison`, the identity if honest")
    return view.own
