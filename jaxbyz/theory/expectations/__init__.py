"""Exact expectations over random subsets, of formulas and of the shipped code.

`subsets` enumerates the k-subsets of d coordinates; `rounds` runs one round of an algorithm as it
is shipped, for one outcome of its draws. The statements of both papers read this room; it knows
neither claims nor engines.
"""

import warnings
from typing import Any

from jaxbyz.theory.expectations.rounds import one_round
from jaxbyz.theory.expectations.subsets import all_subsets, mask_mean

__all__ = ["all_subsets", "mask_mean", "one_round"]


def __getattr__(name: str) -> Any:
    if name == "play":
        said = "expectations.play is now called one_round; the old name goes with the next release"
        warnings.warn(said, DeprecationWarning, stacklevel=2)
        return one_round
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
