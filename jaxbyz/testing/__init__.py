"""Batteries of properties for everyone's own parts, usable from any test suite."""

from jaxbyz.testing.aggregator import check_aggregator
from jaxbyz.testing.algorithm import check_algorithm
from jaxbyz.testing.attack import check_attack
from jaxbyz.testing.compressor import check_compressor
from jaxbyz.testing.report import PropertyFailed, Report

__all__ = [
    "PropertyFailed",
    "Report",
    "check_aggregator",
    "check_algorithm",
    "check_attack",
    "check_compressor",
]
