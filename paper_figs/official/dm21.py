"""Byz-DM21 and Byz-VR-DM21 (Li, Liu, Yi, AISTATS 2026): the authors' code.

Source: github Lee418268753/Byzantine-Double_Momentum. What it does, and what stands here for it:

1. The two double-momentum workers cannot be selected from the entry points. Both contain the
   recursive (STORM) step with one momentum for both averages, and differ in how they start; plain
   Byz-DM21 is absent: `double_momentum_as_coded`.
2. The Byz-EF21-SGDM baseline (CIFAR-10) never updates its EF21 state, and so always sends
   C(v - g⁰): `frozen_estimates`. Byz-DASHA-PAGE sends its previous state, so that the server uses
   2 g_i and no compressed difference is ever added: not implemented, such a run does not move on.
   The declared constant of Rand-k is 100 whatever k is: `declared`, with `DIANA_OMEGA` for a step
   1/100 and `DASHA_OMEGA` for a = 1/201.
3. Byz-VR-MARINA and Byz-DASHA-PAGE send zeros where a full gradient is due: not implemented, the
   estimate that all later differences are added to would be lost. Full gradients at epoch starts
   only (CIFAR-10): `common.coin_by_clock`.
4. For a Byzantine worker the server uses the last honest worker's stored state:
   `borrowed_estimates`. Forged differences are made from honest differences: attacks of this
   library that are not `steer`ed do the same.
5. Label flipping has no effect in the CIFAR-10 path: `label_flip_without_effect`.
6. The generator is set back before each worker's turn: `common.same_masks`.
7. The plotting script adds a constant to one baseline's accuracy: not implemented.
8. CIFAR-10 is divided by label over all workers, Byzantine ones included, so that the honest ones
   hold no sample of two classes: `label_sorted_over_all`.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb
from jaxbyz import checks
from jaxbyz.core import Aggregator, Algorithm, Attack, Compressor, Key, Oracle, Tree

DIANA_OMEGA = 99.0  # declared, it gives BR-DIANA the step 1/(1+ω) = 1/100
DASHA_OMEGA = 100.0  # declared, it gives Byz-DASHA-PAGE a = 1/(2ω+1) = 1/201


def double_momentum_as_coded(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    compressor: Compressor,
    eta: Any,
    dense_start: bool,
) -> Algorithm:
    """What stands in the code under both names: Byz-VR-DM21 with β = η.

    Args:
        optimizer: of the server.
        aggregator: of the server.
        compressor: contractive.
        eta: η = β.
        dense_start: of the two variants, the one whose estimates start at a gradient (True), or at
            zero (False).

    >>> double_momentum_as_coded(optimizer=optax.sgd(0.1), aggregator=jb.mean(), eta=0.1,
    ...                          compressor=jb.top_k(k=1), dense_start=False).hello is None
    True
    """
    start = jb.identity() if dense_start else None
    return jb.byz_vr_dm21(
        optimizer=optimizer, aggregator=aggregator, compressor=compressor, eta=eta, start=start
    )


def frozen_estimates(algorithm: Algorithm) -> Algorithm:
    """Error feedback whose g_i stays that of the start: the server reads g⁰ + C(v - g⁰).

    Args:
        algorithm: one of the Byz-EF21 family.

    >>> frozen_estimates(jb.byz_ef21_sgdm(optimizer=optax.sgd(0.1), aggregator=jb.mean(), eta=0.1,
    ...                                   compressor=jb.top_k(k=1))).name
    'Byz-EF21-SGDM, frozen estimates'
    """
    worker, server = algorithm.worker, algorithm.server

    def worker_step(key: Key, state: Any, broadcast: Tree, oracle: Oracle) -> tuple[Any, Tree]:
        after, message = worker.step(key, state, broadcast, oracle)
        return after._replace(server_estimate=state.server_estimate), message

    def server_step(key: Key, state: Any, broadcast: Tree, messages: Tree) -> tuple[Any, Any]:
        after, info = server.step(key, state, broadcast, messages)
        return after._replace(estimates=state.estimates), info

    return algorithm._replace(
        name=f"{algorithm.name}, frozen estimates",
        worker=worker._replace(step=worker_step),
        server=server._replace(step=server_step),
        bind=None,
        recipe=None,
    )


def borrowed_estimates(algorithm: Algorithm, honest: int) -> Algorithm:
    """For every Byzantine worker the server adds the message to the last honest worker's g_i.

    Args:
        algorithm: whose server keeps `estimates`.
        honest: h, the number of honest workers; its last one lends its estimate.

    >>> borrowed_estimates(jb.byz_ef21(optimizer=optax.sgd(0.1), aggregator=jb.mean(),
    ...                                compressor=jb.top_k(k=1)), honest=3).name
    'Byz-EF21, borrowed estimates'
    """
    honest = checks.count("honest", honest, minimum=1)
    server = algorithm.server

    def step(key: Key, state: Any, broadcast: Tree, messages: Tree) -> tuple[Any, Any]:
        byzantine = jnp.arange(state.estimates.shape[0]) >= honest
        lent = jnp.where(byzantine[:, None], state.estimates[honest - 1], state.estimates)
        return server.step(key, state._replace(estimates=lent), broadcast, messages)

    return algorithm._replace(
        name=f"{algorithm.name}, borrowed estimates",
        server=server._replace(step=step),
        bind=None,
        recipe=None,
    )


def declared(compressor: Compressor, omega: float) -> Compressor:
    """The compressor with another ω than it has.

    >>> declared(jb.seeded_rand_k(k=1), DASHA_OMEGA).omega(123)
    100.0
    """
    return compressor._replace(omega=lambda d: omega, recipe=None)


def label_flip_without_effect() -> Attack:
    """An attack of that name that flips nothing: Byzantine workers follow the protocol.

    >>> label_flip_without_effect().name
    'label flip without effect'
    """
    return jb.attacks.no_attack()._replace(name="label flip without effect", recipe=None)


def label_sorted_over_all(labels: Any, workers: int, seed: int) -> np.ndarray:
    """The "noniid" division of the code with its fraction 1/2, [n, m]; Byzantine rows are last.

    Sample positions are sorted by label. Worker i takes the i-th of n consecutive slices of the
    first half of them, of ⌊N/2/n⌋ each, and as many at random from the second half.

    Args:
        labels: [N].
        workers: n, all of them.
        seed: of what is dealt at random; the code's own generator is not imitated.

    Raises:
        ValueError: fewer than two samples for a worker.

    >>> label_sorted_over_all([0, 0, 1, 1, 2, 2, 3, 3], workers=2, seed=0)[:, :2].tolist()
    [[0, 1], [2, 3]]
    """
    labels = np.asarray(labels)
    half = len(labels) // 2
    share = half // checks.count("workers", workers, 1, half)
    order = np.argsort(labels, kind="stable")
    rest = np.random.default_rng(checks.count("seed", seed)).permutation(order[half:])
    rows = [order[:half], rest]
    return np.concatenate([part[: workers * share].reshape(workers, share) for part in rows], 1)
