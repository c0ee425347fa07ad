"""Every row of the table of methods passes the battery that is offered to everybody."""

import jax
import pytest
from lengths import often

import jaxbyz as jb
from jaxbyz.testing import check_algorithm
from paper_figs import race

with jax.enable_x64(False):
    # Finite sums: BROADCAST keeps a table of their gradients.
    ROWS = jb.data.synthetic_binary(samples=60, features=4, seed=0, density=0.5)
    SUMS = jb.problems.logistic(ROWS, honest=5, byzantine=2, batch=2)
METHODS = race.methods(SUMS.samples, f=2)


@pytest.mark.parametrize("name", often(METHODS, ()))
def test_every_method_passes(name):
    report = check_algorithm(METHODS[name](0.1, jb.trimmed_mean(2)), problem=SUMS)
    assert len(report.checked) >= 7
