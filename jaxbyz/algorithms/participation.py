"""Partial participation: in every round the server asks m of the n workers.

Around any algorithm. A round is the algorithm's own, among those m workers: the server gives it the
memory that it has of them (momenta, estimates), and keeps that of the others as it is; the rule
sees m rows. A worker that is not asked computes and sends nothing, and keeps its memory. Whom it
asks, the server draws uniformly in every round; the last `always` workers may be in all of them,
which is the worst case of Byzantine workers that see to it that they are asked (they are the last
f). In round 0 all n workers send their hello, if the algorithm has one.

| symbol | name     | shape |
|--------|----------|-------|
| m      | workers  |       |
|        | asked    | [n] bool, m of them True |

Bits are those of the m workers that are asked, in both directions.

With m < n drawn of all, more Byzantine workers may be asked in a round than the rule was made for,
and what the rule promises does not hold in it (the number is hypergeometric, mean f m/n).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.core import (
    Algorithm,
    Codec,
    Key,
    Oracle,
    Participation,
    Server,
    ServerInfo,
    Tree,
    Worker,
)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Invitation:
    """What the algorithm broadcasts, to those who are asked."""

    inner: Any
    asked: jax.Array  # [n] bool: who is

    def bits(self) -> int | jax.Array:
        """Those of the inner broadcast: a worker is asked by being sent it."""
        bits: int | jax.Array = self.inner.bits()
        return bits


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PartialState:
    """The algorithm's state, with the memory of all n workers."""

    inner: Any
    n: int = dataclasses.field(metadata={"static": True})

    @property
    def x(self) -> jax.Array:
        """The model, [d]."""
        model: jax.Array = self.inner.x
        return model


