import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import AGGREGATORS, KEY_SEED
from lengths import often
from reference import aggregators as reference

from jaxbyz.aggregators import (
    geometric_median,
    krum,
    nnm,
    rejected_rows,
    replace_rejected,
    stateless,
    trimmed_mean,
)
from jaxbyz.aggregators.rows import sorting
from jaxbyz.aggregators.rows.centring import centred_at_median, squared_distances_of
from jaxbyz.aggregators.rows.distances import nearest, squared_distances
from jaxbyz.aggregators.rows.finite import finite_rows
from jaxbyz.core import Aggregated, Aggregator
from jaxbyz.messages import Dense
from jaxbyz.sanitize import sanitize_messages

pytestmark = pytest.mark.usefixtures("x64")

every = pytest.mark.parametrize("entry", AGGREGATORS, ids=str)
ROBUST = [entry for entry in AGGREGATORS if entry.kappa or entry.bound]
EXACT = [entry for entry in AGGREGATORS if entry.kappa]
N, F, D = 7, 2, 4  # the shape of most tests, so that one program serves them all
BATCH = 30

# Direct rules: a few hundred roundings of 1e-16 each. Rules with a geometric median stop at a
# residual of 1e-10, which a flat objective turns into an error some thousand times as large.
DIRECT, ITERATIVE = 1e-12, 1e-6


class Outcome(NamedTuple):
    value: np.ndarray  # [B, d]
    rejected: np.ndarray  # [B, n]
    details: dict


def is_iterative(entry):
    return "geometric" in entry.name


def tolerance(entry):
    return ITERATIVE if is_iterative(entry) else DIRECT


def called(rule, rows):
    """One call with the key of all tests, and the first state."""
    return rule.apply(jax.random.key(KEY_SEED), rule.init(rows.shape[1]), rows)[1]


@functools.cache
def compiled(entries, f):
    rules = [entry.make(f) for entry in entries]
    return jax.jit(jax.vmap(lambda rows: [called(rule, rows) for rule in rules]))


def outcome(entry, f, batch, alone=False):
    """A rule on all rows [n, d] of a batch of at most BATCH.

    All rules are compiled in one program, which is three times as fast as one after another.
    """
    batch = np.asarray(batch)
    n = batch.shape[1]
    entries = (entry,) if alone else tuple(e for e in AGGREGATORS if n >= e.least(f))
    missing = np.repeat(batch[:1], BATCH - len(batch), axis=0)
    results = compiled(entries, f)(jnp.asarray(np.concatenate([batch, missing])))
    mine = tuple(results[entries.index(entry)])
    return Outcome(*jax.tree.map(lambda leaf: np.asarray(leaf)[: len(batch)], mine))


def inputs(n, d, seed=0):
    """A batch [BATCH, n, d]: Gaussian, heavy-tailed, heterogeneous, clustered, with zeros."""
    random = np.random.default_rng(seed)
    sixth = BATCH // 6
    shape = (sixth, n, d)
    lengths = random.lognormal(sigma=2, size=(sixth, n, 1))
    kinds = [
        random.normal(size=shape),
        random.standard_cauchy(size=shape),
        lengths * random.normal(size=shape),
        random.normal(size=shape) + 5 * random.normal(size=(sixth, 1, d)),
        random.normal(size=shape) * 0.1 + 3 * random.integers(0, 2, size=(sixth, n, 1)),
        random.normal(size=shape) * random.integers(0, 2, size=shape),
    ]
    return np.concatenate(kinds)


def same_rule(entry, f, rows, value):
    """Whether a value is what the definition says, with ties of the objective allowed."""
    expected = entry.reference(rows, f)
    size = np.abs(rows).max()
    if not is_iterative(entry):
        return np.abs(value - expected).max() <= DIRECT * (1 + np.abs(expected).max())
    points = reference.mixed(rows, f) if entry.name.startswith("nnm") else rows
    best = reference.total_distance(points, expected)
    # The objective is flat at its minimum: a residual of 1e-10 shows in it squared.
    return reference.total_distance(points, value) <= best + 1e-9 * size


# ---- agreement with the definitions ------------------------------------------------------------


# n = 1, n = 2f+1, n even and odd, d = 1.
SHAPES = [(1, 0, 3), (5, 2, 1), (6, 2, 3), (N, F, D)]


@every
@pytest.mark.parametrize(("n", "f", "d"), often(SHAPES, [str(s) for s in SHAPES if s[0] in (5, N)]))
def test_agrees_with_its_definition(entry, n, f, d):
    if n < entry.least(f):
        pytest.skip("too few rows for this rule")
    batch = inputs(n, d, seed=n)
    result = outcome(entry, f, batch)
    settled = result.details.get("converged", np.ones(len(batch), bool))
    assert settled.mean() >= 0.8  # Weiszfeld's steps are slow where the minimum is nearly a row
    for rows, value in zip(batch[settled], result.value[settled], strict=True):
        assert same_rule(entry, f, rows, value)
    assert not result.rejected.any()


