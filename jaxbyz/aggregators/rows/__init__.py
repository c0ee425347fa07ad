"""What rules do to the rows that they are given, [n, d]: one vector [d] from every worker.

    finite              which rows are rejected, and rows with those replaced. Start here.
    numbers             dtypes, and numbers that neither overflow nor vanish
    norms               norms of rows, and rows that are shortened to a norm
    sorting             order statistics of every column
    distances           squared distances of all pairs of rows
    centring            rows around their median, in the unit of their own spread
    centred_distances   the same with distances, in fewer passes where the rows allow it
    inner_rules         how a rule is applied to rows that another one changed

Imported by the rules of `jaxbyz.aggregators` alone.
"""

__all__ = [
    "centred_distances",
    "centring",
    "distances",
    "finite",
    "inner_rules",
    "norms",
    "numbers",
    "sorting",
]
