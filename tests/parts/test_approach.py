"""Bounded steps towards long rows: on the rows as they are, and with care where that fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parts.some_rows import normal, replaced

from jaxbyz import aggregators
from jaxbyz.aggregators import approach
from jaxbyz.aggregators.rows.numbers import SHORT
from tests.reference import aggregators as reference

pytestmark = pytest.mark.usefixtures("x32")

D = SHORT + 76
SIZES = [7, 70, 130]  # added one by one, in one sum for each row, and multiplied


def kinds(n):
    """Name -> rows [n, D], a size of theirs, and whether plain steps suffice."""
    plain = normal(n, D)
    bad, collude, beyond = (plain.copy() for _ in range(3))
    bad[1, 5], bad[n - 1, 0] = np.nan, -np.inf
    collude[-n // 4 :] = collude[-1]
    beyond[2] *= np.float32(1e30)
    return {
        "plain": (plain, 30.0, True),
        "collude": (collude, 30.0, True),
        "all equal to the start": (np.zeros((n, D), np.float32), 30.0, True),
        "rejected": (bad, 30.0, False),
        "one squared length overflows": (beyond, 30.0, False),
        "squares overflow": (np.float32(1e36) * plain, 3e37, False),
        "differences overflow": (np.float32(3e38) * np.sign(plain), 3e38, False),
        "squares vanish": (np.float32(1e-25) * plain, 3e-24, False),
    }


def rules(size, iterations):
    return {
        "clipping": (
            aggregators.centered_clipping(size, iterations),
            lambda rows: reference.centered_clipping(rows, np.zeros(D), size, iterations),
        ),
        "weiszfeld": (
            aggregators.smoothed_weiszfeld(iterations, size),
            lambda rows: reference.smoothed_weiszfeld(rows, iterations, size),
        ),
    }


@pytest.fixture
def ways(monkeypatch):
    """What decided between the two ways, call by call of a compiled rule."""
    seen = []
    unless = approach.unless

    def told(right, *further):
        jax.debug.callback(lambda value: seen.append(bool(value)), right)
        return unless(right, *further)

    monkeypatch.setattr(approach, "unless", told)
    return seen


@pytest.mark.parametrize("rule", ["clipping", "weiszfeld"])
@pytest.mark.parametrize("name", kinds(7))
@pytest.mark.parametrize("n", SIZES)
def test_both_ways_agree_with_the_definition(n, name, rule, ways):
    rows, size, plain = kinds(n)[name]
    for iterations, scale in ((1, 1.0), (3, 0.5)):  # some rows are further away, and all
        made, defined = rules(scale * size, iterations)[rule]
        told = jax.jit(lambda rows, made=made: made.apply(None, made.init(D), rows)[1])(rows)
        expected = defined(replaced(rows))
        length = np.linalg.norm(np.median(np.abs(replaced(rows)), axis=0))
        # Some hundred roundings of numbers of the size of the rows, in all coordinates.
        np.testing.assert_allclose(told.value, expected, rtol=1e-5, atol=1e-6 * length)
        assert np.array_equal(told.rejected, ~np.isfinite(rows).all(axis=1))
    jax.effects_barrier()
    assert ways == [plain] * 2


@pytest.mark.parametrize("rule", ["clipping", "weiszfeld"])
def test_each_lane_of_a_map_has_its_own_way(rule):
    names = ["plain", "rejected", "one squared length overflows"]
    rows = np.stack([kinds(7)[name][0] for name in names])
    made, _ = rules(30.0, 2)[rule]
    one = jax.jit(lambda rows: made.apply(None, made.init(D), rows)[1])
    found = jax.jit(jax.vmap(one))(rows)
    for i, each in enumerate(rows):
        alone = one(each)
        # The same sums in the order of another program.
        np.testing.assert_allclose(found.value[i], alone.value, rtol=1e-5, atol=1e-6)
        assert np.array_equal(found.rejected[i], alone.rejected)


@pytest.mark.parametrize("name", ["plain", "rejected"])
@pytest.mark.parametrize("rule", ["clipping", "weiszfeld"])
def test_eager_and_16_bits(rule, name):
    made, defined = rules(30.0, 1)[rule]
    rows = jnp.asarray(kinds(7)[name][0], jnp.bfloat16)
    _, told = made.apply(None, made.init(D), rows)
    assert told.value.dtype == jnp.bfloat16
    expected = defined(replaced(np.float32(rows)))
    # The result is rounded to 8 bits, and nothing before it is.
    np.testing.assert_allclose(np.float32(told.value), expected, rtol=2.0**-8, atol=1e-6)


def test_clipping_goes_on_from_its_state_after_either_way():
    made = aggregators.centered_clipping(3.0, 2)
    state, point = made.init(D), np.zeros(D)
    call = jax.jit(lambda state, rows: made.apply(None, state, rows))
    for name in ("plain", "rejected", "plain", "one squared length overflows"):
        rows = kinds(7)[name][0]
        state, told = call(state, rows)
        point = reference.centered_clipping(replaced(rows), point, 3.0, 2)
        np.testing.assert_allclose(state, point, rtol=1e-5, atol=1e-5)
        assert np.array_equal(state, told.value)


def test_a_start_far_away_is_left_with_care(ways):
    rows = normal(7, D)
    made = aggregators.centered_clipping(1e31, 1)
    start = jnp.full(D, 1e29)
    value, _ = jax.jit(lambda rows: made.apply(None, start, rows))(rows)
    jax.effects_barrier()
    assert ways == [False]
    # All rows are nearer than τ, so that the step leads to their mean, to roundings of the start.
    np.testing.assert_allclose(value, rows.mean(axis=0), rtol=0, atol=1e29 * 1e-6)


def test_short_rows_are_looked_at_with_care_at_once(ways):
    made = aggregators.centered_clipping(3.0, 1)
    jax.jit(lambda rows: made(rows))(normal(7, SHORT - 1))
    jax.effects_barrier()
    assert ways == []
