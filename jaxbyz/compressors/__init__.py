"""Maps from vectors to short messages, with their exact constants and bits."""

from jaxbyz.compressors.identity import identity
from jaxbyz.compressors.quantizers import natural, qsgd, scaled_sign, sign, ternary
from jaxbyz.compressors.random_subsets import keep_count, random_subset
from jaxbyz.compressors.sparsifiers import bernoulli, rand_k, seeded_rand_k, shared_mask, top_k
from jaxbyz.compressors.wrappers import blockwise, scaled

__all__ = [
    # sparsifiers
    "bernoulli",
    "identity",
    "rand_k",
    "seeded_rand_k",
    "shared_mask",
    "top_k",
    # quantizers
    "natural",
    "qsgd",
    "scaled_sign",
    "sign",
    "ternary",
    # made of compressors
    "blockwise",
    "scaled",
    # subsets
    "keep_count",
    "random_subset",
]
