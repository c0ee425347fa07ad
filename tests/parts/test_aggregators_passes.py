"""Long rows, many rows, composed rules: what is computed in blocks is what it is in one piece."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often
from parts.some_rows import normal

from jaxbyz import aggregators
from jaxbyz.aggregators.rows import sorting
from jaxbyz.aggregators.rows.centring import offsets, shrink_for
from jaxbyz.aggregators.rows.distances import squared_distances
from jaxbyz.aggregators.rows.finite import finite_rows
from jaxbyz.aggregators.rows.norms import row_norms
from jaxbyz.aggregators.rows.numbers import lengths
from jaxbyz.column_passes import (
    MULTIPLE,
    UNROLLED_ROWS,
    largest_entries,
    over_columns,
    row_sums,
    smallest_of_lines,
)
from jaxbyz.core import Aggregator
from tests.reference import aggregators as reference

pytestmark = pytest.mark.usefixtures("x32")

LONG = 40_003  # columns: no multiple of any block, and more than one block of each kind


@pytest.mark.parametrize("d", [1, 1023, 1024, 1025, 2048, LONG])
def test_every_column_is_summed_and_compared_once(d):
    # Powers of two that add up to numbers of at most 24 bits: exact in any order.
    rows = np.ones((2, d), np.float32)
    rows[1] = np.arange(d) % 64
    found = jax.jit(lambda x: row_sums(lambda a, width: x[:, a : a + width], d))(rows)
    assert np.array_equal(found, rows.sum(axis=1, dtype=np.float64))
    for j in {0, d // 3, d - 1}:
        spoilt = rows.copy()
        spoilt[0, j] = -99
        assert jax.jit(largest_entries)(spoilt).tolist() == [99, rows[1].max()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_smallest_numbers_of_a_long_line_are_found_without_sorting(dtype, x64):
    m = UNROLLED_ROWS + 9
    lines = np.random.default_rng(0).exponential(size=(5, m)).astype(dtype)
    lines[1] = np.round(lines[1], 1)  # ties
    lines[2, ::3] = np.inf
    lines[3] = 0
    lines[4] *= 1e5 * np.finfo(dtype).tiny  # sums of smaller numbers are flushed to 0
    ordered = np.sort(lines, axis=1)
    found = jax.jit(smallest_of_lines, static_argnums=1)
    for count in (1, 2, m // 2, m - m // 3, m):
        total, last = found(lines, count)
        assert np.array_equal(last, ordered[:, count - 1])
        # Of 73 numbers, added in another order.
        expected = ordered[:, :count].sum(axis=1)
        np.testing.assert_allclose(total, expected, rtol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize("d", [2047, 2048, 2049, 4097, LONG])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_pair_and_column_is_in_the_distances_once(n, d):
    rows = np.random.default_rng(d).integers(-3, 4, size=(n, d)).astype(np.float32)
    rows[:, -1] = 4 * np.arange(n)  # what the last block holds shows
    found = jax.jit(squared_distances)(rows)
    assert np.array_equal(found, reference.squared_distances(rows.astype(np.float64)))  # integers


def test_lengths_need_no_care_unless_squares_are_no_numbers():
    directions = normal(6, LONG)
    sizes = np.float32([1, 1e-3, 1e15, 1, 1, 1])[:, None]
    exact = np.sqrt((np.float64(directions * sizes) ** 2).sum(axis=1))
    size, length = jax.jit(lengths)(directions * sizes)
    assert (size == 1).all()
    np.testing.assert_allclose(length, exact, rtol=1e-6)  # of some hundred roundings in a row
    # Squares beyond the range, and sums of squares of which some may have vanished.
    for extreme in (1e30, 1e-30):
        rows = directions * np.float32([1, 1, 1, extreme, 1, 0])[:, None]
        rows[4, 7], rows[2, 9] = np.nan, -np.inf
        size, length = (np.float64(x) for x in jax.jit(lengths)(rows))
        assert np.isfinite(length).tolist() == [True, True, False, True, False, True]
        good = np.isfinite(length)
        exact = np.sqrt((np.float64(rows[good]) ** 2).sum(axis=1))
        np.testing.assert_allclose((size * length)[good], exact, rtol=1e-6)


def test_lengths_need_care_where_many_squares_vanish_beside_one():
    rows = np.full((1, 10**6), 1.05e-19, np.float32)  # squares are just below the least number
    rows[0, 0] = 3.2e-16
    size, length = jax.jit(lengths)(rows)
    exact = np.linalg.norm(np.float64(rows))
    np.testing.assert_allclose(
        np.float64(size) * np.float64(length), exact, rtol=1e-5
    )  # a long sum


@pytest.mark.parametrize("bad", [True, False])
def test_norms_and_sums_of_replaced_rows(bad):
    rows = normal(70, 9)
    if bad:
        rows[3, 1] = np.nan
    others = np.arange(70) == 40
    gone = others | (np.arange(70) == 3) & bad
    exact = np.where(gone[:, None], np.median(np.float64(rows[~gone]), axis=0), rows)
    seen = finite_rows(jnp.asarray(rows)).replacing(jnp.asarray(others))
    norms, unit = row_norms(seen)
    np.testing.assert_allclose(norms / unit, np.linalg.norm(exact, axis=1), rtol=1e-6)
    factors = np.where(gone, 5, np.arange(70)).astype(np.float32)
    found = seen.sums(lambda part, start, factor: part * factor, jnp.asarray(factors))
    # Some roundings of numbers up to 200.
    np.testing.assert_allclose(found, factors * exact.sum(axis=1), atol=1e-4)


def test_distances_from_a_point_of_long_rows():
    rows, point = normal(5, LONG), normal(LONG, seed=1)
    rows[3, 5] = np.nan
    clean = finite_rows(jnp.asarray(rows))
    found = jax.jit(lambda clean: offsets(clean, shrink_for(clean), point).distance)(clean)
    finite = np.where(np.isnan(rows).any(axis=1)[:, None], np.median(rows[[0, 1, 2, 4]], 0), rows)
    exact = np.linalg.norm(np.float64(finite) - np.float64(point), axis=1)
    np.testing.assert_allclose(found, exact, rtol=1e-6)


# ---- rules before rules by columns -------------------------------------------------------------


INNER = [aggregators.mean(), aggregators.trimmed_mean(2)]
BEFORE = {
    "nnm": lambda inner: aggregators.nnm(2, inner),
    "bucketing": lambda inner: aggregators.bucketing(2, inner),
    "clip": lambda inner: aggregators.clip(80.0, inner),
    "arc": lambda inner: aggregators.arc(2, inner),
    "arc, f = 0": lambda inner: aggregators.arc(0, inner),
    "nearest mean": lambda inner: aggregators.nearest_mean(2, inner),
    "clipping": lambda inner: aggregators.centered_clipping_from(inner, 50.0, 2),
}


@pytest.mark.parametrize("n", [11, pytest.param(70, marks=pytest.mark.long)])
@pytest.mark.parametrize("before", often(BEFORE, ("nnm",)))
def test_rules_by_columns_get_the_same_rows_as_any_other(before, n):
    rows = normal(n, 9001) * np.linspace(0.5, 2, n, dtype=np.float32)[:, None]
    rows[4, 5] = np.nan
    for inner in INNER:
        plain = Aggregator(inner.init, inner.apply)  # nothing said about columns
        results = [
            jax.jit(BEFORE[before](rule).apply)(jax.random.key(1), None, rows)[1]
            for rule in (inner, plain)
        ]
        # One is a fused sum, in which the compiler joins products and sums without a rounding.
        np.testing.assert_allclose(results[0].value, results[1].value, rtol=0, atol=2e-6)
        assert np.array_equal(results[0].rejected, results[1].rejected)
        assert np.array_equal(np.flatnonzero(results[0].rejected), [4])
        assert results[0].details.keys() == results[1].details.keys()


def test_means_of_the_largest_numbers_stay_finite():
    rows = np.full((7, 3), np.finfo(np.float32).max, np.float32)
    for inner in INNER:
        for rule in (aggregators.nnm(2, inner), aggregators.arc(2, inner)):
            assert np.isfinite(jax.jit(rule)(rows)).all()


# ---- sorting many rows -------------------------------------------------------------------------


@pytest.mark.parametrize("log", range(5))
def test_bitonic_turns_sort(log):
    # All inputs of zeros and ones, and with them everything (the 0-1 principle).
    n = 2**log
    wires = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    expected = np.sort(wires, axis=1)
    for partner in sorting.bitonic_partners(n):
        assert np.array_equal(partner[partner], np.arange(n))
        other, lower = wires[:, partner], np.arange(n) < partner
        wires = np.where(lower, np.minimum(wires, other), np.maximum(wires, other))
    assert np.array_equal(wires, expected)


@pytest.mark.parametrize(("n", "d"), [(65, 1), (70, 128), (130, 300)])
def test_many_rows_are_sorted_in_blocks_of_columns(n, d):
    rows = normal(n, d).round(1)  # with ties
    rows[3, 0], rows[9, d - 1], rows[5, 0], rows[6, 0] = np.nan, -np.inf, np.inf, np.nan
    expected = np.sort(np.where(np.isnan(rows), np.inf, rows), axis=0)
    assert np.array_equal(jnp.stack(jax.jit(sorting.sorted_rows)(rows)), expected)
    assert np.array_equal(jnp.stack(sorting.select_ranks(jnp.asarray(rows), 4, 9)), expected[4:9])
    assert np.array_equal(jnp.stack(sorting.sorted_rows(list(jnp.asarray(rows)))), expected)


@pytest.mark.parametrize("n", [1, 2, 20, 70])
def test_rows_of_ranks_are_taken_without_an_array_of_all(n):
    rows = normal(n, 9).round(1)  # with ties
    rows[0, 0], rows[n // 2, 1] = np.nan, -np.inf
    ranks = n // 3, n - 1
    found = jax.jit(sorting.rows_of_ranks)
    expected = np.sort(np.where(np.isnan(rows), np.inf, rows), axis=0)
    assert np.array_equal(jnp.stack(found(rows, *ranks)), expected[list(ranks)])
    if n <= sorting.NETWORK_ROWS:
        # With it, the network of 64 rows took 20 s to compile and ran on one core.
        text = found.lower(rows, *ranks).as_text()
        assert "select" in text
        assert "concatenate" not in text
        assert "dynamic" not in text


@pytest.mark.parametrize("d", [1, 63, 64, 65, 128, 129, 1000, 8193])
@pytest.mark.parametrize("block", [1, 64, 100, 900])
def test_blocks_of_columns_are_of_equal_width(d, block):
    widths = []

    def function(start, width):
        widths.append(width)
        return start + jnp.arange(2 * width).reshape(2, width) % width

    found = over_columns(function, d, block)
    assert np.array_equal(found, np.tile(np.arange(d), (2, 1)))
    (width,) = set(widths)
    blocks = -(-d // block)
    assert width <= block
    assert width * blocks < d + MULTIPLE * blocks


# ---- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        aggregators.krum(2),
        aggregators.nnm(2, aggregators.trimmed_mean(2)),
        aggregators.arc(2, aggregators.mean()),
        pytest.param(aggregators.cge(2), marks=pytest.mark.long),
        pytest.param(aggregators.centered_clipping(10.0, 3), marks=pytest.mark.long),
        pytest.param(aggregators.geometric_median(2), marks=pytest.mark.long),
    ],
    ids=["krum", "nnm, trimmed mean", "arc, mean", "cge", "clipping", "geometric median"],
)
def test_no_copy_of_all_rows_is_made(rule):
    n, d = 16, 200_000
    rows = jax.ShapeDtypeStruct((n, d), jnp.float32)

    def apply(rows):
        return rule.apply(None, rule.init(d), rows)[1].value

    memory = jax.jit(apply).lower(rows).compile().memory_analysis()
    # Vectors, and blocks of columns.
    assert memory.temp_size_in_bytes < n * d * 4 * 0.75