@every
def test_ties_are_broken_as_documented(entry):
    # n-f is a power of two, so that means of integers are exact and a tie is a tie everywhere.
    n, f, d = 6, 2, 3
    if n < entry.least(f) or not entry.ties:
        pytest.skip("too few rows for this rule")
    small = np.random.default_rng(1).integers(-1, 2, size=(BATCH - 4, n, d))
    equal = np.ones((1, n, d))
    half = (np.arange(n) < n / 2)[None, :, None] * equal  # two clusters of identical rows
    batch = np.concatenate([small, equal, 0 * equal, half, 1 - half]).astype(float)
    result = outcome(entry, f, batch)
    settled = result.details.get("converged", np.ones(len(batch), bool))
    assert settled.mean() >= 0.8
    for rows, value in zip(batch[settled], result.value[settled], strict=True):
        assert same_rule(entry, f, rows, value)


@pytest.mark.parametrize("name", ["trimmed mean", "coordinate median", "nnm, geometric median"])
def test_many_rows_take_the_library_sort(name):
    (entry,) = (entry for entry in AGGREGATORS if entry.name == name)
    n, f = sorting.NETWORK_ROWS + 2, 5
    rows = np.random.default_rng(2).normal(size=(n, 3))
    rows[7] = np.nan
    rule = entry.make(f)
    value = jax.jit(lambda rows: rule(rows))(jnp.asarray(rows))
    if entry.kappa:
        # Rules by entries do not replace a bad row: it stands at an end and is trimmed there.
        assert same_rule(entry, f, np.where(np.isnan(rows), 1e9, rows), value)
    else:
        # Mixing leaves a bad row out, and puts the mean of all others in its place.
        good = np.delete(rows, 7, axis=0)
        near = np.argsort(reference.squared_distances(good), axis=1)[:, : n - f]
        mixed = np.insert(good[near].mean(axis=1), 7, good.mean(axis=0), axis=0)
        # A residual of 1e-10 beside a flat objective.
        np.testing.assert_allclose(value, reference.geometric_median(mixed), atol=1e-7)


def test_networks_below_and_above_64_rows_agree(monkeypatch):
    rows = jnp.asarray(np.random.default_rng(3).integers(0, 4, size=(9, 50)).astype(float))
    network = jnp.stack(sorting.sorted_rows(rows)), jnp.stack(sorting.select_ranks(rows, 2, 7))
    monkeypatch.setattr(sorting, "NETWORK_ROWS", 3)
    library = jnp.stack(sorting.sorted_rows(rows)), jnp.stack(sorting.select_ranks(rows, 2, 7))
    assert jnp.array_equal(network[0], library[0])
    assert jnp.array_equal(jnp.sort(network[1], axis=0), library[1])


# ---- invariances -------------------------------------------------------------------------------


def tie_free(entry, f, rows):
    """Whether the best Krum score is clearly the best among rows that differ."""
    if "krum" not in entry.name:
        return True
    points = reference.mixed(rows, f) if entry.name.startswith("nnm") else rows
    scores = np.array(reference.krum_scores(points, f))
    best = points[scores.argmin()]
    others = scores[(points != best).any(axis=1)]
    return len(others) == 0 or others.min() > scores.min() * (1 + 1e-6)


def permuted(random, batch, value):
    order = random.permutation(batch.shape[1])
    return batch[:, order], value


def translated(random, batch, value):
    shift = random.normal(size=batch.shape[2])
    return batch + shift, value + shift


def scaled_up(random, batch, value):
    return batch * 3.7, value * 3.7


def rotated(random, batch, value):
    q, _ = np.linalg.qr(random.normal(size=(batch.shape[2], batch.shape[2])))
    return batch @ q, value @ q


def recolumned(random, batch, value):
    """Other columns 1, 2, …; of the value only column 0 is known."""
    changed = batch.copy()
    changed[:, :, 1:] = 10 * random.normal(size=changed[:, :, 1:].shape)
    return changed, value[:, :1]


TRANSFORMATIONS = {
    "P": permuted,
    "T": translated,
    "S": scaled_up,
    "O": rotated,
    "L": recolumned,
}


@every
@pytest.mark.parametrize("letter", TRANSFORMATIONS)
def test_invariances_are_those_of_the_table(entry, letter):
    random = np.random.default_rng(4)
    batch = np.stack([rows for rows in inputs(N, D, seed=5) if tie_free(entry, F, rows)])
    before = outcome(entry, F, batch)
    changed, expected = TRANSFORMATIONS[letter](random, batch, before.value)
    after = outcome(entry, F, changed)
    error = np.abs(after.value[:, : expected.shape[1]] - expected).max(axis=1)
    size = 1 + np.abs(batch).max(axis=(1, 2)) + np.abs(changed).max(axis=(1, 2))
    yes = np.ones(len(batch), bool)
    settled = before.details.get("converged", yes) & after.details.get("converged", yes)
    assert settled.sum() >= 0.8 * len(batch)
    if letter in entry.invariances:
        assert (error[settled] <= tolerance(entry) * size[settled]).all()
    else:  # the table claims no less than is true
        assert (error[settled] > 1e-3 * size[settled]).any()


