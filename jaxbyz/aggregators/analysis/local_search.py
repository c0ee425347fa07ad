"""A search for the rows on which a rule is worst: many searches, by gradients and random steps.

The ratio ‖R(X) - x̄_S‖²/Var_S is piecewise smooth; it jumps where a rule changes its selection, and
the worst X often stands right there. So every search tries a step along the gradient, a step of
all rows at random and a step of one row at random, goes to the best of the three if it is better
than where it stands, and then takes longer steps, else shorter ones.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.core import Aggregator, Key


class _State(NamedTuple):
    rows: jax.Array  # [n, d]
    log_ratio: jax.Array  # []
    stride: jax.Array  # [], relative to the size of the rows


def error_ratio(rule: Aggregator, f: int, keys: Key) -> Callable[[jax.Array], jax.Array]:
    """rows [n, d] -> E‖R(X) - x̄_S‖²/Var_S with S the first n-f rows, over keys [m] of the rule.

    +Inf where Var_S = 0 and the error is not.
    """

    def ratio(rows: jax.Array) -> jax.Array:
        n, d = rows.shape
        weights = jnp.where(jnp.arange(n) < n - f, 1 / (n - f), 0).astype(rows.dtype)
        centre = jnp.matmul(weights, rows, precision="highest")
        variance = (weights * ((rows - centre) ** 2).sum(axis=1)).sum()

        def error(key: Key) -> jax.Array:
            gap = rule.apply(key, rule.init(d), rows)[1].value - centre
            return gap @ gap

        square = jax.vmap(error)(keys).mean()
        ratio = square / jnp.where(variance > 0, variance, 1)
        return jnp.where(variance > 0, ratio, jnp.where(square > 0, jnp.inf, 0))

    return ratio


def initial_rows(key: Key, count: int, n: int, f: int, d: int) -> jax.Array:
    """Where searches begin, [count, n, d]: S Gaussian or of two values, around 0 or far from it.

    The others stand at the mean of S, with it, or up to a hundred deviations away, together or not.
    """
    names = ("normal", "steps", "kind", "together", "reach", "offset", "far")
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    rows = jax.random.normal(keys["normal"], (count, n, d))
    steps = jnp.sign(rows[..., :1]) * jnp.ones(d)
    two_valued = jax.random.bernoulli(keys["kind"], 0.3, (count, 1, 1))
    rows = jnp.where(two_valued, steps + 1e-3 * rows, rows)
    reach = 10 ** jax.random.uniform(keys["reach"], (count, 1, 1), minval=-1, maxval=2)
    together = jax.random.bernoulli(keys["together"], 0.5, (count, 1, 1))
    one = jax.random.normal(keys["steps"], (count, 1, d))
    forged = reach * jnp.where(together, one + 1e-3 * rows[:, n - f :], rows[:, n - f :])
    rows = jnp.concatenate([rows[:, : n - f], forged], axis=1)
    offset = 10 * jax.random.normal(keys["offset"], (count, 1, d))
    return rows + jnp.where(jax.random.bernoulli(keys["far"], 0.25, (count, 1, 1)), offset, 0)


def local_search(
    ratio: Callable[[jax.Array], jax.Array], begin: jax.Array, steps: int, key: Key
) -> tuple[jax.Array, jax.Array]:
    """The worst rows met from initial rows [count, n, d]: (ratio [], rows [n, d])."""
    shape = begin.shape[1:]
    basis = jnp.eye(shape[0] * shape[1], dtype=begin.dtype).reshape(-1, *shape)

    def log_ratio(rows: jax.Array) -> jax.Array:
        value = jnp.log(ratio(rows))
        return jnp.where(jnp.isnan(value), -jnp.inf, value)

    def slope(rows: jax.Array) -> jax.Array:
        # Forwards: rules that iterate to convergence have no derivative backwards.
        along = jax.vmap(lambda unit: jax.jvp(log_ratio, (rows,), (unit,))[1])(basis)
        return jnp.where(jnp.isfinite(along), along, 0).reshape(shape)

    def step(state: _State, key: Key) -> tuple[_State, None]:
        rows, least, stride = state
        all_key, one_key, who_key = jax.random.split(key, 3)
        sizes = jnp.sqrt(((rows - rows.mean(axis=0)) ** 2).mean(axis=1, keepdims=True))  # [n, 1]
        sizes = jnp.where(sizes > 0, sizes, 1)
        uphill = slope(rows) * sizes  # in units of each row
        uphill = uphill / jnp.maximum(jnp.sqrt((uphill**2).mean()), jnp.finfo(rows.dtype).tiny)
        one = jnp.arange(shape[0])[:, None] == jax.random.randint(who_key, (), 0, shape[0])
        moves = jnp.stack(
            [
                uphill,
                jax.random.normal(all_key, shape, rows.dtype),
                jnp.where(one, jax.random.normal(one_key, shape, rows.dtype), 0),
            ]
        )
        tried = rows + stride * sizes * moves
        found = jax.vmap(log_ratio)(tried)
        i = jnp.argmax(found)
        better = found[i] > least
        stride = jnp.clip(stride * jnp.where(better, 1.5, 0.8), 1e-8, 1.0)
        rows = jnp.where(better, tried[i], rows)
        return _State(rows, jnp.where(better, found[i], least), stride), None

    def search(rows: jax.Array, key: Key) -> _State:
        begin = _State(rows, log_ratio(rows), jnp.full((), 0.3, rows.dtype))
        return jax.lax.scan(step, begin, jax.random.split(key, steps))[0]

    ends = jax.vmap(search)(begin, jax.random.split(key, begin.shape[0]))
    best = jnp.argmax(ends.log_ratio)
    return jnp.exp(ends.log_ratio[best]), ends.rows[best]
