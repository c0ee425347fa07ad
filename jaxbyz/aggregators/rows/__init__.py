"""What rules do to the rows that they are given, [n, d]: one vector [d] from every worker.

    finite              which rows are rejected, and rows with those replaced. Start here.
    numbers             dtypes, and numbers that neither overflow nor vanish
    norms               norms of rows, and factors that shorten rows to a norm
    sorting             order statistics of every column
    distances           squared distances of all pairs of rows
    centring            rows around their median, in the unit of their own spread
    centred_distances   the same with distances, in fewer passes where the rows allow it
    twice               a quick way to a result, and a careful one where that was not right
    inner_rules         how a rule is applied to rows that another one changed

Rules import what is listed here; the files of this package import one another.
"""

from jaxbyz.aggregators.rows.centred_distances import centred_distances
from jaxbyz.aggregators.rows.centring import (
    Centred,
    Offsets,
    centred_at_median,
    centred_at_some_rows,
    distances_from,
    offsets,
    plain_offsets,
    shrink_for,
    weighted_from,
    weighted_offsets,
)
from jaxbyz.aggregators.rows.distances import centred_products, nearest, squared_distances
from jaxbyz.aggregators.rows.finite import (
    FiniteRows,
    finite_rows,
    mean_of,
    rejected_rows,
    replace_rejected,
    rows_as_they_are,
)
from jaxbyz.aggregators.rows.inner_rules import Coordinatewise, apply_to_scaled, apply_to_weighted
from jaxbyz.aggregators.rows.norms import row_norms, shortening
from jaxbyz.aggregators.rows.numbers import in_dtype_of, power_of_two, reciprocal, widened
from jaxbyz.aggregators.rows.sorting import partly_sorted, select_ranks, sorted_rows
from jaxbyz.aggregators.rows.twice import unless

__all__ = [
    "Centred", "Coordinatewise", "FiniteRows", "Offsets", "apply_to_scaled", "apply_to_weighted",
    "centred_at_median", "centred_at_some_rows", "centred_distances", "centred_products",
    "distances_from", "finite_rows", "in_dtype_of", "mean_of", "nearest", "offsets",
    "partly_sorted", "plain_offsets", "power_of_two", "reciprocal", "rejected_rows",
    "replace_rejected", "row_norms", "rows_as_they_are", "select_ranks", "shortening",
    "shrink_for", "sorted_rows", "squared_distances", "unless", "weighted_from",
    "weighted_offsets", "widened",
]  # fmt: skip
