"""`python -m jaxbyz.theory`: the audit of all claims.

One line a claim: status, the largest left/right that was met (for identities the largest relative
error), whether the bound is tight, seconds, evidence. Of a claim with several statements it is that
of the weakest one. No status means "passed"; see `jaxbyz.theory.reports`.
"""

import argparse
import sys
import time

import jax

from jaxbyz.compiling import compile_quickly, keep_programs
from jaxbyz.theory.audit import CLAIMS, FULL, QUICK, audit, chosen, line, markdown
from jaxbyz.theory.reports import Status


def main(arguments: list[str] | None = None) -> int:
    """Print the audit; 1 if a claim is refuted, or violated as far as floats can tell."""
    parser = argparse.ArgumentParser(prog="python -m jaxbyz.theory", description=__doc__)
    parser.add_argument("--paper", choices=sorted({claim.paper for claim in CLAIMS}))
    parser.add_argument("--claim", help="the name of a claim, for instance L6")
    parser.add_argument("--quick", action="store_true", help="a smaller budget")
    parser.add_argument("--markdown", action="store_true", help="print a table with statements")
    given = parser.parse_args(arguments)
    try:
        claims = chosen(given.paper, given.claim)
    except ValueError as error:
        parser.error(str(error))
    if given.quick:
        compile_quickly()
    keep_programs()
    began = time.perf_counter()
    with jax.enable_x64(True):
        tell = None if given.markdown else lambda finding: print(line(finding), flush=True)
        findings = audit(claims, QUICK if given.quick else FULL, tell)
    if given.markdown:
        print(markdown(findings))
    wrong = [f for f in findings if f.status is Status.REFUTED or f.suspected]
    if not given.markdown:
        seconds = time.perf_counter() - began
        print(f"{len(findings)} claims, {len(wrong)} violated or suspected, {seconds:.0f} s")
        print("! a violation in floating-point numbers that exact arithmetic has not settled")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
