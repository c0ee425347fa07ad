"""Robust aggregation rules: R^{n×d} -> R^d, whatever f of the rows are."""

from jaxbyz.aggregators.coordinatewise import coordinate_median, mean, trimmed_mean
from jaxbyz.aggregators.geometric import geometric_median
from jaxbyz.aggregators.preaggregation import nnm
from jaxbyz.aggregators.rows import bad_rows, neutralize, stateless
from jaxbyz.aggregators.selection import krum

__all__ = [
    "bad_rows",
    "coordinate_median",
    "geometric_median",
    "krum",
    "mean",
    "neutralize",
    "nnm",
    "stateless",
    "trimmed_mean",
]
