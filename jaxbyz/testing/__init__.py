"""Checks of one's own parts, for any test suite: `check_aggregator`, `check_attack`, and so on.

Each tries the properties of one kind of part, and returns a `Report` of what holds or raises
`PropertyFailed` with code that reproduces the failure. Start reading with `aggregator`.

    aggregator   inputs (`input_rows`, `any_size`), what the rule makes of them (`rule_evaluation`),
                 its properties (`rule_properties`, `rule_by_coordinate`, `equivariances`)
    algorithm    its runs (`algorithm_runs`), workers that send NaN (`algorithm_not_finite`), honest
                 workers with faulty gradients (`algorithm_faulty_rounds`)
    attack       its effect on runs (`attack_effects`)
    compressor   single messages (`compressor_messages`), laws over keys (`compressor_laws`)
    short_runs   small problems and short runs, for algorithms and attacks
    report       how properties are listed and judged

It may import everything but theory. Only users and tests import it.
"""

from jaxbyz.testing.aggregator import check_aggregator
from jaxbyz.testing.algorithm import check_algorithm
from jaxbyz.testing.attack import check_attack
from jaxbyz.testing.compressor import check_compressor
from jaxbyz.testing.report import PropertyFailed, Report

__all__ = [
    "PropertyFailed", "Report", "check_aggregator", "check_algorithm", "check_attack",
    "check_compressor",
]  # fmt: skip
