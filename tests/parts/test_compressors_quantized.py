import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.compressors import (
    bernoulli,
    blockwise,
    floats,
    identity,
    natural,
    qsgd,
    quantizers,
    rand_k,
    scaled,
    scaled_sign,
    seeded_rand_k,
    sign,
    sparsifiers,
    ternary,
    top_k,
    wrappers,
)
from jaxbyz.messages import (
    Blocks,
    Exponents,
    Levels,
    Masked,
)
from jaxbyz.sanitize import sanitize_messages

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
FLOATS = [np.float32, np.float64]


def heard(compressor, x, key=KEY):
    return np.asarray(compressor.decompress(compressor.compress(key, jnp.asarray(x))))


def said(compressor, wanted):
    return np.asarray(compressor.decompress(compressor.encode(KEY, jnp.asarray(wanted))))


def through_all(compressors, x, key=KEY):
    """What the server reads of each for x, and for x as a lie, [c, d] both; in one program."""

    def each(key, x):
        pairs = [
            (c.decompress(c.compress(key, x)), c.decompress(c.encode(key, x))) for c in compressors
        ]
        return tuple(zip(*pairs, strict=True))

    return [np.stack(values) for values in jax.jit(each)(key, jnp.asarray(x))]


# ---- coins -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "p", [2.0**-40, 2.0**-32, 1e-9, 0.1, 0.3, 0.5, 2 / 3, 1 - 2.0**-24, 1 - 2.0**-53]
)
def test_a_coin_has_its_probability(dtype, p, monkeypatch):
    # A coin is True for those of the 2^64 equally likely draws that are below a threshold; driven
    # with the draws around p 2^64, which is a whole number unless p is tiny.
    p = dtype(p)
    threshold = math.floor(Fraction(float(p)) * 2**64)
    for draw in {0, threshold - 1, threshold, threshold + 1, 2**64 - 1} - {-1, 2**64, 2**64 + 1}:
        words = jnp.array([[draw >> 32], [draw & 0xFFFFFFFF]], jnp.uint32)
        monkeypatch.setattr(floats.jax.random, "bits", lambda *_, w=words: w)
        assert floats.coins(KEY, jnp.full(1, p)).item() is (draw < threshold)


@pytest.mark.parametrize("dtype", FLOATS)
def test_coins_at_the_ends(dtype):
    keys = jax.random.split(KEY, 1000)
    p = jnp.array([0.0, 1.0, -0.0], dtype)
    assert (jax.vmap(lambda key: floats.coins(key, p))(keys) == jnp.array([0, 1, 0])).all()


def test_coins_are_independent():
    p = np.array([0.5, 0.1, 0.8])
    keys = jax.random.split(jax.random.key(3), 20_000)
    falls = np.asarray(jax.jit(jax.vmap(lambda key: floats.coins(key, jnp.array(p))))(keys))
    counts = np.bincount(falls @ [1, 2, 4], minlength=8)
    law = [np.where([j >> i & 1 for i in range(3)], p, 1 - p).prod() for j in range(8)]
    expected = len(keys) * np.array(law)
    # The 0.999 quantile of χ² with 7 degrees of freedom: a level of 1e-3, keys fixed.
    assert ((counts - expected) ** 2 / expected).sum() < 24.32


def test_two_workers_toss_their_own_coins():
    x = np.full(64, 4 / 3)
    x[0] = 3.0
    compressors = (bernoulli(0.5), natural(), qsgd(1), ternary(), scaled(natural()))

    @jax.jit
    def all_heard(worker):
        key = jax.random.fold_in(KEY, worker)
        return [c.decompress(c.compress(key, jnp.asarray(x))) for c in compressors]

    for first, again, other in zip(all_heard(1), all_heard(1), all_heard(2), strict=True):
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