@every
def test_unanimity(entry):
    vectors = np.random.default_rng(6).normal(size=(BATCH, 1, D)) * np.geomspace(1e-9, 1e9, D)
    vectors[0] = 0
    if not entry.unanimous:
        pytest.skip("the result is shorter than the rows")
    for f in (0, F):
        result = outcome(entry, f, np.repeat(vectors, N, axis=1))
        # Σ v/m rounds twice per row.
        np.testing.assert_allclose(result.value, vectors[:, 0], rtol=2 * N * 2**-53)
        assert result.details.get("converged", np.array(True)).all()
    with jax.enable_x64(False):
        signs = np.array([[1, -1, 1, 0], [-1, -1, -1, -1]], np.float32)
        vectors = np.concatenate([signs * np.float32(size) for size in (3.3e38, 1e30, 1, 1e-30)])
        result = outcome(entry, F, np.repeat(vectors[:, None], N, axis=1))
        np.testing.assert_allclose(result.value, vectors, rtol=2 * N * 2**-24)


@every
def test_without_byzantine_rows_it_is_the_mean_where_the_formula_keeps_all(entry):
    batch = inputs(N, D, seed=7)
    error = np.abs(outcome(entry, 0, batch).value - batch.mean(axis=1)).max(axis=1)
    size = np.abs(batch).max(axis=(1, 2))
    if entry.mean_without_byzantine:
        assert (error <= DIRECT * size).all()
    else:
        assert (error > 1e-3 * size).any()


# ---- robustness --------------------------------------------------------------------------------


def spread(rows):
    """Var of rows [..., h, d]."""
    deviations = rows - rows.mean(axis=-2, keepdims=True)
    return (deviations**2).sum(axis=(-2, -1)) / rows.shape[-2]


def extremal(n, f, kappa):
    """Honest values 0, and the t largest of them 1; κ = h/t - 1 says how many those are."""
    h = n - f
    t = round(h / (1 + kappa))
    return np.array([0.0] * (h - t) + [1.0] * t)


def adversarial(n, f, kappa, seed):
    """A batch [BATCH, n, d] with the extremal rows, lightly disturbed, and Byzantine ones."""
    random = np.random.default_rng(seed)
    batch = inputs(n, D, seed)
    column = extremal(n, f, kappa)
    for i in range(0, BATCH, 2):
        honest = np.stack([random.permutation(column) for _ in range(D)], axis=1)
        honest += random.normal(size=honest.shape) * random.choice([0, 0.01, 0.2])
        lies = np.full((f, D), random.choice([1.0, 1.5, 10.0, 1e6]))
        lies *= random.choice([-1, 1], size=D) if i % 4 else 1
        batch[i] = random.permutation(np.concatenate([honest, lies]))
    return batch


@pytest.mark.parametrize("entry", ROBUST, ids=str)
@pytest.mark.parametrize(("n", "f"), often([(N, F), (8, 2), (8, 3)], ["(7, 2)"]))
def test_kappa_is_never_exceeded_for_any_honest_subset(entry, n, f):
    if n < entry.least(f) or (entry.kappa is None and n > N):
        pytest.skip("too few rows for this rule, or only a loose published bound to test")
    kappa = (entry.kappa or entry.bound)(n, f)
    batch = adversarial(n, f, entry.kappa(n, f) if entry.kappa else f / (n - 2 * f), seed=n + f)
    value = outcome(entry, f, batch, alone=n > N).value
    for chosen in itertools.combinations(range(n), n - f):
        honest = batch[:, chosen]
        error = ((value - honest.mean(axis=1)) ** 2).sum(axis=1)
        # Rounding errors are relative to the largest row, which may be Byzantine.
        slack = (1e-13 * np.abs(batch).max(axis=(1, 2))) ** 2
        assert (error <= kappa * spread(honest) * (1 + 1e-9) + slack).all()


@pytest.mark.parametrize("entry", EXACT, ids=str)
@pytest.mark.parametrize(("n", "f"), often([(N, F), (8, 2), (8, 3), (11, 3)], ["(7, 2)", "(8, 2)"]))
def test_kappa_is_attained(entry, n, f):
    if n < entry.least(f):
        pytest.skip("too few rows for this rule")
    honest = extremal(n, f, entry.kappa(n, f))[:, None] * np.array([1.0, -2.0, 0.5, 3.0])
    if entry.name == "lower median":  # the other side is better off
        honest = -np.abs(honest)
    signs = np.sign(honest[-1])
    for lie in (2.0 * honest[-1], 1e9 * signs, np.inf * signs):
        rows = np.concatenate([honest, np.tile(lie, (f, 1))])
        value = outcome(entry, f, rows[None], alone=n > N).value[0]
        ratio = ((value - honest.mean(axis=0)) ** 2).sum() / spread(honest)
        assert ratio == pytest.approx(entry.kappa(n, f), rel=1e-12)  # a dozen roundings


