import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.problems import SineSample, quadratics, sine_noise

x64 = pytest.mark.usefixtures("x64")
D, ELL = 3, 0.7


@functools.cache
def additive(noise=0.0, **options):
    return quadratics(honest=4, dimension=D, noise=noise, hessian_spread=0.05, **options)


def oracle_of(problem, i=0):
    return problem.oracle(jax.tree.map(lambda leaf: leaf[i], problem.data))


def test_additive_noise_has_its_variance_and_no_slope():
    problem = additive(noise=2.0)
    assert (problem.noise_variance, problem.sample_smoothness) == (4.0, 0.0)
    assert additive().noise_variance == 0
    oracle = oracle_of(problem)
    keys = jax.random.split(jax.random.key(0), 4000)
    x, y = jnp.array([1.0, -2.0, 0.5]), jnp.array([0.1, 0.2, 3.0])
    noise = jax.vmap(lambda key: oracle.grad(oracle.draw(key), x) - oracle.full(x))(keys)
    squares = np.asarray((noise**2).sum(axis=1))
    # The mean of 4000, within four of its standard deviations; so is every coordinate's mean.
    assert abs(squares.mean() - 4) < 4 * squares.std() / 4000**0.5
    assert (np.abs(noise.mean(axis=0)) < 4 * (4 / D / 4000) ** 0.5).all()
    other = jax.vmap(lambda key: oracle.grad(oracle.draw(key), y) - oracle.full(y))(keys)
    np.testing.assert_allclose(noise, other, atol=1e-5)  # the same sample, up to float32


def test_heterogeneity_is_that_of_equal_hessians():
    problem = quadratics(honest=5, dimension=D, seed=2)
    x = np.random.default_rng(0).normal(size=D)
    each = problem.matrices @ x - problem.vectors
    expected = ((each - each.mean(axis=0)) ** 2).sum() / 5  # the same at every point
    assert problem.heterogeneity == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match=r"b_squared must be > .* for a finite G"):
        _ = additive().heterogeneity


@x64
def test_sine_noise_by_enumeration():
    problem = sine_noise(additive(), ELL)
    oracle, plain = oracle_of(problem), oracle_of(additive())
    rng = np.random.default_rng(1)
    xs = jnp.asarray(rng.normal(size=(12, D)) * np.geomspace(1e-3, 10, 12)[:, None])
    # Both values of the sign, each with probability 1/2; the other noise is 0.
    samples = SineSample(jnp.zeros((2, D)), jnp.array([-1, 1]))
    both = jax.jit(jax.vmap(jax.vmap(oracle.grad, (0, None)), (None, 0)))(samples, xs)  # [12, 2, d]
    full = jax.vmap(plain.full)(xs)
    np.testing.assert_allclose(jax.vmap(oracle.full)(xs), full, rtol=1e-14)
    np.testing.assert_allclose(both.mean(axis=1), full, rtol=1e-12, atol=1e-14)  # unbiased
    noise = np.asarray(both - full[:, None])  # [12, 2, d]
    np.testing.assert_allclose(noise[:, 1], ELL * np.sin(xs), rtol=1e-9, atol=1e-14)
    assert ((noise**2).sum(axis=2).mean(axis=1) <= problem.noise_variance).all()
    for a, b in itertools.combinations(range(12), 2):
        moved = ((noise[a] - noise[b]) ** 2).sum(axis=1).mean()
        assert moved <= ELL**2 * ((xs[a] - xs[b]) ** 2).sum() * (1 + 1e-9)


@x64
def test_constants_of_sine_noise_are_attained():
    problem = sine_noise(additive(), ELL)
    oracle = oracle_of(problem)
    one = SineSample(jnp.zeros(D), jnp.array(1))

    def noise(x):
        return oracle.grad(one, x) - oracle.full(x)

    peak = jnp.full(D, jnp.pi / 2)
    assert (noise(peak) ** 2).sum() == pytest.approx(problem.noise_variance, rel=1e-12)
    assert problem.noise_variance == pytest.approx(D * ELL**2, rel=1e-15)
    near = jnp.array([1e-4, -2e-4, 3e-4])
    ratio = jnp.linalg.norm(noise(near) - noise(-near)) / jnp.linalg.norm(2 * near)
    assert ratio == pytest.approx(problem.sample_smoothness, rel=1e-7)  # sin t = t - t³/6


def test_noises_add_up():
    problem = sine_noise(sine_noise(additive(noise=2.0), 0.3), 0.4)
    assert problem.sample_smoothness == pytest.approx(0.5)
    assert problem.noise_variance == pytest.approx(4 + D * (0.09 + 0.16))
    assert problem.smoothness == additive().smoothness
    oracle = oracle_of(problem)
    keys = jax.random.split(jax.random.key(3), 4000)
    x = jnp.full(D, jnp.pi / 2)
    samples = jax.vmap(oracle.draw)(keys)
    noise = np.asarray(jax.vmap(oracle.grad, (0, None))(samples, x) - oracle.full(x))
    squares = (noise**2).sum(axis=1)
    # At the peak of the sine σ² is attained: within four standard deviations of the mean.
    assert abs(squares.mean() - problem.noise_variance) < 4 * squares.std() / 4000**0.5
    signs = np.asarray(samples.sign) * np.asarray(samples.inner.sign)
    assert abs(signs.mean()) < 4 / 4000**0.5  # the two signs are independent
    assert set(np.asarray(samples.sign).tolist()) == {-1, 1}


@pytest.mark.parametrize("ell", [-0.1, float("inf"), float("nan"), "1", True])
def test_wrong_ell(ell):
    with pytest.raises(ValueError, match=r"ell must .*\[0, inf\), got"):
        sine_noise(additive(), ell)
