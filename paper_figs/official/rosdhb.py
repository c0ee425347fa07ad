"""What the public code of RoSDHB does differently from the method, each switched alone.

Code: github.com/antoniohonsell/CC-and-BR-in-Distributed-Learning.

| deviation                                                   | here                        |
|-------------------------------------------------------------|-----------------------------|
| the mask of round t is seeded by (run seed + t)             | `masks_by_run_seed`         |
| the search of FOE's strength adds one attacker, whatever f  | `foe_of_one_attacker`       |
| is, to the vectors of the round, not to the momenta         |                             |
| "alie" is mean + η σ ∘ N(0, I), η searched in the same way  | `noise_called_alie`         |
| Byz-DASHA-PAGE starts at h_i = g_i = 0                      | `zero_start`                |
| under it, FOE is multiplied by d/k once more                | `rescaled_again`            |
| step sizes: fixed numbers, not one grid for both methods    | `STEPS`                     |
| run seeds                                                   | `RUN_SEEDS`                 |
| the trimmed mean trims less, silently, where 2f ≥ n         | `trim`, inside the searches |

Described and not implemented, because nothing can be measured with them: the attack is fixed to FOE
in the entry points; the MNIST entry point of Byz-DASHA-PAGE calls its client without a required
argument and stops; the number of rounds to the threshold is overwritten after a CIFAR-10 run, so
that its summary always says "not reached".

The random generator of the code is not that of this library, so masks are not the same numbers;
which masks two runs share is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb
from jaxbyz.algorithms.byz_dasha_page import DashaWorkerState
from jaxbyz.attacks import FOE_STRENGTHS, from_view, honest_deviation, honest_mean
from jaxbyz.core import Algorithm, Attack, Key, Server, View, Worker

RUN_SEEDS = (42, 123, 202, 256, 777)
STEPS = {"RoSDHB": 0.16 * 0.8, "Byz-DASHA-PAGE": 0.008 * 0.8}  # client's times server's, for MNIST


class SeededState(NamedTuple):
    """The server's state, and how many rounds it has done."""

    x: jax.Array  # [d]
    inner: Any
    done: jax.Array  # []


def mask_key(run_seed: Any, round_: Any) -> Key:
    """The key of the mask of round t = 1, 2, …: that of the number (run seed + t)."""
    return jax.random.key(jnp.uint32(run_seed) + jnp.uint32(round_), impl="threefry2x32")


def masks_by_run_seed(algorithm: Algorithm, run_seed: Any) -> Algorithm:
    """RoSDHB with the mask of round t drawn from (run seed + t).

    Runs with the seeds a < b < a + T share T - (b - a) of their T masks, in other rounds, and every
    worker can compute the masks of all rounds to come.

    Args:
        algorithm: from `jaxbyz.rosdhb`, whose broadcast uses its key for the mask alone.
        run_seed: a number, may be traced.
    """
    server = algorithm.server

    def start(x: jax.Array, n: int) -> SeededState:
        return SeededState(x, server.start(x, n), jnp.int32(0))

    def broadcast(key: Key, state: SeededState) -> Any:
        del key
        return server.broadcast(mask_key(run_seed, state.done + 1), state.inner)

    def step(key: Key, state: SeededState, broadcast: Any, messages: Any) -> Any:
        inner, info = server.step(key, state.inner, broadcast, messages)
        return SeededState(inner.x, inner, state.done + 1), info

    return algorithm._replace(server=Server(start, None, broadcast, step), bind=None)


def zero_start(algorithm: Algorithm) -> Algorithm:
    """Byz-DASHA-PAGE from h_i = g_i = 0, without the dense first message.

    Args:
        algorithm: from `jaxbyz.byz_dasha_page`.
    """

    def init(key: Key, broadcast: Any, oracle: Any) -> tuple[DashaWorkerState, None]:
        del key, oracle
        zero = jnp.zeros_like(broadcast.x)
        return DashaWorkerState(zero, zero, broadcast.x), None

    return algorithm._replace(
        worker=Worker(init, algorithm.worker.step, algorithm.worker.unchanged),
        server=algorithm.server._replace(hello=None),
        hello=None,
        bind=None,
    )


def trim(rows: jax.Array, f: int) -> jax.Array:
    """The trimmed mean of rows [n, d]; f is lowered where nothing would be left.

    >>> trim(jnp.arange(4.0)[:, None], 2).tolist()
    [1.5]
    """
    return jb.trimmed_mean(f=min(f, (len(rows) - 1) // 2))(rows)


def most_harmful_alone(
    honest: jax.Array, f: int, vector: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """The η of 0.1, 0.2, …, 5 at which one forged vector moves the trimmed mean most, [].

    η maximises ‖F_f(honest) - F_f(honest ∪ {vector(η)})‖, where F_f trims f a side in both; the
    first of equals.
    """
    before = trim(honest, f)

    def moved(eta: jax.Array) -> jax.Array:
        return jnp.linalg.norm(before - trim(jnp.vstack([honest, vector(eta)]), f))

    etas = jnp.asarray(np.array(FOE_STRENGTHS), honest.dtype)
    return etas[jax.lax.map(moved, etas).argmax()]


def foe_of_one_attacker() -> Attack:
    """FOE, -η μ, with the η that harms most if one worker sends it and the server had no memory."""

    def rows(key: Key, view: View) -> jax.Array:
        del key
        mean = honest_mean(view.honest)
        return -most_harmful_alone(view.honest, view.byzantine, lambda eta: -eta * mean) * mean

    return from_view("FOE of one attacker", rows)


def noise_called_alie() -> Attack:
    """μ + η σ ∘ N(0, I), one draw a round for all attackers; η found as for FOE."""

    def rows(key: Key, view: View) -> jax.Array:
        honest = view.honest
        # σ² as in the code: divided by h, plus 1e-12.
        deviation = jnp.sqrt(honest_deviation(honest, ddof=0) ** 2 + 1e-12)
        noise = deviation * jax.random.normal(key, deviation.shape, deviation.dtype)
        mean = honest_mean(honest)
        eta = most_harmful_alone(honest, view.byzantine, lambda eta: mean + eta * noise)
        return mean + eta * noise

    return from_view("noise called ALIE", rows)


def rescaled_again(attack: Attack, ratio: float) -> Attack:
    """The same attack with its vectors divided by k/d once more than the protocol does."""
    inner = attack.forge
    assert inner is not None

    def forge(key: Key, state: Any, view: View) -> tuple[Any, jax.Array]:
        state, wanted = inner(key, state, view)
        return state, wanted / ratio

    return attack._replace(name=f"{attack.name}, rescaled again", forge=forge)
