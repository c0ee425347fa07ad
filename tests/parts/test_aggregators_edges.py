"""What single rules promise beyond the properties of the catalogue, at their edges."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import AGGREGATORS
from lengths import often
from reference import aggregators as reference

from jaxbyz import aggregators
from jaxbyz.aggregators.rows import distances
from jaxbyz.aggregators.rows.distances import squared_distances
from jaxbyz.aggregators.rows.finite import finite_rows, rejected_rows, weighted
from jaxbyz.aggregators.rows.norms import row_norms, shortening
from jaxbyz.aggregators.subsets import subset_masks
from jaxbyz.column_passes import largest_entries
from jaxbyz.core import Aggregated, Aggregator

pytestmark = pytest.mark.usefixtures("x64")

SUBSETS = {
    "mda": (aggregators.mda, reference.mda),
    "mva": (aggregators.mva, reference.mva),
    "smea": (aggregators.smea, reference.smea),
}


SECOND_MOMENTS = (aggregators.mva, aggregators.smea, aggregators.caf, aggregators.dnc)


def details(rule, rows, key=None):
    _, result = jax.jit(rule.apply)(key, rule.init(rows.shape[1]), jnp.asarray(rows))
    return result.details


# ---- kappa -------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", AGGREGATORS, ids=str)
@pytest.mark.parametrize(("n", "f"), often([(7, 2), (8, 2), (11, 3)], ["(7, 2)"]))
def test_kappa_is_that_of_the_table_or_none(entry, n, f):
    found = aggregators.kappa(entry.make(f), n, f)
    assert found.lower_bound == f / (n - 2 * f)
    assert (found.exact is None) == (entry.kappa is None)
    if entry.kappa:
        assert found.exact == pytest.approx(entry.kappa(n, f), rel=1e-12)
        assert found.lower_bound <= found.exact * (1 + 1e-12)
    if entry.bound:
        assert found.published == pytest.approx(entry.bound(n, f), rel=1e-12)
        assert found.source
    else:  # the trimmed mean alone has a published bound beside the exact value
        assert found.published is None or entry.name == "trimmed mean"
    if found.published is None:
        assert found.source is None
    elif found.exact is not None:
        assert found.exact <= found.published


def test_kappa_of_another_f_is_not_guessed():
    for make in (aggregators.krum, aggregators.mda, aggregators.mva, aggregators.smea):
        assert aggregators.kappa(make(3), 11, 3).published is not None
        assert aggregators.kappa(make(3), 11, 2).published is None
    trimmed = aggregators.trimmed_mean(3)
    assert aggregators.kappa(trimmed, 11, 2).exact == 3 / 6  # b = 3 cut, f = 2: b/(n-f-b)
    assert aggregators.kappa(trimmed, 11, 2).published is None
    assert aggregators.kappa(trimmed, 11, 4).exact is None
    assert aggregators.kappa(aggregators.krum(3, margin=2), 11, 3).published is None
    assert aggregators.kappa(aggregators.krum(3, power=4), 11, 3).published is None
    assert aggregators.kappa(aggregators.mean(), 11, 0).exact == 0
    assert aggregators.kappa(aggregators.mean(), 11, 1).exact is None
    with pytest.raises(ValueError, match="n must be an integer >= 5, got 4"):
        aggregators.kappa(trimmed, 4, 2)


def test_kappa_of_compositions():
    f, n = 2, 11
    once = aggregators.nnm(f, aggregators.coordinate_median(f))
    twice = aggregators.nnm(f, once)
    within = 9 / 4 - 1
    assert aggregators.kappa(once, n, f).published == pytest.approx(16 / 9 * (within + 1))
    outer = 16 / 9 * (16 / 9 * (within + 1) + 1)
    assert aggregators.kappa(twice, n, f).published == pytest.approx(outer)
    for rule in (
        aggregators.nnm(f, aggregators.cge(f)),
        aggregators.nnm(f, aggregators.mean()),
        aggregators.nnm(f, aggregators.stateless(lambda rows: rows[0])),
        aggregators.arc(f, aggregators.trimmed_mean(f)),
        aggregators.clip(1.0, aggregators.trimmed_mean(f)),
        aggregators.bucketing(1, aggregators.trimmed_mean(f)),
    ):
        assert aggregators.kappa(rule, n, f)[:3] == (None, None, None)


# ---- numbers next to the largest ---------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 4, 8])
def test_means_of_a_power_of_two_of_the_largest_numbers_do_not_overflow(n):
    # A compiler that sees the factor 1/2 adds first and halves afterwards.
    rules = [aggregators.mean(), aggregators.coordinate_median(), aggregators.meamed(0)]
    rules += [aggregators.multi_krum(0, m=max(1, n // 2)), aggregators.caf(0)]
    with jax.enable_x64(False):
        rows = jnp.full((n, 2), 3.3e38, jnp.float32)
        spoilt = rows.at[0].set(jnp.nan)
        values = jax.jit(lambda rows: [rule(rows) for rule in rules])(rows)
        for value in (*values, *jax.jit(aggregators.replace_rejected)(spoilt)[0]):
            np.testing.assert_allclose(value, rows[0], rtol=1e-6)


def test_norms_and_shortened_rows_at_the_ends_of_the_range():
    with jax.enable_x64(False):
        sizes = np.array([3e38, 1e30, 1.0, 1e-30, 1e-37, 0.0], np.float32)
        directions = np.array([0.6, 0.0, -0.8], np.float32)
        rows = finite_rows(jnp.asarray(sizes[:, None] * directions))
        norms, shrink = map(np.float64, row_norms(rows))
        assert shrink < 1  # beside 3e38, what is below some 1e-37 may vanish
        np.testing.assert_allclose(norms[:4] / shrink, sizes[:4], rtol=1e-6)
        assert (norms[4:] / shrink <= sizes[4:] * (1 + 1e-6)).all()
        for radius in (1e30, 2.0, 1e-30):
            expected = np.minimum(sizes, np.float32(radius))[:, None] * directions
            first, second = jax.jit(shortening)(rows, radius, 1.0)
            short = rows.array * first[:, None] * second[:, None]
            np.testing.assert_allclose(short, expected, rtol=1e-6)


# ---- long rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("d", often([1, 7, 2047, 2048, 6000], ["7", "6000"]))
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_no_bad_entry_is_overlooked_in_a_long_row(d, dtype):
    # A maximum of floats over thousands of entries forgets NaN on CPU: with that, this fails.
    rows = np.random.default_rng(d).normal(size=(3, d)).astype(dtype)
    look = jax.jit(largest_entries)
    for value in (np.nan, -np.nan, np.inf, -np.inf, -60000.0):
        for j in {0, d // 2, d - 1, min(d - 1, 2047)}:
            spoilt = rows.copy()
            spoilt[1, j] = value
            for found in (look(spoilt), largest_entries(jnp.array(spoilt))):
                assert np.array_equal(found, np.abs(spoilt).max(axis=1), equal_nan=True)
            expected = [False, not np.isfinite(value), False]
            assert rejected_rows(jnp.array(spoilt)).tolist() == expected


# ---- many rows ---------------------------------------------------------------------------------


def colluding(n, d, liars, spread, centre, seed):
    """Rows near a centre; the last ones are equal, and one is far away."""
    rows = centre + spread * np.random.default_rng(seed).normal(size=(n, d))
    rows[-liars:] = rows[-1]
    rows[3] = 1e6
    return rows.astype(np.float32)


@pytest.mark.parametrize(
    ("n", "d", "block"),
    [(33, 5000, None), (70, 40, None), (33, 50, 16), (41, 150, 16), (42, 64, 16)],
)
@pytest.mark.parametrize("centre", [0, 1000])
def test_distances_of_many_rows_are_those_of_float64(n, d, block, centre, monkeypatch):
    if block is not None:  # so that a quarter of the products is left out, as from 512 rows on
        monkeypatch.setattr(distances, "MANY_ROWS", 40)
        monkeypatch.setattr(distances, "PRODUCT_NUMBERS", block * n)
        monkeypatch.setattr(distances, "MANY_COLUMNS", block)
    liars = n // 4
    rows = colluding(n, d, liars, 0.01, centre, seed=n)
    exact = reference.squared_distances(rows.astype(np.float64))
    with jax.enable_x64(False):
        found = np.asarray(jax.jit(squared_distances)(rows))
    assert np.array_equal(found, found.T)
    assert (found[-liars:, -liars:] == 0).all()  # the same row, again and again
    # 64 roundings of products at worst, and some of sums over d; the row at 1e6 aside, whose own
    # entries are that coarse.
    near = np.arange(n) != 3
    pairs = np.ix_(near, near)
    np.testing.assert_allclose(found[pairs], exact[pairs], rtol=2e-5, atol=0)
    assert (found[3, near] > 1e11 * d).all()


def test_copies_of_several_rows_get_the_distances_of_those():
    # Three rows with copies, copies that differ in the last bit, and a pair that is only close.
    random = np.random.default_rng(3)
    rows = (1000 + 0.01 * random.normal(size=(50, 70))).astype(np.float32)
    rows[10:20], rows[20:33:2], rows[48:] = rows[9], rows[2], rows[0]
    rows[40], rows[41] = rows[1], rows[1]
    rows[41, 3] = np.nextafter(rows[1, 3], np.float32(2000))
    rows[45] = rows[44] + np.float32(1e-3) * random.normal(size=70).astype(np.float32)
    exact = reference.squared_distances(rows.astype(np.float64))
    with jax.enable_x64(False):
        found = np.asarray(jax.jit(squared_distances)(rows))
    np.testing.assert_allclose(found, exact, rtol=2e-5, atol=0)


def test_copies_over_several_blocks_of_columns():
    random = np.random.default_rng(7)
    rows = (1000 + 0.01 * random.normal(size=(50, 45_000))).astype(np.float32)
    rows[10:20], rows[20:33:2] = rows[9], rows[2]
    rows[40], rows[41] = rows[44], rows[43]  # but for the last columns
    rows[40, 30_000:] += np.float32(1e-3) * random.normal(size=15_000).astype(np.float32)
    rows[41, -3:] += np.float32(0.01)
    with jax.enable_x64(False):
        found = np.asarray(jax.jit(squared_distances)(rows))
    assert np.array_equal(found, found.T)
    assert (found[10:20] == found[9]).all()
    assert (found[9:20, 9:20] == 0).all()
    for i in (40, 41):
        exact = ((rows.astype(np.float64) - rows[i]) ** 2).sum(axis=1)
        np.testing.assert_allclose(found[i], exact, rtol=2e-5, atol=0)


def test_products_alone_would_lose_the_distances():
    # What the check for doubtful distances is there for: liars who agree to five digits, far from
    # all others.
    random = np.random.default_rng(5)
    rows = random.normal(size=(40, 30))
    rows[25:] = 1e3 + 1e-2 * random.normal(size=(15, 30))
    rows = rows.astype(np.float32)
    exact = reference.squared_distances(rows.astype(np.float64))
    less_centre = rows - np.median(rows, axis=0)
    lengths = (less_centre**2).sum(axis=1)
    plain = lengths[:, None] + lengths - 2 * less_centre @ less_centre.T
    liars = np.s_[25:, 25:]
    assert np.abs(plain - exact)[liars].max() > 100 * exact[liars].max()
    with jax.enable_x64(False):
        found = np.asarray(jax.jit(squared_distances)(rows))
    np.testing.assert_allclose(found, exact, rtol=2e-5, atol=0)


def test_weights_of_many_rows_and_columns():
    # More rows than are summed one by one, more columns than one block holds.
    @jax.jit
    def both(some, all_of, rows):
        clean = finite_rows(rows)
        return weighted(some, clean), weighted(all_of, clean)

    for n, d in ((3, 9000), (70, 9000), (70, 5)):
        random = np.random.default_rng(n)
        rows, some, all_of = random.normal(size=(n, d)), random.normal(size=n), np.eye(n)[::-1]
        rows[1, 2] = np.nan
        one, all_rows = both(some, all_of, jnp.array(rows))  # a copy: rows change below
        rows[1] = np.median(np.delete(rows, 1, axis=0), axis=0)
        np.testing.assert_allclose(one, some @ rows, atol=1e-12)
        np.testing.assert_allclose(all_rows, rows[::-1], rtol=1e-15)


# ---- all subsets -------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "f"), [(1, 0), (4, 0), (5, 1), (6, 2), (9, 4)])
def test_ranks_enumerate_the_subsets_in_lexicographic_order(n, f):
    masks = np.asarray(
        jax.jit(lambda ranks: subset_masks(n, f, ranks))(jnp.arange(math.comb(n, f)))
    )
    found = [tuple(np.flatnonzero(mask)) for mask in masks]
    assert found == list(itertools.combinations(range(n), n - f))


def test_ranks_near_the_largest_integer():
    n, f = 34, 16
    last = math.comb(n, f) - 1  # 2 203 961 429 is too many; ranks up to 2^31 - 1 are not
    assert last > 2**31
    rank = 2**31 - 1
    mask = np.asarray(subset_masks(n, f, jnp.asarray(rank)))
    removed, left = [], rank
    for j in range(f, 0, -1):
        c = max(c for c in range(n) if math.comb(c, j) <= left)
        removed.append(n - 1 - c)
        left -= math.comb(c, j)
    assert left == 0
    assert np.array_equal(np.flatnonzero(~mask), removed)


@pytest.mark.parametrize("name", SUBSETS)
def test_subset_rules_agree_with_brute_force_over_many_chunks(name, monkeypatch):
    monkeypatch.setattr(aggregators.subsets, "CHUNK_NUMBERS", 9 * 9 * 5)
    make, expected = SUBSETS[name]
    n, f, d = 9, 3, 2
    random = np.random.default_rng(0)
    batch = np.concatenate(
        [random.normal(size=(8, n, d)), random.integers(-2, 3, size=(22, n, d)).astype(float)]
    )
    values = jax.jit(jax.vmap(make(f)))(jnp.asarray(batch))
    for rows, value in zip(batch, values, strict=True):
        np.testing.assert_allclose(value, expected(rows, f), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SUBSETS)
def test_too_many_subsets_are_refused_before_anything_runs(name):
    make, _ = SUBSETS[name]
    rows = jax.ShapeDtypeStruct((40, 3), jnp.float64)
    with pytest.raises(ValueError, match=rf"{name} with n = 40 and f = 10 .* 847660528 subsets"):
        jax.eval_shape(make(10), rows)
    with pytest.raises(ValueError, match=r"n = 7 and f = 2 .* 21 subsets.*max_subsets = 20"):
        make(2, max_subsets=20)(jnp.zeros((7, 1)))
    for enough in (21, 1e6):
        assert jax.jit(make(2, max_subsets=enough))(jnp.zeros((7, 1))).item() == 0
    for wrong in (0, -1, 0.5, True, 2**31):
        with pytest.raises(ValueError, match="max_subsets must be an integer"):
            make(2, max_subsets=wrong)


@functools.cache
def integer_worst_ratios(name, n, f):
    """‖R(X) - x̄_S‖²/Var_S, the largest over all S and many small integer inputs."""
    random = np.random.default_rng(n * f)
    wide = random.integers(0, 4, size=(800, n, 1)) * np.array([1, 0])
    flat = random.integers(0, 2, size=(400, n, 2)) * np.array([1, 0])
    both = np.concatenate([wide, flat]).astype(float)
    rule = jax.jit(jax.vmap(SUBSETS[name][0](f)))
    ratios = []
    for batch, values in zip((wide, flat), np.split(np.asarray(rule(both)), [800]), strict=True):
        for kept in itertools.combinations(range(n), n - f):
            honest = batch[:, kept]
            mean = honest.mean(axis=1)
            error = ((values - mean) ** 2).sum(axis=1)
            variance = ((honest - mean[:, None]) ** 2).sum(axis=(1, 2)) / (n - f)
            assert (error[variance == 0] == 0).all()
            ratios.append((error[variance > 0] / variance[variance > 0]).max())
    return max(ratios)


@pytest.mark.parametrize("name", ["mva", "smea"])
@pytest.mark.parametrize(
    ("n", "f"),
    [
        (4, 1),
        pytest.param(5, 2, marks=pytest.mark.long),
        pytest.param(6, 2, marks=pytest.mark.long),
    ],
)
def test_four_ratios_bound_the_subset_rules_and_are_attained(name, n, f):
    bound = 4 * f / (n - 2 * f)
    worst = integer_worst_ratios(name, n, f)
    assert worst <= bound * (1 + 1e-12)
    if (n, f) != (6, 2):
        assert worst == pytest.approx(bound, rel=1e-12)


# ---- selections --------------------------------------------------------------------------------


def test_krum_chooses_another_row_with_other_neighbours_and_powers():
    random = np.random.default_rng(1)
    batch = random.normal(size=(40, 9, 3))
    options = [{}, {"margin": 2}, {"power": 1}, {"power": 4}]
    rules = [aggregators.krum(2, **option) for option in options]
    found = jax.jit(jax.vmap(lambda rows: [rule(rows) for rule in rules]))(jnp.asarray(batch))
    for option, values in zip(options, found, strict=True):
        for rows, value in zip(batch, values, strict=True):
            assert np.array_equal(value, reference.multi_krum(rows, 2, m=1, **option))
    for values in found[1:]:
        assert (values != found[0]).any()


def test_krum_with_far_rows_and_power_four():
    # 1e18 to the fourth is no float32; it means farthest.
    with jax.enable_x64(False):
        rows = jnp.asarray(np.random.default_rng(2).normal(size=(7, 3)), jnp.float32)
        rows = rows.at[2].set(1e17).at[4].set(-3e38)
        for scale in (1.0, 1e-30):
            value = jax.jit(aggregators.krum(2, power=4))(rows * scale)
            kept = np.delete(np.asarray(rows * scale, np.float64), [2, 4], axis=0)
            assert value.tolist() in np.asarray(kept, np.float32).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": 0}, "margin"),
        ({"margin": 3}, "margin"),
        ({"power": 3}, "power must be 1, 2 or 4, got 3"),
        ({"power": 2.0}, "power"),
        ({"m": 0}, "m must be"),
        ({"m": 2.0}, "m must be"),
    ],
)
def test_options_of_selections_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        aggregators.multi_krum(1, **options)


def test_impossible_counts_are_refused_when_the_shape_is_known():
    rows = jnp.zeros((3, 1))
    with pytest.raises(ValueError, match="n = 3, f = 1 and m = 4"):
        aggregators.multi_krum(1, m=4)(rows)
    with pytest.raises(ValueError, match="n = 3, f = 1 and margin = 2"):
        aggregators.krum(1, margin=2)(rows)
    with pytest.raises(ValueError, match=r"bulyan needs n >= 4f \+ 3 rows, got n = 6 and f = 1"):
        aggregators.bulyan(1)(jnp.zeros((6, 1)))
    with pytest.raises(ValueError, match="trusted < n rows, got n = 3 and trusted = 3"):
        aggregators.monna(1, trusted=3)(rows)
    with pytest.raises(ValueError, match="trusted must be"):
        aggregators.monna(1, trusted=-1)
    with pytest.raises(ValueError, match="mode must be 'mid' or 'n-f', got 'middle'"):
        aggregators.aksel(1, mode="middle")
    with pytest.raises(ValueError, match="n = 3, f = 1 and fraction = 3"):
        aggregators.dnc(1, fraction=3)(rows)


def test_bulyan_of_more_rows():
    random = np.random.default_rng(3)
    batch = random.normal(size=(20, 11, 2)) * random.lognormal(size=(20, 11, 1))
    apply = jax.jit(jax.vmap(aggregators.bulyan(2)))
    values = apply(jnp.asarray(batch))
    for rows, value in zip(batch, values, strict=True):
        np.testing.assert_allclose(value, reference.bulyan(rows, 2), rtol=0, atol=1e-13)
    # Two neighbours in the last round: rows in another order give the same.
    np.testing.assert_allclose(apply(jnp.asarray(batch[:, ::-1])), values, rtol=0, atol=1e-13)


def test_selected_rows_are_told():
    rows = np.array([[0.0], [50.0], [1.0], [-60.0], [2.0], [0.5], [0.2]])
    honest = np.array([1, 0, 1, 0, 1, 1, 1], bool)
    rules = [
        aggregators.krum(2),
        aggregators.bulyan(1),
        aggregators.multi_krum(2),
        aggregators.cge(2),
        aggregators.mda(2),
        aggregators.mva(2),
        aggregators.smea(2),
        aggregators.dnc(2),
        aggregators.aksel(2, mode="n-f"),
    ]
    apply = jax.jit(lambda rows: [rule.apply(None, None, rows)[1] for rule in rules])
    selected = [np.asarray(result.details["selected"]) for result in apply(jnp.asarray(rows))]
    assert [mask.sum() for mask in selected[:2]] == [1, 5]
    assert all(np.array_equal(mask, honest) for mask in selected[2:])


def test_one_tie_at_the_boundary_goes_to_the_lower_index():
    rows = np.array([[2.0], [0.0], [0.0], [-2.0]])
    rules = [aggregators.cge(1), aggregators.multi_krum(1), aggregators.mva(1)]
    # By coordinates the lower value wins, wherever it stands.
    rules += [aggregators.meamed(1), aggregators.phocas(1)]
    apply = jax.jit(jax.vmap(lambda rows: jnp.concatenate([rule(rows) for rule in rules])))
    forwards, backwards = apply(np.stack([rows, rows[::-1]])).tolist()
    assert forwards == pytest.approx([2 / 3] * 3 + [-2 / 3] * 2)
    assert backwards == pytest.approx([-2 / 3] * 5)


# ---- huge rows ---------------------------------------------------------------------------------


def test_huge_rows_count_as_bad_ones_unless_there_are_too_many():
    with jax.enable_x64(False):
        rows = np.random.default_rng(4).normal(size=(7, 3)).astype(np.float32)
        rules = [make(2) for make in SECOND_MOMENTS]
        apply = jax.jit(lambda rows: [rule.apply(None, None, rows)[1] for rule in rules])
        for places, values in (([1], [1e25]), ([1, 4], [1e25, np.inf]), ([0, 6], [3e38, -1e19])):
            spoilt = rows.copy()
            spoilt[places] = np.array(values, np.float32)[:, None]
            size = np.abs(np.delete(rows, places, axis=0)).max()
            for result in apply(jnp.asarray(spoilt)):
                huge = np.isfinite(spoilt).all(axis=1) & (np.abs(spoilt).max(axis=1) > 1e18)
                assert np.array_equal(result.details["huge_rows"], huge)
                assert np.array_equal(result.rejected, ~np.isfinite(spoilt).all(axis=1))
                assert (np.abs(result.value) <= size * (1 + 1e-6)).all()
        many = rows.copy()
        many[:3] = 1e25
        for result in apply(jnp.asarray(many)):
            assert np.isfinite(result.value).all()
            assert not np.asarray(result.details["huge_rows"]).any()


# ---- filters -----------------------------------------------------------------------------------


def test_caf_ends():
    apply = jax.jit(lambda rows: aggregators.caf(3).apply(None, None, rows)[1])
    random = np.random.default_rng(5)
    for rows in (
        np.zeros((8, 3)),
        np.full((8, 3), 1e300),
        np.repeat([[1.0], [2.0]], 4, axis=0) * np.ones(3),
        random.normal(size=(8, 3)),
        random.normal(size=(8, 3)) * 1e-300,
        np.eye(8)[:, :3],
    ):
        result = apply(jnp.asarray(rows))
        assert 1 <= result.details["passes"] <= 8
        assert np.isfinite(result.value).all()
    equal = apply(jnp.full((8, 3), 7.0))
    assert equal.details["passes"] == 1
    np.testing.assert_allclose(equal.value, 7.0, rtol=1e-15)
    assert details(aggregators.caf(0), jnp.ones((4, 1)))["passes"] == 0


def test_dnc_keeps_what_is_kept_every_time():
    rows = jnp.asarray(np.diag([5.0, 6.0, 7.0]))  # in each coordinate another row stands out
    key = jax.random.key(0)
    rule = aggregators.dnc(1, dims=1, iterations=40)
    with pytest.raises(ValueError, match=r"n = 3, f = 1, iterations = 40 .*kept no row"):
        rule.apply(key, None, rows)
    _, result = jax.jit(lambda rows: rule.apply(key, None, rows))(rows)
    assert result.details["empty"]
    assert result.value.tolist() == [0.0, 0.0, 0.0]
    once = details(aggregators.dnc(1, dims=1), rows, key)
    assert not once["empty"]
    assert np.asarray(once["selected"]).sum() == 2


def test_dnc_drops_a_multiple_of_f_counted_without_rounding():
    rows = jnp.asarray(np.random.default_rng(6).normal(size=(205, 2)))
    rule = aggregators.dnc(100, fraction=0.29)  # 0.29 · 100 is 28.999…
    assert np.asarray(details(rule, rows)["selected"]).sum() == 205 - 29


# ---- keys and states ---------------------------------------------------------------------------


def test_rules_that_draw_need_a_key_and_use_nothing_else():
    rows = jnp.asarray(np.random.default_rng(7).normal(size=(9, 4)))
    for rule in (aggregators.bucketing(2, aggregators.mean()), aggregators.dnc(2, dims=1)):
        with pytest.raises(ValueError, match="needs a key"):
            rule(rows)
        apply = jax.jit(lambda key, rule=rule: rule.apply(key, None, rows)[1].value)
        values = [apply(jax.random.key(seed)) for seed in (0, 0, 1, 2, 3, 4)]
        assert jnp.array_equal(values[0], values[1])
        assert not all(jnp.array_equal(values[0], value) for value in values)


def test_buckets():
    seen = []

    def look(key, state, rows):
        seen.append((key, np.asarray(rows)))
        return state + 1, Aggregated(rows[0], jnp.zeros(len(rows), bool), {"said": state})

    inner = Aggregator(lambda d: jnp.zeros(()), look)
    rows = jnp.asarray(2.0 ** np.arange(7)[:, None])
    for s, groups in ((1, 7), (2, 4), (3, 3), (7, 1), (9, 1)):
        rule = aggregators.bucketing(s, inner)
        state, result = rule.apply(jax.random.key(s), rule.init(1), rows.at[2].set(jnp.nan))
        assert state == 1
        assert result.details == {"said": 0}
        assert result.rejected.tolist() == [False, False, True, False, False, False, False]
        key, means = seen.pop()
        assert (jax.random.key_data(key) != jax.random.key_data(jax.random.key(s))).any()
        sizes = np.array([min(s, 7 - i) for i in range(0, 7, s)])
        assert means.shape == (groups, 1)
        # Row 2 was replaced by the median of the others, 12. Each row is in one group.
        assert (means[:, 0] * sizes).sum() == pytest.approx(1 + 2 + 12 + 8 + 16 + 32 + 64)
    rule = aggregators.bucketing(2, aggregators.trimmed_mean(2))
    with pytest.raises(ValueError, match="trimmed_mean needs n > 2 trim rows, got n = 4"):
        rule.apply(jax.random.key(0), None, rows)
    for s in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="s must be an integer >= 1"):
            aggregators.bucketing(s, aggregators.mean())


def test_centered_clipping_goes_on_from_its_state():
    rule = aggregators.centered_clipping(tau=0.5, iterations=2)
    random = np.random.default_rng(8)
    state, point = rule.init(3), np.zeros(3)
    apply = jax.jit(rule.apply)
    for _ in range(5):
        rows = random.normal(size=(6, 3)) + 4
        before = np.array(state)
        after, result = apply(None, state, jnp.asarray(rows))
        assert np.array_equal(before, state)
        point = reference.centered_clipping(rows, point, 0.5, 2)
        np.testing.assert_allclose(result.value, point, rtol=0, atol=1e-13)
        assert jnp.array_equal(after, result.value)
        state = after
    # Its own state moves with the rows.
    shift = np.array([1.0, -2.0, 3.0])
    _, moved = apply(None, state + shift, jnp.asarray(rows + shift))
    _, still = apply(None, state, jnp.asarray(rows))
    np.testing.assert_allclose(moved.value, still.value + shift, rtol=0, atol=1e-13)


def test_centered_clipping_from_far_away():
    with jax.enable_x64(False):
        rows = jnp.asarray(np.random.default_rng(9).normal(size=(5, 2)) * 1e-30, jnp.float32)
        rule = aggregators.centered_clipping(tau=1e20, iterations=1)
        apply = jax.jit(rule.apply)
        for start in (0.0, 1e10, 3e38):
            state, result = apply(None, jnp.full(2, start, jnp.float32), rows)
            assert state.dtype == jnp.float32
            assert np.isfinite(result.value).all()
        half, result = apply(None, rule.init(2), rows.astype(jnp.float16))
        assert half.dtype == jnp.float32
        assert result.value.dtype == jnp.float16


def test_hyper_parameters_may_be_traced():
    rows = jnp.asarray(np.random.default_rng(10).normal(size=(6, 3)) * 3)
    sizes = jnp.array([0.1, 1.0, 10.0])
    sweeps = {
        "tau": lambda size: aggregators.centered_clipping(size, 2)(rows),
        "nu": lambda size: aggregators.smoothed_weiszfeld(3, size)(rows),
        "c": lambda size: aggregators.clip(size, aggregators.mean())(rows),
    }
    for name, function in sweeps.items():
        swept = jax.jit(jax.vmap(function))(sizes)
        each = jax.jit(lambda f=function: [f(size) for size in sizes.tolist()])()  # plain numbers
        np.testing.assert_allclose(swept, each, rtol=1e-12)
        for wrong in (0.0, -1.0, np.nan, True, "1"):
            with pytest.raises(ValueError, match=f"{name} must"):
                function(wrong)
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="iterations must be an integer >= 1"):
            aggregators.smoothed_weiszfeld(wrong, 0.1)
        with pytest.raises(ValueError, match="iterations must be an integer >= 1"):
            aggregators.centered_clipping(0.1, wrong)


def test_smoothed_weiszfeld_is_the_mean_of_near_rows_and_not_the_median():
    rows = jnp.asarray(np.random.default_rng(11).normal(size=(6, 3)))
    far = rows.at[0].set(1e3)
    near, short, converged = jax.jit(
        lambda: [
            aggregators.smoothed_weiszfeld(8, nu=100.0)(rows),
            aggregators.smoothed_weiszfeld(3, nu=0.1)(far),
            aggregators.geometric_median(tolerance=1e-9)(far),
        ]
    )()
    np.testing.assert_allclose(near, rows.mean(axis=0), rtol=0, atol=1e-15)
    assert np.linalg.norm(short - converged) > 1e-2


@pytest.mark.long
def test_arc_shortens_as_many_rows_as_its_integer_formula_says():
    seen = []

    def look(key, state, rows):
        seen.append(np.asarray(rows))
        return state, Aggregated(rows[0], jnp.zeros(len(rows), bool), {})

    inner = Aggregator(lambda d: None, look)
    for n, f in ((5, 1), (7, 2), (9, 3), (10, 0), (11, 5)):
        rows = np.arange(1.0, n + 1)[::-1, None]
        aggregators.arc(f, inner)(jnp.asarray(rows))
        count = 2 * f * (n - f) // n
        np.testing.assert_allclose(seen.pop(), np.minimum(rows, n - count), rtol=1e-15)
