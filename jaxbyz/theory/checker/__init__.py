"""Verify a certificate or a counterexample in exact arithmetic, with the standard library alone.

    python jaxbyz/theory/checker FILE.json ...

    front_door        what is done with each file. Start here, then `certificates` or `verify` below
    certificates      theorems for all parameters of a box: PROVED or REJECTED
    rationals, rosdhb, byz_dm21, byz_dm21_states   counterexamples: claims in rational numbers

A counterexample is a claim's name, its constants, and an instance of hexadecimal floats, that is
of exact rationals. "Violated": every hypothesis and the violation hold as inequalities of
rationals. What must be centred is centred again, exactly, what must be short is shortened by one
part in 2^36, and the instance that is verified is that one. No code is shared with `theory`; it is
imported by `counterexamples`, `proofs` and by what computes in rational numbers.
"""

import json
from fractions import Fraction
from typing import Any, NamedTuple

from . import byz_dm21, certificates, front_door, rosdhb
from .rationals import exact

__all__ = ["CLAIMS", "Verdict", "certificates", "exact", "main", "verify"]

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


def _counterexample(path: str, text: str) -> tuple[int, str]:
    """Exit code and line for one file."""
    try:
        verdict = verify(json.loads(text))
    except (
        ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        return front_door.UNUSABLE, f"{path}: unusable: {type(error).__name__}: {error}"
    if verdict.left is None or verdict.right is None or verdict.failed is not None:
        return front_door.NOT, f"{path}: not a counterexample: {verdict.failed} does not hold"
    word = "violated" if verdict.violated else "NOT violated"
    code = front_door.SOUND if verdict.violated else front_door.NOT
    sides = f"left {float(verdict.left):.12g}, right {float(verdict.right):.12g}"
    return code, f"{path}: {word}: {sides}"


def main(paths: list[str]) -> int:
    """Verify files; 0: all proved or violated, 1: one is not, 2: one is unusable."""
    return front_door.main(paths, _counterexample)
