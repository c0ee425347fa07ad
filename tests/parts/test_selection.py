"""The largest of many numbers, and uniform subsets, in each of the ways that they are found."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.column_passes import PAIRED, order_statistic
from jaxbyz.compressors import random_subset, random_subsets, top_k
from jaxbyz.compressors.batch_aware import LONG, mapped, sees_its_batch
from jaxbyz.compressors.k_largest import (
    are_largest,
    indices_of,
    largest_keys,
    largest_magnitudes,
)
from jaxbyz.compressors.sparsifiers import MOST, scatter
from jaxbyz.compressors.tournament import LEAST, LONGEST, largest_sorted, merge

pytestmark = pytest.mark.usefixtures("x64")


def by_stable_sort(x, k):
    """Where the k largest |x_j| of every row are, in increasing order; NaN is the largest."""
    size = np.where(np.isnan(x), np.inf, np.abs(x))
    order = np.lexsort((-size, ~np.isnan(x)), axis=-1)  # NaN first, then by size, then by place
    return np.sort(order[..., :k], axis=-1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_largest_magnitudes_are_those_of_a_stable_sort(dtype):
    random = np.random.default_rng(4)
    for d, ks in ((1, [1]), (7, [3, 7]), (300, [4, 5, 150, 300])):
        x = random.integers(-5, 6, d).astype(dtype)  # ties at every edge
        if d > 5:
            x[2], x[4] = np.inf, np.nan
        for k in ks:
            found = np.sort(largest_magnitudes(jnp.array(x), k))
            np.testing.assert_array_equal(found, by_stable_sort(x, k))


@pytest.mark.parametrize(
    ("dtype", "d"),
    [
        *((np.float32, d) for d in (1, 2, 33, LONGEST + 1)),
        *((dtype, 9) for dtype in (np.float16, np.float64)),
    ],
)
def test_the_largest_of_many_short_vectors(dtype, d):
    """At once, whichever axis the vectors lie along; levels, so that there are ties at edges."""
    x = np.random.default_rng(5).integers(-9, 10, (LEAST // 3 + 1, 3, d)).astype(dtype)
    x[3, 1] = 0
    x[5, 1, : d // 2] = np.nan
    x[5, 2, d // 2] = -np.inf
    for k in {1, d // 10 + 1, min(d, MOST // d)}:
        rows = jax.vmap(lambda row, k=k: are_largest(row, k))
        expected = np.zeros(x.shape, bool)
        np.put_along_axis(expected, by_stable_sort(x, k), True, -1)
        first = jax.jit(jax.vmap(rows))(jnp.array(x))
        last = jax.jit(jax.vmap(rows, -1, -1))(jnp.moveaxis(jnp.array(x), 0, -1))
        np.testing.assert_array_equal(first, expected)
        np.testing.assert_array_equal(np.moveaxis(last, -1, 0), expected)


@pytest.mark.parametrize("few", [(3,), (LEAST,), (LEAST, 1), (1, LEAST), (2, 3, 5)])
def test_the_largest_of_few_short_vectors(few):
    """One by one."""
    x = np.random.default_rng(6).integers(-9, 10, (*few, 13)).astype(np.float32)
    marks = lambda row: are_largest(row, 4)  # noqa: E731
    for _ in few:
        marks = jax.vmap(marks)
    expected = np.zeros(x.shape, bool)
    np.put_along_axis(expected, by_stable_sort(x, 4), True, -1)
    np.testing.assert_array_equal(marks(jnp.array(x)), expected)


def test_a_valley_is_merge():
    """All zeros and ones that fall and rise, hence all numbers.

    (The 0-1 principle: what a sequence of minima and maxima does to numbers it does to all their
    thresholds, and thresholds of a valley are valleys.)
    """
    for n in (*range(1, 20), 31, 32, 33, 50, 63, 64):
        ends = [(a, b) for a in range(n + 1) for b in range(n + 1 - a)]
        valleys = np.array([[1] * a + [0] * (n - a - b) + [1] * b for a, b in ends])
        found = np.array(merge(list(valleys.T)))
        np.testing.assert_array_equal(found.T, np.sort(valleys, axis=1))


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_the_k_largest_are_in_order(k):
    """All zeros and ones of up to 11 numbers; those that are not put in order fall and rise."""
    for n in range(1, 12):
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        expected = np.sort(bits, axis=1)[:, -k:]
        rising = np.array(largest_sorted(list(bits.T), k)).T
        np.testing.assert_array_equal(rising, expected)
        valley = np.array(largest_sorted(list(bits.T), k, ordered=False)).T
        np.testing.assert_array_equal(np.sort(valley, axis=1), expected)
        steps = np.diff(valley, axis=1)
        assert not ((steps < 0) & (np.maximum.accumulate(steps, axis=1) > 0)).any()


@pytest.mark.parametrize("k", [3, LONG // 7, LONG])
def test_the_largest_of_long_vectors(k):
    """One after another; with few and with many ties."""
    x = np.random.default_rng(6).normal(size=(3, LONG + 5)).astype(np.float32)
    x[1] = np.round(x[1])
    x[2, 70:90] = np.nan
    found = jax.jit(jax.vmap(lambda row: largest_magnitudes(row, k)))(jnp.array(x))
    np.testing.assert_array_equal(np.sort(found, axis=-1), by_stable_sort(x, k))


def test_a_gradient_goes_through_the_values_that_top_k_keeps():
    x = jnp.array(np.random.default_rng(7).normal(size=(LEAST, 2, 6)))
    compressor = top_k(k=2)

    def energy(x):
        one = lambda row: compressor.decompress(compressor.compress(None, row))  # noqa: E731
        return (jax.vmap(jax.vmap(one))(x) ** 2).sum() / 2

    gradient = np.asarray(jax.jit(jax.grad(energy))(x))
    expected = np.zeros_like(x)
    places = by_stable_sort(np.asarray(x), 2)
    np.put_along_axis(expected, places, np.take_along_axis(np.asarray(x), places, -1), -1)
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("d", [1, 32, 100])
def test_indices_of_bits_in_words(d):
    random = np.random.default_rng(d)
    for share in (0.1, 0.5, 1.0):
        chosen = random.random(d) < share
        chosen[d - 1] = True
        found = indices_of(jnp.array(chosen), int(chosen.sum()))
        assert found.tolist() == np.nonzero(chosen)[0].tolist()


def test_largest_keys_give_ties_to_the_lowest_index():
    keys = np.random.default_rng(8).integers(0, 4, 200).astype(np.uint32)
    for k in (1, 40, 199, 200):
        expected = np.zeros(200, bool)
        expected[np.argsort(-keys.astype(int), kind="stable")[:k]] = True
        assert largest_keys(jnp.array(keys), k).tolist() == expected.tolist()


@pytest.mark.parametrize("n", [1, 2, 7, PAIRED + 1])
def test_in_order_is_a_sorted_array(n):
    values = np.random.default_rng(n).integers(0, 5, n).astype(float)
    values[n // 2] = np.inf
    for rank in {0, (n - 1) // 2, n - 1}:
        assert float(order_statistic(jnp.array(values), rank)) == np.sort(values)[rank]


def test_comparing_and_walking_scatter_the_same():
    values, places = jnp.array([-0.0, jnp.nan, 3.0]), jnp.array([4, 0, 2])
    short = scatter(values, places, 6)
    long = scatter(values, places, MOST)[:6]
    np.testing.assert_array_equal(np.asarray(short), np.asarray(long))
    assert np.signbit(short[4])
    assert np.signbit(long[4])


def test_ties_of_the_first_numbers_are_decided_by_more_bits(monkeypatch):
    # All first numbers equal: the second ones alone choose, and still every subset is as likely.
    hashed, calls = random_subsets.threefry_2x32, []

    def tied(key, count):
        calls.append(key)  # the first numbers first, in every trace
        return jnp.full_like(count, 5) if len(calls) % 2 else hashed(key, count)

    monkeypatch.setattr(random_subsets, "threefry_2x32", tied)
    random_subsets._largest.cache_clear()  # of programs with other first numbers
    found = set()
    for seed in range(30):
        subset = tuple(random_subset(jax.random.key(seed), 5, 2).tolist())
        assert len(set(subset)) == 2
        found.add(subset)
    random_subsets._largest.cache_clear()
    assert len(calls) % 2 == 0
    # Thirty draws miss a given subset of the ten with probability 0.9^30 = 4 %.
    assert len(found) >= 8


def test_a_subset_is_the_same_alone_and_among_others():
    keys = jax.random.split(jax.random.key(9), 3)
    for d, k in ((50, 5), (LONG + 1, 1000)):
        drawn = jax.vmap(lambda key, d=d, k=k: random_subset(key, d, k))(keys)
        for key, row in zip(keys, drawn, strict=True):
            assert random_subset(key, d, k).tolist() == row.tolist()


@pytest.mark.parametrize(
    ("d", "k", "size", "count"),
    [
        (3, 2, 4, 7),  # the last of seven words names no place
        (5, 3, 5, 6),
        (3, 3, 6, 4),
        (40, 1, 2, 41),  # where the few are sorted
    ],
)
def test_every_subset_comes_of_as_many_words(d, k, size, count):
    """All words of all kinds, count^size of them: the law itself, not a sample of it."""
    words = np.stack(np.meshgrid(*[np.arange(count)] * size, indexing="ij"), -1).reshape(-1, size)
    draw = jax.jit(jax.vmap(lambda some: random_subsets.first_different(some, d, k, count)))
    subsets, enough = (np.asarray(part) for part in draw(jnp.asarray(words, jnp.uint32)))
    for some, subset, yes in zip(words.tolist(), subsets.tolist(), enough, strict=True):
        different = list(dict.fromkeys(w % d for w in some if w < count - count % d))
        assert yes == (len(different) >= k)
        assert not yes or subset == sorted(different[:k])
    found, counts = np.unique(subsets[enough], axis=0, return_counts=True)
    assert len(found) == math.comb(d, k)
    assert (counts == counts[0]).all()


def test_too_few_different_places_are_drawn_anew(monkeypatch):
    d, k, draws = random_subsets.LENGTH, 40, 300
    monkeypatch.setattr(random_subsets, "_words_for", lambda d, k: k)
    random_subsets._places.cache_clear()
    # Forty words name a place twice with probability 9 %: in so many draws, some do.
    keys = jax.random.split(jax.random.key(3), draws)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: random_subset(key, d, k)))(keys))
    random_subsets._places.cache_clear()
    assert drawn.shape == (draws, k)
    assert (np.diff(drawn, axis=1) > 0).all()
    assert drawn.min() >= 0
    assert drawn.max() < d


@pytest.mark.parametrize("d", [random_subsets.LENGTH, 11_830, 10**6, 2**31 - 1, 2**30 + 1])
def test_words_suffice(d):
    """The mean number of different places is more than five deviations above k."""
    for k in {1, 2, d // 1000, d // 10}:
        size = random_subsets._words_for(d, k)
        useful = size * (2**32 - 2**32 % d) / 2**32
        different = d * -math.expm1(useful * math.log1p(-1 / d))
        # The variance of the number of different ones is below that of how many are useful, and
        # of how many meet, about useful²/(2d).
        deviation = math.sqrt(useful * (1 - useful / size) + useful**2 / (2 * d))
        assert different - k > 5 * deviation + 4
        assert size < (1.2 if d < 2**30 else 2.3) * k + 8 * math.sqrt(k) + 20


def test_the_border_between_the_two_ways_of_drawing(monkeypatch):
    for name in ("_largest", "_places"):
        monkeypatch.setattr(random_subsets, name, lambda d, k, name=name: lambda keys: name)
    d = random_subsets.LENGTH
    assert random_subset(jax.random.key(0), d - 1, 1) == "_largest"
    assert random_subset(jax.random.key(0), d, d // 10) == "_places"
    assert random_subset(jax.random.key(0), d, d // 10 + 1) == "_largest"


@pytest.mark.parametrize("share", [8, 32, 64])  # the k largest; few places; places to be sorted
def test_places_of_long_vectors_are_drawn_evenly(share):
    d, k, draws = LONG, LONG // share, 60
    keys = jax.random.split(jax.random.key(10), draws)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: random_subset(key, d, k)))(keys))
    assert (np.diff(drawn, axis=1) > 0).all()
    counts = np.bincount(drawn.ravel(), minlength=d)
    mean, variance = draws / share, draws / share * (1 - 1 / share)
    # Σ (count - mean)²/variance over d places has mean d and deviation about √(2d) = 181: four.
    assert abs(((counts - mean) ** 2 / variance).sum() - d) < 724


def test_a_function_sees_its_batch():
    shapes = []
    seen = sees_its_batch(lambda x: (shapes.append(x.shape), x.sum(axis=-1))[1])
    assert jax.vmap(jax.vmap(seen, 1, 0))(jnp.ones((4, 3, 2))).shape == (4, 2)
    assert shapes[-1] == (4, 2, 3)
    assert mapped(lambda x: x + 1, jnp.arange(6).reshape(2, 3), 2, LONG).tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]
