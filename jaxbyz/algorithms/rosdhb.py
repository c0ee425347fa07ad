"""RoSDHB: robust sparsified distributed heavy ball.

Gupta, Honsell, Xu, Gupta, Neglia, "Reconciling communication compression and Byzantine-robustness
in distributed learning", AISTATS 2026 (arXiv 2508.17129), Algorithm 1. Per round t:

    server   draws one mask M, |M| = k, for everybody, and broadcasts it with θ
    worker   g_i = ∇L_i(θ), sends the k numbers g_i[M]
    server   m_i ← β m_i + (1-β) (d/k) scatter(g_i[M])     for all i, Byzantine ones included
             θ   ← θ - γ F(m_1, …, m_n)

| symbol | name            | shape  |
|--------|-----------------|--------|
| θ      | x               | [d]    |
| M      | subset          | [k]    |
| m_i    | momenta         | [n, d] |
| β, 1-β | momentum, fresh | []     |
| γ      | in `optimizer`  |        |
| F      | aggregator      |        |

Uplink k b bits per worker (no indices); downlink d b + 64 bits (the seed of the mask), or with
`downlink="changes"` k b + 64 after round 1 (see `rosdhb_changes`).

The round costs O(n d) numbers here. For rules by coordinate and large d the server of
`rosdhb_by_age` does the same in O(n k + d); the results differ by rounding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz import checks
from jaxbyz.algorithms import rosdhb_changes
from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.momentum import fresh_weight
from jaxbyz.algorithms.rosdhb_by_age import AgedState, server_by_age
from jaxbyz.compressors import shared_mask
from jaxbyz.compressors.random_subsets import LENGTH, SHARE
from jaxbyz.contracts.constructors import part
from jaxbyz.contracts.parts import said
from jaxbyz.core import Aggregator, Algorithm, Codec, Key, Oracle, Server, ServerInfo, Tree, Worker
from jaxbyz.messages import SEED_BITS, SharedSupport, float_bits
from jaxbyz.sanitize import read_messages, saturated


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class RoSDHBBroadcast:
    """The model and the round's mask, which crosses as a seed."""

    x: jax.Array  # [d]
    subset: jax.Array  # [k]

    def bits(self) -> int:
        """d b + 64."""
        return self.x.shape[-1] * float_bits(self.x) + SEED_BITS


class RoSDHBState(NamedTuple):
    """Everything the server keeps; a worker keeps nothing."""

    x: jax.Array  # [d]
    momenta: jax.Array  # [n, d]
    optimizer: Any
    aggregator: Any


