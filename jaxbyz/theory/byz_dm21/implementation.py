"""The shipped workers, run on every sample and every subset: do they do what the lemmas speak of?

The worker of Byz-DM21 or Byz-VR-DM21 is put into a given state (v, u, g) at x and told x⁺. Its
oracle hands out samples in turn, so that the worker is met with every pair of samples (a second
draw in one round is a second sample), and its compressor keeps every subset of k coordinates. The
averages of what comes out are E P⁺, E Q⁺, E R⁺ without any sampling error, to be held against

    * `next_errors`, written from the recursions (claims "code": identities), and
    * L4's bound for R⁺ ("ratio": E R⁺ / ((1-η)² R + ν) ≤ 1 whatever was sent and aggregated).

Rules and attacks reach a worker through x⁺ alone, and x⁺ is arbitrary here. One assumption of the
lemmas cannot be tested on one worker: that the samples of different workers are independent.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxbyz.aggregators import mean
from jaxbyz.algorithms.byz_dm21 import byz_dm21
from jaxbyz.algorithms.byz_vr_dm21 import byz_vr_dm21
from jaxbyz.algorithms.error_feedback import ErrorFeedbackState
from jaxbyz.algorithms.estimators import AveragedState, StormState
from jaxbyz.algorithms.robust_sgd import ModelBroadcast
from jaxbyz.core import Algorithm, Compressor, Key, Oracle
from jaxbyz.messages import Sparse
from jaxbyz.theory.byz_dm21.hypotheses import first
from jaxbyz.theory.byz_dm21.states import (
    State,
    errors,
    move,
    next_errors,
    setting_of,
    squares,
    states,
)
from jaxbyz.theory.byz_dm21.weights import RECURSIVE, Method
from jaxbyz.theory.claims import Claim, Hypothesis, Provenance, Scope
from jaxbyz.theory.conditions import vanishes

# What the code is run with: all that the identities need, as they hold for any numbers.
RAND_1 = Hypothesis("α = 1/d", lambda state: vanishes(state.alpha * state.g.shape[1] - 1, 1.0))
derived = functools.partial(
    Claim,
    paper="byz_dm21",
    provenance=Provenance.DERIVED,
    source="derived here, jaxbyz/theory/byz_dm21/implementation.py",
)
Maker = Callable[[Any, Any, Compressor], Algorithm]  # (η, β, compressor) -> the algorithm


def shipped(method: Method) -> Maker:
    """The constructor of the method's algorithm; server and optimiser play no part here.

    >>> from jaxbyz.theory.byz_dm21.weights import MOMENTUM
    >>> shipped(MOMENTUM)(0.1, 0.1, _kept(jnp.array([0]), 2)).name
    'Byz-DM21'
    """
    make = byz_vr_dm21 if method.recursive else byz_dm21

    def maker(eta: Any, beta: Any, compressor: Compressor) -> Algorithm:
        return make(
            eta=eta, beta=beta, compressor=compressor, optimizer=optax.sgd(1.0), aggregator=mean()
        )

    return maker


def _kept(subset: jax.Array, d: int) -> Compressor:
    """C(x) = x on one subset [k], 0 elsewhere: a draw of Rand-k without rescaling."""

    def compress(key: Key, x: jax.Array) -> Sparse:
        del key
        return Sparse(x[subset], subset, size=d)

    def decompress(message: Sparse) -> jax.Array:
        return jnp.zeros(d, message.values.dtype).at[message.indices].set(message.values)

    return Compressor(compress, decompress, compress, None, lambda d: subset.shape[0] / d)


def _memory(method: Method, state: State, i: jax.Array) -> ErrorFeedbackState:
    """The state of worker i at x = 0."""
    v, u = state.v[i], state.u[i]
    inner = StormState(v, jnp.zeros_like(v)) if method.recursive else AveragedState((), v)
    return ErrorFeedbackState(AveragedState(inner, u), state.g[i])


def _read(method: Method, memory: ErrorFeedbackState) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(v, u, g)."""
    inner = memory.estimator.inner
    v = inner.estimate if method.recursive else inner.average
    return v, memory.estimator.average, memory.server_estimate


