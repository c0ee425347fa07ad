"""Byz-DASHA-PAGE, √p ≤ a: the claim and its proof are in `dasha_page`."""

from fractions import Fraction

from . import dasha_page, error_feedback_words
from .multipliers import Numbers, Values
from .positivity import Matrix
from .slopes import Enclosed

NAME = "byz_dasha_page_rare"
CONSTANTS = dasha_page.CONSTANTS
WEIGHTS = dasha_page.WEIGHTS
MULTIPLIERS = dasha_page.MULTIPLIERS
POSITIVE = MULTIPLIERS
RATES: tuple[dict[str, int], ...] = ({"cf": 1},)
VARIABLES = dasha_page.VARIABLES
AFFINE, FURTHER = 1 + len(VARIABLES), 0  # multipliers are made of 1 and the variables
conditions = dasha_page.conditions


def parts(variables: list[Enclosed]) -> list[Enclosed]:
    """The variables."""
    return variables


def matrices(
    constants: Values, multipliers: Values, variables: list[Enclosed]
) -> dict[str, Matrix]:
    """All matrices, at all points of a box."""
    return dasha_page.matrices(constants, multipliers, variables, rare=True)


def statement(constants: Numbers, rate: Fraction) -> str:
    """The claim in words; `rate` is the largest of the box."""
    return error_feedback_words.page_statement(constants, rate, rare=True)
