import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import COMPRESSORS

from jaxbyz import compressors
from jaxbyz.compressors import (
    identity,
    keep_count,
    rand_k,
    random_subset,
    seeded_rand_k,
    shared_mask,
    sparsifiers,
    top_k,
)
from jaxbyz.messages import Dense, Seeded, SharedSupport, Sparse

pytestmark = pytest.mark.usefixtures("x64")

every = pytest.mark.parametrize("entry", COMPRESSORS, ids=str)
KEY = jax.random.key(0)
D = 6

# Sums of at most C(6,3) products: a few roundings of 1e-16.
EXACT = 1e-13

VECTORS = {
    "one-hot": [0.0, 0.0, -3.0, 0.0, 0.0, 0.0],
    "constant": [2.5] * D,
    "zero": [0.0] * D,
    "huge": [1e100, -2e100, 3e100, 1e99, 0.0, -1e100],
    "ties": [1.0, -1.0, 2.0, 1.0, -2.0, 2.0],
    "any": [0.3, -1.7, 0.02, 5.0, -0.4, 1.1],
}
vectors = pytest.mark.parametrize("x", VECTORS.values(), ids=VECTORS)


def subsets(d, k):
    return [np.array(subset) for subset in itertools.combinations(range(d), k)]


def kept_on(x, subset):
    """(d/k) x on the subset and 0 elsewhere, from the definition."""
    return np.array([v * len(x) / len(subset) if j in subset else 0.0 for j, v in enumerate(x)])


def mean_and_error(outcomes, x):
    """E C(x) and E‖C(x) - x‖² over equally likely outcomes."""
    outcomes = np.stack(outcomes)
    return outcomes.mean(axis=0), ((outcomes - x) ** 2).sum(axis=1).mean()


def assert_unbiased_with(omega, outcomes, x):
    x = np.asarray(x)
    mean, error = mean_and_error(outcomes, x)
    np.testing.assert_allclose(mean, x, rtol=EXACT)
    np.testing.assert_allclose(error, omega * (x @ x), rtol=EXACT)


# ---- exact constants by enumeration ------------------------------------------------------------


@every
@vectors
@pytest.mark.parametrize("k", range(1, D + 1))
def test_constants_are_exact(entry, x, k, monkeypatch):
    compressor = entry.make(k)
    # The shipped deterministic part, driven through every subset that the law can give. Any
    # order of a subset is as good as another.
    choices = subsets(D, k) if entry.random else [None]
    outcomes = []
    for subset in choices:
        if subset is not None:
            given = jnp.asarray(subset[::-1].copy())
            monkeypatch.setattr(sparsifiers, "random_subset", lambda key, d, k, s=given: s)
        outcomes.append(np.asarray(compressor.decompress(compressor.compress(KEY, jnp.array(x)))))
        if subset is not None:
            np.testing.assert_allclose(outcomes[-1], kept_on(x, subset), rtol=1e-15)
    mean, error = mean_and_error(outcomes, np.array(x))
    square = np.dot(x, x)
    if entry.unbiased:
        np.testing.assert_allclose(mean, x, rtol=EXACT)
        np.testing.assert_allclose(error, compressor.omega(D) * square, rtol=EXACT)
    else:
        assert compressor.omega is None
    if entry.contractive:
        assert error <= (1 - compressor.alpha(D)) * square * (1 + EXACT)
        if len(set(np.abs(x))) == 1:  # equal magnitudes: attained
            assert error == pytest.approx((1 - compressor.alpha(D)) * square, rel=EXACT)
    else:
        assert compressor.alpha is None


def test_the_constants_are_the_published_ones():
    for make in (rand_k, seeded_rand_k):
        assert make(k=3).omega(12) == 3.0
        assert make(ratio=0.25).omega(12) == 3.0
    assert top_k(k=3).alpha(12) == 0.25
    assert top_k(ratio=0.25).alpha(12) == 0.25
    assert shared_mask(k=3).omega(12) == 3.0
    assert (identity().omega(12), identity().alpha(12)) == (0, 1)