@pytest.mark.parametrize("entry", [e for e in AGGREGATORS if e.majority], ids=str)
def test_a_majority_of_equal_rows_wins(entry):
    # n-f zeros and f copies of v: a finite κ forces 0, exactly.
    v = (
        np.random.default_rng(8).normal(size=(BATCH, 1, D))
        * np.geomspace(1e-3, 1e3, BATCH)[:, None, None]
    )
    zeros = np.zeros((BATCH, N - F, D))
    first = np.concatenate([np.repeat(v, F, axis=1), zeros], axis=1)
    last = np.concatenate([zeros, np.repeat(v, F, axis=1)], axis=1)
    assert (outcome(entry, F, first).value == 0).all()
    assert (outcome(entry, F, last).value == 0).all()


@pytest.mark.parametrize("entry", EXACT, ids=str)
def test_kappa_holds_when_the_byzantine_rows_are_not_finite(entry):
    for rows, bad in spoiled(np.float64, finite=False):
        result = outcome(entry, F, rows)
        honest = rows[0, ~bad]
        error = ((result.value - honest.mean(axis=0)) ** 2).sum(axis=1)
        assert (error <= entry.kappa(N, F) * spread(honest) * (1 + 1e-9)).all()


# ---- rows that are not finite, or huge, or tiny ------------------------------------------------


def spoiled(dtype, finite=None):
    """For each set of f places: a batch with all kinds of bad or extreme rows there, [B, n, d]."""
    limits = np.finfo(dtype)
    nan, inf = np.nan, np.inf
    not_finite = [
        [nan, nan, nan, nan],
        [inf, inf, inf, inf],
        [-inf, -inf, -inf, -inf],
        [nan, inf, -inf, 1.0],
        [0.0, 0.0, nan, 0.0],
        [0.0, -inf, 0.0, 0.0],
    ]
    extreme = [
        [limits.max] * 4,
        [limits.max, limits.min, limits.max, limits.min],
        [limits.max / 3, 0.0, 0.0, -limits.max / 3],
        [limits.max**0.5, -(limits.max**0.5), 1.0, 0.0],
        [1e19, 1e19, -1e19, 0.0],
        [limits.tiny] * 4,
        [limits.smallest_subnormal] * 4,
    ]
    kinds = [*([] if finite else not_finite), *([] if finite is False else extreme)]
    rows = np.random.default_rng(9).normal(size=(N, D)).astype(dtype)
    for places in ([0, 1], [N - 2, N - 1], [1, N - 2]):
        pairs = list(itertools.islice(itertools.cycle(kinds), len(kinds) + 1))
        batch = np.repeat(rows[None], 2 * len(kinds), axis=0)
        for i in range(len(kinds)):
            batch[i, places] = kinds[i]  # twice the same
            batch[len(kinds) + i, places] = [pairs[i], pairs[i + 1]]  # two kinds
        yield batch, np.isin(np.arange(N), places)


@every
def test_finite_whatever_f_rows_are(entry):
    with jax.enable_x64(False):
        for batch, _ in spoiled(np.float32):
            result = outcome(entry, F, batch)
            assert np.isfinite(result.value).all()
            assert (result.rejected == ~np.isfinite(batch).all(axis=2)).all()


@pytest.mark.parametrize("entry", ROBUST, ids=str)
def test_whatever_f_rows_are_the_result_stays_with_the_others(entry):
    kappa = (entry.kappa or entry.bound)(N, F)
    with jax.enable_x64(False):
        for batch, byzantine in spoiled(np.float32):
            result = outcome(entry, F, batch)
            honest = batch[0, ~byzantine].astype(np.float64)
            error = ((result.value - honest.mean(axis=0)) ** 2).sum(axis=1)
            assert (error <= kappa * spread(honest) * (1 + 1e-4)).all()  # float32


@every
def test_more_than_f_bad_rows_are_reported_and_the_result_is_finite(entry):
    batch = np.repeat(inputs(N, D, seed=10)[:1], 3 * (N - F), axis=0)
    for i, count in enumerate(range(F + 1, N + 1)):
        batch[3 * i, :count] = np.nan
        batch[3 * i + 1, N - count :] = np.inf
        batch[3 * i + 2, :count] = [np.nan, np.inf, -np.inf, 0.0]
    result = outcome(entry, F, batch)
    assert np.isfinite(result.value).all()
    assert (result.rejected == ~np.isfinite(batch).all(axis=2)).all()


@every
@pytest.mark.parametrize("scale", often([1e38, 1e30, 1e-30], ["1e+38"]))
def test_very_large_and_very_small_rows(entry, scale):
    with jax.enable_x64(False):
        batch = np.clip(inputs(N, D, seed=11)[:10] * scale, -3.4e38, 3.4e38).astype(np.float32)
        # Two of them leave Krum a choice after nnm: of rows that are equally good.
        batch = np.stack([rows for rows in batch if tie_free(entry, F, rows.astype(np.float64))])
        assert len(batch) >= 5
        result = outcome(entry, F, batch)
        for rows, value in zip(batch, result.value, strict=True):
            expected = entry.reference(rows.astype(np.float64), F)
            size = np.abs(np.median(np.abs(rows), axis=0)).max()
            # float32, and a residual of 1e-5 for the geometric median.
            atol = (1e-3 if is_iterative(entry) else 1e-5) * size
            np.testing.assert_allclose(value, expected, rtol=0, atol=atol)


