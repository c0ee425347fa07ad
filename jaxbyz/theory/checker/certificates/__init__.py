"""Verify a certificate: a theorem for all parameters of a box. Start with `prove`.

    reading      text to rational numbers: strict, bounded, no floating-point numbers
    rosdhb, rosdhb_local, gradient_descent, error_feedback, error_feedback_words (byz_ef21,
    byz_ef21_sgdm, byz_dm21, byz_vr_dm21), dasha_page (byz_dasha_page, byz_dasha_page_rare):
                 statements, and matrices that prove them; multipliers
    intervals, slopes, positivity, subdivision   positive definite at every point of [0, 1]^n

What has to be believed, and nothing else, for the word PROVED:
  1. Python's integers, `fractions` and `math.isqrt`;  2. these files, read by a person;
  3. the hypotheses of the printed statement;  4. the identity in the docstring of the method's
  file, verified in rational numbers in `theory.rosdhb`, `theory.byz_dm21` or a test;  5. what
  follows it there, read by a person: that the last lines are ≥ 0, V ≥ cf inf f, and the rate.
Not: any solver, any floating-point number, whoever wrote the file, code, a paper's own proof.
Imported by `checker` and `proofs`; it imports the standard library.
"""

from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple

from . import (
    byz_dasha_page,
    byz_dasha_page_rare,
    byz_dm21,
    byz_ef21,
    byz_ef21_sgdm,
    byz_vr_dm21,
    gradient_descent,
    rosdhb,
    rosdhb_local,
)
from .intervals import BITS
from .multipliers import Numbers, Rows, rate, required, shown_above
from .reading import FORMAT, Unusable, decoded, numbers, outline, rows
from .subdivision import MOST_BOXES, Outcome, all_definite

__all__ = ["FORMAT", "METHODS", "Proof", "Unusable", "decoded", "prove", "read"]

METHODS: dict[str, ModuleType] = {
    method.NAME: method
    for method in (
        *(rosdhb, rosdhb_local, gradient_descent, byz_ef21, byz_ef21_sgdm, byz_dm21, byz_vr_dm21),
        *(byz_dasha_page, byz_dasha_page_rare),
    )
}


class Proof(NamedTuple):
    """A verdict on a certificate."""

    proved: bool
    sentence: str  # what is proved, or why it is not
    boxes: int  # that cover the box of the parameters, if proved; else of those looked at
    where: tuple[Fraction, ...] = ()  # the centre of the first box that fails, if one does


def read(record: Any) -> tuple[ModuleType, Numbers, Rows]:
    """Method, constants and multipliers of a decoded certificate.

    Raises:
        Unusable: it is not of the format.
    """
    given = outline(record)
    method = METHODS.get(given["method"]) if isinstance(given["method"], str) else None
    if method is None:
        raise Unusable(f"method must be one of {sorted(METHODS)}, got {repr(given['method'])[:60]}")
    constants = numbers("constants", given["constants"], method.CONSTANTS)
    longest = {
        name: method.AFFINE + (0 if name in method.WEIGHTS else method.FURTHER)
        for name in method.MULTIPLIERS
    }
    return method, constants, rows(given["multipliers"], longest)


def prove(record: Any, most_boxes: int = MOST_BOXES) -> Proof:
    """The verdict on a decoded certificate.

    Raises:
        Unusable: it is not of the format.
    """
    method, constants, multipliers = read(record)
    for name, holds in method.conditions(constants).items():
        if not holds:
            return Proof(False, f"{name} does not hold", 0)
    matrices = required(method, constants, multipliers)
    outcome = all_definite(matrices, len(method.VARIABLES), most_boxes)
    if not outcome.proved:
        centre = tuple(Fraction(side.low + side.high, 2 << BITS) for side in outcome.where)
        return Proof(False, _reason(outcome, method.VARIABLES), outcome.boxes, centre)
    sentence = method.statement(constants, rate(method, multipliers))
    return Proof(True, sentence, outcome.boxes)


def _reason(outcome: Outcome, variables: tuple[str, ...]) -> str:
    ends = [
        [shown_above(Fraction(end, 1 << BITS), 6) for end in (side.low, side.high)]
        for side in outcome.where
    ]
    said = [f"{name} in [{low}, {high}]" for name, (low, high) in zip(variables, ends, strict=True)]
    return f"{outcome.reason}: {', '.join(said)}"
