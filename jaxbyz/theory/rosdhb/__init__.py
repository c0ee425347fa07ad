"""RoSDHB: parameters with guarantees, and claims. Start with `lemmas`.

    parameters, guarantees          Theorems A and B; certification: the bound of any parameters
    states, hypotheses, adversaries one state between two rounds
    lemmas, aggregation             L1-L5; lyapunov: L6, the one-step inequality
    implementation, mask_law        the shipped round, and the masks of runs
    moments, mask_moments           exact expectations over whole runs, any d and k
    certificate                     L6 at all states of a problem; certificate_rational: the same
    boxes, constants, reductions    numbers behind the theorems, and why they fit, as polynomials
    proved, identity, identity_local   Theorem C: all parameters of a box
    instances, unstable             how much of its constants is needed
    promises, promised_rounds       what users receive of the theorems, beside the statements
    trajectories, theorems          whole runs; trajectory_hypotheses

All but `paper_theorem` is derived here. Imported by `theory.audit` and users.
"""

from jaxbyz.theory.guarantees import Guarantee
from jaxbyz.theory.proofs.statements import proved_claims
from jaxbyz.theory.rosdhb.certificate import certificate, linear_kappa, tilted_weights
from jaxbyz.theory.rosdhb.certificate_rational import all_states, exact_certificate
from jaxbyz.theory.rosdhb.certification import Certified, Factors, certify
from jaxbyz.theory.rosdhb.constants import CONSTANTS
from jaxbyz.theory.rosdhb.guarantees import RoSDHBGuarantee
from jaxbyz.theory.rosdhb.identity import identity_claim
from jaxbyz.theory.rosdhb.identity_local import local_identity_claim
from jaxbyz.theory.rosdhb.implementation import IMPLEMENTATION
from jaxbyz.theory.rosdhb.lemmas import LEMMAS
from jaxbyz.theory.rosdhb.lyapunov import LYAPUNOV
from jaxbyz.theory.rosdhb.mask_law import mask_share, uniform_masks
from jaxbyz.theory.rosdhb.mask_moments import bernoulli_mask, global_mask, local_masks
from jaxbyz.theory.rosdhb.moments import dynamics, linear_attack, long_run, run_moments
from jaxbyz.theory.rosdhb.parameters import best_c, published_setting, theorem_a, theorem_b
from jaxbyz.theory.rosdhb.promised_rounds import PROMISED_ROUNDS
from jaxbyz.theory.rosdhb.promises import PROMISES
from jaxbyz.theory.rosdhb.proved import theorem_c
from jaxbyz.theory.rosdhb.theorems import THEOREMS
from jaxbyz.theory.rosdhb.unstable import diverges

__all__ = [
    "CLAIMS", "Certified", "Factors", "Guarantee", "RoSDHBGuarantee", "all_states",
    "bernoulli_mask", "best_c", "certificate", "certify", "dynamics", "exact_certificate",
    "global_mask", "linear_attack", "linear_kappa", "local_masks", "long_run",
    "published_setting", "run_moments", "theorem_a", "theorem_b", "theorem_c", "tilted_weights",
]  # fmt: skip

CLAIMS = (
    *LEMMAS,
    *LYAPUNOV,
    *IMPLEMENTATION,
    uniform_masks(),
    mask_share(),
    all_states(),
    *CONSTANTS,
    *THEOREMS,
    identity_claim(),
    local_identity_claim(),
    diverges(),
    *proved_claims("rosdhb"),
    *PROMISES,
    *PROMISED_ROUNDS,
)
