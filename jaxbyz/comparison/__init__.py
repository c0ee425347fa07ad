"""A fair race of algorithms: many runs, each method with its own best step size, one table."""

from jaxbyz.comparison.races import compare, compare_aggregators
from jaxbyz.comparison.results import Cell, Comparison, Row

__all__ = ["Cell", "Comparison", "Row", "compare", "compare_aggregators"]
