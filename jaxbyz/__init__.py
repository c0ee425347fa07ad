"""jaxbyz: Byzantine-robust, communication-compressed distributed learning in JAX.

An algorithm is two halves that meet only through typed messages; see `jaxbyz.core` for the types
and `jaxbyz.train` for the shortest way to a result.
"""

from jaxbyz import aggregators, algorithms, attacks, compressors, data, messages, problems
from jaxbyz.aggregators import (
    coordinate_median,
    geometric_median,
    krum,
    mean,
    nnm,
    stateless,
    trimmed_mean,
)
from jaxbyz.algorithms import byz_dasha_page, robust_sgd, rosdhb
from jaxbyz.attacks import alie, forged, ipm, ipm_search, label_flip, no_attack, sign_flip
from jaxbyz.compressors import identity, rand_k, seeded_rand_k, top_k
from jaxbyz.history import History
from jaxbyz.simulation import build, one_by_one, over_mesh, over_pmap, run
from jaxbyz.training import TooManyBadRows, train

__all__ = [
    # modules
    "aggregators",
    "algorithms",
    "attacks",
    "compressors",
    "data",
    "messages",
    "problems",
    # algorithms
    "byz_dasha_page",
    "robust_sgd",
    "rosdhb",
    # aggregators
    "coordinate_median",
    "geometric_median",
    "krum",
    "mean",
    "nnm",
    "stateless",
    "trimmed_mean",
    # attacks
    "alie",
    "forged",
    "ipm",
    "ipm_search",
    "label_flip",
    "no_attack",
    "sign_flip",
    # compressors
    "identity",
    "rand_k",
    "seeded_rand_k",
    "top_k",
    # running
    "History",
    "TooManyBadRows",
    "build",
    "one_by_one",
    "over_mesh",
    "over_pmap",
    "run",
    "train",
]