def test_server_and_rules_reject_the_same_rows():
    with jax.enable_x64(False):
        limits = np.finfo(np.float32)
        numbers = [0, 1, np.nan, np.inf, -np.inf, limits.max, -limits.max, limits.tiny]
        for d in (1, 1500):
            rows = np.ones((len(numbers), d), np.float32)
            rows[:, -1] = numbers
            rows[5:7] = limits.max  # their squares overflow, and they are finite
            by_server = jax.jit(sanitize_messages)(Dense(jnp.asarray(rows)))[1]
            by_rules = jax.jit(lambda rows: (rejected_rows(rows), finite_rows(rows).rejected))(rows)
            for rejected in (by_server, *by_rules):
                np.testing.assert_array_equal(rejected, ~np.isfinite(numbers))


def test_replaced_rows():
    rows = inputs(N, D, seed=12)[0]
    rows[1, 2], rows[4, 0] = np.nan, -np.inf
    for count in (0, 1, 2, 4, N):
        spoilt = rows.copy()
        spoilt[N - count :] = np.nan
        clean, bad = replace_rejected(jnp.asarray(spoilt))
        np.testing.assert_allclose(clean, reference.neutralized(spoilt), rtol=1e-15)
        assert (np.asarray(bad) == ~np.isfinite(spoilt).all(axis=1)).all()
        assert (np.asarray(rejected_rows(jnp.asarray(spoilt))) == np.asarray(bad)).all()
        again, none = replace_rejected(clean)
        assert jnp.array_equal(again, clean)
        assert not none.any()


def test_rows_are_seen_around_their_median_in_a_unit_of_their_spread():
    with jax.enable_x64(False):
        largest = float(jnp.finfo(jnp.float32).max)
        look = jax.jit(lambda rows: centred_at_median(finite_rows(rows), 2))
        spread = inputs(7, 3, seed=12)[0].astype(np.float32)
        for size in (1e-30, 0.3, 1.0, 1e30, 1e38):
            for shift in (0, 1e3):
                rows = np.clip(size * np.float64(spread + shift), -largest, largest)
                rows = rows.astype(np.float32)
                rows[[1, 4]] = np.float32([[largest], [-largest]])
                seen = look(jnp.asarray(rows))
                assert np.log2(float(seen.unit)) % 1 == 0
                found = np.float64(seen.columns(0, 3))
                assert np.isfinite(found).all()
                if size * (shift + 9) < largest / 2**21:
                    # The farthest of five rows is between one and two units away, and the others
                    # are at the end of the range.
                    distances = np.linalg.norm(found, axis=1)
                    assert 1 <= distances[[0, 2, 3, 5, 6]].max() < 2 + 1e-6
                    np.testing.assert_allclose(distances[[1, 4]], 2**20, rtol=1e-5)
                    assert seen.far.tolist() == [False, True, False, False, True, False, False]
                    # The centre is exact to roundings of the rows.
                    middle = np.median(np.float64(rows), axis=0)
                    back = np.float64(jax.jit(lambda seen: seen.to_original(jnp.zeros(3)))(seen))
                    np.testing.assert_allclose(back, middle, rtol=1e-6)
        # Equal rows, and others at any distance: as far as can be, and nothing vanishes.
        for beside in (1e-37, 1.0, 3e38):
            rows = jnp.zeros((7, 3)).at[5:].set(beside)
            distances = np.asarray(squared_distances_of(look(rows)))
            np.testing.assert_allclose(distances[:5, 5:], 2.0**40, rtol=1e-5)


# ---- the same in every way of calling ----------------------------------------------------------


@pytest.mark.parametrize("entry", often(AGGREGATORS, ("trimmed mean", "krum", "nnm, krum")))
def test_sixteen_bit_rows_are_accumulated_in_thirty_two(entry):
    with jax.enable_x64(False):
        # float16 for all; where it is cheap to compile, bfloat16 as well.
        for dtype in (jnp.float16, jnp.bfloat16) if entry.kappa else (jnp.float16,):
            batch = jnp.asarray(100 + np.random.default_rng(15).normal(size=(BATCH, N, D)), dtype)
            result = outcome(entry, F, batch, alone=True)
            wide = outcome(entry, F, np.asarray(batch, np.float32))
            assert result.value.dtype == dtype
            assert np.array_equal(result.value, wide.value.astype(dtype))


@every
def test_products_keep_full_precision_on_accelerators(entry):
    rule = entry.make(F)
    rows = jax.ShapeDtypeStruct((N, D), jnp.float32)
    text = jax.jit(lambda rows: called(rule, rows).value).lower(rows).as_text()
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert all("HIGHEST" in line for line in products), products


# ---- bad arguments -----------------------------------------------------------------------------


TAKES_F = [entry for entry in AGGREGATORS if entry.takes_f]


