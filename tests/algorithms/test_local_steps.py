"""Local steps: K = 1 changes nothing, and K > 1 averages the models that workers walk to."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play
from lengths import often

import jaxbyz as jb
from jaxbyz.algorithms.local_steps import descending
from jaxbyz.core import Oracle
from jaxbyz.simulation.agreement import agreed
from jaxbyz.testing import check_algorithm
from paper_figs import race

KEY = jax.random.key(5)
with jax.enable_x64(False):
    ROWS = jb.data.synthetic_binary(samples=60, features=4, seed=0, density=0.5)
    SUMS = jb.problems.logistic(ROWS, honest=5, byzantine=2, batch=2)
METHODS = race.methods(SUMS.samples, f=2)


def made(name):
    return METHODS[name](0.1, jb.trimmed_mean(2))


@pytest.mark.parametrize("name", often(METHODS, ("RoSDHB", "Byz-DASHA-PAGE")))
def test_one_local_step_is_the_algorithm_itself(name):
    """Bit for bit, under an attack."""
    one = jb.local_steps(made(name), steps=1, step_size=0.3)
    attack = jb.alie()
    runs = [jax.jit(play(method, SUMS, attack, rounds=3))(KEY) for method in (made(name), one)]
    jax.tree.map(np.testing.assert_array_equal, *runs)
    assert one.name == made(name).name


def test_federated_averaging(x64):
    """The rule is the mean, the server's step is the local one: x⁺ is the mean of local models."""
    problem = jb.problems.quadratics(honest=4, dimension=3, hessian_spread=0.3, seed=2)
    steps, eta = 4, 0.2
    plain = jb.robust_sgd(optimizer=optax.sgd(eta), aggregator=jb.aggregators.mean())
    average = jb.local_steps(plain, steps=steps, step_size=eta)
    (start, _), (records, _) = jax.jit(play(average, problem, rounds=5))(KEY)
    x = np.asarray(start.server.x)
    matrices, vectors = np.asarray(problem.matrices), np.asarray(problem.vectors)
    for ours in records.server.x:
        local = np.tile(x, (4, 1))
        for _ in range(steps):
            local -= eta * (np.einsum("hij,hj->hi", matrices, local) - vectors)
        x = local.mean(axis=0)
        # Some tens of additions of numbers of size one, in two orders.
        np.testing.assert_allclose(ours, x, rtol=0, atol=1e-13)


def test_every_local_step_draws_its_own_batch_and_both_points_the_same():
    """What is told of two points differs by the points alone."""
    noisy = Oracle(
        full=lambda x: x,
        draw=lambda key: jax.random.normal(key),
        grad=lambda noise, x: x + noise,
    )
    oracle = descending(noisy, 3, 0.5)
    keys = oracle.draw(KEY)
    drawn = jax.vmap(jax.random.normal)(keys)
    assert len(set(drawn.tolist())) == 3

    def told(x):
        total = 0.0
        for noise in drawn:
            total, x = total + x + noise, x - 0.5 * (x + noise)
        return total

    for x in (0.0, 2.0):
        # Three sums of numbers of size one in float32.
        np.testing.assert_allclose(oracle.grad(keys, jnp.array([x])), [told(x)], atol=1e-6)


def of_quadratics():
    """A rule without an f, which it takes from the problem; 5 honest workers and 2 others."""
    problem = jb.problems.quadratics(
        honest=5, byzantine=2, dimension=4, noise=0.5, hessian_spread=0.1, seed=3
    )
    method = jb.rosdhb(
        k=2, momentum=0.5, optimizer=optax.sgd(0.03), aggregator=jb.trimmed_mean(None)
    )
    return jb.local_steps(method, steps=3, step_size=0.1), method, problem


def test_costs_and_the_number_of_byzantine_workers():
    local, method, problem = of_quadratics()
    seen, before = jb.describe(local, 10), jb.describe(method, 10)
    assert (seen.sampled_gradients, seen.uplink_bits) == (3.0, before.uplink_bits)
    bound = agreed(local, problem).algorithm
    assert (bound.aggregator.f, bound.name) == (2, "RoSDHB, 3 local steps")


@pytest.mark.long
def test_the_battery_of_every_algorithm():
    """Bits, devices, seeds, NaN, faulty rounds."""
    local, _, problem = of_quadratics()
    bound = agreed(local, problem).algorithm
    assert len(check_algorithm(bound, problem=problem).checked) >= 7


def test_a_descent_that_is_not_finite_tells_nothing():
    broken = Oracle(
        full=lambda x: jnp.where(x > 1, jnp.inf, x + 1), draw=lambda key: (), grad=lambda _, x: x
    )
    told = descending(broken, 3, -1.0).full(jnp.array([-5.0, 0.5]))  # the second leaves [.., 1]
    assert jnp.isnan(told).all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": 0}, "steps must be"),
        ({"steps": 2.5}, "steps must be"),
        ({"step_size": 0.0}, r"step_size must lie in \(0, inf\)"),
        ({"step_size": float("nan")}, "step_size must lie"),
        ({"algorithm": jb.rosdhb}, "algorithm must be"),
    ],
)
def test_what_is_refused(wrong, says):
    given = {"algorithm": made("RoSDHB"), "steps": 2, "step_size": 0.1} | wrong
    with pytest.raises(ValueError, match=says):
        jb.local_steps(given.pop("algorithm"), **given)


def test_a_table_of_gradients_is_refused():
    saga = jb.local_steps(made("BROADCAST"), steps=2, step_size=0.1)
    with pytest.raises(ValueError, match="needs a finite sum"):
        jb.train(saga, SUMS, rounds=1)
