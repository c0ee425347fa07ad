"""The coefficient of a coordinate-wise rule, by convex programs over all inputs.

There is one program for every piece on which the rule is linear and every place of the honest rows.
They give the supremum over all inputs up to the solver's rounding, and an input that attains it;
their optimality conditions, solved in fractions, give the supremum exactly.
"""

import time

import jax.numpy as jnp

from jaxbyz.aggregators import kappa, robustness
from jaxbyz.theory.claims import Budget, Claim
from jaxbyz.theory.reports import Report, Status
from jaxbyz.theory.robustness.definitions import robustness_ratio
from jaxbyz.theory.robustness.worst_columns import exact_kappa
from jaxbyz.theory.subjects import WorstInput


def worst_input(claim: Claim, budget: Budget) -> Report:
    """The stated κ beside the supremum of the programs, and beside the rule run on its worst input.

    Tight where all three agree; where they do not, there is no support for the formula. CERTIFIED
    where the supremum is the formula in fractions, from above and from below.
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
    bounds = exact_kappa(given.rule, given.n, given.f)
    # The formula is a float: the nearest one to the fraction, but for a few roundings of its own.
    near = [abs(float(bound) / formula - 1) < 1e-15 for bound in bounds]
    same = bounds.below == bounds.above and all(near)
    status = Status.CERTIFIED if same else Status.SEARCHED
    said = f"{evidence}; in fractions {bounds.below} ≤ κ ≤ {bounds.above}"
    too_small = float(bounds.below) > formula and not near[0]
    too_large = float(bounds.above) < formula and not near[1]
    if not sharp or too_small or too_large:
        status, said = Status.INCONCLUSIVE, f"suspected violation; {said}"
    seconds = time.perf_counter() - began
    known = (claim.key, status, "convex programs", said, ratio, seconds, found.rows)
    certified = status is Status.CERTIFIED
    return Report(*known, exact=certified, tight=sharp and status > Status.INCONCLUSIVE)
