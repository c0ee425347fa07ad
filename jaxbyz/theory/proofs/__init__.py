"""Certificates of this package: where they are kept, and how they are found.

    wanted      for which constants; `stored` gives those of the package. Start here
    statements  the same as claims of the audit; exact: the verifier's matrices in fractions
    search      multipliers by semidefinite programming (extra `sdp`)
    second      another verifier, in Arb's ball arithmetic (extra `proof`)

`python -m jaxbyz.theory.proofs` finds them anew. What verifies them is `checker.certificates`, and
it alone has to be trusted. Imported by `rosdhb`, `byz_dm21`, notebooks and tests; it
imports `checker`, `claims` and `subjects`.
"""

from jaxbyz.theory.proofs.search import Found, find
from jaxbyz.theory.proofs.wanted import WANTED, Wanted, stored

__all__ = ["Found", "WANTED", "Wanted", "find", "stored"]
