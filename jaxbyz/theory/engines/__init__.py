"""Engines: each takes a claim and returns a report, never a bare pass."""

from jaxbyz.theory.engines.adversary import Adversary, Reach, fixed, worst_adversary
from jaxbyz.theory.engines.judge import judge, measure
from jaxbyz.theory.engines.search import sampled, searched

__all__ = [
    "Adversary",
    "Reach",
    "fixed",
    "judge",
    "measure",
    "sampled",
    "searched",
    "worst_adversary",
]
