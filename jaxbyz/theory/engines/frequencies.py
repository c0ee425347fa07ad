"""Laws of discrete random outcomes, from how often each was met in independent runs.

The exponential Chernoff bound gives an interval for the probability of every outcome, and a union
over outcomes and sides makes them hold together at the level. Derived here.
"""

import math
import time

import numpy as np

from jaxbyz.theory.claims import Budget, Claim
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.subjects import Frequencies


def _divergence(p: float, q: float) -> float:
    """Of Bernoulli(p) from Bernoulli(q), KL(p‖q)."""
    first = p * math.log(p / q) if p > 0 else 0.0
    second = (1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0
    return first + second


def chernoff_interval(count: int, trials: int, level: float) -> tuple[float, float]:
    """All q with trials · KL(count/trials ‖ q) ≤ log(2/level): they hold q at 1 - level.

    >>> low, high = chernoff_interval(500, 1000, 0.01)
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


def near_uniform(claim: Claim, budget: Budget) -> Report:
    """A claim about the law of `Frequencies`, whose left side grows with the distance to uniform.

    CONFIDENT if left ≤ right at the ends of all intervals. A suspected violation if left > right
    even at the laws within the intervals that are nearest to the uniform one.
    """
    began = time.perf_counter()
    seen = claim.subject
    assert isinstance(seen, Frequencies)
    runs = max(seen.least_runs, 4 * budget.random)
    counts = seen.count(budget.seed, runs)
    if counts is None:
        evidence = f"suspected violation; {seen.impossible}"
        return Report(claim.key, Status.INCONCLUSIVE, "chance", evidence)
    trials, level = int(counts.sum()), seen.level / counts.size
    ends = [chernoff_interval(int(count), trials, level) for count in counts.ravel()]
    low, high = (np.reshape(side, counts.shape) for side in zip(*ends, strict=True))
    (near, right), *far = (
        map(float, claim.sides(law)) for law in (np.clip(1 / counts.size, low, high), low, high)
    )
    left = max(one for one, _ in far)
    status = Status.CONFIDENT if left <= right else Status.INCONCLUSIVE
    evidence = f"{runs} {seen.description}, level {seen.level:g}"
    if near > right:
        evidence = f"suspected violation; {evidence}"
    seconds = time.perf_counter() - began
    return Report(claim.key, status, "chance", evidence, left / right, seconds, counts)
