"""Theory that runs: claims, exact expectations, worst adversaries.

A claim is data. An engine takes a claim and returns a report of known strength. All statements
shipped here are derived in this project, unless their provenance says otherwise.
"""

from jaxbyz.theory.claims import Budget, Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.reports import Report, Status, strongest, weakest

__all__ = [
    "Budget",
    "Claim",
    "Family",
    "Hypothesis",
    "Provenance",
    "Report",
    "Scope",
    "Status",
    "strongest",
    "weakest",
]
