"""The certificates of this package: for which constants they are sought, and where they are kept.

`make proofs` finds them anew. A file is named after its method and constants: c, coupling a and
bound w of κB² of RoSDHB; also a bound of κ where every worker has its own mask; reach and w of
gradient descent; c, κ and w of error feedback, and the largest η/α.

Not found, which does not say that there is none:

    rosdhb_local   c = 6, a = 5, w = 1/7, K = u = 1: no multipliers at the 25 points of a grid
                   c = 60, w = 1/7, K = u = 1, N = 1: the search ends (N = 2 and 4: found)
    byz_ef21_sgdm  c = 20, ρ = 1/4, κ = 1/5, w = 1/7: none at a grid of 27 points for N = 2, N' = 10
    byz_dm21       the same for N = N' = 10: two momenta have the larger noise floor that is proved
                   at κ = 1/5 (12 + 40/h beside 6 + 12/h); the smaller one for small κ alone
    byz_dasha_page c = 20 without `most`: weights of V near 1000, and 400 boxes left it undecided
    η > α          error feedback with terms (η/α)² of V: not tried; the entries there are unbounded
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "stored"


class Wanted(NamedTuple):
    """One certificate to be found."""

    name: str  # of its file, without the ending
    method: str
    constants: dict[str, Fraction]  # all but C, or all
    slack: Fraction  # what is given up of the least C, for a lower rate
    room: Fraction = Fraction(1, 20)  # what is given up of the least rate, for fewer boxes
    most: int | None = None  # the largest multiplier, for fewer boxes


def _written(*parts: str) -> str:
    return "-".join(parts).replace("/", "_")


def _rosdhb(c: str, coupling: int, bound: str, slack: str, room: str = "1/20") -> Wanted:
    constants = {
        "c": Fraction(c), "coupling": Fraction(coupling), "kappa_b_squared": Fraction(bound)
    }  # fmt: skip
    name = _written("rosdhb", f"c{c}", f"a{coupling}", f"w{bound}")
    return Wanted(name, "rosdhb", constants, Fraction(slack), Fraction(room))


def _gradient_descent(reach: str, bound: str, floor: str) -> Wanted:
    constants = {
        "reach": Fraction(reach), "kappa_b_squared": Fraction(bound), "C": Fraction(floor)
    }  # fmt: skip
    name = _written("gradient_descent", f"reach{reach}", f"w{bound}")
    return Wanted(name, "gradient_descent", constants, Fraction(0))


def _local(c: str, bound: str, noise: str, room: str = "1/10") -> Wanted:
    constants = {
        "c": Fraction(c), "coupling": Fraction(24), "kappa_b_squared": Fraction(bound),
        "kappa": Fraction(1), "share": Fraction(1), "N": Fraction(noise),
    }  # fmt: skip
    name = _written("rosdhb_local", f"c{c}", "a24", f"k1-w{bound}")
    return Wanted(name, "rosdhb_local", constants, Fraction(1, 20), Fraction(room))


def _error_feedback(
    method: str, c: str, ratio: str, kappa: str, bound: str, *noise: str, floor: str = ""
) -> Wanted:
    """`ratio` is the largest η/α, `noise` N, N' and ℓ²/L²; none of these without momentum."""
    constants = {
        "c": Fraction(c), "kappa": Fraction(kappa), "kappa_b_squared": Fraction(bound),
        "growth": Fraction(1),
    }  # fmt: skip
    name = _written(method, f"c{c}", *([f"r{ratio}"] if ratio else []), f"k{kappa}", f"w{bound}")
    if ratio:
        constants["ratio"] = Fraction(ratio)
        constants |= dict(zip(("N", "N_h", "sample"), map(Fraction, noise), strict=False))
    if floor:
        constants["C"] = Fraction(floor)
    return Wanted(name, method, constants, Fraction(1, 20), Fraction(1, 5))


def _page(method: str, c: str, kappa: str, bound: str) -> Wanted:
    constants = {
        "c": Fraction(c), "kappa": Fraction(kappa), "kappa_b_squared": Fraction(bound),
        "growth": Fraction(1), "sample": Fraction(1),
    }  # fmt: skip
    name = _written(method, f"c{c}", f"k{kappa}", f"w{bound}")
    return Wanted(name, method, constants, Fraction(8, 25), Fraction(1, 2), 40)


WANTED = (
    _gradient_descent("1", "1/7", "1167/1000"),  # 1/(1-w) is 1.1666…
    _gradient_descent("29/20", "1/7", "1000"),  # 2/(1+√w) is 1.4514…
    _rosdhb("23200", 24, "1/25", "1/50"),
    _rosdhb("60", 24, "1/25", "1/20"),
    _rosdhb("26", 24, "1/25", "1/10", "1/4"),
    _rosdhb("5", 4, "1/25", "1/8"),
    _rosdhb("23200", 24, "1/7", "1/50"),
    _rosdhb("60", 24, "1/7", "1/20"),
    _rosdhb("30", 24, "1/7", "1/10"),
    _rosdhb("24", 24, "1/7", "1/10", "1/4"),
    _rosdhb("6", 5, "1/7", "1/8"),
    _rosdhb("8", 6, "1/5", "1/8", "1/8"),
    _rosdhb("10", 6, "1/4", "1/8", "1/8"),
    _rosdhb("12", 8, "1/3", "1/8", "1/8"),
    _rosdhb("23200", 24, "1/2", "1/50"),
    _rosdhb("60", 24, "1/2", "1/10"),
    _rosdhb("30", 24, "1/2", "1/5"),
    _local("23200", "1/7", "4"),
    _local("60", "1/7", "4"),
    _local("30", "1/7", "15"),
    _local("60", "1/2", "15"),
    _error_feedback("byz_ef21", "10", "", "1/5", "1/7"),
    _error_feedback("byz_ef21", "10", "", "1", "1/7"),
    _page("byz_dasha_page", "20", "1/5", "1/7"),
    _page("byz_dasha_page_rare", "20", "1/5", "1/7"),
    _error_feedback("byz_ef21_sgdm", "20", "1/4", "1/5", "1/7", "6", "12"),
    _error_feedback("byz_ef21_sgdm", "20", "1/4", "1", "1/7", "20", "20"),
    _error_feedback("byz_dm21", "20", "1/4", "1/5", "1/7", "12", "40"),
    _error_feedback("byz_dm21", "20", "1/4", "1", "1/7", "40", "60"),
    _error_feedback("byz_dm21", "20", "1/16", "1/4000", "0", "1/25", "12", floor="20"),
    _error_feedback("byz_vr_dm21", "20", "1/4", "1/5", "1/7", "30", "100", "1"),
)


def stored() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and record of every certificate in the package, by name."""
    for path in sorted(FOLDER.glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))
