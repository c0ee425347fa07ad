"""What an engine may say of a claim: a status, and whether its bound was found to be attained.

The status says what kind of evidence there is:

    PROVED > CERTIFIED > SEARCHED > CONFIDENT > INCONCLUSIVE

Nothing is ever "passed". Floating-point numbers alone give SEARCHED, CONFIDENT or INCONCLUSIVE.
PROVED, CERTIFIED and REFUTED need rational or interval arithmetic, and a report without it cannot
be made. Whether a bound is tight is another matter, and no evidence for it: `Report.tight`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

from jaxbyz.deprecations import warn_renamed


def _no_longer_a_status() -> None:
    warn_renamed("Status.TIGHT", "Status.SEARCHED (whether a bound is tight: report.tight)", 4)


class _FormerTight(enum.EnumType):
    """For one release `Status.TIGHT` and `Status["TIGHT"]` warn, and give SEARCHED."""

    def __getattr__(cls, name: str) -> Any:
        if name == "TIGHT":
            _no_longer_a_status()
            return cls["SEARCHED"]
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")

    def __getitem__(cls, name: str) -> Any:
        if name == "TIGHT":
            _no_longer_a_status()
            name = "SEARCHED"
        return super().__getitem__(name)


class Status(enum.IntEnum, metaclass=_FormerTight):
    """The kind of evidence for a claim, the stronger the larger.

    The two below INCONCLUSIVE are no support at all.
    """

    REFUTED = 0  # a violation, verified in exact arithmetic
    NOT_APPLICABLE = 1  # a hypothesis fails
    INCONCLUSIVE = 2  # no statement either way
    CONFIDENT = 3  # at a level that holds at any time of stopping
    SEARCHED = 4  # no violation found by so much search
    CERTIFIED = 6  # exact arithmetic, one point of the parameters; 5 was TIGHT, and stays unused
    PROVED = 7  # exact arithmetic, all parameters of a stated box

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        if value == 5:  # also of what was pickled
            _no_longer_a_status()
            return cls.SEARCHED
        return None


EXACT = {Status.REFUTED, Status.CERTIFIED, Status.PROVED}


@dataclasses.dataclass(frozen=True)
class Report:
    """What one engine found about one claim.

    `tightness` is the largest left/right that was met (for identities the largest error). A claim
    may make several statements at once: `sides` has the largest of each. `tight` tells that the
    weakest of them comes up to what is possible: to the bound itself, or to another computation of
    the same number. How near it has to come is said by the claim (`Claim.tight_from`).

    >>> Report("rosdhb/L5", Status.PROVED, "search", "seen no violation", 1.0)
    Traceback (most recent call last):
    ...
    ValueError: status PROVED needs exact=True: floating-point numbers never prove or refute
    """

    claim: str  # "paper/name"
    status: Status
    engine: str
    evidence: str  # what was done, and how much of it
    tightness: float | None = None
    seconds: float = 0.0
    instance: Any = None  # where the largest was met
    exact: bool = False  # whether the status rests on rational or interval arithmetic
    adversary: str = ""  # the worst of those that the claim was held against, if any
    tight: bool = False
    sides: tuple[float, ...] = ()  # the largest left/right of each statement; (): one statement

    def __post_init__(self) -> None:
        if self.status in EXACT and not self.exact:
            raise ValueError(
                f"status {self.status.name} needs exact=True: floating-point numbers never prove "
                "or refute"
            )
        if self.tight and (self.tightness is None or self.status <= Status.INCONCLUSIVE):
            raise ValueError(
                "tight=True needs a tightness and a status above INCONCLUSIVE, got "
                f"{self.tightness} and {self.status.name}"
            )

    @property
    def weakest(self) -> float | None:
        """The tightness of the weakest statement."""
        return min(self.sides) if self.sides else self.tightness

    def __str__(self) -> str:
        used = "" if self.tightness is None else f"  {self.tightness:.6g}"
        used += " tight" if self.tight else ""
        return f"{self.claim:32s} {self.status.name:14s}{used}  {self.engine}: {self.evidence}"


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
