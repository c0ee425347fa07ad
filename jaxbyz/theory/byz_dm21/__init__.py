"""Byz-DM21 and Byz-VR-DM21: parameters with guarantees, and claims. Start with `lemmas`.

    setting                         constants of the hypotheses, of a problem, rule and compressor
    parameters, guarantees          Theorems 1-4, corollaries; certification: of any parameters
    weights, simplified             the lemmas as coefficients, what solves them; closed forms
    states, hypotheses, adversaries one state between two rounds
    lemmas, lyapunov                L0-L7; implementation: the shipped workers
    boxes, theorems                 closed forms against weights, bounds against exact averages
    reductions                      the same as polynomials on a whole box
    rates, limits, population       what no parameters can reach; moments: rates beside a loop
    promises, closed_forms          what users receive of the theorems, beside the statements
    identity, identity_page, stall  certificates for all parameters of a box; one momentum or two

Li, Liu, Yi (AISTATS 2026, arXiv 2603.15144) describe the methods. Their theorems were not public
in full: everything here is derived for this library. Imported by `theory.audit` and users.
"""

from jaxbyz.aggregators import trimmed_mean
from jaxbyz.theory.byz_dm21.certification import certify
from jaxbyz.theory.byz_dm21.closed_forms import closed_forms
from jaxbyz.theory.byz_dm21.guarantees import AverageGuarantee, LinearGuarantee
from jaxbyz.theory.byz_dm21.identity import IDENTITIES
from jaxbyz.theory.byz_dm21.identity_page import PAGE_IDENTITIES
from jaxbyz.theory.byz_dm21.implementation import code_matches, code_ratio
from jaxbyz.theory.byz_dm21.lemmas import (
    aggregation,
    compression,
    descent,
    direction,
    dispersion_bound,
    first_momentum,
    second_momentum,
)
from jaxbyz.theory.byz_dm21.limits import lyapunov_equations, product_claim, stability
from jaxbyz.theory.byz_dm21.lyapunov import lyapunov, lyapunov_pl
from jaxbyz.theory.byz_dm21.moments import AVERAGES
from jaxbyz.theory.byz_dm21.parameters import (
    corollary_1,
    corollary_2,
    corollary_3,
    theorem_1,
    theorem_2,
    theorem_3,
    theorem_4,
)
from jaxbyz.theory.byz_dm21.population import worst_population
from jaxbyz.theory.byz_dm21.promises import PROMISES
from jaxbyz.theory.byz_dm21.rates import (
    average_square,
    best_average,
    momentum_limit,
    recursive_limit,
    stationary_variance,
    transient,
)
from jaxbyz.theory.byz_dm21.setting import Setting, setting
from jaxbyz.theory.byz_dm21.stall import STALL
from jaxbyz.theory.byz_dm21.theorems import average_1, average_2, corollary_claim, theorem_claim
from jaxbyz.theory.byz_dm21.weights import (
    MOMENTUM,
    RECURSIVE,
    Method,
    Weights,
    momentum_steps,
    recursive_steps,
    weights,
)
from jaxbyz.theory.guarantees import Guarantee
from jaxbyz.theory.proofs.statements import proved_claims

CLAIMS = (
    aggregation(trimmed_mean(f=1), 1 / 2, workers=4, byzantine=1),
    dispersion_bound(),
    direction(),
    descent(),
    *(
        claim(method)
        for method in (MOMENTUM, RECURSIVE)
        for claim in (first_momentum, second_momentum, compression, lyapunov, lyapunov_pl)
    ),
    compression(MOMENTUM, top=True),
    compression(RECURSIVE, top=True),
    lyapunov(MOMENTUM, noisy=False),
    code_matches(MOMENTUM),
    code_matches(RECURSIVE),
    code_ratio(),
    *(theorem_claim(row) for row in (1, 2, 3, 4)),
    *(corollary_claim(number) for number in (1, 2, 3)),
    average_1(),
    average_2(),
    stability(recursive=False),
    stability(recursive=True),
    lyapunov_equations(),
    product_claim(),
    *IDENTITIES,
    *PAGE_IDENTITIES,
    *STALL,
    *proved_claims("byz_dm21"),
    *AVERAGES,
    *PROMISES,
    closed_forms(),
)

__all__ = [
    "CLAIMS", "MOMENTUM", "RECURSIVE", "AverageGuarantee", "Guarantee", "LinearGuarantee",
    "Method", "Setting", "Weights", "average_square", "best_average", "certify", "corollary_1",
    "corollary_2", "corollary_3", "momentum_limit", "momentum_steps", "recursive_limit",
    "recursive_steps", "setting", "stationary_variance", "theorem_1", "theorem_2", "theorem_3",
    "theorem_4", "transient", "weights", "worst_population",
]  # fmt: skip
