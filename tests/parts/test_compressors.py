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
    quantizers,
    rand_k,
    random_subset,
    seeded_rand_k,
    shared_mask,
    sparsifiers,
    top_k,
)
from jaxbyz.compressors.sparsifiers import MOST
from jaxbyz.messages import Dense, Masked, Seeded, SharedSupport, Signs, Sparse, SparseInPlace

pytestmark = pytest.mark.usefixtures("x64")

every = pytest.mark.parametrize("entry", COMPRESSORS, ids=str)
SPARSIFIERS = [e for e in COMPRESSORS if e.name in {"identity", "rand-k", "seeded rand-k", "top-k"}]
every_sparsifier = pytest.mark.parametrize("entry", SPARSIFIERS, ids=str)
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


def mean_and_error(outcomes, x, weights=None):
    """E C(x) and E‖C(x) - x‖² over outcomes and their probabilities (equal if not given)."""
    outcomes = np.stack(outcomes)
    squares = ((outcomes - x) ** 2).sum(axis=1)
    return np.average(outcomes, axis=0, weights=weights), np.average(squares, weights=weights)


def assert_unbiased_with(omega, outcomes, x):
    x = np.asarray(x)
    mean, error = mean_and_error(outcomes, x)
    np.testing.assert_allclose(mean, x, rtol=EXACT)
    np.testing.assert_allclose(error, omega * (x @ x), rtol=EXACT)


# ---- exact constants by enumeration ------------------------------------------------------------


def every_outcome(compressor, law, k, xs, monkeypatch):
    """What the shipped deterministic part makes of every choice: weights [c, v], values [c, v, d].

    xs [v, d]. The choice is all subsets, each as likely (any order of a subset is as good as
    another), or all patterns of coins with the probabilities that the compressor asks for.
    """
    xs = jnp.asarray(xs)

    def through(x):
        return compressor.decompress(compressor.compress(KEY, x))

    if law == "coins":

        def tossed(pattern, x):
            used, asked = 0, jnp.ones(())

            def coins(key, p):
                nonlocal used, asked
                falls = pattern[used : used + p.shape[0]]
                used, asked = used + p.shape[0], asked * jnp.where(falls, p, 1 - p).prod()
                return falls

            for module in (quantizers, sparsifiers):
                monkeypatch.setattr(module, "coins", coins)
            value = through(x)
            assert used == D
            return asked, value

        patterns = jnp.asarray(list(itertools.product([False, True], repeat=D)))
        weights, values = jax.jit(jax.vmap(jax.vmap(tossed, (None, 0)), (0, None)))(patterns, xs)
        monkeypatch.undo()
        return np.asarray(weights), np.asarray(values)
    values = []
    for subset in subsets(D, k) if law == "subset" else [None]:
        if subset is not None:
            given = jnp.asarray(subset[::-1].copy())
            monkeypatch.setattr(sparsifiers, "random_subset", lambda key, d, k, s=given: s)
        values.append(np.asarray(jax.vmap(through)(xs)))
    monkeypatch.undo()
    return np.full((len(values), len(xs)), 1 / len(values)), np.stack(values)


def certify(entry, compressor, k, monkeypatch):
    """All that a compressor promises, of the catalogue's vectors and of its own worst one."""
    named = [*VECTORS.values(), *([] if entry.worst is None else [entry.worst(D, k)])]
    xs = np.array(named)
    weights, values = every_outcome(compressor, entry.law, k, xs, monkeypatch)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=EXACT)
    for x, weight, value in zip(xs, weights.T, values.swapaxes(0, 1), strict=True):
        square = float(x @ x)
        possible = weight > 0
        mean, error = mean_and_error(value[possible], x, weight[possible])
        exact = entry.error(x, k)
        np.testing.assert_allclose(error, exact, rtol=EXACT, atol=EXACT * square)
        if compressor.omega is not None:
            np.testing.assert_allclose(mean, x, rtol=EXACT, atol=EXACT * square**0.5)
            assert error <= (compressor.omega(D) + EXACT) * square
        if compressor.alpha is not None:
            assert error <= (1 - compressor.alpha(D) + EXACT) * square
    if entry.worst is not None:  # the last vector
        if compressor.omega is not None:
            assert error == pytest.approx(compressor.omega(D) * square, rel=EXACT)
        if compressor.alpha is not None:
            assert error == pytest.approx((1 - compressor.alpha(D)) * square, rel=EXACT)


@every
@pytest.mark.parametrize("k", range(1, D + 1))
def test_constants_are_exact(entry, k, monkeypatch):
    compressor = entry.make(k)
    assert (compressor.omega is not None, compressor.alpha is not None) == (
        entry.unbiased,
        entry.contractive,
    )
    certify(entry, compressor, k, monkeypatch)


def named(name):
    (entry,) = [entry for entry in COMPRESSORS if entry.name == name]
    return entry


def after(compressor, change):
    """A compressor whose receiver changes what it decodes."""
    return compressor._replace(decompress=lambda message: change(compressor.decompress(message)))