@vectors
@pytest.mark.parametrize("k", range(1, D + 1))
def test_shared_mask_is_unbiased_with_its_omega(x, k):
    mask = shared_mask(k=k)
    outcomes = []
    for subset in subsets(D, k):
        message = mask.restrict(jnp.array(x), jnp.asarray(subset))
        assert isinstance(message, SharedSupport)
        assert message.bits() == 64 * k
        outcomes.append(np.asarray(mask.extend(message, jnp.asarray(subset), D)))
        np.testing.assert_allclose(outcomes[-1], kept_on(x, subset), rtol=1e-15)
    assert_unbiased_with(mask.omega(D), outcomes, x)


@pytest.mark.parametrize("k", range(1, D + 1))
def test_second_moment_of_a_common_mask(k):
    # E[P u vᵀ P] = τ u vᵀ + (d/k - τ) Diag(u ∘ v) with P = (d/k) diag(M), τ = d(k-1)/(k(d-1));
    # with independent masks it would be u vᵀ.
    u, v = np.random.default_rng(0).normal(size=(2, D))
    mask, common, independent = shared_mask(k=k), 0, 0
    choices = [jnp.asarray(subset) for subset in subsets(D, k)]
    sent = [
        [np.asarray(mask.extend(mask.restrict(jnp.array(x), s), s, D)) for s in choices]
        for x in (u, v)
    ]
    common = sum(np.outer(a, b) for a, b in zip(*sent, strict=True)) / len(choices)
    independent = np.outer(np.mean(sent[0], axis=0), np.mean(sent[1], axis=0))
    tau = D * (k - 1) / (k * (D - 1))
    expected = tau * np.outer(u, v) + (D / k - tau) * np.diag(u * v)
    np.testing.assert_allclose(common, expected, rtol=0, atol=EXACT)
    np.testing.assert_allclose(independent, np.outer(u, v), rtol=0, atol=EXACT)


def test_top_k_keeps_exactly_k_and_the_lowest_index_of_ties():
    for x in itertools.product([-1.0, 0.0, 1.0, 2.0], repeat=4):
        for k in (1, 2, 4) if x[0] == 1 else (2,):
            order = sorted(range(4), key=lambda j: (-abs(x[j]), j))[:k]
            message = top_k(k=k).compress(KEY, np.array(x))
            assert sorted(message.indices.tolist()) == sorted(order)
            assert message.values.tolist() == [x[j] for j in message.indices]
    message = top_k(k=2).compress(KEY, jnp.array([3.0, jnp.nan, -jnp.inf, -jnp.nan]))
    assert sorted(message.indices.tolist()) == [1, 3]


# ---- the law of the subset ---------------------------------------------------------------------


@pytest.mark.parametrize(("d", "k"), [(6, 3), (5, 1), (4, 2)])
def test_every_subset_is_equally_likely(d, k):
    keys = jax.random.split(jax.random.key(7), 20_000)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: random_subset(key, d, k)))(keys))
    assert drawn.min() >= 0
    assert drawn.max() < d
    counts = np.bincount((1 << drawn).sum(axis=1), minlength=2**d)
    expected = len(keys) / math.comb(d, k)
    wanted = [sum(1 << j for j in subset) for subset in itertools.combinations(range(d), k)]
    assert counts[wanted].sum() == len(keys)  # k distinct coordinates, always
    chi_square = ((counts[wanted] - expected) ** 2 / expected).sum()
    # The 0.999 quantile of χ² with C(d,k) - 1 degrees of freedom: a level of 1e-3, keys fixed.
    assert chi_square < {19: 43.82, 4: 18.47, 5: 20.52}[math.comb(d, k) - 1]


