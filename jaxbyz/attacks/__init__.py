"""Attacks: what Byzantine workers send (`forge`), and on which data they compute (`poison`).

    base           `forged`, `from_view`: an attack from a function; start reading here
    directions     μ, σ and other functions of the honest vectors, which attacks move along
    closed_form/   a formula of the honest vectors: IPM, ALIE, min-max, mimicry, ROP, …
    search/        the most damaging of many vectors, each tried on the server: line search, ascent
    data, backdoor, faults   label flips; a trigger; noise, huge numbers, NaN and Inf
    combinators    attacks made of attacks: `after`, `one_of`, `on_mask`
    server_rows    `steer`: an attack on the rows that the server aggregates
    certificates   how strong an attack is, beside a fixed reference

Imported by the simulation (`no_attack`), comparison, `effects`, testing and users; never by
algorithms. It imports the core and small helpers, neither rules nor problems.
"""

from jaxbyz.attacks.backdoor import backdoor
from jaxbyz.attacks.base import forged, from_view, no_attack
from jaxbyz.attacks.certificates import Certificate, certificate, certified, closed_forms
from jaxbyz.attacks.closed_form.alie import alie, alie_factor, alie_time_coupled
from jaxbyz.attacks.closed_form.coordinates import most_varied, one_coordinate, sparse
from jaxbyz.attacks.closed_form.lower_bounds import stall, tight_trimmed_mean
from jaxbyz.attacks.closed_form.mimic import mimic, mimic_variance
from jaxbyz.attacks.closed_form.min_max import min_max, min_max_factor, min_sum, min_sum_factor
from jaxbyz.attacks.closed_form.rop import rop
from jaxbyz.attacks.closed_form.rule_specific import anti_cge, local_poisoning, local_poisoning_ends
from jaxbyz.attacks.closed_form.sign_flips import (
    cancel_mean,
    ipm,
    sign_flip,
    sign_flip_other,
    sign_flip_own,
)
from jaxbyz.attacks.combinators import after, on_mask, one_of
from jaxbyz.attacks.data import label_flip
from jaxbyz.attacks.directions import (
    honest_deviation,
    honest_mean,
    mean_sign,
    mean_unit,
    opposite_mean,
)
from jaxbyz.attacks.faults import gaussian, huge, infinite, noise, not_a_number
from jaxbyz.attacks.search.gradient_ascent import ascent
from jaxbyz.attacks.search.line_search import alie_line_search, ipm_line_search, line_search
from jaxbyz.attacks.search.objectives import (
    deviation_from_honest_mean,
    deviation_from_rule,
    memoryless,
    opposition,
    through_server,
)
from jaxbyz.attacks.search.strength_search import FOE_STRENGTHS, ipm_search, strength_search
from jaxbyz.attacks.server_rows import steer

__all__ = [
    # data
    "backdoor", "label_flip",
    # messages, closed forms
    "alie", "alie_factor", "alie_time_coupled", "anti_cge", "cancel_mean", "gaussian", "huge",
    "infinite", "ipm",
    "local_poisoning", "local_poisoning_ends", "mimic", "mimic_variance", "min_max",
    "min_max_factor", "min_sum", "min_sum_factor", "no_attack", "noise", "not_a_number",
    "one_coordinate", "rop", "sign_flip", "sign_flip_other", "sign_flip_own", "sparse", "stall",
    "tight_trimmed_mean",
    # messages, searched
    "FOE_STRENGTHS", "alie_line_search", "ascent", "ipm_line_search", "ipm_search",
    "line_search", "strength_search",
    # attacks from attacks, and from functions
    "after", "one_of", "certified", "forged", "from_view", "on_mask", "steer",
    # directions
    "honest_deviation", "honest_mean", "mean_sign", "mean_unit", "most_varied", "opposite_mean",
    # damage and certificates
    "Certificate", "certificate", "closed_forms", "deviation_from_honest_mean",
    "deviation_from_rule", "memoryless", "opposition", "through_server",
]  # fmt: skip
