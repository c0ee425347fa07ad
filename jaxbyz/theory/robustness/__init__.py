"""Robust rules: robustness, resilience and dissimilarity, and what is claimed of them.

`definitions` has quantities of rows and of finished runs that can be evaluated; both papers import
it. `rules` has the claims; `worst_columns` has κ in rational numbers. Start with `rules`.
"""

from jaxbyz.theory.robustness.definitions import finite_rows, resilience, robustness_ratio
from jaxbyz.theory.robustness.rules import (
    CLAIMS,
    attained,
    attained_everywhere,
    defined,
    dissimilarity,
    lower_bound,
    nearest_mixing,
    plain_mixed,
    plain_trimmed,
    within,
)

__all__ = [
    "CLAIMS", "attained", "attained_everywhere", "defined", "dissimilarity", "finite_rows",
    "lower_bound", "nearest_mixing", "plain_mixed", "plain_trimmed", "resilience",
    "robustness_ratio", "within",
]  # fmt: skip
