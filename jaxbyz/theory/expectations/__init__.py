"""Exact expectations over random subsets, of formulas and of the shipped code."""

from jaxbyz.theory.expectations.rounds import play
from jaxbyz.theory.expectations.subsets import all_subsets, mask_mean

__all__ = ["all_subsets", "mask_mean", "play"]
