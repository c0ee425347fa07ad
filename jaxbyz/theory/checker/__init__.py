"""Verify a stored counterexample in rational arithmetic, with the standard library alone.

    python jaxbyz/theory/checker counterexample.json

A counterexample is a claim's name, the constants it was stated with, and an instance of
hexadecimal floats, that is of exact rationals. The claims are written here once more: `rosdhb`,
`byz_dm21` with its `byz_dm21_states`, on `rationals`. Start with `verify`, below. It shares no code
with `theory`, imports neither JAX nor NumPy, and is imported by `counterexamples` and by what
computes in rational numbers.

"Violated" means that every hypothesis and the violation hold as inequalities of rationals. Floats
meet equalities up to rounding only. So what must be centred is centred again, exactly, and what
must be short is shortened by one part in 2^36. The instance that is verified is that one.
"""

import json
import sys
from fractions import Fraction
from typing import Any, NamedTuple

from . import byz_dm21, rosdhb
from .rationals import exact

__all__ = ["CLAIMS", "Verdict", "exact", "main", "verify"]

CLAIMS = rosdhb.CLAIMS | byz_dm21.CLAIMS


class Verdict(NamedTuple):
    """What exact arithmetic says of an instance."""

    violated: bool  # all hypotheses hold, and left > right
    failed: str | None  # the first hypothesis that does not hold
    left: Fraction | None
    right: Fraction | None


def verify(record: dict[str, Any]) -> Verdict:
    """The verdict on a stored counterexample.

    Raises:
        ValueError: a claim, or a constant of it, that is not known here.
    """
    known = CLAIMS.get(record["claim"])
    if known is None:
        raise ValueError(f"claim must be one of {sorted(CLAIMS)}, got {record['claim']!r}")
    constants = {name: exact(value) for name, value in record["constants"].items()}
    try:
        instance = exact(record["instance"])
    except OverflowError:
        return Verdict(False, "all numbers are finite", None, None)
    hypotheses, left, right = known(instance, constants)
    failed = next((name for name, holds in hypotheses.items() if not holds), None)
    return Verdict(failed is None and left > right, failed, left, right)


def main(paths: list[str]) -> int:
    """Verify files; 0 if all of them are counterexamples."""
    sound = True
    for path in paths:
        with open(path, encoding="utf-8") as file:
            verdict = verify(json.load(file))
        sound &= verdict.violated
        if verdict.left is None or verdict.right is None or verdict.failed is not None:
            sys.stdout.write(f"{path}: not a counterexample: {verdict.failed} does not hold\n")
            continue
        word = "violated" if verdict.violated else "NOT violated"
        sys.stdout.write(
            f"{path}: {word}: left {float(verdict.left):.12g}, right {float(verdict.right):.12g}\n"
        )
    return 0 if sound else 1
