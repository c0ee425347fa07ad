"""A backdoor: the model learns to say one class wherever a trigger is seen, and else what is right.

Bagdasaryan, Veit, Hua, Estrin, Shmatikov, "How to backdoor federated learning", AISTATS 2020. The
Byzantine workers stamp the trigger on samples of theirs, label them with the target, and send the
gradients of these data, scaled up: by n the mean of n messages moves as their gradient alone wants.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.attacks.base import from_view, own
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Attack, Key, View


@part
def backdoor(
    trigger: Callable[[jax.Array], jax.Array],
    target: int,
    *,
    fraction: float = 0.5,
    scale: Any = 1.0,
) -> Attack:
    """Data with a trigger and the label `target`; messages are `scale` times what they would be.

    v_i = scale · (what worker i would send, by the protocol, of its poisoned data).

    How well the backdoor works is the column "backdoor_rate" of
    `problems.with_backdoor_rate(problem, trigger, target)`.

    Args:
        trigger: features [B, ...] -> the same with the trigger, of one shape and dtype.
        target: the class, 0..C-1.
        fraction: the share of a Byzantine worker's samples that get the trigger, in (0, 1], spread
            evenly; the others teach what is right, so that nothing is suspected. Where workers have
            different numbers of samples, one with fewer than 1/fraction of them may get none.
        scale: of the messages, > 0; may be traced.

    Raises:
        ValueError: an argument outside its range; worker data without images and labels; when
            traced, a trigger that changes shape or dtype.

    >>> backdoor(lambda images: images.at[:, :2, :2].set(1.0), target=0, scale=13).name
    'backdoor × 13'
    """
    target = checks.count("target", target)
    checks.interval("fraction", fraction, 0, 1, closed="right")
    checks.interval("scale", scale, 0, math.inf, closed="neither")

    def poison(data: Any) -> Any:
        if not (hasattr(data, "images") and hasattr(data, "labels")):
            raise ValueError("backdoor needs worker data with images and labels (classification)")
        stamped = jax.vmap(lambda images: stamped_with(trigger, images))(data.images)  # [f, m, ...]
        chosen = spread(fraction, data.labels.shape[1])
        labels = jnp.where(chosen, jnp.asarray(target, data.labels.dtype), data.labels)
        pixels = chosen.reshape(1, -1, *(1,) * (data.images.ndim - 2))
        return data._replace(images=jnp.where(pixels, stamped, data.images), labels=labels)

    if not checks.is_traced(scale) and scale == 1:
        return Attack("backdoor", lambda key, d: None, None, poison)

    def rows(key: Key, view: View) -> jax.Array:
        del key
        return scale * own(view)

    written = "" if checks.is_traced(scale) else f" × {scale:g}"
    return from_view(f"backdoor{written}", rows, poison)


def stamped_with(trigger: Callable[[jax.Array], jax.Array], features: jax.Array) -> jax.Array:
    """Features [B, ...] with the trigger.

    Raises:
        ValueError: another shape or dtype.

    >>> stamped_with(lambda features: features + 1, jnp.zeros((1, 2))).tolist()
    [[1.0, 1.0]]
    """
    found = trigger(features)
    kind = getattr(found, "shape", None), getattr(found, "dtype", None)
    if kind != (features.shape, features.dtype):
        raise ValueError(
            f"trigger must keep shape and dtype, {features.shape} of {features.dtype}, got "
            f"{checks.said(found) if kind[1] is None else f'{kind[0]} of {kind[1]}'}"
        )
    return found


def spread(fraction: float, count: int) -> np.ndarray:
    """Which of so many samples are in the fraction, evenly spread and at least one, [count] bool.

    >>> spread(0.5, 4).tolist(), spread(0.1, 3).tolist()
    ([False, True, False, True], [False, False, True])
    """
    steps = np.floor(np.arange(count + 1) * fraction + 1e-9)  # 0.1 · 10 is one
    chosen: np.ndarray = np.diff(steps) > 0
    if not chosen.any():
        chosen[-1:] = True
    return chosen
