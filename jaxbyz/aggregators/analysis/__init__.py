"""What is known of a rule, and what can be computed about it. Nothing here is a rule.

    coefficients    κ and reach: the constants that a rule states. Start here.
    linear_pieces   coordinate-wise rules as linear functions of a sorted column, piece by piece
    exact_columns   the column on which such a rule is worst, by convex programs
    local_search    the worst rows for any other rule, by gradients and random steps
    worst_case      `robustness`: one of the two, beside what is known

Rules import `coefficients` and `linear_pieces`; users reach the rest through `jaxbyz.aggregators`.
"""

from jaxbyz.aggregators.analysis.coefficients import Kappa, kappa, reach
from jaxbyz.aggregators.analysis.worst_case import WorstCase, robustness

__all__ = ["Kappa", "WorstCase", "kappa", "reach", "robustness"]
