"""Engines: each takes a claim and returns a report, never a bare pass."""

from jaxbyz.theory.engines.adversary import worst_error
from jaxbyz.theory.engines.judge import judge, measure
from jaxbyz.theory.engines.search import sampled, searched

__all__ = ["judge", "measure", "sampled", "searched", "worst_error"]
