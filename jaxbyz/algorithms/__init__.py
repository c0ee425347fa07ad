"""The algorithms: one file each, every one two halves and the messages between them."""

from jaxbyz.algorithms.byz_dasha_page import byz_dasha_page
from jaxbyz.algorithms.robust_sgd import robust_sgd
from jaxbyz.algorithms.rosdhb import rosdhb

__all__ = ["byz_dasha_page", "robust_sgd", "rosdhb"]
