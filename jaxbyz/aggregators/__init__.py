"""Robust aggregation rules R^{n×d} -> R^d: n rows, of which f may be anything, to one vector.

    coordinatewise   mean, trimmed mean, medians, MeaMed, Phocas. Start here.
    geometric, clipping, central   the geometric median; clipped steps; rows near one point
    weiszfeld, approach   steps towards the geometric median; steps whose pull is bounded
    selection, subsets, spectral   Krum and Bulyan; all subsets of n-f rows; CAF and DnC
    preaggregation, one_of         rules around rules: mixing, bucketing, clipping; one of several
    from_functions   a rule from your own function: `stateless`
    rows             what rules do to their rows: finite rows, order, distances
    analysis         κ of a rule, computed or searched for

A row is the vector [d] that a server reads from one worker; f of the n workers are Byzantine. κ
bounds the error of a rule by the variance of the honest rows (`kappa`); the diameter of the honest
rows is the largest distance between two of them (`reach`). f = None: that of the problem.
Imported by comparison, testing, theory and users; an algorithm is given its rule.
"""

from jaxbyz.aggregators.analysis import Kappa, WorstCase, kappa, reach, robustness
from jaxbyz.aggregators.central import aksel, cge, monna, nearest_mean
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
from jaxbyz.aggregators.from_functions import stateless
from jaxbyz.aggregators.geometric import geometric_median
from jaxbyz.aggregators.one_of import one_of
from jaxbyz.aggregators.preaggregation import arc, bucketing, clip, nnm
from jaxbyz.aggregators.rows import rejected_rows, replace_rejected
from jaxbyz.aggregators.selection import bulyan, krum, multi_krum
from jaxbyz.aggregators.spectral import caf, dnc
from jaxbyz.aggregators.subsets import mda, mva, smea
from jaxbyz.deprecations import renamed

__getattr__ = renamed(__name__, {"neutralize": "replace_rejected"}, globals())

__all__ = [
    "aksel", "arc", "rejected_rows", "bucketing", "bulyan", "caf", "centered_clipping",
    "centered_clipping_from", "cge", "clip", "coordinate_median", "dnc", "geometric_median",
    "kappa", "Kappa", "krum", "lower_median", "mda", "meamed", "mean", "monna", "multi_krum",
    "mva", "nearest_mean", "nnm", "one_of", "phocas", "reach", "replace_rejected", "robustness",
    "smea", "smoothed_weiszfeld", "stateless", "trimmed_mean", "WorstCase",
]  # fmt: skip
