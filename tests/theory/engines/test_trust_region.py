"""The trust-region problem, solved globally: gaps, hard cases, against brute force."""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.theory.engines.trust_region import ball_error, quadratic_of, trust_region

pytestmark = pytest.mark.usefixtures("x64")
KEY = jax.random.key(0)


@functools.partial(jax.jit, static_argnums=(0, 1))
def problems(count, d=5):
    """Random problems of all kinds: indefinite, definite, negative, b = 0, b off the top, ties."""
    keys = jax.random.split(KEY, 4)
    raw = jax.random.normal(keys[0], (count, d, d))
    basis = jnp.linalg.qr(raw)[0]
    kind = np.arange(count) % 6
    values = jax.random.normal(keys[1], (count, d))
    values = jnp.where((kind == 1)[:, None], jnp.abs(values), values)
    values = jnp.where((kind == 2)[:, None], -jnp.abs(values), values)
    values = jnp.sort(values, axis=1)
    values = jnp.where((kind == 5)[:, None], values.at[:, -2].set(values[:, -1]), values)
    matrix = jnp.einsum("nab,nb,ncb->nac", basis, values, basis)
    b = jax.random.normal(keys[2], (count, d))
    b = jnp.where((kind == 3)[:, None], 0.0, b)
    # Hard cases: nothing of b along the top eigenvectors, and little elsewhere.
    b = jnp.where((kind >= 4)[:, None], 0.01 * b.at[:, -1].set(0.0), b)
    b = jnp.where((kind == 5)[:, None], b.at[:, -2].set(0.0), b)
    vector = jnp.einsum("nab,nb->na", basis, b)
    radius = 10 ** jax.random.uniform(keys[3], (count,), minval=-6, maxval=1.5)
    return matrix, vector, radius


def test_two_thousand_problems_have_no_gap_and_take_less_than_a_second():
    given = problems(2000)
    solve = jax.jit(jax.vmap(trust_region))
    worst = jax.block_until_ready(solve(*given))
    began = time.perf_counter()
    jax.block_until_ready(solve(*given))
    assert time.perf_counter() - began < 1.0
    # Weak duality makes every gap an upper bound of the relative error; both sides are rounded.
    assert float(worst.gap.max()) < 1e-10
    assert float(worst.gap.min()) > -1e-12
    assert (jnp.linalg.norm(worst.point, axis=1) <= given[2] * (1 + 1e-12)).all()


def test_the_value_is_that_of_the_point_and_no_other_point_is_better():
    matrix, vector, radius = problems(60)
    worst = jax.vmap(trust_region)(matrix, vector, radius)

    def value(e):
        return 2 * (vector * e).sum(-1) + jnp.einsum("na,nab,nb->n", e, matrix, e)

    size = jnp.linalg.norm(vector, axis=1) * radius + radius**2
    np.testing.assert_allclose(value(worst.point) / size, worst.value / size, atol=1e-11)
    for i in range(50):
        e = jax.random.normal(jax.random.key(i), vector.shape)
        length = jnp.where(i % 2, 1.0, jax.random.uniform(jax.random.key(i), (60,)))
        e = e / jnp.linalg.norm(e, axis=1, keepdims=True) * (length * radius)[:, None]
        assert (value(e) <= worst.value + 1e-11 * size).all()


def test_two_dimensions_against_a_grid():
    matrix, vector, radius = problems(30, d=2)
    worst = jax.vmap(trust_region)(matrix, vector, radius)
    angle = jnp.linspace(0, 2 * jnp.pi, 4001)
    circle = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    for i in range(30):
        e = jnp.concatenate([share * radius[i] * circle for share in np.linspace(0, 1, 41)])
        values = 2 * e @ vector[i] + ((e @ matrix[i]) * e).sum(1)
        size = jnp.linalg.norm(vector[i]) * radius[i] + radius[i] ** 2 * jnp.abs(matrix[i]).max()
        # The grid misses the best angle by 1e-3, which costs its square.
        assert -1e-11 <= (worst.value[i] - values.max()) / size < 1e-2


def test_eager_and_compiled_agree():
    matrix, vector, radius = (part[4] for part in problems(5))
    eager, compiled = (
        trust_region(matrix, vector, radius),
        jax.jit(trust_region)(matrix, vector, radius),
    )
    np.testing.assert_allclose(eager.value, compiled.value, rtol=1e-12)


def test_a_radius_of_zero_leaves_the_constant():
    worst = trust_region(jnp.eye(3), jnp.ones(3), 0.0, 7.0)
    assert worst.value == 7.0
    assert (worst.point == 0).all()


def test_quadratics_are_read_off_functions():
    matrix, vector, _ = problems(1, d=3)
    H, b, c = quadratic_of(lambda e: 2.0 + 2 * vector[0] @ e + e @ matrix[0] @ e, 3)
    np.testing.assert_allclose(H, matrix[0], atol=1e-14)
    np.testing.assert_allclose(b, vector[0], atol=1e-14)
    assert c == 2.0


def test_the_gradient_of_the_worst_value_is_that_of_the_envelope():
    matrix, vector, _ = problems(1, d=3)

    def value(radius):
        return ball_error(lambda e: 2 * vector[0] @ e + e @ matrix[0] @ e, 3, radius).value

    slope = jax.grad(value)(0.7)
    # Central differences of step 1e-5: their error is of the order of its square.
    np.testing.assert_allclose(slope, (value(0.7 + 1e-5) - value(0.7 - 1e-5)) / 2e-5, rtol=1e-7)