# ---- the ends of the range ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_norms_neither_overflow_nor_vanish(dtype):
    limits = np.finfo(dtype)
    shape = np.array([1, -0.5, 0.25, 0], dtype)
    compressors = (qsgd(3), ternary(), scaled_sign())

    @jax.jit
    def look(x):
        messages = [compressor.compress(KEY, x) for compressor in compressors]
        return [
            (message.scale, c.decompress(message), c.decompress(c.encode(KEY, x)))
            for c, message in zip(compressors, messages, strict=True)
        ]

    for size in (limits.max / 4, limits.tiny * 64, dtype(1)):
        x = shape * size
        exact = {
            "norm": np.sqrt(np.float64(21) / 16),
            "largest": 1.0,
            "mean": 1.75 / 4,
        }
        for norm, (scale, told, lie) in zip(exact, look(jnp.asarray(x)), strict=True):
            assert np.float64(scale) / np.float64(size) == pytest.approx(
                exact[norm], rel=4 * float(limits.eps)
            )
            assert np.isfinite(told).all()
            error = np.linalg.norm(lie / size - shape)
            assert error <= np.linalg.norm(told / size - shape) + 4 * limits.eps


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_norm_that_is_no_number_is_rejected_at_the_entrance(dtype):
    x = np.full((3, 9), 1, dtype)
    x[1] = np.finfo(dtype).max

    @jax.jit
    def entering(x):
        messages = jax.vmap(qsgd(2).compress)(jax.random.split(KEY, 3), x)
        messages, refused = sanitize_messages(messages)
        return refused, qsgd(2).decompress(jax.tree.map(lambda leaf: leaf[1], messages))

    refused, second = entering(jnp.asarray(x))
    assert refused.tolist() == [False, True, False]
    assert (second == 0).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_coordinate(dtype):
    x = np.array([-2], dtype)
    compressors = (natural(), qsgd(1), qsgd(4), ternary(), scaled_sign(), bernoulli(1))
    for compressor, told, lie in zip(compressors, *through_all(compressors, x), strict=True):
        assert told == pytest.approx(x, rel=4 * float(np.finfo(dtype).eps))
        assert lie == pytest.approx(x, rel=4 * float(np.finfo(dtype).eps))
        if compressor.omega is not None:
            assert compressor.omega(1) >= 0


# ---- random dithering --------------------------------------------------------------------------


def variance(x, s):
    place = s * np.abs(x) / np.linalg.norm(x)
    part = place - np.floor(place)
    return (part * (1 - part)).sum() / s**2


def test_omega_of_qsgd_is_proved_and_attained():
    random = np.random.default_rng(0)
    for s, d in itertools.product([1, 2, 3, 7], [1, 2, 4, 9, 16, 36, 100, 1000]):
        omega = qsgd(s).omega(d)
        assert omega <= min(d / (4 * s**2), d**0.5 / s) or (s == 1 and omega == d**0.5 - 1)
        assert omega <= min(d / s**2, d**0.5 / s)  # published
        if s == 1 or d >= 4 * s**2:
            assert variance(np.ones(d), s) == pytest.approx(omega, abs=1e-12)
        for _ in range(30):
            x = random.normal(size=d) * np.exp(random.normal(size=d) * random.integers(4))
            assert variance(x, s) <= omega + 1e-12
    # d < 4 s²: every place halfway between two levels.
    assert variance(np.array([5, 3, 1, 1]), 3) == pytest.approx(qsgd(3).omega(4), abs=1e-12)
    assert qsgd(3).omega(4) == 1 / 9


def test_omega_of_ternary_is_the_largest():
    for d in (1, 2, 6, 100):
        t = np.linspace(0, 1, 10_001)
        ratios = (1 + (d - 1) * t) / (1 + (d - 1) * t**2) - 1
        assert ratios.max() <= ternary().omega(d) + 1e-12
        assert ratios.max() == pytest.approx(ternary().omega(d), abs=1e-6)


