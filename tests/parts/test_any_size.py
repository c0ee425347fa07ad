"""A finite row is an adversary too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import AGGREGATORS
from lengths import often
from parts import any_size
from reference import aggregators as reference
from testing.planted import finds

from jaxbyz import aggregators
from jaxbyz.aggregators.rows.centring import centred_at_median
from jaxbyz.aggregators.rows.finite import finite_rows
from jaxbyz.testing import check_aggregator
from jaxbyz.testing.any_size import NAME

OFTEN = ("trimmed mean", "caf", "nnm, krum")


@pytest.mark.parametrize("entry", often(AGGREGATORS, OFTEN))
def test_liars_of_every_size(entry):
    outcome = any_size.examine(entry, 11, 2, "float32", every=False)
    assert outcome.cases == 7 * 13
    assert not outcome.failures, outcome.failures[0]
    assert outcome.unsettled <= outcome.cases / 20


@pytest.mark.long
@pytest.mark.parametrize("kind", any_size.KINDS)
@pytest.mark.parametrize("shape", any_size.SHAPES, ids=str)
@pytest.mark.parametrize("entry", AGGREGATORS, ids=str)
def test_the_whole_matrix(entry, shape, kind):
    if not any_size.asked(entry, *shape):
        pytest.skip("too few rows, or too many subsets")
    outcome = any_size.examine(entry, *shape, kind)
    assert not outcome.failures, outcome.failures[0]


def test_a_single_row_does_not_take_over_the_filters():
    with jax.enable_x64(False):
        rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
        rules = jax.jit(
            jax.vmap(lambda rows: [rule(1)(rows) for rule in (aggregators.caf, aggregators.dnc)])
        )
        liars = np.float32([1e10, 1e12, 1e19, 1e30, 3.4e38])
        batch = np.tile(rows, (len(liars), 1, 1))
        batch[:, 0] = liars[:, None]
        # What the definitions say, in 64 bits; in 32, a far row's weight is exact to 1e-6.
        for values, exact in zip(rules(batch), (reference.caf, reference.dnc), strict=True):
            expected = [exact(rows.astype(np.float64), 1) for rows in batch]
            np.testing.assert_allclose(values, expected, rtol=1e-5)
        kept = jax.jit(lambda rows: aggregators.dnc(1).apply(None, None, rows)[1].details)(batch[1])
        assert kept["selected"].tolist() == [False, True, True, True, True]


def test_the_filter_stops_at_a_weight_of_n_less_2f():
    # With f = 0 that is the weight at the start: no pass, and the mean.
    _, told = jax.jit(lambda rows: aggregators.caf(0).apply(None, None, rows))(jnp.eye(4))
    assert told.details["passes"] == 0
    np.testing.assert_allclose(told.value, 0.25, rtol=1e-6)


def test_many_liars_far_away_do_not_move_the_geometric_median():
    # Robust gradient descent on 16 quadratics ‖x - b_i‖²/2 with 15 liars near one another.
    random = np.random.default_rng(1)
    minima, direction = random.normal(size=(16, 7)), random.normal(size=7)
    lies = direction * (1 - 0.01 * np.arange(15)[:, None] / 15)

    def descended(rule, size, x):
        def step(x, _):
            return x - 0.1 * rule(jnp.concatenate([x - minima, size * lies]).astype(x.dtype)), None

        x, _ = jax.lax.scan(step, x, length=100)
        return ((x - minima) ** 2).sum()

    def trimmed(size, x=0.0):
        for _ in range(100):
            x = x - 0.1 * reference.trimmed_mean(np.concatenate([x - minima, size * lies]), 15)
        return ((x - minima) ** 2).sum()

    sizes = np.float32([1e13, 1e14])
    with jax.enable_x64(False):
        rule = aggregators.geometric_median(15)
        median = jax.jit(jax.vmap(lambda size: descended(rule, size, jnp.zeros(7))))(sizes)
    # 15 of 31 liars pull as hard as 15 honest rows, from any distance: that costs a little, not
    # the 4e6 of a median that is not found.
    allowed = [5 * trimmed(size) for size in sizes]
    assert (median < np.array(allowed)).all(), (median, allowed)


def test_a_common_offset_does_not_stop_the_geometric_median():
    with jax.enable_x64(False):
        rows = np.random.default_rng(2).normal(size=(9, 4)).astype(np.float32)
        # Exactly the same differences at every offset.
        rows = np.round(rows * 256).astype(np.float32) / 256
        rule = jax.jit(lambda rows: aggregators.geometric_median(3).apply(None, None, rows)[1])
        exact = rule(rows)
        for offset in (1e4, 3e4):
            found = rule(rows + np.float32(offset))
            assert found.details["converged"]
            # A rounding of a number near the offset.
            error = np.abs(np.float64(found.value) - offset - np.float64(exact.value)).max()
            assert error <= offset * 2**-23


@pytest.mark.parametrize(("n", "f", "d"), [(3, 1, 1), (3, 1, 4), (7, 3, 1), (7, 3, 4)])
def test_mixing_does_not_depend_on_the_order_of_bad_rows(n, f, d):
    rows = np.random.default_rng(3).normal(size=(n, d))
    rows[:f] = np.nan
    rule = jax.jit(jax.vmap(aggregators.nnm(f, aggregators.trimmed_mean(f))))
    orders = np.stack([np.random.default_rng(i).permutation(n) for i in range(20)])
    values = np.asarray(rule(jnp.asarray(rows[orders])))
    tiny = 64 * np.finfo(values.dtype).eps  # sums in another order
    np.testing.assert_allclose(values, np.tile(values[:1], (20, 1)), rtol=tiny, atol=tiny)


@pytest.mark.parametrize("n", often([3, 7, 20], ["3", "7"]))
def test_honest_rows_near_the_largest_number(n):
    with jax.enable_x64(False):
        f = (n - 1) // 2
        rows = np.full((n, 3), 3.4e38, np.float32)
        rows[:, 1] *= -1
        rows[:, 2] *= 1 - 0.01 * np.random.default_rng(0).random(n).astype(np.float32)
        names = ["phocas", "meamed", "trimmed_mean", "coordinate_median", "krum", "multi_krum"]
        rules = [getattr(aggregators, name)(f) for name in names]
        rules += [aggregators.nnm(f, rules[2]), aggregators.mean(), aggregators.caf(f)]
        for values in (
            [rule(rows) for rule in rules],
            jax.jit(lambda r: [s(r) for s in rules])(rows),
        ):
            for value in values:
                np.testing.assert_allclose(np.float64(value) / 3.4e38, [1, -1, 0.995], atol=0.006)


def test_bad_rows_do_not_make_the_others_look_far():
    with jax.enable_x64(False):
        for inner in (aggregators.trimmed_mean(2), aggregators.krum(2)):
            rule = jax.jit(aggregators.nnm(2, inner))
            rows = np.float32([-1e30, 0, 0, 1, np.nan])[:, None]
            for order in ([0, 1, 2, 3, 4], [1, 2, 3, 0, 4], [4, 3, 2, 1, 0]):
                assert 0 <= rule(rows[order]).item() <= 1
        # A row of NaN is nobody's neighbour: 0, 1 and 5 are mixed with one another alone.
        rows = np.float32([0, 1, 5, np.nan])[:, None]
        assert aggregators.nnm(1, aggregators.trimmed_mean(1))(rows).item() == 2.0


def test_at_most_f_rows_are_far_and_an_offset_is_none():
    with jax.enable_x64(False):
        seen = jax.jit(lambda rows: centred_at_median(finite_rows(rows), 2))
        rows = np.round(np.random.default_rng(5).normal(size=(9, 3)) * 64).astype(np.float32) / 64
        exact = seen(rows)
        middle = np.median(np.float64(rows), axis=0)
        distances = np.sort(np.linalg.norm(rows - middle, axis=1))
        np.testing.assert_allclose(exact.q, distances[6], rtol=1e-6)
        assert seen(rows + np.float32(1e4)).unit == exact.unit
        for count in range(5):
            spoilt = rows.copy()
            spoilt[:count] = np.float32(1e30)
            assert seen(spoilt).far.sum() == (count if count <= 2 else 0)
        # Rejected rows stand at the median, but q is that of the others.
        spoilt = rows.copy()
        spoilt[:2] = np.nan
        others = np.float64(rows[2:])
        distances = np.linalg.norm(others - np.median(others, axis=0), axis=1)
        np.testing.assert_allclose(seen(spoilt).q, distances.max(), rtol=1e-6)
        # What is beyond the largest number is the largest number.
        wide = seen(rows * 16)
        assert wide.unit >= 8
        largest = np.finfo(np.float32).max
        assert (wide.to_original(jnp.full(3, largest)) == largest).all()


def test_pulls_of_rows_whose_squares_vanish():
    with jax.enable_x64(False):
        for d in (4, 1500):
            rule = aggregators.centered_clipping(1e-25, 1)
            rows = jnp.full((3, d), 1e-25)
            value = jax.jit(lambda rows, rule=rule, d=d: rule.apply(None, rule.init(d), rows))(
                rows
            )[0]
            np.testing.assert_allclose(value * 1e25, d**-0.5, rtol=1e-5)


def test_the_geometric_median_is_found_in_few_steps_on_the_rows():
    with jax.enable_x64(False):
        rows = np.random.default_rng(6).normal(size=(31, 3)).astype(np.float32)
        rows[:15] = np.float32(1e3) * rows[0]
        told = jax.jit(lambda rows: aggregators.geometric_median(15).apply(None, None, rows)[1])
        details = told(rows).details
        assert details["converged"]
        assert details["iterations"] <= 50


def test_nobody_moves_the_unit():
    # Five liars at 0 beside one honest row that is nearly done make the median row tiny; the five
    # others are honest, and must not be taken for far ones where a κ says otherwise.
    with jax.enable_x64(False):
        honest = np.random.default_rng(4).normal(size=(6, 3)).astype(np.float32)
        honest[0] = 1e-18
        rows = np.concatenate([honest, np.zeros((5, 3), np.float32)])
        spread = np.sqrt(honest.var(axis=0).sum())
        for make in (aggregators.krum, lambda f: aggregators.nnm(f, aggregators.trimmed_mean(f))):
            rule = make(5)
            kappa = aggregators.kappa(rule, 11, 5).published
            error = np.linalg.norm(np.asarray(jax.jit(rule)(rows)) - honest.mean(axis=0))
            assert error <= kappa**0.5 * spread


def test_integers_are_numbers():
    rows = np.array([[0], [1], [2], [9]])
    for given in (rows, rows.astype(np.uint8), jnp.asarray(rows)):
        assert aggregators.trimmed_mean(1)(given).item() == 1.5
    for rule in (
        aggregators.mean(),
        aggregators.krum(1),
        aggregators.nnm(1, aggregators.mean()),
        aggregators.geometric_median(1),
        aggregators.centered_clipping(1.0, 1),
        aggregators.stateless(lambda rows: rows.mean(axis=0)),
    ):
        wide = rule.apply(None, rule.init(1), jnp.asarray(rows, jnp.zeros(()).dtype))[1].value
        for given in (rows, rows.astype(np.uint8)):
            value = rule.apply(None, rule.init(1), jnp.asarray(given))[1].value
            assert value.dtype == wide.dtype
            assert value == wide
    with pytest.raises(
        ValueError, match=r"rows must be an array .* of real numbers, got an array complex"
    ):
        aggregators.trimmed_mean(1)(jnp.zeros((4, 1), complex))


def squares_of_squares(rows):
    """The mean of the rows with least fourth power of their distance, which overflows."""
    centre = jnp.median(rows, axis=0)
    scores = ((rows - centre) ** 2).sum(axis=1) ** 2
    weights = jnp.exp(-scores / scores.mean())
    return jnp.nan_to_num(weights @ rows / weights.sum(), posinf=1e30)


def test_everybodys_rules_are_asked():
    for rule, passes in (
        (squares_of_squares, False),
        (lambda rows: (rows / len(rows)).sum(axis=0), False),
        (lambda rows: jnp.median(rows, axis=0), True),
    ):
        part = aggregators.stateless(rule)
        if passes:
            assert NAME in check_aggregator(part).checked
        else:
            finds(
                lambda rule: check_aggregator(rule, equivariances=(), unanimous=False),
                NAME,
                "rule",
                part,
            )
    report = check_aggregator(aggregators.mean(), any_size=False, majority=False)
    assert NAME in report.skipped
    with pytest.raises(ValueError, match="any_size must lie in"):
        check_aggregator(aggregators.mean(), any_size=-1.0)


def test_what_is_known_of_the_reach():
    reach = aggregators.reach
    assert reach(aggregators.mean(), 5, 1) is None
    assert reach(aggregators.trimmed_mean(1), 5, 1) == (1 / 3 / 2) ** 0.5
    median = aggregators.coordinate_median(1)
    within = reach(median, 5, 1)
    assert reach(aggregators.nearest_mean(1, median), 5, 1) == 2 * within + 1
    assert reach(aggregators.nnm(1, aggregators.multi_krum(1)), 5, 1) == 3 * (1 + 3**0.5) + 1
    # Two rows: the neighbours of a liar may all be liars.
    assert reach(aggregators.krum(2, margin=2), 5, 2) is None
    assert reach(aggregators.multi_krum(1, m=5), 5, 1) is None
    assert reach(aggregators.bucketing(2, median), 5, 1) == reach(median, 3, 1) + 1
    assert reach(aggregators.bucketing(3, median), 5, 1) is None
