"""FLTrust: the server has a small data set of its own, and trusts workers who agree with it.

Cao, Fang, Liu, Gong, "FLTrust: Byzantine-robust federated learning via trust bootstrapping", NDSS
2021, Algorithm 2 and Section IV. Per round, with the root gradient r = ∇f_0(x) of the server's own
data and the messages s_1, …, s_n of the workers:

    worker   sends s_i, one gradient at x
    server   c_i = max(0, ⟨s_i, r⟩/(‖s_i‖ ‖r‖))                  trust
             R = Σ c_i (‖r‖/‖s_i‖) s_i / Σ c_i                   every row has the length of r
             x ← x - γ R

| symbol | name                  | shape  |
|--------|-----------------------|--------|
| r      | root                  | [d]    |
| s_i    | rows                  | [n, d] |
| c_i    | trust, in `details`   | [n]    |
| γ      | in `optimizer`        |        |

With `local_steps` the workers' messages are differences of models, as in the paper, whose server
takes as many steps on its own data; here r is one gradient, of which only the direction and the
length count. Uplink and downlink d b bits.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxbyz.aggregators import mean
from jaxbyz.aggregators.rows.numbers import lengths
from jaxbyz.algorithms.descent import descend
from jaxbyz.algorithms.estimates import DENSE
from jaxbyz.algorithms.robust_sgd import RobustSGDState, broadcast_model, robust_sgd
from jaxbyz.contracts import returned
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Algorithm, Key, Server, ServerInfo, Tree
from jaxbyz.sanitize import read_messages, saturated


@part
def fltrust(
    *, optimizer: optax.GradientTransformation, root: Callable[[jax.Array], jax.Array]
) -> Algorithm:
    """FLTrust with dense messages.

    If no worker agrees with the root gradient, or it is 0 or not finite, nothing is added: R = 0.

    Args:
        optimizer: the server's optimiser; optax.sgd(γ) is the published method.
        root: x [d] -> ∇f_0(x) [d], of the server's own data: `problems.gradient_of(problem)` of a
            problem with one worker, whose data it is.

    Raises:
        ValueError: root is no function; when traced, one that does not make a vector [d].

    >>> import jaxbyz as jb
    >>> problem = jb.problems.quadratics(honest=6, byzantine=4, dimension=3, seed=0)
    >>> own = jb.problems.quadratics_from_arrays(problem.matrices[:1], problem.vectors[:1])
    >>> method = fltrust(optimizer=optax.sgd(0.1), root=jb.problems.gradient_of(own))
    >>> history = jb.train(method, problem, attack=jb.sign_flip(), rounds=50)
    >>> bool(history["loss"][0, -1] < history["loss"][0, 0])
    True
    """
    plain = robust_sgd(optimizer=optimizer, aggregator=mean())  # its worker and its messages

    def start(x: jax.Array, n: int) -> RobustSGDState:
        del n
        return RobustSGDState(x, optimizer.init(x), None)

    def step(
        key: Key, state: RobustSGDState, broadcast: Tree, messages: Tree
    ) -> tuple[RobustSGDState, ServerInfo]:
        del broadcast
        received, rejected = read_messages(DENSE.decompress, messages)
        with returned.explaining_tracers("root"):
            own = jnp.asarray(returned.vector("root", root(state.x), state.x.shape[0]))

        def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
            value, trust = trusted_mean(rows, own)
            return state, Aggregated(value, jnp.zeros(rows.shape[0], bool), {"trust": trust})

        rule = Aggregator(lambda d: None, apply)
        return descend(optimizer, rule, key, state, received, rejected)

    server = Server(start, None, broadcast_model, step)
    return plain._replace(name="FLTrust", server=server, aggregator=None)


def trusted_mean(rows: jax.Array, root: jax.Array) -> tuple[jax.Array, jax.Array]:
    """R [d] and trust c [n] of finite rows [n, d] and a root gradient [d].

    >>> rows = jnp.array([[3.0, 0.0], [0.0, 9.0], [-1.0, 0.0], [0.0, 0.0]])
    >>> value, trust = trusted_mean(rows, jnp.array([2.0, 0.0]))
    >>> value.tolist(), trust.tolist()
    ([2.0, 0.0], [1.0, 0.0, 0.0, 0.0])
    """
    root = jnp.where(jnp.isfinite(root).all(), root, 0)
    every = jnp.concatenate([rows, root[None]])
    size, length = lengths(every)  # norms are their products, which may be too large a number
    scaled = every * (1 / size)[:, None]
    directions = scaled / jnp.where(length > 0, length, 1)[:, None]
    cosines = jnp.matmul(directions[:-1], directions[-1], precision=jax.lax.Precision.HIGHEST)
    trust = jnp.clip(cosines, 0, 1)
    total = trust.sum()
    towards = jnp.matmul(trust, directions[:-1], precision=jax.lax.Precision.HIGHEST)
    towards = towards / jnp.where(total > 0, total, 1)
    return saturated(towards * length[-1] * size[-1]), trust
