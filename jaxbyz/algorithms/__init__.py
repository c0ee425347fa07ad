"""Algorithms: one file each, every one a worker half and a server half that meet in messages.

Start reading with `rosdhb`: its docstring has the recursion, the table of symbols and the bits.
What several algorithms share:

    descent          the end of every server round: rows, aggregator, optimiser, model
    estimates        the server's copies of workers' vectors, told as compressed differences
    estimators       gradient estimates of a worker: sampled, full, STORM, averaged
    error_feedback   EF21 with any estimator: the core of the Byz-EF21 and Byz-DM21 families
    momentum         β, or 1-β where β is near 1
    local_steps, participation   around any algorithm: steps between messages, m of n workers
    requirements     ω or α, which an algorithm asks of its compressor

They import the core, messages, compressors, `sanitize`, `contracts` and optax, and `ef21` one rule;
never attacks, problems or the simulation.
"""

from jaxbyz.algorithms.br_csgd import br_csgd
from jaxbyz.algorithms.br_diana import br_diana, br_diana_full
from jaxbyz.algorithms.broadcast_saga import broadcast_saga
from jaxbyz.algorithms.byz_dasha_page import byz_dasha_page
from jaxbyz.algorithms.byz_dm21 import byz_dm21
from jaxbyz.algorithms.byz_ef14 import byz_ef14
from jaxbyz.algorithms.byz_ef21 import byz_ef21, byz_ef21_sgd
from jaxbyz.algorithms.byz_ef21_momentum import byz_ef21_sgdm, byz_ef21_storm
from jaxbyz.algorithms.byz_vr_dm21 import byz_vr_dm21
from jaxbyz.algorithms.byz_vr_marina import byz_vr_marina, byz_vr_marina_no_sync
from jaxbyz.algorithms.ef21 import ef21, ef21_sgd2m, ef21_sgdm, ef21_storm
from jaxbyz.algorithms.estimates import compressed_codec
from jaxbyz.algorithms.fltrust import fltrust
from jaxbyz.algorithms.local_steps import local_steps
from jaxbyz.algorithms.participation import partial_participation
from jaxbyz.algorithms.robust_sgd import direct_server, robust_sgd
from jaxbyz.algorithms.rosdhb import rosdhb
from jaxbyz.algorithms.rosdhb_local import rosdhb_local

__all__ = [
    "br_csgd", "br_diana", "br_diana_full", "broadcast_saga", "byz_dasha_page", "byz_dm21",
    "byz_ef14", "byz_ef21", "byz_ef21_sgd", "byz_ef21_sgdm", "byz_ef21_storm", "byz_vr_dm21",
    "byz_vr_marina", "byz_vr_marina_no_sync", "ef21", "ef21_sgd2m", "ef21_sgdm", "ef21_storm",
    "fltrust", "local_steps", "partial_participation", "robust_sgd", "rosdhb", "rosdhb_local",
    # for algorithms of one's own
    "compressed_codec", "direct_server",
]  # fmt: skip