@pytest.mark.parametrize("entry", TAKES_F, ids=str)
@pytest.mark.parametrize("f", [-1, True, np.True_, 1.0, np.float64(2), "1"])
def test_f_must_be_a_count(entry, f):
    with pytest.raises((ValueError, TypeError) if "+1" in entry.name else ValueError) as caught:
        entry.make(f)
    if isinstance(caught.value, ValueError):
        assert "f must be an integer >= 0" in str(caught.value)
        assert repr(f) in str(caught.value)


@pytest.mark.parametrize("entry", TAKES_F, ids=str)
@pytest.mark.parametrize("f", [np.int64(1), np.uint8(1), jnp.int32(1)])
def test_f_may_be_any_integer(entry, f):
    rows = jax.ShapeDtypeStruct((entry.least(1), 3), jnp.float64)
    rule = entry.make(f)
    assert jax.eval_shape(lambda rows: called(rule, rows).value, rows).shape == (3,)


# All bounds are linear in f, or the larger of two lines, which f = 1 and f = 3 tell apart.
@pytest.mark.parametrize("entry", TAKES_F, ids=str)
@pytest.mark.parametrize("f", often([1, 2, 3, 5], ["1", "3"]))
def test_too_few_rows_are_refused(entry, f):
    least = entry.least(f)
    rule = entry.make(f)

    def shape_of(n):
        rows = jax.ShapeDtypeStruct((n, 2), jnp.float64)
        return jax.eval_shape(lambda rows: called(rule, rows).value, rows).shape

    for n in (1, least - 1):
        with pytest.raises(ValueError, match=rf"needs n >.*n = {n}"):
            shape_of(n)
    assert shape_of(least) == (2,)


@every
@pytest.mark.parametrize("shape", [(), (3,), (3, 2, 1)])
def test_rows_must_have_two_axes(entry, shape):
    with pytest.raises(ValueError, match=r"rows must have shape \[n >= 1, d >= 1\], got"):
        entry.make(0)(jnp.zeros(shape))


def test_trim_must_be_at_least_f():
    for trim in (1, -1, 2.0, True):
        with pytest.raises(ValueError, match=rf"trim must be an integer >= 2, got {trim}"):
            trimmed_mean(2, trim=trim)
    with pytest.raises(ValueError, match=r"n > 2 trim.*n = 6, f = 1 and trim = 3"):
        trimmed_mean(1, trim=3)(jnp.zeros((6, 1)))
    assert trimmed_mean(1, trim=np.int32(3))(jnp.arange(7.0)[:, None]).item() == 3


@pytest.mark.parametrize(
    "bad", [{"tolerance": 0.0}, {"tolerance": -1.0}, {"tolerance": np.nan}, {"max_iterations": 0}]
)
def test_geometric_median_refuses(bad):
    ((name, _),) = bad.items()
    with pytest.raises(ValueError, match=name):
        geometric_median(**bad)


# ---- one rule at a time ------------------------------------------------------------------------


def test_a_rule_of_one_line_is_a_rule():
    rule = stateless(lambda rows: rows.max(axis=0))
    rows = jnp.array([[1.0, 5.0], [jnp.nan, 9.0], [3.0, 1.0]])
    state, result = rule.apply(None, None, rows)
    assert state is None
    assert result.value.tolist() == [3.0, 5.0]  # the row with NaN is not heard, all of it
    assert result.rejected.tolist() == [False, True, False]


def test_nnm_passes_the_state_the_key_and_the_words_of_its_inner_rule():
    def apply(key, state, rows):
        bad = jnp.zeros(rows.shape[0], bool).at[0].set(True)
        return state + 1, Aggregated(rows[0] + key, bad, {"said": state})

    inner = Aggregator(lambda d: jnp.full((), d), apply)
    rule = nnm(1, inner)
    rows = jnp.array([[0.0], [0.0], [9.0], [jnp.nan]])
    state, result = rule.apply(jnp.array(0.5), rule.init(3), rows)
    assert state == 4
    assert result.value.tolist() == [3.5]  # the neighbours of row 0 are the three finite rows
    assert result.rejected.tolist() == [True, False, False, True]
    assert result.details == {"said": 3}


def test_distances_are_symmetric_and_exact_in_blocks_of_any_size():
    for n, d in ((5, 1), (5, 4500), (100, 1100)):
        rows = np.random.default_rng(16).integers(-9, 10, size=(n, d)).astype(float)
        found = np.asarray(squared_distances(jnp.asarray(rows)))
        assert np.array_equal(found, reference.squared_distances(rows))  # integers: exact
        rows = jnp.asarray(np.random.default_rng(17).normal(size=(n, d)))
        found = np.asarray(squared_distances(rows))
        assert np.array_equal(found, found.T)
        assert (np.diagonal(found) == 0).all()