def _run(method: Method, maker: Maker, state: State, step: jax.Array) -> tuple[jax.Array, ...]:
    """One round on everything: v, u, g, the server's g, and x to be kept, [G, N², subsets, d]."""
    workers, samples, d = state.noise.shape
    # Rand-1: α = 1/d.
    every = jnp.array(list(itertools.combinations(range(d), 1)))
    pairs = jnp.array(list(itertools.product(range(samples), repeat=2)))

    def one(i: jax.Array, pair: jax.Array, subset: jax.Array) -> tuple:
        draws = iter(range(2))
        oracle = Oracle(
            full=lambda y: state.gradients[i] + state.hessians[i] @ y,
            draw=lambda key: pair[next(draws)],  # in turn, while the worker is traced
            grad=lambda j, y: state.sample(i, j, y),
        )
        algorithm = maker(state.eta, state.beta, _kept(subset, d))
        memory, message = algorithm.worker.step(
            jax.random.key(0), _memory(method, state, i), ModelBroadcast(step), oracle
        )
        received = state.g[i] + algorithm.codec.decode(ModelBroadcast(step), message)
        x = memory.estimator.inner.previous if method.recursive else step
        return (*_read(method, memory), received, x)

    over_subsets = jax.vmap(one, (None, None, 0))
    over_pairs = jax.vmap(over_subsets, (None, 0, None))
    return jax.vmap(over_pairs, (0, None, None))(jnp.arange(workers), pairs, every)


def code_matches(method: Method, maker: Maker | None = None) -> Claim:
    """E P⁺ at the worker and at the server, E Q⁺ and E R⁺ of the code are those of the recursions.

    Args:
        method: MOMENTUM or RECURSIVE, which of the recursions.
        maker: what makes the algorithm under test, with the states of the shipped one; default
            the shipped one.

    >>> from jaxbyz.theory.byz_dm21.weights import MOMENTUM
    >>> code_matches(MOMENTUM).key
    'byz_dm21/code-DM'
    """
    make = shipped(method) if maker is None else maker

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        step = move(state, jnp.asarray(1.0))
        v, u, g, received, x = _run(method, make, state, step)
        gradients = state.gradients + jnp.einsum("iab,b->ia", state.hessians, step)
        measured = [
            squares(g - u),
            squares(received - u),
            squares(u - v),
            squares(v - gradients[:, None, None]),
        ]
        after = next_errors(state, step, method.recursive)
        derived = [after.p, after.p, after.q, after.r]
        # And the x that is kept for the next round, coordinate by coordinate.
        x = x.reshape(-1, step.shape[0])
        return (
            jnp.concatenate([jnp.stack(measured), x.max(axis=0), x.min(axis=0)]),
            jnp.concatenate([jnp.stack(derived), step, step]),
        )

    return derived(
        name=f"code-{method.name}",
        title="code and recursion",
        statement="E P⁺, E Q⁺, E R⁺ of the shipped worker = those of the recursions; x⁺ is kept",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(states(alpha=0.5),),
        hypotheses=(RAND_1,),
    )


def code_ratio(maker: Maker | None = None) -> Claim:
    """E R⁺ ≤ (1-η)² R + 2(1-η)² ℓ² S + 2η² σ² for Byz-VR-DM21 as it is shipped, for every x⁺.

    Compression precedes aggregation, and both momenta are local: no factor n or 1/α appears.

    >>> code_ratio().key
    'byz_dm21/ratio'
    """
    make = shipped(RECURSIVE) if maker is None else maker

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        step = move(state, jnp.asarray(1.0))
        v, *_ = _run(RECURSIVE, make, state, step)
        gradients = state.gradients + jnp.einsum("iab,b->ia", state.hessians, step)
        point = setting_of(state)
        c = RECURSIVE.steps(point, state.eta, state.beta)
        moved = (step**2).sum()
        right = c.r_r * errors(state).r + c.r_s * moved + c.r_n * point.noise_variance
        return squares(v - gradients[:, None, None]), right

    return derived(
        name="ratio",
        title="recursive estimate in the code",
        statement="E R⁺ ≤ (1-η)² R + 2(1-η)² ℓ² S + 2η² σ², run by the shipped worker",
        scope=Scope.ONE_STEP,
        sides=sides,
        families=(states(alpha=0.5),),
        hypotheses=first(recursive=True),
    )
