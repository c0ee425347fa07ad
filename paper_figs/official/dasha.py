"""Byz-DASHA-PAGE and Byz-EF21 (Rammal et al., AISTATS 2024): the authors' code.

Source: github Nikosimus/CC-for-BR-Learning. What it does, and what stands here for it:

1. The axis called bits counts coordinates: k, or d on full rounds, without indices or widths of
   numbers: `coordinates`.
2. What is drawn as the squared gradient norm is that of the server's aggregate for Byz-DASHA-PAGE
   and Byz-VR-MARINA, and ‖(1/n) Σ_honest ∇f_i‖² for Byz-EF21 and the variant without
   synchronisation: `recorded_squares`.
3. ALIE is the mean minus 1.06 times the *variance*: `alie_with_variance`.
4. Attackers overwrite the server's estimate without compression: `overwriting`.
5. A short last bucket is divided by the full size. Not implemented: with n = 16 none is short.
6. LMP draws up to y_max where y_min is meant, and computes the aggregate anew for every coordinate.
   Not implemented: LMP is not run here.
7. Step sizes were chosen under one attack (ROP) and used under another: `chosen_under`.
8. Top-k keeps ties in one of its two forms. Not implemented: real numbers are not tied.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb
from jaxbyz.core import Algorithm, Attack, Codec, Key, Oracle, Server, Tree, Worker

VARIANCES = 1.06


def coordinates(history: jb.History, bits_of_one: float) -> np.ndarray:
    """Counted coordinates, [S, E]: bits after the start, over the bits of one coordinate.

    Args:
        history: of a run whose messages hold numbers of one kind.
        bits_of_one: 32 for a number alone, 32 + ⌈log₂ d⌉ for one with its index.
    """
    return (history["uplink_bits"] - history["uplink_bits"][:, :1]) / bits_of_one


def recorded_squares(
    method: str, aggregate_norm: np.ndarray, gradient_norm: np.ndarray, honest: int, n: int
) -> np.ndarray:
    """What the code records as ‖∇f‖² of a method.

    Args:
        method: as in `drawing.METHODS`.
        aggregate_norm: ‖g‖ of the server's aggregate.
        gradient_norm: ‖∇f‖ of the honest objective.
        honest: h.
        n: all workers.

    >>> recorded_squares("Byz-EF21", 3.0, 2.0, honest=1, n=2)
    1.0
    """
    if method in ("Byz-DASHA-PAGE", "Byz-VR-MARINA"):
        return aggregate_norm**2
    return (honest / n * gradient_norm) ** 2


def alie_with_variance() -> Attack:
    """v = μ - 1.06 σ², coordinate by coordinate, σ² divided by h - 1.

    >>> alie_with_variance().name
    'ALIE, variance'
    """
    return jb.forged(
        "ALIE, variance",
        lambda rows: rows.mean(axis=0) - VARIANCES * jnp.var(rows, axis=0, ddof=1),
    )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Overwriting:
    """A message of the protocol, or a vector [d] that becomes the worker's estimate."""

    inner: Any
    vector: jax.Array  # [d]
    forged: jax.Array  # [] bool

    def bits(self) -> Any:
        """Those of the inner message: what the code would charge."""
        return self.inner.bits()


def overwriting(algorithm: Algorithm) -> Algorithm:
    """The algorithm whose Byzantine workers set the server's estimate to whatever they want.

    Forged vectors are then estimates, so that the attack must be made on estimates too:
    `jaxbyz.attacks.steer`. The first messages are left as they are.

    Args:
        algorithm: whose server keeps `estimates`.

    >>> import optax
    >>> overwriting(jb.byz_ef21(optimizer=optax.sgd(0.1), aggregator=jb.mean(),
    ...                         compressor=jb.top_k(k=1))).name
    'Byz-EF21, overwriting'
    """
    worker, server, codec = algorithm.worker, algorithm.server, algorithm.codec

    def plain(message: Any, like: jax.Array) -> Overwriting:
        return Overwriting(message, jnp.zeros_like(like), jnp.array(False))

    def worker_step(key: Key, state: Tree, broadcast: Any, oracle: Oracle) -> Any:
        after, message = worker.step(key, state, broadcast, oracle)
        return after, plain(message, broadcast.x)

    def unchanged(state: Tree, broadcast: Any, silent: Overwriting) -> Overwriting:
        assert worker.unchanged is not None
        return plain(worker.unchanged(state, broadcast, silent.inner), broadcast.x)

    def encode(key: Key, broadcast: Any, wanted: jax.Array) -> Overwriting:
        return Overwriting(codec.encode(key, broadcast, wanted), wanted, jnp.array(True))

    def decode(broadcast: Any, message: Overwriting) -> jax.Array:
        return jnp.where(message.forged, message.vector, codec.decode(broadcast, message.inner))

    def server_step(key: Key, state: Any, broadcast: Any, messages: Overwriting) -> Any:
        read = jax.vmap(codec.decode, (None, 0))(broadcast, messages.inner)
        # The server adds what it reads: this leaves the wanted vector.
        wanted = jnp.where(jnp.isfinite(messages.vector), messages.vector, 0) - read
        before = jnp.where(messages.forged[:, None], wanted, state.estimates)
        return server.step(key, state._replace(estimates=before), broadcast, messages.inner)

    return algorithm._replace(
        name=f"{algorithm.name}, overwriting",
        worker=Worker(worker.init, worker_step, None if worker.unchanged is None else unchanged),
        server=Server(server.start, server.hello, server.broadcast, server_step),
        codec=Codec(encode, decode),
        bind=None,
        recipe=None,
    )


def chosen_under(race: jb.Comparison, method: str, tuned: str, used: str) -> jb.History:
    """Curves under the attack `used` with the step size that was best under the attack `tuned`.

    Raises:
        ValueError: a name that is none of the comparison's.
    """
    budget = next(iter(race.budgets))
    history = race.history(method, used, budget)
    chosen = race.choice(method, tuned, budget)
    cell = race.cells[method, used]
    columns = {name: values[chosen, : race.reported] for name, values in cell.columns.items()}
    about = {**history.about, "step": float(race.steps[method][chosen])}
    return dataclasses.replace(history, columns=columns, about=about)