@pytest.mark.parametrize(
    ("s", "dtype"), [(1, np.int8), (127, np.int8), (128, np.int16), (2**15 - 1, np.int16)]
)
def test_all_levels_fit(s, dtype):
    x = np.array([0.0, -5.0, 0.0])
    message = qsgd(s).compress(KEY, jnp.asarray(x))
    assert message.levels.dtype == dtype
    assert message.levels.tolist() in ([0, -s, 0], [0, 1 - s, 0])
    assert heard(qsgd(s), x) == pytest.approx(x, abs=1e-12 if s > 1 else 0)
    assert message.bits() == 64 + 3 * (1 + math.ceil(math.log2(s + 1)))


# ---- natural compression -----------------------------------------------------------------------


def neighbours(x):
    """The powers of two around |x| and the probability of the upper one, in rational numbers."""
    value = abs(Fraction(float(x)))
    exponent = math.floor(math.log2(value))
    below = Fraction(2) ** exponent
    return below, (value - below) / below


@pytest.mark.parametrize("dtype", FLOATS)
def test_natural_rounds_to_the_powers_around(dtype, monkeypatch):
    random = np.random.default_rng(0)
    limit = 120 if dtype is np.float32 else 1000
    x = (random.normal(size=200) * 2.0 ** random.integers(-limit, limit, 200)).astype(dtype)
    for falls in (False, True):
        asked = []

        def coins(key, p, falls=falls, asked=asked):
            asked.append(np.asarray(p))
            return jnp.full(p.shape, falls)

        monkeypatch.setattr(quantizers, "coins", coins)
        values = heard(natural(), x)
        for number, value, p in zip(x, values, asked[0], strict=True):
            below, up = neighbours(number)
            assert Fraction(float(p)) == up  # exactly unbiased: no rounding at all
            assert abs(Fraction(float(value))) == below * (2 if falls else 1)
            assert np.sign(value) == np.sign(number)


@pytest.mark.parametrize("dtype", [*FLOATS, np.float16])
def test_natural_at_the_ends_of_the_range(dtype, monkeypatch):
    limits = np.finfo(dtype)
    top = dtype(2) ** (limits.maxexp - 1)
    monkeypatch.setattr(quantizers, "coins", lambda key, p: jnp.full(p.shape, True))
    x = np.array([limits.max, -limits.max, top, np.inf, -np.inf, np.nan], dtype)
    values = heard(natural(), x)
    assert values[:2].tolist() == [top, -top]  # saturated
    assert values[3:5].tolist() == [np.inf, -np.inf]
    assert np.isinf(values[5])
    # Subnormal: to 0 or to the smallest normal number, unbiased.
    small = limits.tiny / dtype(4)
    patterns = small.view({2: np.uint16, 4: np.uint32, 8: np.uint64}[limits.dtype.itemsize])
    assert patterns != 0
    asked = []
    monkeypatch.setattr(
        quantizers, "coins", lambda key, p: asked.append(p) or jnp.array([True, False])
    )
    values = heard(natural(), np.array([small, -small], dtype))
    assert asked[0].tolist() == [0.25, 0.25]
    assert values.tolist() == [limits.tiny, 0]


def test_natural_leaves_powers_of_two_alone():
    for dtype in FLOATS:
        x = np.array([2.0**j * (-1) ** j for j in range(-100, 101)] + [0.0], dtype)
        assert np.array_equal(heard(natural(), x), x)


# ---- liars say the nearest legal message -------------------------------------------------------

WANTED = [
    np.array([1.0, 0.4, 0.4]),
    np.array([0.3, -1.7, 0.02]),
    np.array([-1.0, 1.0, 1.0]),
    np.array([0.0, 0.0, 2.0]),
    np.zeros(3),
]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
@pytest.mark.parametrize("s", [1, 2, 3, 5])
def test_levels_are_the_nearest(wanted, s):
    best = wanted @ wanted
    for level in itertools.product(range(-s, s + 1), repeat=3):
        level = np.array(level)
        if level.any():
            step = max(0, wanted @ level) / (level @ level)
            best = min(best, ((wanted - step * level) ** 2).sum())
    error = ((said(qsgd(s), wanted) - wanted) ** 2).sum()
    assert error == pytest.approx(best, abs=1e-14)
    message = qsgd(s).encode(KEY, jnp.asarray(wanted))
    assert isinstance(message, Levels)
    assert jnp.abs(message.levels).max() <= s
    assert message.bits() == qsgd(s).compress(KEY, jnp.asarray(wanted)).bits()
    if s == 1:
        assert np.array_equal(said(ternary(), wanted), said(qsgd(1), wanted))


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_signs_are_the_nearest(wanted):
    signs = [np.array(choice) for choice in itertools.product([-1, 1], repeat=3)]
    for compressor, legal in (
        (sign(), signs),
        (scaled_sign(), [max(0, wanted @ choice) / 3 * choice for choice in signs]),
    ):
        errors = [((wanted - vector) ** 2).sum() for vector in legal]
        error = ((said(compressor, wanted) - wanted) ** 2).sum()
        assert error == pytest.approx(min(errors), abs=1e-14)


