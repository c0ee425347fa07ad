"""Local steps: between two messages every worker takes K gradient steps on its own data.

McMahan, Moore, Ramage, Hampson, Agüera y Arcas, "Communication-efficient learning of deep networks
from decentralized data", AISTATS 2017 (federated averaging). Here around any algorithm: wherever
its worker asks for a gradient at x, it is told the sum of K of them along its own descent,

    x_0 = x;   x_{j+1} = x_j - η s(x_j; ξ_j);   told: (x_0 - x_K)/η = Σ_{j<K} s(x_j; ξ_j)

| symbol | name      | shape |
|--------|-----------|-------|
| K      | steps     |       |
| η      | step_size | []    |

So the message is the difference of two models, in units of η, compressed and averaged as the
algorithm does with gradients. With robust D-SGD and the server's optimiser `optax.sgd(η)` the new
model is the robust rule of the workers' models x_K: federated averaging where the rule is the mean.
What a method says of its step size, variance or smoothness is about gradients, and no longer holds
for K > 1. Bits are those of the algorithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Algorithm, Key, Oracle, Tree


@part
def local_steps(algorithm: Algorithm, *, steps: int, step_size: Any) -> Algorithm:
    """The same algorithm with K local steps a round; K = 1 is the algorithm itself.

    A method that asks for full local gradients takes K steps with full local gradients; one that
    asks for the same sample at two points follows the same K samples from both.

    Args:
        algorithm: from `jaxbyz.algorithms`.
        steps: K ≥ 1, gradient steps between two messages.
        step_size: η > 0 of these steps.

    Raises:
        ValueError: steps < 1 or step_size ≤ 0; when traced, a method that keeps a gradient for
            every sample (`broadcast_saga`), if K > 1.

    >>> import jaxbyz as jb, optax
    >>> average = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(3))
    >>> local_steps(average, steps=5, step_size=0.1).name
    'robust D-SGD, 5 local steps'
    """
    count = checks.count("steps", steps, minimum=1)
    checks.interval("step_size", step_size, 0, math.inf, closed="neither")
    inner = algorithm.worker

    def init(key: Key, broadcast: Tree, oracle: Oracle) -> tuple[Tree, Tree]:
        return inner.init(key, broadcast, descending(oracle, count, step_size))

    def step(key: Key, state: Tree, broadcast: Tree, oracle: Oracle) -> tuple[Tree, Tree]:
        return inner.step(key, state, broadcast, descending(oracle, count, step_size))

    return algorithm._replace(
        name=algorithm.name if count == 1 else f"{algorithm.name}, {count} local steps",
        worker=inner._replace(init=init, step=step),
    )


def descending(oracle: Oracle, steps: int, step_size: Any) -> Oracle:
    """The oracle whose gradients are sums of K gradients along a descent.

    A draw is K keys, with which K batches are drawn: those of full gradients would be K copies.

    >>> halves = Oracle(lambda x: x, lambda key: (), lambda batch, x: x)
    >>> descending(halves, 2, 0.5).full(jnp.array([4.0])).tolist()  # 4 + 2
    [6.0]
    """
    if steps == 1:
        return oracle

    def descend(x: jax.Array, keys: Any, gradient: Callable[[Any, jax.Array], Any]) -> jax.Array:
        def step(carry: tuple[jax.Array, jax.Array], key: Any) -> Any:
            at, total = carry
            slope = gradient(key, at)
            return (at - step_size * slope, total + slope), None

        (_, total), _ = jax.lax.scan(step, (x, jnp.zeros_like(x)), keys, length=steps)
        # A descent that leaves the finite numbers tells nothing, as one gradient that does.
        return jnp.where(jnp.isfinite(total).all(), total, jnp.nan)

    return Oracle(
        full=lambda x: descend(x, None, lambda _, at: oracle.full(at)),
        draw=lambda key: jax.random.split(key, steps),
        grad=lambda keys, x: descend(x, keys, lambda k, at: oracle.grad(oracle.draw(k), at)),
    )
