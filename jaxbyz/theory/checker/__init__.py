"""Verify a certificate or a counterexample in exact arithmetic, with the standard library alone.

    python jaxbyz/theory/checker FILE.json ...

    front_door        what is done with each file. Start here, then `certificates` or `verify` below
    certificates      theorems for all parameters of a box: PROVED or REJECTED
    rationals, rosdhb, byz_dm21, byz_dm21_states, shapes   counterexamples, in rational numbers
    polynomials, bernstein   inequalities between numbers, on whole boxes; used by the audit

A counterexample is a claim's name, its constants, and an instance of hexadecimal floats, that is
of exact rationals. Constants that are not those of the claim make it one of a variant, and that is
said. "Violated": every hypothesis and the violation hold as inequalities of
rationals. What must be centred is centred again, exactly, what must be short is shortened by one
part in 2^36, and the instance that is verified is that one. No code is shared with `theory`; it is
imported by `counterexamples`, `proofs` and by what computes in rational numbers.
"""

import json
from fractions import Fraction
from typing import Any, NamedTuple

from . import byz_dm21, certificates, front_door, rosdhb, shapes
from .rationals import exact

__all__ = ["CLAIMS", "Verdict", "certificates", "exact", "main", "verify"]

CLAIMS = rosdhb.CLAIMS | byz_dm21.CLAIMS


class Verdict(NamedTuple):
    """What exact arithmetic says of an instance."""

    violated: bool  # all hypotheses hold, and left > right
    failed: str | None  # the first hypothesis that does not hold
    left: Fraction | None
    right: Fraction | None
    variant: str = ""  # which constants are not those of the claim, with their values


def verify(record: dict[str, Any]) -> Verdict:
    """The verdict on a stored counterexample.

    Raises:
        ValueError: a claim, or a constant of it, that is not known here; a shape that does not fit
            to the others; an instance that would take too long.
    """
    claim = record.get("claim") if isinstance(record, dict) else None
    known = CLAIMS.get(claim) if isinstance(claim, str) else None
    if claim is None or known is None:
        raise ValueError(f"claim must be one of {sorted(CLAIMS)}, got {claim!r:.40}")
    shapes.fits(record)
    constants = shapes.constants_of(claim, record["constants"])
    variant = shapes.variant(claim, constants)
    try:
        instance = exact(record["instance"])
        hypotheses, left, right = known(instance, constants)
    except OverflowError:
        return Verdict(False, "all numbers are finite", None, None, variant)
    except ZeroDivisionError:
        return Verdict(False, "no denominator is 0", None, None, variant)
    failed = next((name for name, holds in hypotheses.items() if not holds), None)
    return Verdict(failed is None and left > right, failed, left, right, variant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which each key stands once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"keys must stand once, got {[name for name, _ in pairs][:20]}")
    return found


def _counterexample(path: str, text: str) -> tuple[int, str]:
    """Exit code and line for one file."""
    try:
        verdict = verify(json.loads(text, object_pairs_hook=_once))
    except (
        ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        name = "" if type(error) is ValueError else f"{type(error).__name__}: "
        return front_door.UNUSABLE, f"{path}: unusable: {name}{error}"
    if verdict.left is None or verdict.right is None or verdict.failed is not None:
        return front_door.NOT, f"{path}: not a counterexample: {verdict.failed} does not hold"
    word = "violated" if verdict.violated else "NOT violated"
    if verdict.variant:
        does = "refutes" if verdict.violated else "does not refute"
        word = f"{does} a variant: {verdict.variant}: {word}"
    code = front_door.SOUND if verdict.violated else front_door.NOT
    sides = f"left {_decimal(verdict.left)}, right {_decimal(verdict.right)}"
    return code, f"{path}: {word}: {sides}"


def _decimal(number: Fraction) -> str:
    """Twelve digits, or its size as a power of two where it is no float."""
    try:
        return f"{float(number):.12g}"
    except OverflowError:
        sign = "-" if number < 0 else ""
        return f"{sign}2^{(abs(number).numerator // number.denominator).bit_length()}"


def main(paths: list[str]) -> int:
    """Verify files; 0: all proved or violated, 1: one is not, 2: one is unusable."""
    return front_door.main(paths, _counterexample)