def test_powers_are_the_nearest():
    wanted = np.random.default_rng(0).normal(size=100)
    powers = 2.0 ** np.arange(-30, 5)
    nearest = np.abs(np.abs(wanted)[:, None] - powers).argmin(axis=1)
    assert np.array_equal(said(natural(), wanted), np.sign(wanted) * powers[nearest])
    assert isinstance(natural().encode(KEY, jnp.asarray(wanted)), Exponents)


def test_a_bernoulli_liar_says_all_and_is_charged_for_it():
    wanted = jnp.array([0.0, 1.0, -2.0, 0.0, jnp.nan])
    message = bernoulli(0.1).encode(KEY, wanted)
    assert np.array_equal(bernoulli(0.1).decompress(message), wanted, equal_nan=True)
    assert message.bits() == 3 * 64 + 5
    message = bernoulli(0.1).encode(KEY, jnp.ones(100))
    assert message.bits() == 100 * 64 + 100


def test_no_factor_is_applied_twice_to_a_lie():
    wanted = np.array([0.3, -1.7, 0.02, 5.0])
    compressors = (scaled(bernoulli(0.3)), scaled(rand_k(k=4)), scaled(seeded_rand_k(k=4)))
    compressors += (blockwise((1, 3), lambda size: scaled(rand_k(k=size))),)
    for lie in through_all(compressors, wanted)[1]:
        np.testing.assert_allclose(lie, wanted, rtol=1e-15)


# ---- wrappers ----------------------------------------------------------------------------------


def test_scaled_needs_omega():
    for compressor in (top_k(k=1), scaled_sign(), sign(), scaled(natural())):
        with pytest.raises(ValueError, match="compressor must be unbiased with a known omega"):
            scaled(compressor)
    assert scaled(identity()).alpha(5) == 1


def test_blocks_have_their_own_k_key_and_constants():
    sizes = (4, 10, 6)
    compressor = blockwise(sizes, lambda size: rand_k(ratio=0.5))
    x = jnp.arange(1.0, 21.0)
    message = compressor.compress(KEY, x)
    assert isinstance(message, Blocks)
    assert [part.values.shape[0] for part in message.parts] == [2, 5, 3]
    assert [part.size for part in message.parts] == list(sizes)
    assert message.bits() == 2 * (64 + 2) + 5 * (64 + 4) + 3 * (64 + 3)
    kept = np.asarray(compressor.decompress(message))
    assert ((kept == 0) | (kept == 2 * np.asarray(x))).all()
    assert [np.count_nonzero(part) for part in np.split(kept, [4, 14])] == [2, 5, 3]
    assert compressor.omega(20) == 1
    assert compressor.alpha is None
    assert blockwise((2, 9), lambda size: scaled_sign()).alpha(11) == 1 / 9
    assert blockwise((2, 9), lambda size: qsgd(1)).omega(11) == 2
    mixed = blockwise((2, 9), lambda size: natural() if size == 2 else top_k(k=3))
    assert mixed.omega is None
    assert mixed.alpha(11) == 1 / 3
    # Equal blocks do not share their coins.
    twins = heard(blockwise((50, 50), lambda size: natural()), np.full(100, 4 / 3))
    assert not np.array_equal(twins[:50], twins[50:])


