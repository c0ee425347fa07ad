"""What is known of the robustness coefficient κ of a rule, as values.

(f, κ)-robust:  ‖R(X) - x̄_S‖² ≤ κ Var_S  for all X and all S with |S| = n-f, where
Var_S = (1/(n-f)) Σ_{i∈S} ‖x_i - x̄_S‖².  No rule has κ < f/(n-2f): from n-f zeros and f copies of
v a rule with finite κ must return 0, and n-2f of the zeros with the copies of v are S as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxbyz import checks
from jaxbyz.constructors import with_f
from jaxbyz.core import Aggregator, Cell, Robustness
from jaxbyz.parts import require

__all__ = ["ALLOUAH", "Kappa", "constant", "kappa", "mixed", "only_for", "ratio", "unknown"]

ALLOUAH = "Allouah et al., AISTATS 2023"


class Kappa(NamedTuple):
    """What `kappa` knows; None where nothing is known."""

    exact: float | None
    published: float | None  # an upper bound, often loose
    source: str | None  # of the upper bound
    lower_bound: float  # f/(n-2f), for every rule


def kappa(rule: Aggregator, n: int, f: int) -> Kappa:
    """The robustness coefficient of a rule against f Byzantine rows of n.

    Constants that hold for the declared f only are None for another one.

    Raises:
        ValueError: rule is no aggregator, f negative or not an integer, n ≤ 2f.

    >>> from jaxbyz.aggregators import cge, trimmed_mean
    >>> kappa(trimmed_mean(f=2), n=7, f=2).exact
    0.6666666666666666
    >>> kappa(cge(f=2), n=7, f=2)
    Kappa(exact=None, published=None, source=None, lower_bound=0.6666666666666666)
    """
    require("Aggregator", "rule", rule)
    f = checks.count("f", f)
    n = checks.count("n", n, minimum=2 * f + 1)
    rule = with_f(rule, f)
    exact = published = source = None
    if rule.robustness is not None:
        exact = rule.robustness.exact(n, f)
        published = rule.robustness.published(n, f)
        source = None if published is None else rule.robustness.source
    return Kappa(exact, published, source, ratio(n, f))


def ratio(n: int, f: int) -> float:
    """f/(n-2f), the least κ of any rule."""
    return f / (n - 2 * f)


def unknown(n: int, f: int) -> None:
    """No constant is known."""
    del n, f


def constant(
    exact: Callable[[int, int], float | None] = unknown,
    published: Callable[[int, int], float | None] = unknown,
    source: str = ALLOUAH,
    cells: Callable[[int], list[Cell]] | None = None,
) -> Robustness:
    """What is known, as far as there is something."""
    return Robustness(exact, published, source, cells)


def only_for(
    declared: int | None, bound: Callable[[int, int], float | None]
) -> Callable[[int, int], float | None]:
    """A constant that was proved for the declared f alone."""
    return lambda n, f: bound(n, f) if f == declared else None


def mixed(declared: int, inner: Aggregator) -> Robustness | None:
    """κ of nearest-neighbour mixing before a rule: 8f/(n-f) (κ_inner + 1)."""
    known = inner.robustness
    if known is None:
        return None

    def published(n: int, f: int) -> float | None:
        within = known.exact(n, f)
        within = known.published(n, f) if within is None else within
        return None if within is None else 8 * f / (n - f) * (within + 1)

    source = f"{ALLOUAH}; κ of the inner rule: exact if known, else {known.source}"
    return Robustness(unknown, only_for(declared, published), source)
