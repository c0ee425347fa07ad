"""More rows than are treated one by one, of more numbers than are looked at with care at once."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from parts.some_rows import normal, replaced

from jaxbyz import aggregators
from jaxbyz.aggregators import weiszfeld
from jaxbyz.aggregators.geometric import QUICK_STEPS
from jaxbyz.aggregators.rows import (
    centred_at_median,
    centred_at_some_rows,
    centred_distances,
    distances_from,
    finite_rows,
    offsets,
    weighted_from,
)
from jaxbyz.partitioned import by_coordinates, dividing
from tests.collectives import held, sent
from tests.reference import aggregators as reference

pytestmark = pytest.mark.usefixtures("x32")

N, D = 70, 1100


# ---- sums along rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [(), (3, 69)])
def test_distances_from_a_point(bad):
    rows, point = normal(N, D), normal(D, seed=1)
    rows[list(bad), 5] = np.nan
    expected = np.linalg.norm(replaced(rows) - np.float64(point), axis=1)

    @jax.jit
    def found(rows):
        clean = finite_rows(rows)
        shrink = jnp.ones(())
        return offsets(clean, shrink, point, least=30.0), offsets(clean, shrink, point)

    for told in found(rows):  # in one pass, and with care
        np.testing.assert_allclose(told.distance, expected, rtol=1e-6)


def test_distances_from_a_point_of_rows_that_were_shortened():
    rows, point = normal(N, D), 0.1 * normal(D, seed=1)
    rows[7] *= 1e30
    rows[[3, 69], 5] = np.inf

    @jax.jit
    def found(rows):
        seen = centred_at_median(finite_rows(rows), 5)
        return seen.columns(0, D), distances_from(seen, point)

    columns, distances = found(rows)
    exact = np.linalg.norm(np.float64(columns) - np.float64(point), axis=1)
    np.testing.assert_allclose(distances, exact, rtol=1e-6)


@pytest.mark.parametrize("n", [N, 130])  # added row by row, and multiplied
def test_weighted_sums_of_offsets_keep_small_differences(n):
    rows = np.float32(1000) + np.float32(0.01) * normal(n, D)
    rows[3, 5] = np.nan
    weights = np.abs(normal(n, seed=2))

    @jax.jit
    def found(rows):
        seen = centred_at_median(finite_rows(rows), 5)
        return weighted_from(weights, seen, jnp.zeros(D)), seen.unit, seen.centre

    told, unit, centre = found(rows)
    exact = weights @ (replaced(rows) - np.float64(centre))
    # 130 roundings of weights times offsets, none of them of numbers near 1000.
    np.testing.assert_allclose(told * unit, exact, rtol=0, atol=1e-5 * 0.01 * n)


# ---- accelerated steps -------------------------------------------------------------------------


def cases():
    """Rows by what is special in them."""
    plain = normal(N, D)
    collude, far, offset, heavy, bad = (plain.copy() for _ in range(5))
    collude[-20:] = collude[-1]
    far[-20:] += 300
    offset = np.float32(1000) + np.float32(0.01) * offset
    heavy *= np.abs(normal(N, 1, seed=4)) ** 3
    bad[[2, 60], 7] = np.nan, np.inf
    almost = plain.copy()
    almost[-26:] = almost[-1]  # with some more of these, their point would be the median
    in_three = normal(N, 3) @ normal(3, D, seed=3)
    return {
        "plain": plain,
        "collude": collude,
        "far": far,
        "offset": offset,
        "heavy": heavy,
        "rejected": bad,
        "a third": almost,
        "three dimensions": in_three,
    }


TOLD = jax.jit(lambda rows: aggregators.geometric_median(20).apply(None, None, rows)[1])
QUICK = jax.jit(lambda rows: weiszfeld.accelerated(finite_rows(rows), 1e-5, QUICK_STEPS)[1:])


def median_of(rows):
    """The geometric median [d] of rows [n, d] in float64, found among combinations of them."""
    offset = rows - rows[0]
    axes, _ = np.linalg.qr(offset.T)  # [d, n]
    return rows[0] + axes @ reference.geometric_median(offset @ axes)


def residual(rows, point):
    """‖Σ (x_i - z)/‖x_i - z‖‖/n in float64, at a point that is no row."""
    offset = rows - np.float64(point)
    return np.linalg.norm((offset / np.linalg.norm(offset, axis=1)[:, None]).mean(axis=0))


@pytest.mark.parametrize("name", cases())
def test_accelerated_steps_find_the_median(name):
    rows = cases()[name]
    quick, right = QUICK(rows)
    assert right
    told = TOLD(rows)
    assert told.details["converged"]
    assert told.details["iterations"] == quick.iterations <= 12
    exact, value = replaced(rows), np.float64(told.value)
    if name == "offset":  # where the result itself is rounded to 6e-5, and the spread is 0.01
        exact, value = (exact - 1000) / 0.01, (value - 1000) / 0.01
    rounded = 3e-3 * (name == "offset")
    assert residual(exact, value) <= 1.2e-5 + rounded  # that of the point one step before is 1e-5
    spread = np.linalg.norm(exact - np.median(exact, axis=0), axis=1)
    apart = np.linalg.norm(value - median_of(exact))
    assert apart <= (1e-4 + rounded) * np.median(spread)


def unusual():
    """Rows that accelerated steps must leave to the careful ones, and why."""
    rows = normal(N, D)
    no_spread, half, huge, tiny, beyond, away = (rows.copy() for _ in range(6))
    around = np.concatenate([rows[:40], np.zeros((1, D), np.float32), -rows[:40]])
    no_spread[:50] = 1.0
    half[-33:] = rows[-1]  # the others pull in other directions, and together less
    huge *= 1e25
    tiny *= 1e-25
    beyond[5] = 1e6
    chosen = np.linspace(0, N - 1, 11).astype(int)
    away[chosen[:8]] += 100  # most of the rows whose median is the centre
    return {
        "a row is the median": around,
        "most rows are equal": no_spread,
        "nearly half are equal": half,
        "squares overflow": huge,
        "squares vanish": tiny,
        "a row is beyond all others": beyond,
        "the centre is far away": away,
    }


@pytest.mark.parametrize("name", unusual())
def test_what_accelerated_steps_cannot_do_is_done_with_care(name):
    rows = unusual()[name]
    assert not QUICK(rows)[1]
    told = TOLD(rows)
    assert told.details["converged"]
    if name == "a row is the median":
        assert (told.value == 0).all()
    elif name == "most rows are equal":
        assert (told.value == 1).all()
    elif name == "nearly half are equal":
        assert (told.value == rows[-1]).all()
    else:
        # Of the point one step before it is at most 1e-5.
        assert residual(np.float64(rows), told.value) <= 1.2e-5


def accelerated_in_numpy(rows, count):
    """So many turns: the plain step from the last point, and the residual there."""
    point = np.median(rows[np.linspace(0, N - 1, 11).astype(int)], axis=0)
    last = before = None
    for _ in range(count):
        offset = rows - point
        weight = 1 / np.linalg.norm(offset, axis=1)
        pull = weight @ offset
        step = pull / weight.sum()
        there, share = point + step, 0.0
        if before is not None:
            change = step - before
            share = np.clip(step @ change / (change @ change), -20, 1)
            following = there - share * (there - last)
        else:
            following = there
        point, last, before = following, there, step
    return there, np.linalg.norm(pull) / N


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_accelerated_steps_are_those_of_their_formula(count):
    rows = cases()["collude"]

    @jax.jit
    def found(rows):
        seen, it, _ = weiszfeld.accelerated(finite_rows(rows), 1e-9, count)
        return seen.to_original(it.point), it.residual

    point, left = found(rows)
    expected, residual = accelerated_in_numpy(np.float64(rows), count)
    # Numbers near 1; the share of a step is a ratio of numbers that were rounded.
    np.testing.assert_allclose(point, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(left, residual, rtol=2e-2, atol=1e-7)


@pytest.mark.parametrize("shift", [20, 1000])
def test_a_centre_that_is_too_far_away_is_not_trusted(shift):
    rows = normal(N, D)
    rows[np.linspace(0, N - 1, 11).astype(int)[:8]] += shift
    assert not QUICK(rows)[1]


def test_a_median_very_near_a_row_is_looked_at_with_care():
    half, one = normal(40, D), normal(1, D, seed=2)
    other = -half
    other[0] += np.float32(0.03) * one[0]
    rows = np.concatenate([half, other, one, np.zeros((1, D), np.float32)])
    quick, right = QUICK(rows)
    assert quick.row < 0
    assert quick.residual <= 1e-5
    assert not right


def test_where_a_centre_among_some_rows_is_not_safe():
    safe = jax.jit(lambda rows: centred_at_some_rows(finite_rows(rows), 34, 1024.0)[1])
    rows = normal(N, D)
    assert safe(rows)
    assert not safe(np.float32(1e-12) * rows)  # squares nearly vanish
    chosen = np.linspace(0, N - 1, 11).astype(int)
    rows[np.setdiff1d(np.arange(N), chosen)[:36], 5] = np.nan  # more than may be rejected
    assert not safe(rows)


@pytest.mark.parametrize("f", [0, 5])
def test_the_unit_of_distances_is_that_of_the_best_row(f):
    rows = normal(N, D) * np.linspace(1, 3, N, dtype=np.float32)[:, None]
    seen, squares = jax.jit(lambda rows: centred_distances(finite_rows(rows), f))(rows)
    exact = np.sqrt(reference.squared_distances(np.float64(rows)))
    q = np.sort(exact, axis=1)[:, N - f - 1]  # each row itself included
    np.testing.assert_allclose(seen.q, q.min(), rtol=1e-6)
    best = rows[np.argmin(q)]
    assert np.array_equal(seen.centre, best)
    np.testing.assert_allclose(np.sqrt(squares) * seen.unit, exact, rtol=1e-5, atol=0)


def test_a_replacement_is_no_centre_of_distances():
    rows = normal(N, D)
    rows[0, 3] = np.nan  # the median of the others, in its place, is nearer to all than they are
    seen, _ = jax.jit(lambda rows: centred_distances(finite_rows(rows), 5))(rows)
    exact = np.sqrt(reference.squared_distances(np.float64(rows[1:])))
    q = np.sort(exact, axis=1)[:, N - 5 - 1]
    np.testing.assert_allclose(seen.q, q.min(), rtol=1e-6)
    assert np.array_equal(seen.centre, rows[1 + np.argmin(q)])


def test_the_unit_where_one_row_too_many_is_rejected():
    rows = normal(5, 3)
    rows[1:3, 0] = np.nan
    seen = centred_at_median(finite_rows(rows), 1)
    # The replaced rows count where else n-f would not be there.
    exact = np.sort(np.linalg.norm(replaced(rows) - np.median(replaced(rows), axis=0), axis=1))
    np.testing.assert_allclose(seen.q, exact[3], rtol=1e-6)


def test_the_number_of_steps_is_bounded_in_both_ways():
    for most in (1, 2):
        rule = jax.jit(aggregators.geometric_median(20, max_iterations=most).apply)
        assert rule(None, None, normal(N, D))[1].details["iterations"] <= most


def test_both_ways_under_a_map():
    both = np.stack([cases()["collude"], unusual()["a row is beyond all others"]])
    together = jax.jit(jax.vmap(lambda rows: TOLD(rows)))(both)
    for i, rows in enumerate(both):
        alone = TOLD(rows)
        assert together.details["converged"][i]
        # Two programs, and steps until a residual of 1e-5.
        scale = np.median(np.linalg.norm(np.float64(rows), axis=1))
        assert np.linalg.norm(together.value[i] - alone.value) <= 1e-4 * scale


def test_a_centre_among_some_rows_is_one_of_them_in_every_coordinate():
    rows = normal(N, D)
    rows[3, 5] = np.nan
    seen, safe = jax.jit(lambda rows: centred_at_some_rows(finite_rows(rows), 20, 1024.0))(rows)
    assert safe
    chosen = replaced(rows)[np.linspace(0, N - 1, 11).astype(int)]
    np.testing.assert_allclose(seen.centre, np.median(chosen, axis=0), rtol=1e-6, atol=0)
    exact = np.linalg.norm(replaced(rows) - np.float64(seen.centre), axis=1)
    np.testing.assert_allclose(seen.offsets.distance, exact, rtol=1e-6)
    assert seen.q == np.sort(np.delete(seen.offsets.distance, 3))[N - 20 - 1]


# ---- on several devices ------------------------------------------------------------------------


def test_rules_of_rows_that_are_divided_over_devices():
    rows = cases()["collude"]
    rows[3, 5] = np.nan
    rules = [
        aggregators.geometric_median(20), aggregators.krum(20),
        aggregators.centered_clipping(20.0, 2), aggregators.smoothed_weiszfeld(2, 0.1),
    ]  # fmt: skip

    def all_of(rows):
        states = [rule.init(rows.shape[1]) for rule in rules]
        return [
            rule.apply(None, state, rows)[1].value
            for rule, state in zip(rules, states, strict=True)
        ]

    mesh = Mesh(np.array(jax.devices()[:4]), ("workers",))

    def divided(rows):
        return all_of(by_coordinates(rows, rows.shape[1]))

    alone = jax.jit(all_of)(rows)
    everywhere, parted = PartitionSpec(), PartitionSpec(None, "workers")
    places = {"in_shardings": parted, "out_shardings": everywhere}
    places = {name: NamedSharding(mesh, spec) for name, spec in places.items()}
    with dividing(mesh):
        program = jax.jit(divided, **places).lower(rows).compile()
    given = jax.device_put(rows, places["in_shardings"])
    for rule, expected, found in zip(rules, alone, program(given), strict=True):
        # Sums over coordinates are added in another order; the median's residual is 1e-5.
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5, err_msg=str(rule))
    text, part = program.as_text(), D // 4
    assert (N, D) not in {each.shape for each in held(text)}
    pairs = 16 * 16  # rows in doubt are compared so many pairs at a time
    assert max(math.prod(each.shape) for each in held(text)) <= pairs * part
    assert max(math.prod(each.shape) for _, each in sent(text)) <= N * N
