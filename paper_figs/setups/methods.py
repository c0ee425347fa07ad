"""Every method by its name: the one table from which figures and the race take theirs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import optax

import jaxbyz as jb

Made = Callable[[Any, jb.core.Aggregator], jb.core.Algorithm]  # (step size, rule) -> algorithm


def by_name(
    *, eta: float, probability: float, samples: int | None = None, **size: Any
) -> dict[str, Callable[..., jb.core.Algorithm]]:
    """name -> constructor that lacks `optimizer` and `aggregator` alone.

    Methods with error feedback have Top-k; RoSDHB has its mask; the others have seeded Rand-k.

    Args:
        eta: η of the methods with error feedback and momentum, and 1 - β of the others.
        probability: of full gradients (PAGE) or uncompressed rounds (MARINA).
        samples: of a worker; None: without BROADCAST, which keeps a gradient of each.
        size: `k` or `ratio`, of all compressors.

    >>> made = by_name(eta=0.1, probability=0.5, k=2)
    >>> made["Byz-DM21"](optimizer=optax.sgd(0.1), aggregator=jb.mean()).name
    'Byz-DM21'
    >>> sorted(set(by_name(eta=0.1, probability=0.5, samples=9, ratio=0.5)) - set(made))
    ['BROADCAST']
    """
    top = {"compressor": jb.top_k(**size)}
    random = {"compressor": jb.seeded_rand_k(**size)}
    coin = {**random, "probability": probability}
    beta = {"one_minus_momentum": eta}
    known: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "robust D-SGD": (jb.robust_sgd, {}),
        "D-SHB": (jb.robust_sgd, beta),
        "RoSDHB": (jb.rosdhb, {**size, **beta}),
        "RoSDHB, local masks": (jb.rosdhb_local, {**random, **beta}),
        "BR-CSGD": (jb.br_csgd, random),
        "EF14": (jb.byz_ef14, top),
        "BR-DIANA": (jb.br_diana, random),
        "Byz-VR-MARINA": (jb.byz_vr_marina, coin),
        "Byz-VR-MARINA, no sync": (jb.byz_vr_marina_no_sync, coin),
        "Byz-DASHA-PAGE": (jb.byz_dasha_page, coin),
        "Byz-EF21": (jb.byz_ef21, top),
        "Byz-EF21-SGDM": (jb.byz_ef21_sgdm, {**top, "eta": eta}),
        "Byz-DM21": (jb.byz_dm21, {**top, "eta": eta}),
        "Byz-VR-DM21": (jb.byz_vr_dm21, {**top, "eta": eta}),
    }
    if samples is not None:
        known["BROADCAST"] = jb.broadcast_saga, {**random, "samples": samples}
    return {name: functools.partial(make, **options) for name, (make, options) in known.items()}


def with_sgd(
    names: Sequence[str],
    *,
    around: Callable[[jb.core.Aggregator], jb.core.Aggregator] = lambda rule: rule,
    **shared: Any,
) -> dict[str, Made]:
    """name -> function of step size and rule, with `optax.sgd`.

    Args:
        names: of methods.
        around: what stands before the rule, for instance mixing.
        shared: as for `by_name`.

    >>> made = with_sgd(["Byz-DM21"], eta=0.1, probability=1.0, k=1)
    >>> made["Byz-DM21"](0.1, jb.mean()).name
    'Byz-DM21'
    """
    known = by_name(**shared)

    def of(name: str) -> Made:
        return lambda step, rule: known[name](optimizer=optax.sgd(step), aggregator=around(rule))

    return {name: of(name) for name in names}
