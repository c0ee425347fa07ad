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
from jaxbyz.core import Aggregator, Key, ServerInfo

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
    with returned.explaining_tracers("aggregator"):
        outcome = aggregator.apply(key, state.aggregator, rows)
    memory, aggregated = returned.aggregated("aggregator", outcome, rows)
    try:
        updates, moments = optimizer.update(aggregated.value, state.optimizer, state.x)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "optimizer must step by a gradient [d], its state and the parameters [d] alone, got "
            f"one that raises {checks.first_line(error)}"
        ) from error
    if jnp.shape(updates) != state.x.shape:
        raise ValueError(
            f"optimizer must update parameters of shape [d] = {state.x.shape} by an array of that "
            f"shape, got {jnp.shape(updates)}"
        )
    x = optax.apply_updates(state.x, updates)
    info = ServerInfo(rows, aggregated.value, rejected | aggregated.rejected, aggregated.details)
    return state._replace(x=jnp.asarray(x), optimizer=moments, aggregator=memory), info