def test_random_blocks_are_unbiased_with_the_largest_omega(monkeypatch):
    x = np.array([0.3, -1.7, 0.02, 5.0, -0.4])
    compressor = blockwise((2, 3), lambda size: rand_k(k=1))
    outcomes = []
    for places in itertools.product(range(2), range(3)):
        left = iter(places)
        monkeypatch.setattr(
            sparsifiers, "random_subset", lambda key, d, k, left=left: jnp.array([next(left)])
        )
        outcomes.append(heard(compressor, x))
    errors = ((np.array(outcomes) - x) ** 2).sum(axis=1)
    np.testing.assert_allclose(np.mean(outcomes, axis=0), x, rtol=1e-14)
    np.testing.assert_allclose(errors.mean(), 1 * x[:2] @ x[:2] + 2 * x[2:] @ x[2:], rtol=1e-14)
    assert compressor.omega(5) == 2


def test_random_lengths_under_transformations():
    compressor = blockwise((5, 7), lambda size: bernoulli(0.5) if size == 5 else sign())
    xs = jnp.ones((4, 12))
    keys = jax.random.split(KEY, 4)
    mapped = jax.jit(jax.vmap(lambda key, x: compressor.compress(key, x).bits()))(keys, xs)
    assert mapped.dtype == jnp.uint32
    for key, x, bits in zip(keys, xs, mapped, strict=True):
        message = compressor.compress(key, x)
        count = int(message.parts[0].kept.sum())
        assert message.bits() == bits == count * 64 + min(5, 3 * count) + 7


def test_a_probability_may_be_swept():
    def mean(p):
        compressor = bernoulli(p)
        return compressor.decompress(compressor.compress(KEY, jnp.ones(2000))), compressor.omega(1)

    values, omegas = jax.jit(jax.vmap(mean))(jnp.array([0.25, 0.5]))
    assert omegas.tolist() == [3, 1]
    for value, p in zip(values, (0.25, 0.5), strict=True):
        assert set(value.tolist()) == {0, 1 / p}
        # Binomial(2000, p): five standard deviations.
        assert abs((value > 0).sum() - 2000 * p) < 5 * (2000 * p * (1 - p)) ** 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: qsgd(0), r"levels must be an integer in 1..32767, got 0"),
        (lambda: qsgd(2**15), r"levels must be an integer in 1..32767, got 32768"),
        (lambda: qsgd(2.0), r"levels must be an integer in 1..32767, got 2.0"),
        (lambda: qsgd(True), r"levels must be an integer in 1..32767, got True"),
        (lambda: bernoulli(0), r"probability must lie in \(0, 1\], got 0"),
        (lambda: bernoulli(1.5), r"probability must lie in \(0, 1\], got 1.5"),
        (lambda: bernoulli(math.nan), r"probability must lie in \(0, 1\], got nan"),
        (lambda: bernoulli("p"), r"probability must be a number in \(0, 1\], got 'p'"),
        (lambda: blockwise((), lambda size: natural()), r"sizes must name at least one block"),
        (lambda: blockwise((3, 0), lambda size: natural()), r"sizes\[1\] must be an integer >= 1"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_blocks_that_do_not_fill_the_vector_are_refused():
    compressor = wrappers.blockwise(np.array([2, 3]), lambda size: natural())
    for attempt in (
        lambda: compressor.compress(KEY, jnp.ones(6)),
        lambda: compressor.encode(KEY, jnp.ones(4)),
        lambda: compressor.omega(6),
        lambda: compressor.alpha(4),
    ):
        with pytest.raises(
            ValueError, match=r"sizes must sum to d = [46], got \[2, 3\] with sum 5"
        ):
            attempt()


def test_what_is_dropped_is_zero_whatever_it_was():
    x = jnp.array([jnp.nan, jnp.inf, 1.0, 2.0] * 10)
    message = bernoulli(0.5).compress(KEY, x)
    assert isinstance(message, Masked)
    assert (message.values[~message.kept] == 0).all()
