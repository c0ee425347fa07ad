"""jaxbyz: Byzantine-robust, communication-compressed distributed learning in JAX.

An algorithm is two halves that meet only through typed messages; see `jaxbyz.core` for the types
and `jaxbyz.train` for the shortest way to a result.
"""

from jaxbyz import aggregators, algorithms, attacks, compressors, data, messages, problems
from jaxbyz.aggregators import (
    aksel,
    arc,
    bucketing,
    bulyan,
    caf,
    centered_clipping,
    centered_clipping_from,
    cge,
    clip,
    coordinate_median,
    dnc,
    geometric_median,
    krum,
    lower_median,
    mda,
    meamed,
    mean,
    monna,
    multi_krum,
    mva,
    nearest_mean,
    nnm,
    phocas,
    smea,
    smoothed_weiszfeld,
    stateless,
    trimmed_mean,
)
from jaxbyz.algorithms import byz_dasha_page, robust_sgd, rosdhb
from jaxbyz.attacks import alie, forged, ipm, ipm_search, label_flip, no_attack, sign_flip
from jaxbyz.compressors import (
    bernoulli,
    blockwise,
    identity,
    natural,
    qsgd,
    rand_k,
    scaled,
    scaled_sign,
    seeded_rand_k,
    sign,
    ternary,
    top_k,
)
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
    "aksel",
    "arc",
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
    "krum",
    "lower_median",
    "mda",
    "meamed",
    "mean",
    "monna",
    "multi_krum",
    "mva",
    "nearest_mean",
    "nnm",
    "phocas",
    "smea",
    "smoothed_weiszfeld",
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
    "bernoulli",
    "blockwise",
    "identity",
    "natural",
    "qsgd",
    "rand_k",
    "scaled",
    "scaled_sign",
    "seeded_rand_k",
    "sign",
    "ternary",
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
