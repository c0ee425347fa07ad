"""Exact moments against closed forms, the tree of all masks, and runs of the shipped code."""

import itertools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxbyz.aggregators import stateless
from jaxbyz.algorithms import rosdhb
from jaxbyz.algorithms.rosdhb import RoSDHBBroadcast
from jaxbyz.problems import quadratics
from jaxbyz.simulation import build, run
from jaxbyz.theory.expectations import all_subsets, one_round
from jaxbyz.theory.rosdhb.certificate import linear_kappa, tilted_weights
from jaxbyz.theory.rosdhb.mask_moments import bernoulli_mask, global_mask, local_masks
from jaxbyz.theory.rosdhb.moments import (
    Averages,
    Dynamics,
    dynamics,
    linear_attack,
    long_run,
    run_moments,
)

pytestmark = pytest.mark.usefixtures("x64")
STEP, FRESH = 0.2, 0.3


def small(honest=2, dimension=3):
    problem = quadratics(honest=honest, dimension=dimension, hessian_spread=0.1, seed=1)
    weights = np.asarray(tilted_weights(np.arange(honest, dtype=float) ** 2 + 1, 0.3))
    system, optimum = dynamics(problem, weights, step_size=STEP, one_minus_momentum=FRESH)
    return problem, weights, system, optimum


def terms(system, x, momenta, h):
    """The quantities of one state, as they are defined."""
    matrices, vectors = np.asarray(system.matrices)[:h], np.asarray(system.vectors)[:h]
    gradients = matrices @ x - vectors
    gradient, mean = gradients.mean(axis=0), momenta[:h].mean(axis=0)
    aggregate = np.asarray(system.weights) @ momenta
    gap = x @ matrices.mean(axis=0) @ x / 2 - vectors.mean(axis=0) @ x
    return Averages(
        gap,
        (gradient**2).sum(),
        ((mean - gradient) ** 2).sum(),
        ((momenta[:h] - mean) ** 2).sum() / h,
        ((aggregate - mean) ** 2).sum(),
        (aggregate**2).sum(),
        ((gradients - gradient) ** 2).sum() / h,
    )


def tree(system, x, masks, rounds, h):
    """Mean of the terms of every round over all sequences of masks [m, n, d], by brute force."""
    n, d = system.vectors.shape
    matrices, vectors = np.asarray(system.matrices), np.asarray(system.vectors)
    states, rows = [(np.asarray(x, float), np.zeros((n, d)))], []
    for _ in range(rounds):
        following, found = [], []
        for position, momenta in states:
            position = position - STEP * np.asarray(system.weights) @ momenta
            gradients = matrices @ position - vectors
            for mask in masks:
                after = (1 - FRESH) * momenta + FRESH * mask * gradients
                following.append((position, after))
                found.append(terms(system, position, after, h))
        states = following
        rows.append([np.mean(column) for column in zip(*found, strict=True)])
    return Averages(*np.array(rows).T)


def masks_of(kind, n, d, k):
    single = np.zeros((len(all_subsets(d, k)), d))
    np.put_along_axis(single, all_subsets(d, k), d / k, axis=1)
    if kind == "local":
        return [np.stack(choice) for choice in itertools.product(single, repeat=n)]
    return [np.broadcast_to(mask, (n, d)) for mask in single]


