"""Byz-DM21, two momenta: the claim and its proof are in `error_feedback`."""

from fractions import Fraction

from . import error_feedback, error_feedback_words
from .multipliers import Numbers, Values
from .positivity import Matrix
from .slopes import Enclosed

NAME = "byz_dm21"
RECURSION = error_feedback.Recursion(2)
CONSTANTS = RECURSION.constants
WEIGHTS = RECURSION.weights
MULTIPLIERS = (*WEIGHTS, *error_feedback.BOUNDS)
POSITIVE = MULTIPLIERS
RATES: tuple[dict[str, int], ...] = ({"cf": 1},)
VARIABLES = RECURSION.variables
AFFINE, FURTHER = 1 + len(VARIABLES), 0  # multipliers are made of 1 and the variables


def conditions(constants: Numbers) -> dict[str, bool]:
    """What must hold of the constants."""
    return error_feedback_words.conditions(RECURSION, constants)


def parts(variables: list[Enclosed]) -> list[Enclosed]:
    """The variables."""
    return variables


def matrices(
    constants: Values, multipliers: Values, variables: list[Enclosed]
) -> dict[str, Matrix]:
    """All matrices, at all points of a box."""
    return error_feedback.matrices(RECURSION, constants, multipliers, variables)


def statement(constants: Numbers, rate: Fraction) -> str:
    """The claim in words; `rate` is the largest of the box."""
    return error_feedback_words.statement(RECURSION, constants, rate)
