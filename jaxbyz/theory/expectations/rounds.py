"""Rounds of the shipped code at a given state with a given broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from jaxbyz.core import Algorithm, Oracle

__all__ = ["one_round"]


def one_round(
    algorithm: Algorithm,
    oracle: Callable[[Any], Oracle],
    data: Any,
    state: Any,
    broadcast: Any,
) -> Any:
    """The server's state after one round in which all workers are honest.

    Runs `algorithm.worker.step` and `algorithm.server.step` as they are shipped; nothing of the
    algorithm is written down here. For workers without memory, full gradients, and rules that draw
    nothing: then the broadcast is all the chance there is, and the keys do not matter.

    Args:
        algorithm: from `jaxbyz.algorithms`.
        oracle: one worker's entry of the data -> what it may ask (`Problem.oracle`).
        data: leaves [h, ...].
        state: the server's state before the round.
        broadcast: what the server announced; one outcome of its draw.
    """
    key = jax.random.key(0, impl="threefry2x32")

    def answer(entry: Any) -> Any:
        _, message = algorithm.worker.step(key, (), broadcast, oracle(entry))
        return message

    after, _ = algorithm.server.step(key, state, broadcast, jax.vmap(answer)(data))
    return after