def close(first, second, tolerance=1e-12):
    for name, one, other in zip(Averages._fields, first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(("kind", "k"), [("global", 1), ("global", 2), ("local", 1)])
def test_against_the_tree_of_all_masks(kind, k):
    _, _, system, optimum = small()
    mask = (local_masks if kind == "local" else global_mask)(3, k)
    _, found = run_moments(system, -optimum, mask, 3)
    close(found, tree(system, -optimum, masks_of(kind, 2, 3, k), 3, 2))


def test_against_the_tree_with_an_attacker():
    _, _, system, optimum = small()
    system = linear_attack(system, [[-0.7, -0.7]], [0.3, 0.4, 0.3])
    _, found = run_moments(system, -optimum, global_mask(3, 1), 3, honest=2)
    close(found, tree(system, -optimum, masks_of("global", 3, 3, 1), 3, 2))


def test_bernoulli_masks_against_enumeration():
    _, _, system, optimum = small()
    _, found = run_moments(system, -optimum, bernoulli_mask(0.5), 3)
    coins = [2.0 * np.array(bits) for bits in itertools.product([0, 1], repeat=3)]
    masks = [np.broadcast_to(mask, (2, 3)) for mask in coins]
    close(found, tree(system, -optimum, masks, 3, 2))


def test_against_the_tree_of_the_shipped_code():
    problem, weights, system, optimum = small()
    algorithm = rosdhb(
        optimizer=optax.sgd(STEP),
        aggregator=stateless(lambda rows: jnp.asarray(weights) @ rows),
        k=1,
        one_minus_momentum=FRESH,
    )
    subsets = jnp.asarray(all_subsets(3, 1))

    def once(state, subset):
        broadcast = RoSDHBBroadcast(state.x, subset)
        return one_round(algorithm, problem.oracle, problem.data, state, broadcast)

    @jax.jit
    def all_histories(state):
        state = jax.vmap(once, (None, 0))(state, subsets)
        for _ in range(3):
            state = jax.vmap(jax.vmap(once, (None, 0)), (0, None))(state, subsets)
            state = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), state)
        return state

    after = all_histories(algorithm.server.start(jnp.zeros(3), 2))
    last, _ = run_moments(system, -optimum, global_mask(3, 1), 4)
    # The model of the code is one step ahead of its momenta: it is θ_4, which `last` speaks of.
    centred = np.asarray(after.x) - optimum
    np.testing.assert_allclose(last.x, centred.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(last.xx, centred.T @ centred / len(centred), atol=1e-13)


@pytest.mark.parametrize("kind", ["global", "local"])
def test_closed_forms_for_constant_gradients(kind):
    h, d, k, rounds = 3, 4, 1, 12
    rng = np.random.default_rng(0)
    matrices, vectors = rng.normal(size=(h, d, d)), rng.normal(size=(h, d))
    matrices = matrices + matrices.transpose(0, 2, 1)
    x = rng.normal(size=d)
    system = Dynamics(*map(jnp.asarray, (matrices, vectors, np.ones(h) / h, 0.0, FRESH)))
    mask = (local_masks if kind == "local" else global_mask)(d, k)
    _, found = run_moments(system, x, mask, rounds)
    gradients = matrices @ x - vectors
    square = (gradients.mean(axis=0) ** 2).sum()
    apart = ((gradients - gradients.mean(axis=0)) ** 2).sum() / h
    t, beta, a = np.arange(1, rounds + 1), 1 - FRESH, d / k
    noise = FRESH * (a - 1) * (1 - beta ** (2 * t)) / (1 + beta)
    if kind == "global":
        drift = ((1 - beta**t) ** 2 + noise) * apart
        deviation = (beta ** (2 * t) + noise) * square
    else:
        drift = (1 - beta**t) ** 2 * apart + noise * (1 - 1 / h) * (apart + square)
        deviation = beta ** (2 * t) * square + noise / h * (apart + square)
    np.testing.assert_allclose(found.drift, drift, rtol=1e-12)
    np.testing.assert_allclose(found.deviation, deviation, rtol=1e-12)


def test_against_runs_of_the_shipped_code():
    problem, weights, system, optimum = small(honest=3, dimension=4)
    algorithm = rosdhb(
        optimizer=optax.sgd(STEP),
        aggregator=stateless(lambda rows: jnp.asarray(weights) @ rows),
        k=1,
        one_minus_momentum=FRESH,
    )
    simulation = build(algorithm, problem)
    _, exact = run_moments(system, -optimum, global_mask(4, 1), 30)

    def record(state, info):
        rows = info.server.rows
        drift = ((rows - rows.mean(axis=0)) ** 2).sum() / 3
        return drift, (info.server.aggregate**2).sum()

    def one(key):
        state, _ = simulation.init(key, jnp.zeros(4), simulation.data)
        return run(simulation.step, 30, record)(key, state, simulation.data)[1]

    drift, aggregate = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 4000))
    for sample, expected in ((drift, exact.drift), (aggregate, exact.aggregate)):
        error = sample.std(axis=0) / np.sqrt(4000)
        # 60 looks at about normal means: 5 standard errors are a chance of 3e-5.
        assert (abs(sample.mean(axis=0) - expected) <= 5 * error + 1e-12).all()


def test_doubling_gives_the_same_averages():
    _, _, system, optimum = small(dimension=2)
    mask = global_mask(2, 1)
    last, rows = run_moments(system, -optimum, mask, 256)
    final, averages = jax.jit(lambda: long_run(system, -optimum, mask, 8))()
    close(averages, [row.mean() for row in rows], 1e-11)
    np.testing.assert_allclose(final.mm, last.mm, atol=1e-12)
    # 2²⁴ rounds: the average is that of the stationary state, up to T⁻¹.
    _, far = jax.jit(lambda: long_run(system, -optimum, mask, 24))()
    np.testing.assert_allclose(far.gradient, rows.gradient[-1], rtol=1e-4)


def test_a_large_problem_is_cheap():
    began = time.perf_counter()
    problem = quadratics(honest=4, dimension=100, seed=0)
    system, optimum = dynamics(problem, [0.25] * 4, step_size=0.01, one_minus_momentum=0.05)
    _, found = jax.jit(lambda s, x: run_moments(s, x, global_mask(100, 10), 200))(
        system, jnp.asarray(-optimum)
    )
    assert float(found.gap[-1]) < float(found.gap[0]) / 5
    assert time.perf_counter() - began < 60  # about 5 s on two cores


def test_arguments_are_checked():
    problem, *_ = small()
    with pytest.raises(ValueError, match="weights"):
        dynamics(problem, [0.5, 0.6], step_size=0.1, one_minus_momentum=0.1)
    with pytest.raises(ValueError, match="k must"):
        global_mask(3, 4)
    large = Dynamics(jnp.zeros((5, 10, 10)), jnp.zeros((5, 10)), jnp.ones(5) / 5, 0.1, 0.1)
    with pytest.raises(ValueError, match="2000"):
        long_run(large, jnp.zeros(10), global_mask(10, 1), 3)


def test_kappa_of_linear_rules():
    weights = tilted_weights([1.0, 2.0, 4.0], 0.7)
    assert float(weights.sum()) == pytest.approx(1)
    assert float(linear_kappa(weights)) == pytest.approx(0.7)