def test_rows_that_agree_to_five_digits_are_told_apart():
    # Late in training: rows near 1000 that differ by 0.01, in float32, and a liar at 1e6. The
    # Gram form loses everything here: eps · 1000² · d is above the squared distances.
    n, f, d, liar = 8, 2, 20, 3
    batch = 1000 + 0.01 * np.random.default_rng(17).normal(size=(10, n, d))
    batch[:, liar] = 1e6
    batch = batch.astype(np.float32)

    def of_one(rows):
        distances = squared_distances_of(centred_at_median(finite_rows(rows), f))
        return nearest(distances, n - f), krum(f)(rows), nnm(f, trimmed_mean(f))(rows)

    with jax.enable_x64(False):
        found = jax.jit(jax.vmap(of_one))(batch)
    honest = np.arange(n) != liar  # at 1e6 float32 cannot tell what is nearest
    for rows, neighbours, selected, mixed in zip(batch, *map(np.asarray, found), strict=True):
        exact = reference.squared_distances(rows.astype(np.float64))
        gaps = np.diff(np.sort(exact, axis=1)[honest], axis=1)
        assert gaps.min() > 1e-5 * np.median(exact)  # no tie within the precision of sums
        assert np.array_equal(neighbours[honest], np.argsort(exact, axis=1)[honest, : n - f])
        assert np.array_equal(selected, reference.krum(rows, f).astype(np.float32))
        # A few roundings of rows near 1000, 6e-5 each.
        expected = reference.nnm(reference.trimmed_mean)(rows, f)
        np.testing.assert_allclose(mixed, expected, rtol=0, atol=5e-4)


# ---- geometric median --------------------------------------------------------------------------


(MEDIAN,) = (entry for entry in AGGREGATORS if entry.name == "geometric median")


def test_geometric_median_is_optimal():
    batch = (
        np.random.default_rng(0).normal(size=(BATCH, N, D))
        * np.geomspace(1e-8, 1e8, BATCH)[:, None, None]
    )
    result = outcome(MEDIAN, F, batch)
    converged = result.details["converged"]
    assert converged.mean() > 0.9
    assert np.array_equal(converged, result.details["residual"] <= 1e-10)
    for rows, value in zip(batch[converged], result.value[converged], strict=True):
        expected = reference.geometric_median(rows)
        assert reference.residual(rows, expected) <= 1e-11  # Newton's steps end in rounding
        # The step after the last measured point does not make it worse, up to rounding.
        assert reference.residual(rows, value) <= 1e-10 + 1e-14
        # Sums of 7 numbers of equal size.
        best = reference.total_distance(rows, expected)
        assert reference.total_distance(rows, value) <= best * (1 + 1e-14)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-7 * np.abs(rows).max())


def test_geometric_median_that_is_a_row_is_found_at_once():
    # Weiszfeld's steps come nearer to such a row by the factor ‖R‖, and here need not arrive.
    random, batch = np.random.default_rng(1), []
    while len(batch) < BATCH:
        directions = random.normal(size=(N - 1, D))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        if 0.6 < np.linalg.norm(directions.sum(axis=0)) < 1:
            others = directions * random.uniform(1, 3, (N - 1, 1))
            batch.append(np.concatenate([np.zeros((1, D)), others]) + random.normal(size=D))
    batch = np.stack(batch)
    assert all(reference.residual(rows, rows[0]) == 0 for rows in batch)
    result = outcome(MEDIAN, F, batch)
    assert (result.details["iterations"] == 1).all()
    assert (result.details["residual"] == 0).all()
    np.testing.assert_allclose(result.value, batch[:, 0], rtol=0, atol=1e-15 * np.abs(batch).max())


@pytest.mark.parametrize(("n", "d"), [(N, D), (6, 3)])
def test_geometric_median_of_collinear_rows(n, d):
    random = np.random.default_rng(n)
    positions = random.normal(size=(BATCH, n))
    lines = random.normal(size=(BATCH, 1, d))
    result = outcome(MEDIAN, F, 0.7 + positions[:, :, None] * lines)
    assert result.details["converged"].all()
    middle = np.median(positions, axis=1, keepdims=True)
    best = np.abs(positions - middle).sum(axis=1) * np.linalg.norm(lines[:, 0], axis=1)
    for t, line, value, least in zip(positions, lines, result.value, best, strict=True):
        rows = 0.7 + t[:, None] * line
        assert reference.total_distance(rows, value) == pytest.approx(least, rel=1e-14)


def test_geometric_median_stays_at_a_heavy_row_and_leaves_a_light_one():
    random = np.random.default_rng(2)
    heavy = random.normal(size=(BATCH, N, D))
    heavy[:, 3:] = heavy[:, 3:4]  # four of seven: η ≥ ‖R‖ whatever the others are
    result = outcome(MEDIAN, F, heavy)
    assert np.array_equal(result.details["residual"], np.zeros(BATCH))
    np.testing.assert_allclose(result.value, heavy[:, 3], rtol=0, atol=1e-15 * np.abs(heavy).max())
    # Row 0 is the coordinate-wise median, where the steps start, and is not optimal.
    light = np.abs(random.normal(size=(4 * BATCH, N, D)))
    balanced = np.tile([[1], [1], [1], [-1], [-1], [-1]], (4 * BATCH, 1, D))
    light[:, 1:] *= random.permuted(balanced, axis=1)
    light[:, 0] = 0
    usable = (np.median(light, axis=1) == 0).all(axis=1)
    usable &= [reference.residual(rows, rows[0]) > 0.01 for rows in light]
    light = light[usable][:BATCH]
    result = outcome(MEDIAN, F, light)
    converged = result.details["converged"]
    assert converged.mean() >= 0.8  # Weiszfeld is slow where the minimum is nearly a row
    for rows, value in zip(light[converged], result.value[converged], strict=True):
        assert (value != 0).any()
        assert reference.residual(rows, value) <= 1e-10 + 1e-14


