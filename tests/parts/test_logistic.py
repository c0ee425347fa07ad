import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from jaxbyz import aggregators, algorithms, attacks
from jaxbyz.data import BinaryDataset, breast_cancer, label_sorted, synthetic_binary, unit_rows
from jaxbyz.problems import logistic, nonconvex, ridge
from jaxbyz.problems.newton import logistic_minimiser
from jaxbyz.simulation import build
from jaxbyz.training import train

x64 = pytest.mark.usefixtures("x64")
REGULARISERS = [ridge(0.0), ridge(0.3), nonconvex(0.3)]
LEAST, MOST = (0.0, 0.3, -0.15), (0.0, 0.3, 0.6)  # of the second derivative
EPSILON = np.finfo(np.float64).eps


@functools.cache
def dataset(seed=0, samples=24, features=4):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(samples, features)) * rng.uniform(0.2, 3, (samples, 1))
    return BinaryDataset("random", rows, rng.choice([-1, 1], samples).astype(np.int32))


def instance(regulariser=None, seed=0, **options):
    regulariser = ridge(0.3) if regulariser is None else regulariser
    return logistic(dataset(seed), **{"honest": 3, "regulariser": regulariser} | options)


def penalty(problem, x):
    """r(x), ∇r(x) and the diagonal of ∇²r(x), in NumPy."""
    if problem.regulariser.least >= 0:
        weight = problem.regulariser.most
        return weight / 2 * x @ x, weight * x, np.full(x.shape, weight)
    weight, square = problem.regulariser.most / 2, 1 + x**2
    slope = 2 * weight * x / square**2
    return weight * (x**2 / square).sum(), slope, weight * (2 - 6 * x**2) / square**3


def sample_gradients(problem, i, x):
    """The gradients of the samples of worker i, [m, d]."""
    rows, signs = problem.features[i], problem.signs[i]
    return -(signs / (1 + np.exp(signs * (rows @ x))))[:, None] * rows + penalty(problem, x)[1]


def hessian(problem, i, x):
    rows = problem.features[i]
    share = expit(rows @ x)
    return (rows.T * (share * (1 - share))) @ rows / len(rows) + np.diag(penalty(problem, x)[2])


def value(problem, x):
    margins = problem.signs * (problem.features @ x)
    return np.log1p(np.exp(-margins)).mean() + penalty(problem, x)[0]


def oracle_of(problem, i=0):
    return problem.oracle(jax.tree.map(lambda leaf: leaf[i], problem.data))


