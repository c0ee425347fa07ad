"""Gradient estimates that a worker keeps for itself: what is to be sent, before compression.

With s(x; ξ) the gradient on the sample ξ, the model x⁺ of this round and x of the last:

    full_gradient      e⁺ = ∇f_i(x⁺)
    sampled_gradient   e⁺ = s(x⁺; ξ)
    storm              e⁺ = s(x⁺; ξ) + (1-η)(e - s(x; ξ)),   the same sample ξ at both points
    averaged           a⁺ = (1-η) a + η e⁺                    of any other estimate e

An average of an average is double momentum. `storm` is due to Cutkosky and Orabona, "Momentum-based
variance reduction in non-convex SGD", NeurIPS 2019; its error e - ∇f_i(x) shrinks by the factor 1-η
a round, however far x moves, up to fresh noise. (With the stored s(x; ξ) of the last round's sample
it would be s(x⁺; ξ) for ever: nothing would be averaged.)

| symbol | name              | shape |
|--------|-------------------|-------|
| e, a   | estimate, average | [d]   |
| x      | previous          | [d]   |
| η      | fraction          | []    |

Every estimate starts at the mean of `start_batch` sampled gradients at x⁰, an average too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.core import Key, Oracle, Tree


class Estimator(NamedTuple):
    """A rule (key, state, x, oracle) -> (state, estimate), and how it starts."""

    init: Callable[[Key, jax.Array, Oracle], tuple[Tree, jax.Array]]  # (key, x [d], oracle)
    step: Callable[[Key, Tree, jax.Array, Oracle], tuple[Tree, jax.Array]]
    # step(key, state, x [d], oracle) -> (state, estimate [d])


class StormState(NamedTuple):
    """Two vectors."""

    estimate: jax.Array  # [d] e
    previous: jax.Array  # [d] x, where it was made


class AveragedState(NamedTuple):
    """The average, and what the averaged estimate remembers."""

    inner: Tree
    average: jax.Array  # [d] a


def full_gradient() -> Estimator:
    """The full local gradient; no memory.

    >>> oracle = Oracle(lambda x: 2 * x, lambda key: None, lambda batch, x: x)
    >>> full_gradient().init(jax.random.key(0), jnp.ones(2), oracle)[1].tolist()
    [2.0, 2.0]
    """

    def step(key: Key, state: Tree, x: jax.Array, oracle: Oracle) -> tuple[Tree, jax.Array]:
        del key
        return state, oracle.full(x)

    return Estimator(lambda key, x, oracle: step(key, (), x, oracle), step)


def sampled_gradient(start_batch: int = 1) -> Estimator:
    """The gradient on one draw of the oracle; no memory.

    Raises:
        ValueError: start_batch < 1.

    >>> oracle = Oracle(lambda x: x, lambda key: jnp.array(3.0), lambda batch, x: batch * x)
    >>> sampled_gradient(start_batch=5).init(jax.random.key(0), jnp.ones(2), oracle)[1].tolist()
    [3.0, 3.0]
    """
    size = checks.count("start_batch", start_batch, minimum=1)

    def init(key: Key, x: jax.Array, oracle: Oracle) -> tuple[Tree, jax.Array]:
        return (), _mean_of_draws(key, x, oracle, size)

    def step(key: Key, state: Tree, x: jax.Array, oracle: Oracle) -> tuple[Tree, jax.Array]:
        return state, oracle.grad(oracle.draw(key), x)

    return Estimator(init, step)


def storm(eta: Any, start_batch: int = 1) -> Estimator:
    """The recursive estimate with parameter η in (0, 1]; η = 1 is `sampled_gradient`.

    Two gradients a round, on one sample.

    Raises:
        ValueError: eta outside its range; start_batch < 1.

    >>> oracle = Oracle(lambda x: x, lambda key: None, lambda batch, x: x)
    >>> state = StormState(estimate=jnp.array([5.0]), previous=jnp.array([1.0]))
    >>> storm(eta=0.25).step(jax.random.key(0), state, jnp.array([2.0]), oracle)[1].tolist()
    [5.0]
    """
    checks.interval("eta", eta, 0, 1, closed="right")
    size = checks.count("start_batch", start_batch, minimum=1)

    def init(key: Key, x: jax.Array, oracle: Oracle) -> tuple[StormState, jax.Array]:
        estimate = _mean_of_draws(key, x, oracle, size)
        return StormState(estimate, x), estimate

    def step(
        key: Key, state: StormState, x: jax.Array, oracle: Oracle
    ) -> tuple[StormState, jax.Array]:
        batch = oracle.draw(key)  # one sample, used at both points
        error = state.estimate - oracle.grad(batch, state.previous)
        estimate = oracle.grad(batch, x) + (error - eta * error)
        return StormState(estimate, x), estimate

    return Estimator(init, step)


def averaged(fraction: Any, inner: Estimator, *, name: str = "fraction") -> Estimator:
    """The exponential average of another estimate, which starts where that one starts.

    Args:
        fraction: the weight of what is new, in (0, 1]; 1 is the inner estimate.
        inner: what is averaged.
        name: what to call `fraction` in an error.

    Raises:
        ValueError: fraction outside its range.

    >>> oracle = Oracle(lambda x: x, lambda key: None, lambda batch, x: x)
    >>> mean = averaged(0.25, full_gradient())
    >>> state = AveragedState((), jnp.array([4.0]))
    >>> mean.step(jax.random.key(0), state, jnp.array([8.0]), oracle)[1].tolist()
    [5.0]
    """
    checks.interval(name, fraction, 0, 1, closed="right")

    def init(key: Key, x: jax.Array, oracle: Oracle) -> tuple[AveragedState, jax.Array]:
        state, estimate = inner.init(key, x, oracle)
        return AveragedState(state, estimate), estimate

    def step(
        key: Key, state: AveragedState, x: jax.Array, oracle: Oracle
    ) -> tuple[AveragedState, jax.Array]:
        memory, estimate = inner.step(key, state.inner, x, oracle)
        # a - η a + η e: the small η itself, and no bias from a rounded 1-η.
        average = (state.average - fraction * state.average) + fraction * estimate
        return AveragedState(memory, average), average

    return Estimator(init, step)


def _mean_of_draws(key: Key, x: jax.Array, oracle: Oracle, size: int) -> jax.Array:
    """The mean of so many sampled gradients at x, one after another, [d]."""

    def add(total: jax.Array, sample_key: Key) -> tuple[jax.Array, None]:
        return total + oracle.grad(oracle.draw(sample_key), x), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(x), jax.random.split(key, size))
    return total / size
