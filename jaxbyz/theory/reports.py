"""What an engine may say of a claim, and how strong it is.

    PROVED > CERTIFIED > TIGHT > SEARCHED > CONFIDENT > INCONCLUSIVE

Nothing is ever "passed". Floating-point numbers alone give TIGHT, SEARCHED, CONFIDENT or
INCONCLUSIVE; PROVED, CERTIFIED and REFUTED need rational or interval arithmetic, and a report
without it cannot be made.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

__all__ = ["Report", "Status", "strongest", "weakest"]


class Status(enum.IntEnum):
    """Strength of the support for a claim; the two below INCONCLUSIVE are no support at all."""

    REFUTED = 0  # a violation, verified in exact arithmetic
    NOT_APPLICABLE = 1  # a hypothesis fails
    INCONCLUSIVE = 2  # no statement either way
    CONFIDENT = 3  # at a level that holds at any time of stopping
    SEARCHED = 4  # no violation found by so much search
    TIGHT = 5  # the search comes up to a bound that another computation gives
    CERTIFIED = 6  # exact arithmetic, one point of the parameters
    PROVED = 7  # exact arithmetic, all parameters of a stated box


EXACT = {Status.REFUTED, Status.CERTIFIED, Status.PROVED}


@dataclasses.dataclass(frozen=True)
class Report:
    """What one engine found about one claim.

    >>> Report("rosdhb/L5", Status.PROVED, "search", "seen no violation", 1.0)
    Traceback (most recent call last):
    ...
    ValueError: status PROVED needs exact=True: floating-point numbers never prove or refute
    """

    claim: str  # "paper/name"
    status: Status
    engine: str
    evidence: str  # what was done, and how much of it
    tightness: float | None = None  # the largest left/right that was met; for identities the error
    seconds: float = 0.0
    instance: Any = None  # where it was met
    exact: bool = False  # whether the status rests on rational or interval arithmetic
    adversary: str = ""  # the worst of those that the claim was held against, if any

    def __post_init__(self) -> None:
        if self.status in EXACT and not self.exact:
            raise ValueError(
                f"status {self.status.name} needs exact=True: floating-point numbers never prove "
                "or refute"
            )

    def __str__(self) -> str:
        tight = "" if self.tightness is None else f"  {self.tightness:.6g}"
        return f"{self.claim:32s} {self.status.name:14s}{tight}  {self.engine}: {self.evidence}"


def weakest(reports: Sequence[Report]) -> Status:
    """The status of a conjunction: that of its weakest part.

    Raises:
        ValueError: there are no parts.

    >>> part = Report("a", Status.SEARCHED, "", ""), Report("b", Status.CONFIDENT, "", "")
    >>> weakest(part).name
    'CONFIDENT'
    """
    if not reports:
        raise ValueError("reports must not be empty, got none")
    return min(report.status for report in reports)


def strongest(reports: Sequence[Report]) -> Status:
    """What several engines say of one claim: a refutation outdoes everything.

    A hypothesis that fails for one engine's instance, or an engine without an answer, takes
    nothing from what another engine has shown.

    Raises:
        ValueError: there are no reports.

    >>> both = Report("a", Status.SEARCHED, "", ""), Report("a", Status.INCONCLUSIVE, "", "")
    >>> strongest(both).name
    'SEARCHED'
    """
    if not reports:
        raise ValueError("reports must not be empty, got none")
    found = {report.status for report in reports}
    return Status.REFUTED if Status.REFUTED in found else max(found)
