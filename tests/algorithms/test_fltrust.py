"""FLTrust: trust from the root gradient, lengths of the root gradient, and nothing beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play

import jaxbyz as jb
from jaxbyz.algorithms.fltrust import trusted_mean
from jaxbyz.testing import check_algorithm

KEY = jax.random.key(5)


def plainly(rows, root):
    """The rule as it is printed."""
    norms, size = np.linalg.norm(rows, axis=1), np.linalg.norm(root)
    trust = np.array(
        [max(0.0, row @ root / (norm * size)) if norm else 0.0
         for row, norm in zip(rows, norms, strict=True)]
    )  # fmt: skip
    scaled = [size / norm * row if norm else row for row, norm in zip(rows, norms, strict=True)]
    if not trust.sum():
        return np.zeros_like(root), trust
    return trust @ np.array(scaled) / trust.sum(), trust


def test_the_rule_is_the_printed_one(x64):
    random = np.random.default_rng(0)
    for _ in range(20):
        rows, root = random.normal(size=(7, 5)), random.normal(size=5)
        rows[3] = 0
        for ours, theirs in zip(trusted_mean(jnp.array(rows), jnp.array(root)),
                                plainly(rows, root), strict=True):  # fmt: skip
            # Sums of seven numbers of size one in float64.
            np.testing.assert_allclose(ours, theirs, atol=1e-14)


@pytest.mark.parametrize("compiled", [False, True])
def test_lengths_of_messages_do_not_count(compiled):
    """Rows of any length from 1e-30 to the largest number, also of a root of such a length."""
    rule = jax.jit(trusted_mean) if compiled else trusted_mean
    rows = jnp.array([[3.0, 4.0, 0.0], [0.0, 1.0, 1.0], [-1.0, 0.0, 0.0]])
    root = jnp.array([1.0, 2.0, 0.0])
    wanted, trust = rule(rows, root)
    scales = jnp.array([[1e-30], [8e37], [1e38]])
    value, same = rule(rows * scales, root)
    # Each row and its norm are rounded a few times in float32.
    np.testing.assert_allclose(value, wanted, rtol=1e-6)
    np.testing.assert_allclose(same, trust, rtol=1e-6)
    large = rule(rows, root * 1e38)[0]
    assert np.isfinite(large).all()
    np.testing.assert_allclose(np.asarray(large, np.float64) / 1e38, wanted, rtol=1e-6)
    small = rule(rows, root * 1e-36)[0]
    np.testing.assert_allclose(np.asarray(small, np.float64) * 1e36, wanted, rtol=1e-6)


@pytest.mark.parametrize("root", [[0.0, 0.0], [jnp.nan, 1.0], [jnp.inf, 0.0], [-1.0, -1.0]])
def test_without_agreement_nothing_moves(root):
    value, _ = trusted_mean(jnp.array([[1.0, 0.5], [0.5, 1.0]]), jnp.array(root))
    assert value.tolist() == [0.0, 0.0]


def test_more_than_half_may_be_byzantine():
    """8 of 12 workers send the opposite; their trust is 0, and the model is the server's own."""
    problem = jb.problems.quadratics(honest=4, byzantine=8, dimension=4, hessian_spread=0.1, seed=3)
    own = jb.problems.quadratics_from_arrays(problem.matrices[:1], problem.vectors[:1])
    method = jb.fltrust(optimizer=optax.sgd(0.5), root=jb.problems.gradient_of(own))
    _, (states, infos) = jax.jit(play(method, problem, jb.sign_flip(), rounds=60))(KEY)
    trust = np.asarray(infos.server.details["trust"])
    early = np.linalg.norm(infos.server.aggregate, axis=1) > 0.1
    assert early[:3].all()
    assert (trust[early][:, 4:] < trust[early][:, :4].max(axis=1, keepdims=True)).all()
    optimum = np.linalg.solve(problem.matrices[0], problem.vectors[0])
    start = np.linalg.norm(optimum)
    assert np.linalg.norm(states.server.x[-1] - optimum) < 0.5 * start


@pytest.mark.long
def test_the_battery_of_every_algorithm():
    problem = jb.problems.quadratics(
        honest=5, byzantine=2, dimension=4, noise=0.5, hessian_spread=0.1, seed=3
    )
    own = jb.problems.quadratics_from_arrays(problem.matrices[:1], problem.vectors[:1])
    method = jb.fltrust(optimizer=optax.sgd(0.1), root=jb.problems.gradient_of(own))
    assert len(check_algorithm(method, problem=problem).checked) >= 7


def test_what_is_refused():
    with pytest.raises(ValueError, match="root must be a function"):
        jb.fltrust(optimizer=optax.sgd(0.1), root=jnp.zeros(3))
    short = jb.fltrust(optimizer=optax.sgd(0.1), root=lambda x: x[:1])
    problem = jb.problems.quadratics(honest=3, dimension=4)
    with pytest.raises(ValueError, match=r"root must return a vector \[d\]"):
        jb.train(short, problem, rounds=1)
