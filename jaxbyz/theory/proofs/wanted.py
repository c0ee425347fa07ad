"""The certificates of this package: for which constants they are sought, and where they are kept.

`make proofs` finds them anew. A file is named after its method, c, coupling a and bound of κB².
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "stored"


class Wanted(NamedTuple):
    """One certificate to be found."""

    method: str
    c: Fraction
    coupling: Fraction
    kappa_b_squared: Fraction
    slack: Fraction  # what is given up of the least C, for a lower rate and fewer boxes

    @property
    def name(self) -> str:
        """Of its file, without the ending."""
        c, coupling, bound = (
            str(part).replace("/", "_") for part in (self.c, self.coupling, self.kappa_b_squared)
        )
        return f"{self.method}-c{c}-a{coupling}-w{bound}"

    @property
    def constants(self) -> dict[str, Fraction]:
        """All but C."""
        names = ("c", "coupling", "kappa_b_squared")
        return dict(zip(names, (self.c, self.coupling, self.kappa_b_squared), strict=True))


def _rosdhb(c: str, coupling: int, bound: str, slack: str) -> Wanted:
    return Wanted("rosdhb", Fraction(c), Fraction(coupling), Fraction(bound), Fraction(slack))


WANTED = (
    _rosdhb("23200", 24, "1/25", "1/50"),
    _rosdhb("60", 24, "1/25", "1/20"),
    _rosdhb("5", 4, "1/25", "1/8"),
    _rosdhb("23200", 24, "1/7", "1/50"),
    _rosdhb("60", 24, "1/7", "1/20"),
    _rosdhb("30", 24, "1/7", "1/10"),
    _rosdhb("6", 5, "1/7", "1/8"),
    _rosdhb("23200", 24, "1/2", "1/50"),
    _rosdhb("60", 24, "1/2", "1/10"),
    _rosdhb("30", 24, "1/2", "1/5"),
)


def stored() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and record of every certificate in the package, by name."""
    for path in sorted(FOLDER.glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))
