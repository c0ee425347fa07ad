"""Compressors: maps from vectors [d] to short messages, with exact constants ω or α and exact bits.

    sparsifiers      Rand-k, Top-k, shared masks, Bernoulli; start reading here
    quantizers       signs, random dithering, powers of two
    identity         no compression
    wrappers         compressors made of compressors: `scaled`, `blockwise`
    random_subsets   uniform k-subsets, and k from a number or a ratio
    k_largest        the k largest of d numbers; `tournament`: of very many short vectors
    batch_aware      functions that see all vectors that `vmap` applies them to
    floats           the bits of floating-point numbers, and exact random coins

Imported by algorithms, which never look inside a message. It imports messages, the
core, contracts and column_passes.
"""

from jaxbyz.compressors.identity import identity
from jaxbyz.compressors.quantizers import natural, qsgd, scaled_sign, sign, ternary
from jaxbyz.compressors.random_subsets import keep_count, random_subset
from jaxbyz.compressors.sparsifiers import bernoulli, rand_k, seeded_rand_k, shared_mask, top_k
from jaxbyz.compressors.wrappers import blockwise, scaled

__all__ = [
    # sparsifiers
    "bernoulli", "identity", "rand_k", "seeded_rand_k", "shared_mask", "top_k",
    # quantizers
    "natural", "qsgd", "scaled_sign", "sign", "ternary",
    # made of compressors
    "blockwise", "scaled",
    # subsets
    "keep_count", "random_subset",
]  # fmt: skip
