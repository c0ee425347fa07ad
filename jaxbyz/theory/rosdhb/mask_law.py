"""The masks of a run: uniform over all k-subsets, and those of two rounds independent.

L1 needs a mask that does not depend on the past. Here runs of the shipped RoSDHB are watched
through `build` and `run`; with β = 0 the momenta are zero off the mask, so that the mask can be
read from what the server aggregates. Pairs of consecutive masks of N runs are counted; each of the
C² pairs has a frequency, and so, by the exponential Chernoff bound with a union over pairs and
sides, an interval for its probability. Derived here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxbyz.aggregators import mean
from jaxbyz.algorithms import rosdhb
from jaxbyz.problems.quadratics import quadratics_from_arrays
from jaxbyz.simulation import build, run
from jaxbyz.theory.claims import Budget, Claim, Provenance, Scope
from jaxbyz.theory.engines.statistics import mean_at_most
from jaxbyz.theory.expectations import all_subsets
from jaxbyz.theory.reports import Report, Status

RUNS = 20_000

__all__ = ["interval", "mask_share", "masks_of_runs", "uniform_masks"]


def _divergence(p: float, q: float) -> float:
    """Of Bernoulli(p) from Bernoulli(q), KL(p‖q)."""
    first = p * math.log(p / q) if p > 0 else 0.0
    second = (1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0
    return first + second


def interval(count: int, trials: int, level: float) -> tuple[float, float]:
    """All q with trials · KL(count/trials ‖ q) ≤ log(2/level): they hold q at 1 - level.

    >>> low, high = interval(500, 1000, 0.01)
    >>> 0.44 < low < 0.46 and 0.54 < high < 0.56
    True
    """
    p, allowed = count / trials, math.log(2 / level) / trials

    def edge(outside: float) -> float:
        inside = p
        for _ in range(60):
            middle = (inside + outside) / 2
            if 0 < middle < 1 and _divergence(p, middle) <= allowed:
                inside = middle
            else:
                outside = middle
        return outside

    return edge(0.0), edge(1.0)


def masks_of_runs(
    d: int, k: int, rounds: int, runs: int, seed: int, make: Callable[..., Any] = rosdhb
) -> jax.Array:
    """Which coordinates were in the mask of every round, [runs, rounds, d] bool."""
    # Two workers whose gradients are 1 everywhere, wherever the model is.
    problem = quadratics_from_arrays(np.stack([np.eye(d)] * 2), -np.ones((2, d)))
    algorithm = make(optimizer=optax.sgd(0.0), aggregator=mean(), k=k, one_minus_momentum=1.0)
    simulation = build(algorithm, problem)
    scan = run(simulation.step, rounds, lambda state, info: info.server.rows[0] != 0)

    def one(key: jax.Array) -> jax.Array:
        start_key, run_key = jax.random.split(key)
        state, _ = simulation.init(start_key, jnp.zeros(d), simulation.data)
        return scan(run_key, state, simulation.data)[1]

    keys = jax.random.split(jax.random.key(seed, impl="threefry2x32"), runs)
    return jax.jit(jax.vmap(one))(keys)


def uniform_masks(
    d: int = 4,
    k: int = 2,
    *,
    tolerance: float = 0.02,
    level: float = 1e-6,
    make: Callable[..., Any] = rosdhb,
) -> Claim:
    """code/mask: |Pr(M_1 = S, M_2 = S') - 1/C(d,k)²| ≤ tolerance for all S, S'.

    The check plays at least 20,000 runs of two rounds: fewer leave the tolerance open.
    """
    subsets = all_subsets(d, k)
    kinds = len(subsets)
    patterns = {tuple(np.isin(np.arange(d), subset)): i for i, subset in enumerate(subsets)}

    share = 1 / kinds**2

    def edges(counts: np.ndarray) -> list[tuple[float, float]]:  # [C, C]
        trials = int(counts.sum())
        return [interval(int(c), trials, level / counts.size) for c in counts.ravel()]

    def furthest(counts: np.ndarray) -> jax.Array:  # -> []
        """The largest distance to uniform that the intervals leave open."""
        return jnp.asarray(max(max(high - share, share - low) for low, high in edges(counts)))

    def nearest(counts: np.ndarray) -> float:
        """The largest distance to uniform that is certain."""
        return max(max(low - share, share - high) for low, high in edges(counts))

    def check(claim: Claim, budget: Budget) -> Report:
        began = time.perf_counter()
        runs = max(RUNS, 4 * budget.random)
        masks = np.asarray(masks_of_runs(d, k, 2, runs, budget.seed, make))
        seen = [[patterns.get(tuple(mask), -1) for mask in pair] for pair in masks]
        counts = np.zeros((kinds, kinds), int)
        for first, second in seen:
            if first < 0 or second < 0:
                evidence = f"suspected violation; a mask that has not {k} coordinates"
                return Report(claim.key, Status.INCONCLUSIVE, "chance", evidence)
            counts[first, second] += 1
        left, right = (float(side) for side in claim.sides(counts))
        status = Status.CONFIDENT if left <= right else Status.INCONCLUSIVE
        evidence = f"{runs} runs of two rounds, {kinds**2} pairs of masks, level {level:g}"
        if nearest(counts) > tolerance:
            evidence = f"suspected violation; {evidence}"
        seconds = time.perf_counter() - began
        return Report(claim.key, status, "chance", evidence, left / right, seconds, counts)

    return Claim(
        paper="rosdhb",
        name="code/mask",
        title="masks of a run are uniform and fresh",
        statement=f"|Pr(M_t = S, M_(t+1) = S') - 1/C²| <= {tolerance}, C = C({d},{k})",
        provenance=Provenance.DERIVED,
        source="derived here: counts of pairs of masks in runs of the shipped code",
        scope=Scope.ONE_STEP,
        sides=lambda counts: (furthest(counts), jnp.asarray(tolerance)),
        unconditional="it speaks of the shipped code alone; runs have independent keys",
        checks=(check,),
    )


def mask_share(
    d: int = 20, k: int = 5, *, spare: float = 0.02, make: Callable[..., Any] = rosdhb
) -> Claim:
    """code/share: Pr(0 in M_t) ≤ k/d + spare, by betting on the masks of runs as they come."""

    def draw(seed: int, count: int) -> np.ndarray:
        masks = masks_of_runs(d, k, 10, -(-count // 10), seed, make)
        return np.asarray(masks)[:, :, 0].reshape(-1)[:count].astype(float)

    bound = k / d + spare
    return Claim(
        paper="rosdhb",
        name="code/share",
        title="no coordinate is preferred",
        statement=f"Pr(0 in M_t) <= k/d + {spare}, d = {d}, k = {k}",
        provenance=Provenance.DERIVED,
        source="derived here: a betting e-process on runs of the shipped code",
        scope=Scope.ONE_STEP,
        sides=lambda share: (share, jnp.asarray(bound)),
        unconditional="it speaks of the shipped code alone; runs have independent keys",
        checks=(mean_at_most(draw, bound, count=20_000),),
    )
