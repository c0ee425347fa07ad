"""Momentum is given as β, or as 1-β where β is so near 1 that the subtraction loses digits."""

from typing import Any

from jaxbyz import checks


def fresh_weight(momentum: Any = None, one_minus_momentum: Any = None) -> Any:
    """1-β from exactly one of β in [0, 1) and 1-β in (0, 1].

    Raises:
        ValueError: both or none given, or outside the range.

    >>> fresh_weight(momentum=0.75), fresh_weight(one_minus_momentum=1e-9)
    (0.25, 1e-09)
    """
    if (momentum is None) == (one_minus_momentum is None):
        raise ValueError(
            "give exactly one of momentum and one_minus_momentum, got momentum = "
            f"{momentum!r} and one_minus_momentum = {one_minus_momentum!r}"
        )
    if momentum is not None:
        return 1 - checks.interval("momentum", momentum, 0, 1, closed="left")
    return checks.interval("one_minus_momentum", one_minus_momentum, 0, 1, closed="right")
