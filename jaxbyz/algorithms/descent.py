"""The last stretch that all servers share: rows -> aggregator -> optimiser -> model.

R = F(x_1, …, x_n),   x ← x + update(R),   with an optax optimiser; sgd(γ) gives x ← x - γ R.
"""

from typing import Any, TypeVar

import chex
import jax
import jax.numpy as jnp
import optax

from jaxbyz import checks
from jaxbyz.contracts import returned
from jaxbyz.core import Aggregated, Aggregator, Key, ServerInfo, Tree

State = TypeVar("State", bound=Any)  # a NamedTuple with x, optimizer and aggregator


def descend(
    optimizer: optax.GradientTransformation,
    aggregator: Aggregator,
    key: Key,
    state: State,
    rows: jax.Array,
    rejected: jax.Array,
) -> tuple[State, ServerInfo]:
    """Aggregate rows [n, d] and take one optimiser step.

    Args:
        optimizer: what the aggregate is given to.
        aggregator: the rule.
        key: for rules that draw.
        state: a server state with fields x [d], optimizer, aggregator.
        rows: [n, d], what the server believes of each worker.
        rejected: [n] bool, which messages the server has already rejected.

    Raises:
        ValueError: when traced, a rule that does not make a vector [d] of the rows, or an optimiser
            that does not make one of it.
    """
    chex.assert_shape(rows, (None, *state.x.shape))  # [n, d]
    chex.assert_shape(rejected, rows.shape[:1])
    chex.assert_type(rejected, bool)
    memory, aggregated = aggregated_rows(aggregator, key, state.aggregator, rows)
    x, moments = moved(optimizer, state.optimizer, state.x, aggregated.value)
    info = ServerInfo(rows, aggregated.value, rejected | aggregated.rejected, aggregated.details)
    return state._replace(x=x, optimizer=moments, aggregator=memory), info


def aggregated_rows(
    aggregator: Aggregator, key: Key, memory: Tree, rows: jax.Array
) -> tuple[Tree, Aggregated]:
    """The rule on rows [n, w]: its state, and what it made of them.

    Raises:
        ValueError: when traced, a rule that does not make a vector [w] of the rows.
    """
    with returned.explaining_tracers("aggregator"):
        outcome = aggregator.apply(key, memory, rows)
    memory, aggregated = returned.aggregated("aggregator", outcome, rows)
    return memory, aggregated


def moved(
    optimizer: optax.GradientTransformation, moments: Tree, x: jax.Array, aggregate: jax.Array
) -> tuple[jax.Array, Tree]:
    """The model [d] after a step of the optimiser by an aggregate [d], and the optimiser's state.

    Raises:
        ValueError: when traced, an optimiser that does not make a vector [d] of the aggregate.
    """
    try:
        updates, moments = optimizer.update(aggregate, moments, x)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "optimizer must step by a gradient [d], its state and the parameters [d] alone, got "
            f"one that raises {checks.first_line(error)}"
        ) from error
    if jnp.shape(updates) != x.shape:
        raise ValueError(
            f"optimizer must update parameters of shape [d] = {x.shape} by an array of that "
            f"shape, got {jnp.shape(updates)}"
        )
    return jnp.asarray(optax.apply_updates(x, updates)), moments
