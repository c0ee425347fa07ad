"""The server of RoSDHB that computes on the k drawn coordinates alone, for rules by coordinate.

Off the mask a momentum only fades, m_i[c] ← β m_i[c], and so does what such a rule makes of it:
F(β m)[c] = β F(m)[c] (`Aggregator.by_coordinate`). So momenta are kept as they were in the round in
which their coordinate was last drawn. The *age* of a coordinate is the number of rounds since:

    m_i[c] = β^age(c) told_i[c],     A[c] = F(m_1[c], …, m_n[c])  [d], kept as it is

    in a round  told_i[M] ← β^age(M) told_i[M] + (1-β) (d/k) g_i[M],   the age on M is 0
                A ← β A,   A[M] ← F(told_1[M], …, told_n[M]),   θ ← θ + update(A)

| symbol  | name         | shape  |
|---------|--------------|--------|
| θ       | x            | [d]    |
| A       | aggregate    | [d]    |
| told_i  | told         | [d, n] |
| age     | round - last | [d]    |
| 1-β     | fresh        | []     |

Work: O(n k), and passes over A and θ, which the broadcast of θ needs anyway; the server that keeps
rows has O(n d). All momenta [n, d] are computed only where somebody looks at them. The optimiser
is given the whole A, so that it can be any. Nothing is ever divided by β^age, and no sum runs over
the rounds: numbers of any size are treated as by the server that keeps rows, and errors of rounding
fade as momenta do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz.algorithms.descent import aggregated_rows, moved
from jaxbyz.compressors.sparsifiers import SharedMask
from jaxbyz.core import Aggregator, Key, Server, ServerInfo, Tree
from jaxbyz.messages import SharedSupport
from jaxbyz.sanitize import read_messages, saturated


class AgedState(NamedTuple):
    """What the server keeps; `momenta` are computed of it."""

    x: jax.Array  # [d]
    told: jax.Array  # [d, n] momenta when last drawn; the n numbers of a coordinate are neighbours
    last: jax.Array  # [d] int32, the round in which a coordinate was last drawn
    round: jax.Array  # [] int32, rounds done
    fresh: jax.Array  # [] 1-β
    aggregate: jax.Array  # [d] of the momenta
    subset: jax.Array  # [k] the last mask
    optimizer: Any
    aggregator: Any

    @property
    def momenta(self) -> jax.Array:
        """The momenta of all workers, [n, d]."""
        return self.told.T * faded(self.fresh, self.round - self.last, self.x.dtype)


def faded(fresh: jax.Array, age: jax.Array, dtype: Any) -> jax.Array:
    """β^age, for β so near 1 that only 1-β says it: exp(age log(1 - fresh)), and 0⁰ = 1.

    >>> faded(jnp.array([0.5, 1.0, 1.0]), jnp.array([2, 1, 0]), jnp.float32).tolist()
    [0.25, 0.0, 1.0]
    """
    rate = jnp.log1p(-jnp.asarray(fresh, dtype))  # -∞ for β = 0
    return jnp.where(age == 0, 1, jnp.exp(jnp.maximum(age, 1).astype(dtype) * rate))


def faded_aggregate(
    fresh: Any, aggregate: jax.Array, subset: jax.Array, values: jax.Array
) -> jax.Array:
    """β A [d], but the new values [k] on the mask [k]."""
    return (aggregate - fresh * aggregate).at[subset].set(values, unique_indices=True)


def server_by_age(
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    mask: SharedMask,
    fresh: Any,
    broadcast: Callable[[Key, Any], Tree],
) -> Server:
    """The server of `rosdhb` in O(n k + d).

    Args:
        optimizer: any.
        aggregator: a rule by coordinate.
        mask: of the algorithm.
        fresh: 1-β in (0, 1].
        broadcast: (key, state) -> broadcast with a field `subset`.
    """

    def start(x: jax.Array, n: int) -> AgedState:
        d = x.shape[0]
        return AgedState(
            x=x,
            told=jnp.zeros((d, n), x.dtype),
            last=jnp.zeros(d, jnp.int32),
            round=jnp.zeros((), jnp.int32),
            fresh=jnp.asarray(fresh, x.dtype),
            aggregate=jnp.zeros(d, x.dtype),
            subset=jnp.zeros(mask.keep(d), jnp.int32),
            optimizer=optimizer.init(x),
            aggregator=aggregator.init(d),
        )

    def step(
        key: Key, state: AgedState, broadcast: Tree, messages: SharedSupport
    ) -> tuple[AgedState, ServerInfo]:
        d, subset = state.x.shape[0], broadcast.subset
        weight = fresh * (d / mask.keep(d))
        received, rejected = read_messages(lambda message: weight * message.values, messages)
        now = state.round + 1
        before = state.last[subset]
        rest = faded(state.fresh, now - before, state.x.dtype)  # [k]
        told = saturated(state.told[subset].T * rest + received)  # [n, k]
        memory, aggregated = aggregated_rows(aggregator, key, state.aggregator, told)
        aggregate = faded_aggregate(fresh, state.aggregate, subset, aggregated.value)
        x, moments = moved(optimizer, state.optimizer, state.x, aggregate)
        # For those who look. An attack that tries many messages has all but the mask computed once.
        rows = state._replace(round=now).momenta.at[:, subset].set(told, unique_indices=True)
        state = state._replace(
            x=x,
            told=state.told.at[subset].set(told.T, unique_indices=True),
            # The larger one is `now`. So it is written after it was read, and no copy is kept.
            last=state.last.at[subset].set(jnp.maximum(before, now), unique_indices=True),
            round=now,
            aggregate=aggregate,
            subset=subset,
            optimizer=moments,
            aggregator=memory,
        )
        rejected = rejected | aggregated.rejected
        return state, ServerInfo(rows, aggregate, rejected, aggregated.details)

    return Server(start, None, broadcast, step)
