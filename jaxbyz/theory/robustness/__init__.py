"""Robust rules: robustness, resilience and dissimilarity, and what is claimed of them.

    definitions     quantities one can evaluate, of rows and of finished runs
    rules           claims about κ of rules, and about rules beside their definitions
    dissimilarity   the claim about (G, B) of quadratics

Both papers read `definitions`. Start with `rules.RULES`.
"""

from jaxbyz.theory.robustness.definitions import finite_rows, resilience, robustness_ratio
from jaxbyz.theory.robustness.dissimilarity import dissimilarity
from jaxbyz.theory.robustness.rules import (
    RULES,
    attained,
    defined,
    lower_bound,
    nearest_mixing,
    plain_mixed,
    plain_trimmed,
    within,
)

CLAIMS = (*RULES, dissimilarity())

__all__ = [
    "CLAIMS",
    "attained",
    "defined",
    "dissimilarity",
    "finite_rows",
    "lower_bound",
    "nearest_mixing",
    "plain_mixed",
    "plain_trimmed",
    "resilience",
    "robustness_ratio",
    "within",
]