@part
def rosdhb(
    *,
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    ratio: float | None = None,
    k: int | None = None,
    momentum: Any = None,
    one_minus_momentum: Any = None,
    downlink: str = "model",
) -> Algorithm:
    """RoSDHB with k of d coordinates a round (or ratio = k/d) and server momentum β.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        aggregator: the robust rule F on the n momenta.
        ratio: k/d in (0, 1]; give this or k.
        k: coordinates per round, 1 ≤ k ≤ d.
        momentum: β in [0, 1); give this or one_minus_momentum.
        one_minus_momentum: 1-β in (0, 1], where β is so near 1 that the subtraction would lose
            digits (at the theorems' parameters up to 0.2 % in float32).
        downlink: what the server broadcasts beside the seed of the mask: "model", d numbers, or
            "changes", k numbers, of which every worker computes the model; the rule must be one by
            coordinate.

    The server works on the k drawn coordinates alone, in O(n k + d), if the rule is one by
    coordinate (`Aggregator.by_coordinate`: trimmed mean, medians and their like, no mixing before
    them), d ≥ 8192 and k ≤ d/10, or the downlink is "changes". Else it works on all of them, in
    O(n d). `describe` says which of the two. Both give the same results up to rounding; only where
    a rule is not continuous, at ties of `meamed` and `phocas`, rounding may decide otherwise.

    Gradients are those of one `draw` of the worker's oracle: full local gradients (the published
    analysis) where the problem draws all local data.

    Raises:
        ValueError: an argument outside its range; downlink "changes" with a rule that is not one by
            coordinate; k > d when d is known.

    >>> import jaxbyz as jb
    >>> rosdhb(ratio=0.1, momentum=0.9, optimizer=optax.sgd(0.1),
    ...        aggregator=jb.trimmed_mean(3)).name
    'RoSDHB'
    """
    mask = shared_mask(k, ratio=ratio)
    fresh = fresh_weight(momentum, one_minus_momentum)
    if not checks.among(downlink, ("model", "changes")):
        raise ValueError(f"downlink must be 'model' or 'changes', got {downlink!r}")
    changes = downlink == "changes"
    if changes and not aggregator.by_coordinate:
        raise ValueError(
            'aggregator must be a rule by coordinate for downlink = "changes", got '
            f"{said(aggregator)}, which does not declare `by_coordinate`"
        )
    following = rosdhb_changes.following(optimizer, fresh)

    # ---- worker: no memory, or a copy of the model -----------------------------------------
    def worker_init(key: Key, broadcast: Any, oracle: Oracle) -> tuple[Tree, None]:
        del key, oracle
        return rosdhb_changes.copy_of_nothing(optimizer, broadcast) if changes else (), None

    def worker_step(
        key: Key, state: Tree, broadcast: Any, oracle: Oracle
    ) -> tuple[Tree, SharedSupport]:
        state = following(state, broadcast) if changes else state
        x = state.x if changes else broadcast.x
        sample_key, _ = jax.random.split(key)  # every worker draws its batch from the first half
        gradient = oracle.grad(oracle.draw(sample_key), x)  # [d]
        return state, mask.restrict(gradient, broadcast.subset)

    # ---- server ----------------------------------------------------------------------------
    def why_rows(d: int) -> str | None:
        """Why the server keeps rows at this d; None: it works on the drawn coordinates alone."""
        if not aggregator.by_coordinate:
            return "the rule is not one by coordinate"
        if changes or (d >= LENGTH and SHARE * mask.keep(d) <= d):
            return None
        return f"d < {LENGTH}" if d < LENGTH else f"k > d/{SHARE}"

    def start(x: jax.Array, n: int) -> RoSDHBState:
        momenta = jnp.zeros((n, x.shape[0]), x.dtype)
        return RoSDHBState(x, momenta, optimizer.init(x), aggregator.init(x.shape[0]))

    def broadcast(key: Key, state: Any) -> RoSDHBBroadcast:
        return RoSDHBBroadcast(state.x, mask.draw(key, state.x.shape[0]))

    def server_step(
        key: Key, state: RoSDHBState, broadcast: RoSDHBBroadcast, messages: SharedSupport
    ) -> tuple[RoSDHBState, ServerInfo]:
        d = state.x.shape[0]
        weight = fresh * (d / mask.keep(d))
        received, rejected = read_messages(
            lambda message: weight * message.values, messages
        )  # [n, k]
        # m += (1-β)(g̃ - m), on the mask and off it: no bias from a rounded β.
        faded = state.momenta - fresh * state.momenta  # [n, d]
        told = saturated(faded[:, broadcast.subset] + received)
        momenta = faded.at[:, broadcast.subset].set(told, unique_indices=True)
        state = state._replace(momenta=momenta)
        return descend(optimizer, aggregator, key, state, momenta, rejected)

    say: Callable[[Key, Any], Any] = (
        rosdhb_changes.broadcast_changes(mask) if changes else broadcast
    )
    by_rows = Server(start, None, broadcast, server_step)
    by_age = server_by_age(optimizer, aggregator, mask, fresh, say)

    # ---- protocol --------------------------------------------------------------------------
    def encode(key: Key, broadcast: Any, wanted: jax.Array) -> SharedSupport:
        del key
        d = wanted.shape[0]
        return SharedSupport(wanted[broadcast.subset] * (mask.keep(d) / d))

    def decode(broadcast: Any, message: SharedSupport) -> jax.Array:
        return mask.extend(message, broadcast.subset, broadcast.x.shape[0])

    return Algorithm(
        name="RoSDHB",
        worker=Worker(worker_init, worker_step, received=following if changes else None),
        server=_either(by_rows, by_age, why_rows),
        codec=Codec(encode, decode),
        hello=None,
        incremental=changes,
    )


def _either(by_rows: Server, by_age: Server, why_rows: Callable[[int], str | None]) -> Server:
    """One of two servers, by the d of the model."""

    def work(d: int) -> str:
        reason = why_rows(d)
        return "n k + d" if reason is None else f"n d: {reason}"

    def start(x: jax.Array, n: int) -> RoSDHBState | AgedState:
        server = by_age if why_rows(x.shape[0]) is None else by_rows
        state: RoSDHBState | AgedState = server.start(x, n)
        return state

    def step(key: Key, state: Any, broadcast: Any, messages: Any) -> tuple[Any, ServerInfo]:
        server = by_age if isinstance(state, AgedState) else by_rows
        return server.step(key, state, broadcast, messages)

    return Server(start, None, by_age.broadcast, step, by_rows=by_rows, work=work)
