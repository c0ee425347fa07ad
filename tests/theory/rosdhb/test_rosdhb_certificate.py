from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.problems import quadratics, quadratics_from_arrays
from jaxbyz.theory import Budget, Status
from jaxbyz.theory.engines import engines_for
from jaxbyz.theory.rosdhb.certificate import certificate, least_eigenvalue, tilted_weights
from jaxbyz.theory.rosdhb.certificate_rational import (
    all_states,
    exact_certificate,
    g_squared,
    small_problem,
)
from jaxbyz.theory.rosdhb.lyapunov import Planted
from jaxbyz.theory.rosdhb.mask_moments import global_mask
from jaxbyz.theory.rosdhb.moments import Dynamics, dynamics
from jaxbyz.theory.rosdhb.parameters import theorem_a
from jaxbyz.theory.rosdhb.states import Parameters

pytestmark = pytest.mark.usefixtures("x64")


def floats(value):
    return jnp.asarray(np.asarray(value).astype(float))


@pytest.fixture(scope="module")
def scaled():
    """Certificates of problems of one shape, in one program: (matrix, least eigenvalue)."""

    @jax.jit
    def program(system, parameters, g_square, planted):
        matrix = certificate(system, parameters, g_square, global_mask(2, 1), planted)
        return matrix, least_eigenvalue(matrix)[0]

    def call(system, parameters, g_square, **planted):
        factors = Planted(*map(float, Planted(**planted)))
        return program(system, parameters, g_square, factors)

    return call


def setup(c):
    """Two workers in two dimensions, one coordinate per round, κB² = 1/7, default weights."""
    problem = quadratics(honest=2, dimension=2, hessian_spread=0.02, seed=4)
    kappa = 0.25
    b_squared = 1 / 7 / kappa
    assert problem.least_b_squared < b_squared
    promise = theorem_a(1.0, 1 / 2, kappa=kappa, b_squared=b_squared, g_squared=1.0, c=c)
    x, fresh = promise.step_size, promise.one_minus_momentum
    weights = tilted_weights([1.0, -1.0], kappa)
    system, _ = dynamics(problem, weights, step_size=x, one_minus_momentum=fresh)
    values = (1.0, x, fresh, 2.0, kappa, b_squared, 1.0, 2 * x, 1 / 11)
    return system, Parameters(*map(floats, values)), floats(problem.g_squared(b_squared))


@pytest.mark.parametrize("c", [60, 2000])
def test_the_inequality_holds_at_every_state(scaled, c):
    assert float(scaled(*setup(c))[1]) > 0


@pytest.mark.parametrize(
    "planted",
    [
        {"floor": 0.0},
        {"floor": 0.1},
        {"deviation": 0.1},
        {"deviation": 1000.0},
        {"drift": 0.25},
        {"decrease": 3.0},
    ],
    ids=str,
)
def test_planted_errors_are_rejected(scaled, planted):
    assert float(scaled(*setup(2000), **planted)[1]) < -1e-4


@pytest.mark.parametrize("c", [24, 2000])
def test_two_ways_to_the_same_matrix(scaled, c):
    problem = small_problem(c)
    exact = exact_certificate(problem).astype(float)
    one = (problem.step_size, 1 - problem.momentum)
    system = Dynamics(*map(floats, (problem.matrices, problem.vectors, problem.weights, *one)))
    values = (1, *one, 2, Fraction(1, 4), problem.b_squared, problem.s, problem.p, problem.weight)
    matrix, _ = scaled(system, Parameters(*map(floats, values)), floats(g_squared(problem)))
    # Entries of V/γ cancel: relative to the largest, which is of size 1/γ.
    assert float(abs(matrix - exact).max()) < 1e-12 / float(problem.step_size)


def test_exact_certificate():
    claim = all_states()
    assert engines_for(claim)[0](claim, Budget()).status is Status.CERTIFIED
    claim = all_states(floor_scale=Fraction(1, 10))
    report = engines_for(claim)[0](claim, Budget())
    assert report.status is Status.REFUTED
    assert report.exact


def test_a_problem_outside_the_hypotheses():
    claim = all_states(small_problem(60)._replace(weight=Fraction(1, 1000)))
    report = engines_for(claim)[0](claim, Budget())
    assert report.status is Status.NOT_APPLICABLE
    assert "c1" in report.evidence
    wide = small_problem(60)
    claim = all_states(wide._replace(matrices=2 * wide.matrices))
    assert engines_for(claim)[0](claim, Budget()).status is Status.NOT_APPLICABLE


def test_exact_g_squared_is_that_of_the_library():
    problem = small_problem(60)
    library = quadratics_from_arrays(
        problem.matrices.astype(float), problem.vectors.astype(float)
    ).g_squared(float(problem.b_squared))
    assert float(g_squared(problem)) == pytest.approx(library, rel=1e-12)
