"""Instances beside a certificate: how much of its constant C is used, by search or exactly."""

import functools
import time
from collections.abc import Callable

import jax
import numpy as np

from jaxbyz.theory.checker.certificates import read, rosdhb
from jaxbyz.theory.claims import TOLERANCE, Budget, Claim
from jaxbyz.theory.engines.search import ascend
from jaxbyz.theory.engines.trust_region import ball_error
from jaxbyz.theory.precision import require_x64
from jaxbyz.theory.proofs.statements import impossible_below
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.rosdhb import instances
from jaxbyz.theory.subjects import Certificate

SIZES = ((1, 1), (2, 1), (3, 1))  # (d, k)


def worst_instances(claim: Claim, budget: Budget) -> Report:
    """The largest share of C that an instance was found to use; for RoSDHB's certificates.

    Of the others, and of RoSDHB's too, the instance that stands still uses 1/(1-κB²) of C.
    """
    require_x64()
    began = time.perf_counter()
    subject = claim.subject
    assert isinstance(subject, Certificate)
    method, constants, rows = read(subject.record)
    still = float(impossible_below(constants) / constants["C"])
    if method is not rosdhb:
        said = "the instance that stands still"
        return Report(claim.key, Status.SEARCHED, "instance", said, still)
    given, found = instances.weights_of(constants, rows), []
    for d, k in SIZES:
        key = jax.random.key(budget.seed, impl="threefry2x32")
        starts = jax.random.normal(key, (budget.starts, instances.size(d)))
        found.append(float(np.nanmax(_ascents(d, k, budget.steps)(given, starts))))
    said = f"stands still: {still:.4f}; " + ", ".join(
        f"d = {d}, k = {k}: {value:.4f}" for (d, k), value in zip(SIZES, found, strict=True)
    )
    said += f"; {budget.starts} ascents of {budget.steps} steps each"
    top, seconds = max(still, *found), time.perf_counter() - began
    if top > 1 + TOLERANCE:  # a certificate is verified exactly: then this search is wrong
        said = f"suspected violation; {said}"
        return Report(claim.key, Status.INCONCLUSIVE, "instance search", said, top, seconds)
    return Report(claim.key, Status.SEARCHED, "instance search", said, top, seconds)


@functools.cache
def _ascents(d: int, k: int, steps: int) -> Callable[..., jax.Array]:
    """(a certificate's weights, starts) -> the best ratio of each ascent; compiled once a size."""

    def worst(excess: Callable, d: int, radius: jax.Array) -> jax.Array:
        return ball_error(excess, d, radius).value

    def run(given: instances.Weights, starts: jax.Array) -> jax.Array:
        return ascend(lambda z: instances.ratio(given, z, d, k, worst), starts, steps)[1]

    return jax.jit(run)