def dropping(compressor):
    def compress(key, x):
        message = compressor.compress(key, jnp.ones_like(x))
        return Masked(jnp.where(message.kept, 0, 2 * x), ~message.kept)

    return compressor._replace(compress=compress)


def up_always(compressor):
    """Rounds away from zero, whatever the coins say."""
    return compressor._replace(
        compress=lambda key, x: compressor.compress(key, x * (1 + 2.0**-40) * 1.3)
    )


FAULTS = {
    "keeps what it should drop": ("bernoulli", lambda c: dropping(c)),
    "no 1/p": ("bernoulli", lambda c: after(c, lambda x: x * 3 / 8)),
    "no d/k": ("rand-k", lambda c: after(c, lambda x: x * 3 / D)),
    "twice d/k": ("rand-k", lambda c: after(c, lambda x: x * D / 3)),
    "omega d/k": ("rand-k", lambda c: c._replace(omega=lambda d: d / 3)),
    "omega 1 - k/d": ("rand-k", lambda c: c._replace(omega=lambda d: 1 - 3 / d)),
    "omega of Bernoulli 1/p": ("bernoulli", lambda c: c._replace(omega=lambda d: 8 / 3)),
    "alpha of Top-k too large": ("top-k", lambda c: c._replace(alpha=lambda d: 3.1 / d)),
    "published omega of QSGD": ("QSGD, 1 level", lambda c: c._replace(omega=lambda d: d**0.5)),
    "QSGD without signs": ("QSGD, 1 level", lambda c: after(c, jnp.abs)),
    "QSGD in units of a level": ("QSGD, 4k levels", lambda c: after(c, lambda x: x * 12)),
    "omega of QSGD for more levels": (
        "QSGD, 1 level",
        lambda c: c._replace(omega=compressors.qsgd(2).omega),
    ),
    "ternary with the omega of QSGD": (
        "ternary",
        lambda c: c._replace(omega=compressors.qsgd(1).omega),
    ),
    "QSGD with the norm of ternary": ("QSGD, 1 level", lambda c: compressors.ternary()),
    "natural rounds up too often": ("natural", up_always),
    "alpha of scaled natural": ("natural", lambda c: c._replace(alpha=lambda d: 8 / 9)),
    "scaled sign, no 1/d": ("scaled sign", lambda c: after(c, lambda x: x * D)),
    "scaled once more": ("scaled ternary", lambda c: after(c, lambda x: x / 2)),
    "not scaled": ("scaled ternary", lambda c: compressors.ternary()._replace(alpha=c.alpha)),
    "alpha of the wrong block": ("blockwise top-k", lambda c: c._replace(alpha=lambda d: 1.0)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found(fault, monkeypatch):
    name, spoil = FAULTS[fault]
    sound = named(name).make(3)
    certify(named(name), sound, 3, monkeypatch)
    with pytest.raises(AssertionError):
        certify(named(name), spoil(sound), 3, monkeypatch)


@pytest.mark.parametrize("k", range(1, D + 1))
def test_rand_k_on_every_subset_is_its_definition(k, monkeypatch):
    x = np.array(VECTORS["any"])
    for make in (rand_k, seeded_rand_k):
        _, values = every_outcome(make(k), "subset", k, x[None], monkeypatch)
        for subset, value in zip(subsets(D, k), values[:, 0], strict=True):
            np.testing.assert_allclose(value, kept_on(x, subset), rtol=1e-15)


def test_the_constants_are_the_published_ones():
    for make in (rand_k, seeded_rand_k):
        assert make(k=3).omega(12) == 3.0
        assert make(ratio=0.25).omega(12) == 3.0
    assert top_k(k=3).alpha(12) == 0.25
    assert top_k(ratio=0.25).alpha(12) == 0.25
    assert shared_mask(k=3).omega(12) == 3.0
    assert (identity().omega(12), identity().alpha(12)) == (0, 1)
    assert compressors.bernoulli(0.25).omega(12) == 3.0
    assert compressors.scaled_sign().alpha(12) == 1 / 12
    assert (compressors.natural().omega(12), compressors.natural().alpha(12)) == (1 / 8, 7 / 8)
    assert compressors.ternary().omega(9) == 1.0
    assert compressors.scaled(rand_k(k=3)).alpha(12) == 0.25
    assert compressors.scaled(compressors.natural()).alpha(12) == 8 / 9
    assert compressors.scaled(compressors.bernoulli(0.25)).alpha(12) == 0.25


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
            assert message.values.tolist() == [x[j] if j in order else 0 for j in range(4)]
    message = top_k(k=2).compress(KEY, jnp.array([3.0, jnp.nan, -jnp.inf, -jnp.nan]))
    assert jnp.isnan(message.values).tolist() == [False, True, False, True]


@pytest.mark.parametrize("d", [MOST // 3, MOST // 3 + 1])
def test_top_k_of_long_vectors_is_that_of_short_ones(d):
    """Numbers and their places where a vector is long, the vector itself where it is short."""
    compressor, x = top_k(k=3), np.random.default_rng(d).normal(size=d)
    message = compressor.compress(KEY, jnp.array(x))
    assert isinstance(message, SparseInPlace if 3 * d <= MOST else Sparse)
    assert message.bits() == 3 * (64 + 10)
    expected = np.where(np.abs(x) >= np.sort(np.abs(x))[-3], x, 0)
    np.testing.assert_array_equal(compressor.decompress(message), expected)


# ---- the law of the subset ---------------------------------------------------------------------


@pytest.mark.parametrize(("d", "k"), [(6, 3), (4, 2)])
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
    assert chi_square < {19: 43.82, 5: 20.52}[math.comb(d, k) - 1]


def test_subsets_of_large_vectors_are_uniform_over_places():
    keys = jax.random.split(jax.random.key(8), 400)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: random_subset(key, 1000, 100)))(keys))
    assert all(len(set(row)) == 100 for row in drawn.tolist())
    # Inclusion counts are Binomial(400, 0.1) with variance 36; Σ (count - 40)²/36 over 1000
    # places has mean 1000 and standard deviation below 45: four of them on either side.
    counts = np.bincount(drawn.ravel(), minlength=1000)
    assert abs(((counts - 40) ** 2 / 36).sum() - 1000) < 180
    assert (np.diff(drawn, axis=1) > 0).all()


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


@every_sparsifier
def test_messages_have_exactly_k_numbers_and_their_bits(entry):
    x = jnp.asarray(np.random.default_rng(1).normal(size=100))
    message = entry.make(7).compress(KEY, x)
    sparse = 7 * (64 + 7)
    lengths = {Dense: 100 * 64, Sparse: sparse, SparseInPlace: sparse, Seeded: 7 * 64}
    expected = lengths[type(message)]
    assert message.bits() == expected
    if isinstance(message, SparseInPlace):
        assert np.count_nonzero(message.values) == 7
    elif not isinstance(message, Dense):
        assert message.values.shape == message.indices.shape == (7,)
        assert len(set(message.indices.tolist())) == 7
    lie = entry.make(7).encode(KEY, x)
    assert jax.tree.structure(lie) == jax.tree.structure(message)
    assert jax.tree.map(jnp.shape, lie) == jax.tree.map(jnp.shape, message)
    assert lie.bits() == expected


@every_sparsifier
@pytest.mark.parametrize("k", [1, 3, D])
def test_encode_says_what_is_wanted_as_nearly_as_is_legal(entry, k):
    compressor = entry.make(k)
    wanted = np.array([0.3, -1.7, 0.02, 5.0, -0.4, 1.7])
    message = compressor.encode(KEY, jnp.array(wanted))
    heard = np.asarray(compressor.decompress(message))
    support = np.zeros(D, bool)
    if isinstance(message, SparseInPlace):
        support = heard != 0  # no number that is wanted is 0
        assert support.sum() == k
    else:
        support[np.arange(D) if isinstance(message, Dense) else np.asarray(message.indices)] = True
    # No factor is applied: on the support the server reads exactly what was wanted.
    assert np.array_equal(heard, np.where(support, wanted, 0))
    if isinstance(message, Sparse | SparseInPlace):  # free choice: no support would do better
        errors = [np.delete(wanted, subset) @ np.delete(wanted, subset) for subset in subsets(D, k)]
        assert ((heard - wanted) ** 2).sum() == pytest.approx(min(errors), abs=1e-15)
    if isinstance(message, Seeded):  # no choice: the subset is the key's
        assert message.indices.tolist() == random_subset(KEY, D, k).tolist()


@every
def test_a_liar_may_say_what_is_not_a_number(entry):
    wanted = jnp.full(D, jnp.nan).at[0].set(jnp.inf)
    for say in (entry.make(3).encode, entry.make(3).compress):
        message = say(KEY, wanted)
        heard = entry.make(3).decompress(message)
        assert heard.shape == (D,)
        if isinstance(message, Signs):  # in which nothing else can be said
            assert (jnp.abs(heard) == 1).all()
        elif say == entry.make(3).encode or entry.law != "coins":
            assert not jnp.isfinite(heard).all()


@every
def test_the_input_is_left_alone_and_the_dtype_kept(entry):
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(2).normal(size=D).astype(dtype)
        kept, argument = x.copy(), jnp.asarray(x)
        compressor = entry.make(2)
        for key in jax.random.split(KEY, 3):
            message = compressor.compress(key, argument)
            assert {leaf.dtype for leaf in jax.tree.leaves(message)} <= {
                np.dtype(kind) for kind in (dtype, bool, np.int8, np.int32, np.int64)
            }
            assert compressor.decompress(message).dtype == dtype
            assert compressor.decompress(message).shape == (D,)
        assert np.array_equal(argument, kept)
        assert np.array_equal(x, kept)
