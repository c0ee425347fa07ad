"""The robustness of a rule as it is: its worst rows, computed or searched for."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.aggregators.analysis.coefficients import Kappa, kappa
from jaxbyz.aggregators.analysis.exact_columns import programs, worst_column
from jaxbyz.aggregators.analysis.local_search import error_ratio, initial_rows, local_search
from jaxbyz.contracts.constructors import with_f
from jaxbyz.contracts.parts import require
from jaxbyz.core import Aggregator
from jaxbyz.storage.programs import compiled_once


class WorstCase(NamedTuple):
    """What `robustness` found; prints as a small table."""

    ratio: float  # the largest ‖R(X) - x̄_S‖²/Var_S
    computed: bool  # True: no rows are worse. False: found by search, a lower bound of κ
    rows: np.ndarray  # [n, d] that attain it; S is the first n-f of them
    known: Kappa  # what is known otherwise
    n: int
    f: int

    @property
    def refuted(self) -> str:
        """Which of the known constants these rows exceed: "exact", "published" or ""."""
        for name, bound in (("exact", self.known.exact), ("published", self.known.published)):
            if bound is not None and self.ratio > bound * (1 + 1e-6) + 1e-12:  # beyond rounding
                return name
        return ""

    def __str__(self) -> str:
        how = "computed: no rows are worse" if self.computed else "searched: a lower bound"
        lines = [(f"worst ratio, {self.f} of {self.n} rows", self.ratio, how)]
        if self.known.exact is not None:
            lines.append(("exact κ, proved", self.known.exact, ""))
        if self.known.published is not None:
            lines.append(("published bound", self.known.published, self.known.source or ""))
        lines.append(("least κ of any rule", self.known.lower_bound, "f/(n-2f)"))
        if self.refuted:
            lines.append(("REFUTED", self.ratio, f"these rows exceed the {self.refuted} constant"))
        width = max(len(name) for name, _, _ in lines)
        return "\n".join(f"{a:<{width}}  {b:<10.6g}  {c}".rstrip() for a, b, c in lines)


def robustness(
    rule: Aggregator,
    n: int,
    f: int,
    *,
    d: int = 2,
    starts: int = 64,
    steps: int = 300,
    draws: int = 1,
    seed: int = 0,
    max_programs: int = 20_000,
) -> WorstCase:
    """The largest ‖R(X) - x̄_S‖²/Var_S of a rule over rows X and sets |S| = n-f, in float64.

    For coordinate-wise rules of this package it is computed by convex programs, and no rows are
    worse (up to the programs' rounding, some 1e-9). For every other rule it is searched for, by
    gradient ascent with random steps from many initial rows, in one compiled program. What a search
    finds is a lower bound of κ; a longer search may find more. A ratio above a known constant is
    reported as such. For a rule without finite κ the ratio grows with the search, or is infinite.

    Args:
        rule: an aggregator; its state is the initial one in every call.
        n: number of rows.
        f: how many of them are Byzantine.
        d: coordinates of the searched rows; more can be worse, except for coordinate-wise rules.
        starts: number of searches, each from other rows.
        steps: of each of them.
        draws: keys over which the error of a random rule is averaged, the same in all steps; the
            rows found are worst for these keys, so few keys exaggerate.
        seed: of the search.
        max_programs: more convex programs than this are not solved but refused.

    Raises:
        ValueError: n ≤ 2f, f < 1, an argument below 1, too many programs; whatever the rule raises
            for n rows.

    >>> from jaxbyz.aggregators import coordinate_median, trimmed_mean
    >>> print(robustness(trimmed_mean(f=2), n=7, f=2))
    worst ratio, 2 of 7 rows  0.666667    computed: no rows are worse
    exact κ, proved           0.666667
    published bound           6.66667     Allouah et al., AISTATS 2023
    least κ of any rule       0.666667    f/(n-2f)
    """
    require("Aggregator", "rule", rule)
    f = checks.count("f", f, minimum=1)
    n = checks.count("n", n, minimum=2 * f + 1)
    d, starts = checks.count("d", d, minimum=1), checks.count("starts", starts, minimum=1)
    steps, draws = checks.count("steps", steps, minimum=1), checks.count("draws", draws, minimum=1)
    seed = checks.count("seed", seed)
    rule = with_f(rule, f)
    known = kappa(rule, n, f)
    if rule.robustness is not None and rule.robustness.pieces is not None:
        pieces = rule.robustness.pieces(n)
        if (count := programs(pieces, n, f)) > max_programs:
            raise ValueError(
                f"max_programs must be at least {count} for n = {n} and f = {f}, got {max_programs}"
            )
        worst = worst_column(pieces, n, f)
        return WorstCase(worst.kappa, True, worst.column[:, None], known, n, f)
    with jax.enable_x64(True):
        row_key, rule_key, search_key = jax.random.split(jax.random.key(seed), 3)
        begin = initial_rows(row_key, starts, n, f, d)
        ratio = error_ratio(rule, f, jax.random.split(rule_key, draws))

        def found(begin: jax.Array) -> tuple[jax.Array, jax.Array]:
            return local_search(ratio, begin.astype(jnp.float64), steps, search_key)

        value, rows = compiled_once(found, lift=False)(begin)
        return WorstCase(float(value), False, np.asarray(rows), known, n, f)
