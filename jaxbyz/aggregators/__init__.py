"""Robust aggregation rules: R^{n×d} -> R^d, whatever f of the rows are.

A rule with f = None takes the number of Byzantine workers of the problem that it is trained on.
"""

from jaxbyz.aggregators.analysis.coefficients import Kappa, kappa, reach
from jaxbyz.aggregators.analysis.worst_case import WorstCase, robustness
from jaxbyz.aggregators.central import aksel, cge, monna, nearest_mean
from jaxbyz.aggregators.choice import one_of
from jaxbyz.aggregators.clipping import (
    centered_clipping,
    centered_clipping_from,
    smoothed_weiszfeld,
)
from jaxbyz.aggregators.coordinatewise import (
    coordinate_median,
    lower_median,
    meamed,
    mean,
    phocas,
    trimmed_mean,
)
from jaxbyz.aggregators.geometric import geometric_median
from jaxbyz.aggregators.preaggregation import arc, bucketing, clip, nnm
from jaxbyz.aggregators.rows.numbers import neutralize, rejected_rows, stateless
from jaxbyz.aggregators.selection import bulyan, krum, multi_krum
from jaxbyz.aggregators.spectral import caf, dnc
from jaxbyz.aggregators.subsets import mda, mva, smea

__all__ = [
    "aksel",
    "arc",
    "rejected_rows",
    "bucketing",
    "bulyan",
    "caf",
    "centered_clipping",
    "centered_clipping_from",
    "cge",
    "clip",
    "coordinate_median",
    "dnc",
    "geometric_median",
    "kappa",
    "Kappa",
    "krum",
    "lower_median",
    "mda",
    "meamed",
    "mean",
    "monna",
    "multi_krum",
    "mva",
    "nearest_mean",
    "neutralize",
    "nnm",
    "one_of",
    "phocas",
    "reach",
    "robustness",
    "smea",
    "smoothed_weiszfeld",
    "stateless",
    "trimmed_mean",
    "WorstCase",
]