def points(count, d=4, seed=1):
    """Points near to and far from the origin."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, d)) * np.geomspace(1e-2, 5, count)[:, None]


# ---- gradients ---------------------------------------------------------------------------------


@x64
@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_gradients_are_those_of_numpy_and_of_differences(regulariser):
    problem = instance(regulariser)
    xs = points(6)

    @jax.jit
    def everything(xs, data):
        oracle = oracle_of(dataclasses.replace(problem, data=data), 1)
        every = jnp.arange(problem.samples)
        one = jax.vmap(lambda j, x: oracle.grad(j[None], x), (0, None))
        columns = jax.vmap(lambda x: problem.evaluators["train"](x, data, None))(xs)
        norms = jax.vmap(lambda x: problem.evaluators["gradient"](x, data, None))(xs)
        return (
            jax.vmap(oracle.full)(xs),
            jax.vmap(oracle.grad, (None, 0))(every, xs),
            jax.vmap(one, (None, 0))(every, xs),
            jax.vmap(oracle.grad, (None, 0))(jnp.array([2, 2, 5]), xs),
            columns | norms,
        )

    full, by_draw, each, three, columns = jax.tree.map(np.asarray, everything(xs, problem.data))
    for t, x in enumerate(xs):
        expected = sample_gradients(problem, 1, x)
        close = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-14)  # roundings
        close(each[t], expected)
        close(full[t], expected.mean(axis=0))
        close(by_draw[t], expected.mean(axis=0))
        close(three[t], (2 * expected[2] + expected[5]) / 3)  # a position may come twice
        mean = np.mean([sample_gradients(problem, i, x) for i in range(3)], axis=(0, 1))
        close(columns["gradient_norm"][t], np.linalg.norm(mean))
        close(columns["loss"][t], value(problem, x))
        right = np.sign(problem.features @ x) == problem.signs
        close(columns["accuracy"][t], right.mean())
        # The gradient is the derivative of the loss: central differences, whose error is of the
        # order of step² + ε/step.
        step = 1e-5
        slopes = [(value(problem, x + e) - value(problem, x - e)) / (2 * step)
                  for e in step * np.eye(4)]  # fmt: skip
        np.testing.assert_allclose(slopes, mean, atol=1e-8)


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_no_number_overflows(regulariser):
    problem = instance(regulariser)
    for size in (0.0, 1e3, 1e15):
        x = jnp.full(4, size)
        assert np.isfinite(oracle_of(problem).full(x)).all()
        columns = problem.evaluators["train"](x, problem.data, None)
        assert np.isfinite(columns["loss"])
    far = jnp.array([1e30, -1e38])
    assert nonconvex(0.5).value(far) == 1.0  # each coordinate costs λ
    assert not nonconvex(0.5).slope(far).any()


@x64
def test_regularisers_and_the_range_of_their_second_derivative():
    t = jnp.concatenate([jnp.linspace(-6, 6, 2401), jnp.array([1e5])])[:, None]
    for regulariser, least, most in zip(REGULARISERS, LEAST, MOST, strict=True):
        assert (regulariser.least, regulariser.most) == (least, most)
        assert regulariser.value(jnp.zeros(3)) == 0
        slopes = jax.vmap(jax.grad(regulariser.value))(t)
        np.testing.assert_allclose(jax.vmap(regulariser.slope)(t), slopes, atol=1e-15)
        second = jax.vmap(jax.grad(lambda x, r=regulariser: r.slope(x).sum()))(t)
        # 0 and ±1 are points of the grid, up to the rounding of linspace.
        assert second.max() == pytest.approx(most, rel=1e-14)
        assert second.min() == pytest.approx(least, rel=1e-14)
        assert second[1200, 0] == pytest.approx(most, rel=1e-14)
    x = np.array([0.5, -3.0])
    assert nonconvex(0.2).value(jnp.asarray(x)) == pytest.approx(0.2 * (0.2 + 0.9), rel=1e-14)


def test_draws_are_positions_with_replacement():
    problem = instance(batch=5)
    draw = jax.vmap(oracle_of(problem).draw)
    positions = np.asarray(draw(jax.random.split(jax.random.key(0), 800)))
    assert positions.shape == (800, 5)
    assert np.issubdtype(positions.dtype, np.integer)
    counts = np.bincount(positions.ravel(), minlength=problem.samples)
    assert len(counts) == problem.samples == 8
    # χ² with 7 degrees of freedom exceeds 24.3 in one of a thousand uniform samples.
    assert ((counts - 500) ** 2 / 500).sum() < 24.3
    assert any(len(set(row)) < 5 for row in positions.tolist())
    # More draws than samples are legal: they are drawn with replacement.
    assert instance(batch=50).batch == 50
    every = oracle_of(instance()).draw(jax.random.key(0))
    assert every.tolist() == list(range(8))


# ---- constants ---------------------------------------------------------------------------------


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("seed", range(2))
def test_smoothness_bounds_curvature_and_is_attained_at_0(regulariser, seed):
    problem = instance(regulariser, seed)
    norm = functools.partial(np.linalg.norm, ord=2)
    at_0 = [hessian(problem, i, np.zeros(4)) for i in range(3)]
    assert problem.smoothness == pytest.approx(norm(np.mean(at_0, axis=0)), rel=1e-13)
    np.testing.assert_allclose(problem.local_smoothness, [norm(h) for h in at_0], rtol=1e-13)
    largest = max(a @ a for a in problem.features.reshape(-1, 4)) / 4 + regulariser.most
    assert problem.worst_sample_smoothness == pytest.approx(largest, rel=1e-13)
    assert problem.smoothness <= problem.local_smoothness.mean() * (1 + 1e-13)
    assert problem.local_smoothness.max() <= problem.worst_sample_smoothness
    for x in points(40):
        each = [hessian(problem, i, x) for i in range(3)]
        assert norm(np.mean(each, axis=0)) <= problem.smoothness * (1 + 1e-13)
        for h, bound in zip(each, problem.local_smoothness, strict=True):
            assert norm(h) <= bound * (1 + 1e-13)
            assert np.linalg.eigvalsh(h).min() >= regulariser.least - 1e-13


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_mean_square_smoothness_is_between_its_bounds(regulariser):
    problem = instance(regulariser)
    bound = problem.mean_square_smoothness
    local = problem.local_smoothness
    assert problem.smoothness < bound < np.sqrt((local**2).mean())
    stacked = np.concatenate([hessian(problem, i, np.zeros(4)) for i in range(3)]) / np.sqrt(3)
    # No smaller number holds near 0; on this data that is within 15 % of the bound.
    assert 0.85 * bound < np.linalg.norm(stacked, 2) <= bound
    for x, y in itertools.combinations(points(24), 2):
        moved = [
            sample_gradients(problem, i, x).mean(axis=0)
            - sample_gradients(problem, i, y).mean(axis=0)
            for i in range(3)
        ]
        assert np.mean(np.square(moved).sum(axis=1)) <= bound**2 * ((x - y) ** 2).sum()
    # Equal workers: it is L, exactly.
    same = instance(regulariser, partition=np.tile(np.arange(24), (3, 1)))
    assert same.mean_square_smoothness == pytest.approx(same.smoothness, rel=1e-13)


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("batch", [1, 3])
def test_constants_of_the_draws(regulariser, batch):
    problem = instance(regulariser, batch=batch)
    ell, sigma = problem.sample_smoothness, problem.noise_variance
    ratios, variances = [], []
    for x, y in itertools.combinations(points(16), 2):
        gaps, noises = [], []
        for i in range(
            3
        ):  # the law of one draw by enumeration; a mean of b has 1/b of the variance
            at_x, at_y = sample_gradients(problem, i, x), sample_gradients(problem, i, y)
            gaps.append((at_x - at_y).var(axis=0).sum() / batch)
            noises.append(at_x.var(axis=0).sum() / batch)
        ratios.append(np.mean(gaps) / ((x - y) ** 2).sum())
        variances.append(np.mean(noises))
    assert 0.05 * ell**2 < max(ratios) <= ell**2
    assert 0.2 * sigma < max(variances) <= sigma
    full = instance(regulariser)
    assert full.sample_smoothness == full.noise_variance == 0


def test_strong_convexity_is_the_weight_and_attained_far_out():
    problem = instance(ridge(0.3))
    assert problem.strong_convexity == 0.3
    # All margins are large in a direction that is orthogonal to no row.
    direction = np.random.default_rng(0).normal(size=4)
    far = np.mean([hessian(problem, i, 300 * direction) for i in range(3)], axis=0)
    assert np.linalg.eigvalsh(far).min() == pytest.approx(0.3, rel=1e-3)
    assert np.linalg.eigvalsh(far).min() >= 0.3 * (1 - 1e-14)  # roundings of its own
    assert instance(nonconvex(0.3)).strong_convexity == 0


# ---- the optimum -------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [1e-6, 0.01, 1.0])
@pytest.mark.parametrize(
    "data",
    [dataset(), unit_rows(breast_cancer()), breast_cancer(), synthetic_binary(60, 80, 0)],
    ids=["random", "unit rows", "breast cancer", "more features than rows"],
)
def test_the_gradient_vanishes_at_the_optimum(data, weight):
    problem = logistic(data, honest=1, regulariser=ridge(weight))
    x = problem.optimum
    terms = sample_gradients(problem, 0, x) - penalty(problem, x)[1]
    slope = terms.mean(axis=0) + penalty(problem, x)[1]
    # Rounding of a sum of m terms and of the margins, with room.
    scale = (
        np.abs(terms).mean(axis=0).max()
        + (problem.features**2).sum(axis=2).mean() * np.abs(x).max()
    )
    assert np.linalg.norm(slope) < 100 * EPSILON * scale
    # An independent method finds nothing lower.
    other = minimize(lambda x: value(problem, x), x, method="L-BFGS-B", options={"maxiter": 20})
    assert problem.minimum == pytest.approx(value(problem, x), rel=1e-12)
    assert problem.minimum <= other.fun * (1 + 1e-13)


def test_the_optimum_is_that_of_another_method():
    problem = instance(ridge(0.01))
    rows = (problem.signs[..., None] * problem.features).reshape(-1, 4)
    for start in points(4):
        other = minimize(
            lambda x: (np.logaddexp(0, -(rows @ x)).mean() + 0.005 * x @ x,
                       0.01 * x - (1 / (1 + np.exp(rows @ x))) @ rows / len(rows)),
            start, jac=True, method="BFGS", options={"gtol": 1e-10},
        )  # fmt: skip
        # The gradient is below 1e-10, the distance below that over μ = 0.01.
        np.testing.assert_allclose(problem.optimum, other.x, atol=1e-8)


def test_newton_from_hard_data():
    # Separable rows of very different scales, where full steps overshoot.
    for rows in (np.array([[1e4], [-1e-3]]), np.diag([1e3, 1.0, 1e-3]), np.zeros((2, 2))):
        x = logistic_minimiser(rows, 1e-4)
        slope = 1e-4 * x - (1 / (1 + np.exp(rows @ x))) @ rows / len(rows)
        assert np.linalg.norm(slope) <= 1e-9 * (1 + np.abs(rows).max())
    with pytest.raises(ValueError, match=r"end within 100 steps, got a .* scale the features"):
        logistic_minimiser(np.array([[1e160, 1.0], [-1e155, 1e158]]), 1.0)  # squares overflow


@pytest.mark.parametrize("regulariser", [ridge(0.0), nonconvex(0.1)])
def test_no_optimum_without_strong_convexity(regulariser):
    for name in ("optimum", "minimum"):
        with pytest.raises(ValueError, match="optimum needs a ridge with weight > 0, got a"):
            getattr(instance(regulariser), name)


# ---- data --------------------------------------------------------------------------------------


def test_workers_share_out_the_data():
    data = dataset(samples=26)
    problem = logistic(data, honest=4, byzantine=2, batch=1)
    assert (problem.honest, problem.byzantine, problem.samples, problem.dimension) == (4, 2, 6, 4)
    rows = {tuple(row) for row in data.features}
    shared = {tuple(row) for row in problem.features.reshape(-1, 4)}
    assert len(shared) == 24
    assert shared <= rows
    np.testing.assert_array_equal(problem.data.features, problem.features.astype(np.float32))
    np.testing.assert_array_equal(problem.data.labels, problem.signs == 1)
    one_sided = logistic(data, honest=4, alpha=1e-3)
    mixed = logistic(data, honest=4, alpha=1e3)
    assert one_sided.signs.mean(axis=1).std() > mixed.signs.mean(axis=1).std()
    sorted_ = logistic(data, honest=2, partition=label_sorted(data.labels, 2, 1.0, seed=0))
    assert sorted_.signs[0].max() <= sorted_.signs[1].min() or len(set(sorted_.signs[0])) == 1
    other = logistic(data, honest=4, partition_seed=1)
    assert (other.signs.shape, other.name) == ((4, 6), "random")
    assert (other.features != problem.features).any()


def test_label_flip_is_y_to_minus_y():
    problem = instance(byzantine=2)
    algorithm = algorithms.robust_sgd(optimizer=optax.sgd(0.1), aggregator=aggregators.mean())
    data = build(algorithm, problem, attacks.label_flip(2)).data
    for victim in range(2):
        liar = jax.tree.map(lambda leaf, i=3 + victim: leaf[i], data)
        owner = next(i for i in range(3) if np.array_equal(data.features[i], liar.features))
        np.testing.assert_array_equal(liar.labels, 1 - np.asarray(data.labels[owner]))
        x = np.array([0.3, -0.2, 0.1, 0.5])
        flipped = dataclasses.replace(problem, signs=-problem.signs)
        np.testing.assert_allclose(
            problem.oracle(liar).full(jnp.asarray(x, jnp.float32)),
            sample_gradients(flipped, owner, x).mean(axis=0),
            rtol=1e-5, atol=1e-6,  # float32
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"honest": 0}, "honest must be an integer >= 1, got 0"),
        ({"byzantine": -1}, "byzantine must be an integer >= 0, got -1"),
        ({"batch": 0}, "batch must be an integer >= 1, got 0"),
        ({"alpha": 0.0}, "alpha must lie in"),
        ({"alpha": 1.0, "partition": np.zeros((3, 1), int)}, "give alpha or partition, not both"),
        ({"partition": np.zeros((2, 1), int)}, r"must have shape \[honest, m\] = \[3, m >= 1\]"),
        ({"partition": np.zeros((3, 1))}, "partition must hold integers, got float64"),
        ({"partition": np.full((3, 1), 24)}, r"indices in 0\.\.23, got 24\.\.24"),
        ({"honest": 25}, r"honest must be an integer in 1\.\.24, got 25"),
    ],
)
def test_wrong_arguments(options, says):
    with pytest.raises(ValueError, match=says):
        instance(**options)


@pytest.mark.parametrize("make", [ridge, nonconvex])
@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan"), "1", True])
def test_wrong_weights(make, weight):
    with pytest.raises(ValueError, match=r"weight must .*\[0, inf\), got"):
        make(weight)


def test_wrong_data():
    with pytest.raises(ValueError, match="name must be one of synthetic"):
        logistic("digits", honest=2)
    with pytest.raises(ValueError, match="labels must be -1"):
        logistic(BinaryDataset("wrong", np.eye(2), np.array([0, 1])), honest=2)


def test_training_reaches_the_minimum():
    problem = logistic(dataset(), honest=3, byzantine=1, partition=np.tile(np.arange(24), (3, 1)))
    algorithm = algorithms.robust_sgd(
        optimizer=optax.sgd(1 / problem.smoothness), aggregator=aggregators.trimmed_mean(1)
    )
    # Equal workers: what is left after trimming one of each side is theirs. 1 - μ/L = 0.99.
    history = train(algorithm, problem, attack=attacks.label_flip(2), rounds=1000,
                    evaluate_every=1000)  # fmt: skip
    assert history["loss"][0, 0] == pytest.approx(np.log(2), rel=1e-6)
    assert history["loss"][0, -1] == pytest.approx(problem.minimum, rel=1e-5)  # float32
