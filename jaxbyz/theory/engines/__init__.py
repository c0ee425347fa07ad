"""Engines: each takes a claim and a budget, and returns a report, never a bare pass.

    choice           which engines are held against a claim
    judge            from numbers to a status: where left, right and hypotheses are weighed
    search           families: at random, on a grid, by gradient ascent; single cases
    worst_adversary  the worst error of a robust rule (trust_region), over the instances too
    worst_input      the worst input of a coordinate-wise rule, by convex programs
    exact            rational numbers
    polynomials      rational functions on a whole box
    instances        how much of a certificate's constant an instance uses
    statistics       means from samples; frequencies: laws of discrete outcomes
    fits             exponents of measured rates

Start with `choice`. Engines import claims and rules; no module with statements imports an engine.
"""

from jaxbyz.deprecations import renamed
from jaxbyz.theory.adversaries import Adversary, Reach, fixed
from jaxbyz.theory.engines.choice import engines_for
from jaxbyz.theory.engines.judge import every_ratio, judge, largest_ratio
from jaxbyz.theory.engines.search import Engine, gridded, sampled, searched
from jaxbyz.theory.engines.worst_adversary import worst_adversary

__all__ = [
    "Adversary", "Engine", "Reach", "engines_for", "every_ratio", "fixed", "gridded", "judge",
    "largest_ratio", "sampled", "searched", "worst_adversary",
]  # fmt: skip

__getattr__ = renamed(__name__, {"measure": "largest_ratio"}, globals())
