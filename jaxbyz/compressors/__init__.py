"""Maps from vectors to short messages, with their exact constants and bits."""

from jaxbyz.compressors.identity import identity
from jaxbyz.compressors.sparsifiers import rand_k, seeded_rand_k, shared_mask, top_k
from jaxbyz.compressors.subsets import keep_count, random_subset

__all__ = [
    "identity",
    "keep_count",
    "rand_k",
    "random_subset",
    "seeded_rand_k",
    "shared_mask",
    "top_k",
]