def test_subsets_of_large_vectors_are_uniform_over_places():
    keys = jax.random.split(jax.random.key(8), 400)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: random_subset(key, 1000, 100)))(keys))
    assert all(len(set(row)) == 100 for row in drawn.tolist())
    # Inclusion counts are Binomial(400, 0.1) with variance 36; Σ (count - 40)²/36 over 1000
    # places has mean 1000 and standard deviation below 45: four of them on either side.
    counts = np.bincount(drawn.ravel(), minlength=1000)
    assert abs(((counts - 40) ** 2 / 36).sum() - 1000) < 180
    # The order is random too: the first entry is uniform (10 bins of 40, 0.999 quantile, 9 df).
    first = np.bincount(drawn[:, 0] // 100, minlength=10)
    assert ((first - 40) ** 2 / 40).sum() < 27.88


def test_one_key_one_subset():
    draw = jax.jit(lambda key: random_subset(key, 100, 10))
    keys = [jax.random.fold_in(KEY, worker) for worker in range(20)]
    drawn = [frozenset(draw(key).tolist()) for key in keys]
    assert drawn == [frozenset(draw(key).tolist()) for key in keys]
    assert len(set(drawn)) == 20
    mask = shared_mask(k=10)
    assert frozenset(mask.draw(keys[3], 100).tolist()) == drawn[3]
    x = jnp.arange(1.0, 101.0)
    for make in (rand_k, seeded_rand_k):
        message = make(k=10).compress(keys[3], x)
        assert frozenset(message.indices.tolist()) == drawn[3]


# ---- how many are kept -------------------------------------------------------------------------


def test_keep_count_is_not_fooled_by_floating_point():
    assert int(0.29 * 100) == 28
    assert keep_count(ratio=0.29)(100) == 29
    for percent in range(1, 101):
        for d in (1, 7, 50, 100, 1000, 11_830, 1_000_000):
            exact = max(1, percent * d // 100)
            assert keep_count(ratio=percent / 100)(d) == exact
    assert keep_count(ratio=1e-12)(5) == 1
    assert keep_count(ratio=1)(5) == 5
    assert keep_count(k=np.int32(5))(5) == 5


MAKERS = [rand_k, seeded_rand_k, top_k, shared_mask, keep_count]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of k and ratio"),
        ({"k": 2, "ratio": 0.5}, "exactly one of k and ratio"),
        ({"k": 0}, "k must be an integer >= 1, got 0"),
        ({"k": -3}, "k must be an integer >= 1, got -3"),
        ({"k": 2.0}, "k must be an integer >= 1, got 2.0"),
        ({"k": True}, "k must be an integer >= 1, got True"),
        ({"ratio": 0}, r"ratio must lie in \(0, 1\], got 0"),
        ({"ratio": -0.1}, r"ratio must lie in \(0, 1\], got -0.1"),
        ({"ratio": 1.01}, r"ratio must lie in \(0, 1\], got 1.01"),
        ({"ratio": float("nan")}, r"ratio must lie in \(0, 1\], got nan"),
        ({"ratio": "half"}, r"ratio must be a number in \(0, 1\], got 'half'"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_k_above_d_is_refused_when_d_is_known():
    x = jnp.ones(3)
    message = r"k must lie in 1..d, got k = 4 with d = 3"
    for make in (rand_k, seeded_rand_k, top_k):
        compressor = make(k=4)
        constant = compressor.omega or compressor.alpha
        for attempt in (
            lambda c=compressor: c.compress(KEY, x),
            lambda c=compressor: c.encode(KEY, x),
            lambda c=constant: c(3),
        ):
            with pytest.raises(ValueError, match=message):
                attempt()
    mask = shared_mask(k=4)
    for attempt in (
        lambda: mask.draw(KEY, 3),
        lambda: mask.omega(3),
        lambda: mask.extend(SharedSupport(x), jnp.arange(3), 3),
    ):
        with pytest.raises(ValueError, match=message):
            attempt()


# ---- messages, liars, and ways of calling ------------------------------------------------------


@every
def test_messages_have_exactly_k_numbers_and_their_bits(entry):
    x = jnp.asarray(np.random.default_rng(1).normal(size=100))
    message = entry.make(7).compress(KEY, x)
    expected = {Dense: 100 * 64, Sparse: 7 * (64 + 7), Seeded: 7 * 64}[type(message)]
    assert message.bits() == expected
    if not isinstance(message, Dense):
        assert message.values.shape == message.indices.shape == (7,)
        assert len(set(message.indices.tolist())) == 7
    lie = entry.make(7).encode(KEY, x)
    assert jax.tree.structure(lie) == jax.tree.structure(message)
    assert jax.tree.map(jnp.shape, lie) == jax.tree.map(jnp.shape, message)
    assert lie.bits() == expected


@every
@pytest.mark.parametrize("k", [1, 3, D])
def test_encode_says_what_is_wanted_as_nearly_as_is_legal(entry, k):
    compressor = entry.make(k)
    wanted = np.array([0.3, -1.7, 0.02, 5.0, -0.4, 1.7])
    message = compressor.encode(KEY, jnp.array(wanted))
    heard = np.asarray(compressor.decompress(message))
    support = np.zeros(D, bool)
    support[np.arange(D) if isinstance(message, Dense) else np.asarray(message.indices)] = True
    # No factor is applied: on the support the server reads exactly what was wanted.
    assert np.array_equal(heard, np.where(support, wanted, 0))
    if isinstance(message, Sparse):  # free choice of the support: none would do better
        errors = [np.delete(wanted, subset) @ np.delete(wanted, subset) for subset in subsets(D, k)]
        assert ((heard - wanted) ** 2).sum() == pytest.approx(min(errors), abs=1e-15)
    if isinstance(message, Seeded):  # no choice: the subset is the key's
        assert message.indices.tolist() == random_subset(KEY, D, k).tolist()


@every
def test_a_liar_may_say_what_is_not_a_number(entry):
    wanted = jnp.full(D, jnp.nan).at[0].set(jnp.inf)
    message = entry.make(3).encode(KEY, wanted)
    heard = entry.make(3).decompress(message)
    assert not jnp.isfinite(heard).all()
    assert heard.shape == (D,)


@every
def test_the_input_is_left_alone_and_the_dtype_kept(entry):
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(2).normal(size=D).astype(dtype)
        kept, argument = x.copy(), jnp.asarray(x)
        compressor = entry.make(2)
        for key in jax.random.split(KEY, 3):
            message = compressor.compress(key, argument)
            assert message.values.dtype == dtype
            assert compressor.decompress(message).dtype == dtype
            assert compressor.decompress(message).shape == (D,)
        assert np.array_equal(argument, kept)
        assert np.array_equal(x, kept)


@every
def test_zero_stays_zero(entry):
    compressor = entry.make(2)
    for vector in (jnp.zeros(D), -jnp.zeros(D)):
        assert (compressor.decompress(compressor.compress(KEY, vector)) == 0).all()


@every
def test_eager_jit_and_vmap_agree(entry):
    compressor = entry.make(3)
    keys = jax.random.split(KEY, 4)
    xs = jnp.asarray(np.random.default_rng(3).normal(size=(4, D)))

    def through(key, x):
        message = compressor.compress(key, x)
        return message, compressor.decompress(message), compressor.encode(key, x)

    mapped = jax.jit(jax.vmap(through))(keys, xs)
    for i in range(4):
        eager, compiled = through(keys[i], xs[i]), jax.jit(through)(keys[i], xs[i])
        for a, b, c in zip(*map(jax.tree.leaves, (eager, compiled, mapped)), strict=True):
            assert np.array_equal(a, b)
            assert np.array_equal(a, c[i])


def test_every_public_compressor_is_in_the_catalogue():
    public = set(compressors.__all__) - {"keep_count", "random_subset", "shared_mask"}
    assert len(public) == len(COMPRESSORS)
