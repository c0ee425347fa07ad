"""Theory that runs: claims, exact expectations, worst adversaries.

    claims, subjects, adversaries   what a claim is: data. Start here, then `rosdhb.lemmas`, `audit`
    robustness, rosdhb, byz_dm21    statements, parameters with `guarantees`, instances
    promises, assumptions           what users receive of theorems; what each claim must assume
    conditions, precision           hypotheses as margins ≥ 0; numbers of 64 bits
    expectations                    exact means over random subsets, of formulas and shipped code
    engines                         what looks for the worst instance; reports: what it may say
    audit                           all claims, each against its engines (`python -m jaxbyz.theory`)
    checker, counterexamples        refutations, certificates as files: verified without all else
    proofs                          certificates of this package, and how they are found
    runs                            proofs along runs of `train`

It may import all of jaxbyz but `testing`. No other package of jaxbyz imports it; users, figures,
notebooks and tests do. No statement imports an engine. Statements are derived here, or say so.
"""

from jaxbyz.theory.claims import Budget, Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.reports import Report, Status, strongest, weakest

__all__ = [
    "Budget", "Claim", "Family", "Hypothesis", "Provenance", "Report", "Scope", "Status",
    "strongest", "weakest",
]  # fmt: skip
