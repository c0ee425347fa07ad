"""The algorithms: one file each, every one two halves and the messages between them."""

from jaxbyz.algorithms.byz_dasha_page import byz_dasha_page
from jaxbyz.algorithms.byz_dm21 import byz_dm21
from jaxbyz.algorithms.byz_ef21 import byz_ef21, byz_ef21_sgd
from jaxbyz.algorithms.byz_ef21_momentum import byz_ef21_sgdm, byz_ef21_storm
from jaxbyz.algorithms.byz_vr_dm21 import byz_vr_dm21
from jaxbyz.algorithms.ef21 import ef21, ef21_sgd2m, ef21_sgdm, ef21_storm
from jaxbyz.algorithms.robust_sgd import robust_sgd
from jaxbyz.algorithms.rosdhb import rosdhb

__all__ = [
    "byz_dasha_page",
    "byz_dm21",
    "byz_ef21",
    "byz_ef21_sgd",
    "byz_ef21_sgdm",
    "byz_ef21_storm",
    "byz_vr_dm21",
    "ef21",
    "ef21_sgd2m",
    "ef21_sgdm",
    "ef21_storm",
    "robust_sgd",
    "rosdhb",
]
