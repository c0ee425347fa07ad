"""Byzantine-robust, communication-compressed distributed learning in JAX.

    training, comparison, effects, describe   what users call; callbacks, stopping: what they
                                 hand over; history, plotting, frames, metrics: what comes out;
                                 grids: comparisons from a file
    simulation, algorithms       rounds as pure functions; two halves, which meet in messages
    aggregators, attacks, compressors, problems, data   the parts that an algorithm meets or uses
    core, messages, contracts    the types; what is sent, with its bits; what parts promise
    storage                      files of results and checkpoints
    sanitize, faulty_rounds      numbers that are not finite, at the server and at a worker
    checks, seeds, column_passes, partitioned, deprecations, compiling   helpers that know no part
    testing, theory              checks of users' own parts; claims about the methods

Users import this package, as `jb`; nothing in it imports `testing` or `theory`. Start reading with
`messages`, `core`, `algorithms.rosdhb`, `simulation.rounds`: CONTRIBUTING.md follows one gradient.
"""

import importlib.metadata

# Names of one kind share lines.
# fmt: off
# isort: off
from jaxbyz import (
    aggregators, algorithms, attacks, callbacks, compressors, data, messages, problems,
)
from jaxbyz.aggregators import (
    aksel, arc, bucketing, bulyan, caf, centered_clipping, centered_clipping_from, cge, clip,
    coordinate_median, dnc, geometric_median, krum, lower_median, mda, meamed, mean, monna,
    multi_krum, mva, nearest_mean, nnm, phocas, robustness, smea, smoothed_weiszfeld, stateless,
    trimmed_mean,
)
from jaxbyz.algorithms import (
    br_csgd, br_diana, br_diana_full, broadcast_saga, byz_dasha_page, byz_dm21, byz_ef14,
    byz_ef21, byz_ef21_sgd, byz_ef21_sgdm, byz_ef21_storm, byz_vr_dm21, byz_vr_marina,
    byz_vr_marina_no_sync, ef21, ef21_sgd2m, ef21_sgdm, ef21_storm, fltrust, local_steps,
    partial_participation, robust_sgd, rosdhb, rosdhb_local,
)
from jaxbyz.attacks import (
    alie, alie_line_search, ascent, backdoor, forged, ipm, ipm_line_search, ipm_search, label_flip,
    min_max, min_sum, no_attack, sign_flip,
)
from jaxbyz.comparison import Comparison, compare, compare_aggregators
from jaxbyz.compressors import (
    bernoulli, blockwise, identity, natural, qsgd, rand_k, scaled, scaled_sign, seeded_rand_k,
    sign, ternary, top_k,
)
from jaxbyz.deprecations import renamed
from jaxbyz.describe import Description, describe
from jaxbyz.description_table import DescriptionTable, describe_table
from jaxbyz.effects import Effect, effect
from jaxbyz.heatmaps import plot_rules
from jaxbyz.history import History
from jaxbyz.plotting import plot_histories
from jaxbyz.simulation import build, in_batches, one_by_one, over_mesh, over_pmap, run
from jaxbyz.simulation.mapping import side_by_side
from jaxbyz.stopping import StopTraining
from jaxbyz.training import RunDiverged, train
# isort: on
# fmt: on

__getattr__ = renamed(__name__, {"TooManyBadRows": "RunDiverged"}, globals())
__version__ = importlib.metadata.version("jaxbyz")

__all__ = [
    "__version__",
    # modules
    "aggregators", "algorithms", "attacks", "callbacks", "compressors", "data", "messages",
    "problems",
    # algorithms
    "br_csgd", "br_diana", "br_diana_full", "broadcast_saga", "byz_dasha_page", "byz_dm21",
    "byz_ef14", "byz_ef21", "byz_ef21_sgd", "byz_ef21_sgdm", "byz_ef21_storm", "byz_vr_dm21",
    "byz_vr_marina", "byz_vr_marina_no_sync", "ef21", "ef21_sgd2m", "ef21_sgdm", "ef21_storm",
    "fltrust", "local_steps", "partial_participation", "robust_sgd", "rosdhb", "rosdhb_local",
    # aggregators
    "aksel", "arc", "bucketing", "bulyan", "caf", "centered_clipping", "centered_clipping_from",
    "cge", "clip", "coordinate_median", "dnc", "geometric_median", "krum", "lower_median",
    "mda", "meamed", "mean", "monna", "multi_krum", "mva", "nearest_mean", "nnm", "phocas",
    "robustness", "smea", "smoothed_weiszfeld", "stateless", "trimmed_mean",
    # attacks
    "alie", "alie_line_search", "ascent", "backdoor", "forged", "ipm", "ipm_line_search",
    "ipm_search", "label_flip", "min_max", "min_sum", "no_attack", "sign_flip",
    # compressors
    "bernoulli", "blockwise", "identity", "natural", "qsgd", "rand_k", "scaled", "scaled_sign",
    "seeded_rand_k", "sign", "ternary", "top_k",
    # running
    "Comparison", "Description", "DescriptionTable", "Effect", "History", "RunDiverged",
    "StopTraining", "build", "compare", "compare_aggregators", "describe", "describe_table",
    "effect", "in_batches", "one_by_one", "over_mesh", "over_pmap", "plot_histories", "plot_rules",
    "run", "side_by_side", "train",
]  # fmt: skip
