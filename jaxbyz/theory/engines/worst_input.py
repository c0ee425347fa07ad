"""The coefficient of a coordinate-wise rule, by convex programs over all inputs.

There is one program for every piece on which the rule is linear and every place of the honest rows.
They give the supremum over all inputs up to the solver's rounding, and an input that attains it.
"""

import time

import jax.numpy as jnp

from jaxbyz.aggregators import kappa, robustness
from jaxbyz.theory.claims import Budget, Claim
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.robustness.definitions import robustness_ratio
from jaxbyz.theory.subjects import WorstInput


def worst_input(claim: Claim, budget: Budget) -> Report:
    """The stated κ beside the supremum of the programs, and beside the rule run on its worst input.

    Tight where all three agree; where they do not, there is no support for the formula.
    """
    del budget
    began = time.perf_counter()
    given = claim.subject
    assert isinstance(given, WorstInput)
    exact = kappa(given.rule, given.n, given.f).exact
    if exact is None:
        return Report(claim.key, Status.INCONCLUSIVE, "convex programs", "no formula is known")
    found = robustness(given.rule, given.n, given.f)
    formula = given.scale * exact
    ratio = robustness_ratio(given.rule, jnp.asarray(found.rows), given.f) / formula
    evidence = f"supremum {found.ratio:.9g} of all pieces, attained at one input; {formula:.9g}"
    # The rows are kept a millionth off ties, where rounding would choose.
    sharp = abs(found.ratio / formula - 1) < 1e-9 and abs(ratio - 1) < 1e-5
    status = Status.SEARCHED if sharp else Status.INCONCLUSIVE
    said = evidence if sharp else f"suspected violation; {evidence}"
    seconds = time.perf_counter() - began
    return Report(
        claim.key, status, "convex programs", said, ratio, seconds, found.rows, tight=sharp
    )