def test_geometric_median_of_rows_that_differ_by_rounding():
    """As those of `nnm` may: clusters of which one row is the next number away."""
    random = np.random.default_rng(20)
    apply = jax.jit(jax.vmap(lambda rows: geometric_median(2).apply(None, None, rows)[1]))
    for kind, offset in ((np.float32, 0), (np.float32, 1e4), (np.float64, 0), (np.float64, 1e8)):
        with jax.enable_x64(kind is np.float64):
            # Three rows a (one a bit off), three rows b, one c: the median is near a, at a or at b.
            points = random.normal(size=(60, 3, 4)) + offset
            batch = points[:, [0, 0, 0, 1, 1, 1, 2]].astype(kind)
            batch[:, 2, 0] = np.nextafter(batch[:, 2, 0], kind(np.inf))
            batch[30:, 4, 1] = np.nextafter(batch[30:, 4, 1], kind(-np.inf))
            found = apply(jnp.asarray(batch))
            for rows, point in zip(batch.astype(np.float64), found.value, strict=True):
                expected = reference.geometric_median(rows)
                least, ours = (
                    np.linalg.norm(rows - place, axis=1).sum() for place in (expected, point)
                )
                # Between a and b the sum of distances is nearly flat, so not all are converged.
                # Without leaving clusters as a whole, the excess is up to 0.7 in either kind.
                goal = 1e-4 if kind is np.float32 else 1e-9
                assert ours - least <= goal + 7 * 8 * np.finfo(kind).eps * (1 + offset)


def test_geometric_median_says_when_it_has_not_converged():
    rows = jnp.asarray(np.random.default_rng(3).normal(size=(9, 3)))

    def details(**options):
        _, result = jax.jit(lambda rows: geometric_median(**options).apply(None, None, rows))(rows)
        return {name: value.item() for name, value in result.details.items()}

    short = details(max_iterations=1)
    assert short["iterations"] == 1
    assert not short["converged"]
    assert short["residual"] > 1e-10
    loose, tight = details(tolerance=0.03), details(tolerance=1e-13)
    assert loose["converged"]
    assert tight["converged"]
    assert loose["residual"] <= 0.03
    assert tight["residual"] <= 1e-13
    assert loose["iterations"] < tight["iterations"]


# ---- sorting networks --------------------------------------------------------------------------


def zero_one_inputs(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) & 1  # [2^n, n]


def through(network, wires):
    wires = wires.copy()
    for i, j in network:
        assert i < j
        low, high = wires[:, [i, j]].min(axis=1), wires[:, [i, j]].max(axis=1)
        wires[:, i], wires[:, j] = low, high
    return wires


@pytest.mark.parametrize("n", range(13))
def test_merge_exchange_sorts(n):
    # A network that sorts all inputs of zeros and ones sorts everything (the 0-1 principle).
    wires = zero_one_inputs(n)
    assert np.array_equal(through(sorting.merge_exchange(n), wires), np.sort(wires, axis=1))


def test_merge_exchange_has_as_many_steps_as_in_the_book():
    steps = [len(sorting.merge_exchange(n)) for n in range(1, 17)]
    assert steps == [0, 1, 3, 5, 9, 12, 16, 19, 26, 31, 37, 41, 48, 53, 59, 63]


@pytest.mark.parametrize("n", range(1, 10))
def test_partition_networks_bring_every_rank_into_its_class(n):
    # By the same principle: ones on the wires of a class count those of the sorted sequence there.
    wires = zero_one_inputs(n)
    ordered = np.sort(wires, axis=1)
    selections = list(itertools.combinations(range(n + 1), 2))
    ends = [(*range(f + 1), *range(n - f, n)) for f in range((n + 1) // 2)]
    for cuts in [*selections, *ends]:
        classes = tuple(sum(cut <= rank for cut in cuts) for rank in range(n))
        network = sorting.partition_network(classes)
        assert len(network) <= len(sorting.merge_exchange(n))
        found = through(network, wires)
        for a, b in itertools.pairwise((0, *cuts, n)):
            assert np.array_equal(found[:, a:b].sum(axis=1), ordered[:, a:b].sum(axis=1))


def test_networks_on_arrays_sort_infinities_and_ties():
    rows = np.random.default_rng(20).integers(-2, 3, size=(10, 64)).astype(float)
    rows[rows == 2], rows[rows == -2] = np.inf, -np.inf
    assert np.array_equal(jnp.stack(sorting.sorted_rows(jnp.asarray(rows))), np.sort(rows, axis=0))
    spoilt = jnp.asarray(rows).at[0].set(jnp.nan)
    assert (sorting.ordered_entries(spoilt)[0] == jnp.inf).all()
    assert jnp.array_equal(sorting.ordered_entries(spoilt)[1:], rows[1:])
