"""The masks of a run: uniform over all k-subsets, and those of two rounds independent.

L1 needs a mask that does not depend on the past. Here runs of the shipped RoSDHB are watched
through `build` and `run`; with β = 0 the momenta are zero off the mask, so that the mask can be
read from what the server aggregates. Pairs of consecutive masks of N runs are counted; each of the
C² pairs has a frequency, and so, by the exponential Chernoff bound with a union over pairs and
sides, an interval for its probability. Derived here.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxbyz.aggregators import mean
from jaxbyz.algorithms import rosdhb
from jaxbyz.problems.quadratics import quadratics_from_arrays
from jaxbyz.simulation import session
from jaxbyz.storage.programs import compiled_once
from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.expectations import all_subsets
from jaxbyz.theory.subjects import Frequencies, SampledMean

derived = functools.partial(
    Claim,
    paper="rosdhb",
    provenance=Provenance.DERIVED,
    scope=Scope.ONE_STEP,
    unconditional="it speaks of the shipped code alone; runs have independent keys",
)


def masks_of_runs(
    d: int, k: int, rounds: int, runs: int, seed: int, make: Callable[..., Any] = rosdhb
) -> jax.Array:
    """Which coordinates were in the mask of every round, [runs, rounds, d] bool."""
    # Two workers whose gradients are 1 everywhere, wherever the model is.
    problem = quadratics_from_arrays(np.stack([np.eye(d)] * 2), -np.ones((2, d)))
    algorithm = make(optimizer=optax.sgd(0.0), aggregator=mean(), k=k, one_minus_momentum=1.0)
    run = session(algorithm, problem, record=lambda state, info: info.server.rows[0] != 0)
    data = run.simulation.data

    def one(key: jax.Array) -> jax.Array:
        start_key, run_key = jax.random.split(key)
        state, _ = run.start(start_key, jnp.zeros(d), data)
        return run.advance(rounds, run_key, state, data)[1][0]

    keys = jax.random.split(jax.random.key(seed, impl="threefry2x32"), runs)
    return compiled_once(jax.vmap(one), lift=False)(keys)


def uniform_masks(
    d: int = 4,
    k: int = 2,
    *,
    tolerance: float = 0.02,
    level: float = 1e-6,
    make: Callable[..., Any] = rosdhb,
) -> Claim:
    """code/mask: |Pr(M_1 = S, M_2 = S') - 1/C(d,k)²| ≤ tolerance for all S, S'.

    20,000 runs of two rounds are the least: fewer leave the tolerance open.
    """
    subsets = all_subsets(d, k)
    kinds = len(subsets)
    patterns = {tuple(np.isin(np.arange(d), subset)): i for i, subset in enumerate(subsets)}

    def count(seed: int, runs: int) -> np.ndarray | None:
        masks = np.asarray(masks_of_runs(d, k, 2, runs, seed, make))
        seen = np.array([[patterns.get(tuple(mask), -1) for mask in pair] for pair in masks])
        if (seen < 0).any():
            return None
        return np.bincount(seen @ [kinds, 1], minlength=kinds**2).reshape(kinds, kinds)

    def sides(law: np.ndarray) -> tuple[jax.Array, jax.Array]:  # [C, C]
        return jnp.abs(jnp.asarray(law, float) - 1 / kinds**2).max(), jnp.asarray(tolerance, float)

    return derived(
        name="code/mask",
        title="masks of a run are uniform and fresh",
        statement=f"|Pr(M_t = S, M_(t+1) = S') - 1/C²| <= {tolerance}, C = C({d},{k})",
        source="derived here: counts of pairs of masks in runs of the shipped code",
        sides=sides,
        subject=Frequencies(
            count,
            f"a mask that has not {k} coordinates",
            f"runs of two rounds, {kinds**2} pairs of masks",
            20_000,
            level,
        ),
    )


def mask_share(
    d: int = 20, k: int = 5, *, spare: float = 0.02, make: Callable[..., Any] = rosdhb
) -> Claim:
    """code/share: Pr(0 in M_t) ≤ k/d + spare, by betting on the masks of runs as they come."""

    def draw(seed: int, count: int) -> np.ndarray:
        masks = masks_of_runs(d, k, 10, -(-count // 10), seed, make)
        return np.asarray(masks)[:, :, 0].reshape(-1)[:count].astype(float)

    bound = k / d + spare
    return derived(
        name="code/share",
        title="no coordinate is preferred",
        statement=f"Pr(0 in M_t) <= k/d + {spare}, d = {d}, k = {k}",
        source="derived here: a betting e-process on runs of the shipped code",
        sides=lambda share: (share, jnp.asarray(bound)),
        subject=SampledMean(draw, bound, count=20_000),
    )