@part
def partial_participation(algorithm: Algorithm, *, workers: int, always: int = 0) -> Algorithm:
    """The same algorithm, in which m workers take part in a round.

    Args:
        algorithm: from `jaxbyz.algorithms`, with a rule for m rows.
        workers: m ≥ 1, of the n of the problem; m = n is the algorithm itself.
        always: how many of the m are always the same, the last ones (f: Byzantine workers are asked
            in every round); the other m - always are drawn among the other n - always.

    Raises:
        ValueError: workers < 1, always not in 0..workers; an algorithm that has partial
            participation already, or that broadcasts only what changed (`rosdhb` with
            downlink="changes"); when the problem is known, more workers than it has.

    >>> import jaxbyz as jb, optax
    >>> sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(1))
    >>> some = partial_participation(sgd, workers=4)
    >>> problem = jb.problems.quadratics(honest=9, byzantine=1, dimension=3)
    >>> history = jb.train(some, problem, rounds=50)  # 96 bits a message, 4 of 10 workers
    >>> round(float(history["uplink_bits"][0, -1]) / (50 * 96), 1)
    0.4
    """
    m = checks.count("workers", workers, minimum=1)
    fixed = checks.count("always", always, 0, m)
    _require_any_round(algorithm)
    server, worker = algorithm.server.by_rows or algorithm.server, algorithm.worker

    # ---- who -------------------------------------------------------------------------------
    def draw(key: Key, n: int) -> jax.Array:
        drawn = jax.random.permutation(key, n - fixed)[: m - fixed]
        return (jnp.arange(n) >= n - fixed).at[drawn].set(True)

    # ---- worker ----------------------------------------------------------------------------
    def worker_init(key: Key, broadcast: Invitation, oracle: Oracle) -> tuple[Tree, Tree]:
        return worker.init(key, broadcast.inner, oracle)

    def worker_step(
        key: Key, state: Tree, broadcast: Invitation, oracle: Oracle
    ) -> tuple[Tree, Tree]:
        return worker.step(key, state, broadcast.inner, oracle)

    def unchanged(state: Tree, broadcast: Invitation, silent: Tree) -> Tree:
        assert worker.unchanged is not None
        return worker.unchanged(state, broadcast.inner, silent)

    # ---- server ----------------------------------------------------------------------------
    def start(x: jax.Array, n: int) -> PartialState:
        if n < m:
            raise ValueError(f"workers must be at most the n = {n} of the problem, got {m}")
        return PartialState(server.start(x, n), n)

    def broadcast(key: Key, state: PartialState) -> Invitation:
        n = state.n
        if m == n:  # the algorithm itself, with its key
            return Invitation(server.broadcast(key, state.inner), jnp.ones(n, bool))
        inner_key, draw_key = jax.random.split(key)
        return Invitation(server.broadcast(inner_key, state.inner), draw(draw_key, n))

    def hello(
        key: Key, state: PartialState, broadcast: Invitation, messages: Tree
    ) -> tuple[PartialState, ServerInfo]:
        assert server.hello is not None
        inner, info = server.hello(key, state.inner, broadcast.inner, messages)
        return PartialState(inner, state.n), info

    def server_step(
        key: Key, state: PartialState, broadcast: Invitation, messages: Tree
    ) -> tuple[PartialState, ServerInfo]:
        n, who = state.n, jnp.nonzero(broadcast.asked, size=m)[0]
        if m == n:
            inner, info = server.step(key, state.inner, broadcast.inner, messages)
            return PartialState(inner, n), info
        of_workers = _of_workers(server, state.inner.x)
        theirs = jax.tree.map(lambda leaf, own: leaf[who] if own else leaf, state.inner, of_workers)
        said = jax.tree.map(lambda leaf: leaf[who], messages)
        after, info = server.step(key, theirs, broadcast.inner, said)

        def kept(before: jax.Array, now: jax.Array, own: bool) -> jax.Array:
            return before.at[who].set(now, unique_indices=True) if own else now

        inner = jax.tree.map(kept, state.inner, after, of_workers)
        rows = jnp.zeros((n, *info.rows.shape[1:]), info.rows.dtype).at[who].set(info.rows)
        rejected = jnp.zeros(n, bool).at[who].set(info.rejected)
        info = info._replace(rows=rows, rejected=rejected)
        return PartialState(inner, n), info

    # Of two servers it is the one that keeps rows.
    work = algorithm.server.work and (lambda d: "n d: partial participation")
    return algorithm._replace(
        name=f"{algorithm.name}, {m} workers a round",
        worker=Worker(worker_init, worker_step, worker.unchanged and unchanged),
        server=Server(start, server.hello and hello, broadcast, server_step, work=work),
        codec=_inside(algorithm.codec),
        hello=algorithm.hello and _inside(algorithm.hello),
        participation=Participation(m, lambda broadcast: broadcast.asked),
    )


def _require_any_round(algorithm: Algorithm) -> None:
    """Raise unless its workers can miss rounds."""
    if algorithm.participation is not None:
        raise ValueError(
            f"algorithm must have no partial participation yet, got {algorithm.name!r}"
        )
    if algorithm.incremental:
        raise ValueError(
            f"algorithm must broadcast the whole model, got {algorithm.name!r}, of which a worker "
            "that misses a broadcast cannot follow the next one"
        )


def _inside(codec: Codec) -> Codec:
    """The protocol, of which the broadcast is inside an invitation."""
    return Codec(
        encode=lambda key, broadcast, wanted: codec.encode(key, broadcast.inner, wanted),
        decode=lambda broadcast, message: codec.decode(broadcast.inner, message),
    )


def _of_workers(server: Server, x: jax.Array) -> Tree:
    """Which arrays of a server's state have a leading axis of workers: those that grow with n.

    Raises:
        ValueError: one that grows along another axis.
    """

    def grows(few: Any, many: Any) -> bool:
        if few.shape == many.shape:
            return False
        if (1, *few.shape[1:]) != few.shape or (2, *few.shape[1:]) != many.shape:
            raise ValueError(
                "a server that is partially attended must keep what it knows of workers along the "
                f"leading axis, got {few.shape} for one and {many.shape} for two workers"
            )
        return True

    few, many = (jax.eval_shape(lambda x, n=n: server.start(x, n), x) for n in (1, 2))
    return jax.tree.map(grows, few, many)
