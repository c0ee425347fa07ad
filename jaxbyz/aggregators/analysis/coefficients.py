"""What is known of the robustness coefficient κ of a rule, as values.

(f, κ)-robust:  ‖R(X) - x̄_S‖² ≤ κ Var_S  for all X and all S with |S| = n-f, where
Var_S = (1/(n-f)) Σ_{i∈S} ‖x_i - x̄_S‖².

No rule has κ < f/(n-2f). Take n-f rows 0 and f rows v. With S the n-f zeros, Var_S = 0, so a rule
with finite κ returns 0. With S the f copies of v and n-2f of the zeros, ‖0 - x̄_S‖² =
f/(n-2f) Var_S.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxbyz import checks
from jaxbyz.contracts.constructors import with_f
from jaxbyz.contracts.parts import require
from jaxbyz.core import Aggregator, LinearPiece, Robustness

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


def reach(rule: Aggregator, n: int, f: int) -> float | None:
    """The largest known distance of a result from honest rows, in their diameters.

    c with  ‖R(X) - x̄_S‖ ≤ c max_{i,j∈S} ‖x_i - x_j‖  for all X and all S with |S| = n-f: √(κ/2)
    where a κ is known, because Var_S ≤ diameter²/2; else what the rule's docstring says; None
    where no such c exists or none is known. Derived here.

    Raises:
        ValueError: f negative or not an integer, n ≤ 2f.

    >>> from jaxbyz.aggregators import cge, meamed, trimmed_mean
    >>> reach(trimmed_mean(f=1), n=4, f=1), reach(meamed(f=1), n=5, f=1), reach(cge(f=1), n=5, f=1)
    (0.5, 4.0, None)
    """
    known = kappa(rule, n, f)
    square = known.published if known.exact is None else known.exact
    if square is not None:
        return (square / 2) ** 0.5
    stated = None if rule.robustness is None else rule.robustness.reach
    return None if stated is None else stated(n, f)


def within_ranges(n: int, f: int) -> float:
    """`reach` of a rule that is, per coordinate, within two ranges of the mean of S: 2 √(n-f).

    The squared range of a column of S is at most twice its sum of squared deviations, hence the
    sum of all at most 2 (n-f) Var_S ≤ (n-f) diameter².
    """
    return 2 * (n - f) ** 0.5


def ratio(n: int, f: int) -> float:
    """f/(n-2f), the least κ of any rule."""
    return f / (n - 2 * f)


def unknown(n: int, f: int) -> None:
    """No constant is known."""
    del n, f


def known_constants(
    exact: Callable[[int, int], float | None] = unknown,
    published: Callable[[int, int], float | None] = unknown,
    source: str = ALLOUAH,
    pieces: Callable[[int], list[LinearPiece]] | None = None,
    reach: Callable[[int, int], float | None] | None = None,
) -> Robustness:
    """What is known, as far as there is something."""
    return Robustness(exact, published, source, pieces, reach)


def only_for(
    declared: int | None, bound: Callable[[int, int], float | None]
) -> Callable[[int, int], float | None]:
    """A constant that was proved for the declared f alone."""
    return lambda n, f: bound(n, f) if f == declared else None


def mixed(declared: int, inner: Aggregator) -> Robustness | None:
    """κ of nearest-neighbour mixing before a rule: 8f/(n-f) (κ_inner + 1).

    Where the inner rule has a reach c only, that of both is 3c + 1 (derived here): a mixed honest
    row is the mean of n-f rows no farther from it than the honest ones are, so that mixing moves
    honest rows by at most their diameter.
    """
    known = inner.robustness
    if known is None:
        return None

    def published(n: int, f: int) -> float | None:
        within = known.exact(n, f)
        within = known.published(n, f) if within is None else within
        return None if within is None else 8 * f / (n - f) * (within + 1)

    def both(n: int, f: int) -> float | None:
        c = reach(inner, n, f)
        return None if c is None else 3 * c + 1

    source = f"{ALLOUAH}; κ of the inner rule: exact if known, else {known.source}"
    bound, reaches = only_for(declared, published), only_for(declared, both)
    return known_constants(published=bound, source=source, reach=reaches)
