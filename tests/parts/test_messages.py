import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often

from jaxbyz.messages import (
    SEED_BITS,
    Blocks,
    Dense,
    Exponents,
    Levels,
    Masked,
    ScaledSigns,
    Seeded,
    SharedSupport,
    Signs,
    Sparse,
    SparseInPlace,
    bit_words,
    float_bits,
    index_bits,
)
from jaxbyz.sanitize import read_messages, sanitize_messages, saturated

pytestmark = pytest.mark.usefixtures("x64")


# ---- an encoder that really writes the bits ----------------------------------------------------


class Tape:
    """Unsigned numbers of given widths, written one after another and read back."""

    def __init__(self):
        self.digits = ""
        self.place = 0

    def write(self, number, width):
        assert 0 <= number < 2**width
        self.digits += f"{number:0{width}b}" if width else ""

    def read(self, width):
        self.place += width
        return int(self.digits[self.place - width : self.place] or "0", 2)

    def to_bytes(self):
        padded = self.digits + "0" * (-len(self.digits) % 8)
        return bytes(int(padded[i : i + 8], 2) for i in range(0, len(padded), 8))

    @classmethod
    def from_bytes(cls, data):
        tape = cls()
        tape.digits = "".join(f"{byte:08b}" for byte in data)
        return tape


PATTERNS = {2: np.uint16, 4: np.uint32, 8: np.uint64}
FRACTION = {2: 10, 4: 23, 8: 52}  # bits behind the exponent


def width_of_an_index(d):
    width = 0
    while 2**width < d:
        width += 1
    return width


def picked_out(message):
    """The numbers of a message that is held in place; zeros for those that are not to be seen."""
    values = np.asarray(message.values)
    sent = np.flatnonzero(values.view(PATTERNS[values.itemsize]))  # -0.0 is one
    assert len(sent) <= message.kept
    places = np.append(sent, np.setdiff1d(np.arange(len(values)), sent))[: message.kept]
    return Sparse(values[places], places, size=len(values))


def encode(message, d):
    """The bits that a sender of this message puts on the wire."""
    tape = Tape()
    if isinstance(message, SparseInPlace):
        message = picked_out(message)
    values = np.asarray(message.values)
    for pattern in values.view(PATTERNS[values.itemsize]):
        tape.write(int(pattern), 8 * values.itemsize)
    if isinstance(message, Sparse):
        for index in np.asarray(message.indices):
            tape.write(int(index), width_of_an_index(d))
    return tape


def filled(d, indices, values):
    """Zeros but for some values, [d]."""
    whole = np.zeros(d, values.dtype)
    whole[np.asarray(indices)] = values
    return jnp.asarray(whole)


def decode(kind, data, dtype, d, k, derived):
    """What a receiver makes of the bytes, knowing the protocol and the subset of the seed."""
    tape, dtype = Tape.from_bytes(data), np.dtype(dtype)
    count = d if kind is Dense else k
    patterns = [tape.read(8 * dtype.itemsize) for _ in range(count)]
    values = jnp.asarray(np.array(patterns, PATTERNS[dtype.itemsize]).view(dtype))
    if kind in (Sparse, SparseInPlace):
        indices = [tape.read(width_of_an_index(d)) for _ in range(k)]
        if kind is Sparse:
            return Sparse(values, jnp.asarray(np.array(indices)), size=d)
        return SparseInPlace(filled(d, indices, values), kept=k)
    if kind is Seeded:
        return Seeded(values, derived, size=d)
    return kind(values)


@pytest.mark.parametrize("kind", [Dense, Sparse, SparseInPlace, Seeded, SharedSupport])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.float16])
@pytest.mark.parametrize(("d", "k"), [(1, 1), (2, 1), (8, 3), (9, 9), (1000, 17), (1025, 4)])
def test_bits_are_those_of_an_encoder(kind, dtype, d, k):
    # Any distinct indices; of `Seeded` both ends draw them, and they are not sent.
    subset = jnp.asarray(np.random.default_rng(k).permutation(d)[:k])
    count = d if kind is Dense else k
    values = np.random.default_rng(d).normal(size=count)
    values[:3] = [np.nan, -np.inf, -0.0][: len(values)]
    values = jnp.asarray(values.astype(dtype))
    message = {
        Dense: lambda: Dense(values),
        Sparse: lambda: Sparse(values, subset, size=d),
        SparseInPlace: lambda: SparseInPlace(filled(d, subset, values), kept=k),
        Seeded: lambda: Seeded(values, subset, size=d),
        SharedSupport: lambda: SharedSupport(values),
    }[kind]()
    tape = encode(message, d)
    assert isinstance(message.bits(), int)
    assert message.bits() == len(tape.digits)
    received = decode(kind, tape.to_bytes(), dtype, d, k, subset)
    assert jax.tree.structure(received) == jax.tree.structure(message)
    for sent, got in zip(jax.tree.leaves(message), jax.tree.leaves(received), strict=True):
        assert np.array_equal(np.asarray(sent), np.asarray(got), equal_nan=True)
        assert np.array_equal(np.signbit(sent), np.signbit(got))


# ---- codes that are not floats and indices -----------------------------------------------------


def write_float(tape, number):
    number = np.asarray(number)
    tape.write(int(number.view(PATTERNS[number.itemsize])), 8 * number.itemsize)


def read_float(tape, dtype):
    dtype = np.dtype(dtype)
    return np.array(tape.read(8 * dtype.itemsize), PATTERNS[dtype.itemsize]).view(dtype)


def write(tape, message):
    """What a sender puts on the wire."""
    if isinstance(message, Blocks):
        for part in message.parts:
            write(tape, part)
    elif isinstance(message, Masked):
        places = np.flatnonzero(message.kept)
        d = message.kept.shape[0]
        for number in np.asarray(message.values)[places]:
            write_float(tape, number)
        if len(places) * width_of_an_index(d) < d:
            for place in places:
                tape.write(int(place), width_of_an_index(d))
        else:
            for kept in np.asarray(message.kept):
                tape.write(int(kept), 1)
    elif isinstance(message, Exponents):
        values = np.asarray(message.values)
        behind = FRACTION[values.itemsize]
        for pattern in values.view(PATTERNS[values.itemsize]):
            assert int(pattern) % 2**behind == 0  # nothing but sign and exponent
            tape.write(int(pattern) >> behind, 8 * values.itemsize - behind)
    elif isinstance(message, Dense):
        for number in np.asarray(message.values):
            write_float(tape, number)
    else:
        if not isinstance(message, Signs):
            write_float(tape, message.scale)
        if isinstance(message, Levels):
            for level in message.levels.tolist():
                tape.write(int(level < 0), 1)
                tape.write(abs(level), width_of_an_index(message.most + 1))
        else:
            for positive in message.positive.tolist():
                tape.write(int(positive), 1)


def read(tape, like, length):
    """What a receiver makes of `length` bits, knowing only types and shapes (those of `like`)."""
    if isinstance(like, Blocks):  # one block of random length: it has what the others leave
        others = sum(part.bits() for part in like.parts if not isinstance(part, Masked))
        return Blocks(
            tuple(
                read(tape, part, length - others if isinstance(part, Masked) else part.bits())
                for part in like.parts
            )
        )
    if isinstance(like, Masked):
        (d,), dtype = like.values.shape, like.values.dtype
        index, b = width_of_an_index(d), 8 * dtype.itemsize
        (count,) = (c for c in range(d + 1) if c * b + min(d, c * index) == length)
        values = [read_float(tape, dtype) for _ in range(count)]
        if count * index < d:
            places = [tape.read(index) for _ in range(count)]
        else:
            places = [j for j in range(d) if tape.read(1)]
        filled, kept = np.zeros(d, dtype), np.zeros(d, bool)
        filled[places], kept[places] = values, True
        return Masked(jnp.asarray(filled), jnp.asarray(kept))
    if isinstance(like, Exponents):
        dtype = np.dtype(like.values.dtype)
        behind = FRACTION[dtype.itemsize]
        codes = [tape.read(8 * dtype.itemsize - behind) << behind for _ in like.values]
        return Exponents(jnp.asarray(np.array(codes, PATTERNS[dtype.itemsize]).view(dtype)))
    if isinstance(like, Dense):
        numbers = [read_float(tape, like.values.dtype) for _ in like.values]
        return Dense(jnp.asarray(np.array(numbers)))
    if isinstance(like, Signs):
        positive = [bool(tape.read(1)) for _ in like.positive]
        return Signs(jnp.asarray(positive), dtype=like.dtype)
    scale = jnp.asarray(read_float(tape, like.scale.dtype))
    if isinstance(like, ScaledSigns):
        return ScaledSigns(scale, jnp.asarray([bool(tape.read(1)) for _ in like.positive]))
    levels = [
        (-1) ** tape.read(1) * tape.read(width_of_an_index(like.most + 1)) for _ in like.levels
    ]
    return Levels(scale, jnp.asarray(levels, like.levels.dtype), most=like.most)


def masked(d, count, dtype, random):
    kept = np.isin(np.arange(d), random.permutation(d)[:count])
    values = np.where(kept, random.normal(size=d), 0).astype(dtype)
    return Masked(jnp.asarray(values), jnp.asarray(kept))


def coded(d, dtype):
    """Named messages of d coordinates."""
    random = np.random.default_rng(d)
    signs = jnp.asarray(random.random(d) < 0.5)
    scale = jnp.asarray(random.normal(), dtype)
    powers = 2.0 ** random.integers(-10, 10, d) * random.choice([-1, 1], d)
    powers[:3] = [0, np.inf, -np.inf][:d]
    for count in sorted({0, 1, d // 7, d // 2, d}):
        yield f"masked, {count}", masked(d, count, dtype, random)
    yield "signs", Signs(signs, dtype=jnp.dtype(dtype))
    yield "scaled signs", ScaledSigns(scale, signs)
    for s in (1, 2, 3, 4, 7, 8, 127, 200):
        levels = random.integers(-s, s + 1, d)
        levels[:2] = [s, -s][:d]
        yield f"levels, {s}", Levels(scale, jnp.asarray(levels, jnp.int16), most=s)
    yield "exponents", Exponents(jnp.asarray(powers, dtype))
    yield "blocks", Blocks((ScaledSigns(scale, signs), Dense(jnp.asarray(powers, dtype))))
    yield (
        "random blocks",
        Blocks((masked(d, d // 3, dtype, random), Signs(signs, jnp.dtype(dtype)))),
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("d", [1, 2, 8, 9, 33, 200])
def test_bits_are_those_of_an_encoder_of_codes(d, dtype):
    for name, message in coded(d, dtype):
        tape = Tape()
        write(tape, message)
        bits = message.bits()
        assert int(bits) == len(tape.digits), name
        assert isinstance(bits, int) or (bits.dtype == jnp.uint32 and bits.shape == ())
        received = read(Tape.from_bytes(tape.to_bytes()), message, len(tape.digits))
        assert jax.tree.structure(received) == jax.tree.structure(message)
        for sent, got in zip(jax.tree.leaves(message), jax.tree.leaves(received), strict=True):
            assert sent.dtype == got.dtype
            assert np.array_equal(sent, got)


def test_bits_of_codes_by_hand():
    signs, scale = jnp.ones(10, bool), jnp.float32(1)
    assert Signs(signs, dtype=jnp.dtype("float32")).bits() == 10
    assert ScaledSigns(scale, signs).bits() == 42
    for most, each in ((1, 2), (2, 3), (3, 3), (4, 4), (7, 4), (8, 5), (255, 9)):
        assert Levels(scale, jnp.zeros(10, jnp.int16), most=most).bits() == 32 + 10 * each
    assert Exponents(jnp.ones(10, jnp.float32)).bits() == 90
    assert Exponents(jnp.ones(10, jnp.float64)).bits() == 120
    kept = jnp.arange(1000) < 7
    assert Masked(jnp.ones(1000, jnp.float32), kept).bits() == 7 * 32 + 7 * 10
    assert Masked(jnp.ones(1000, jnp.float32), jnp.arange(1000) < 500).bits() == 500 * 32 + 1000


def test_random_lengths_that_could_overflow_are_refused():
    def bits(d, blocks):
        part = Masked(jnp.zeros(d, jnp.float32), jnp.zeros(d, bool))
        return (Blocks((part,) * blocks) if blocks else part).bits()

    fits = (2**32 - 1) // 33
    assert jax.eval_shape(lambda: bits(fits, 0)).dtype == jnp.uint32
    with pytest.raises(ValueError, match=r"d \(b \+ 1\) must be below 2³²"):
        jax.eval_shape(lambda: bits(fits + 1, 0))
    assert jax.eval_shape(lambda: bits(2**20, 2)).dtype == jnp.uint32
    with pytest.raises(ValueError, match="random length must have less than 2³² bits"):
        jax.eval_shape(lambda: bits(2**24, 2))


def test_bits_speak_of_one_message_under_vmap():
    batch = Sparse(jnp.zeros((5, 3)), jnp.zeros((5, 3), int), size=1000)
    words = jax.jit(jax.vmap(lambda message: bit_words(message.bits()), axis_size=5))(batch)
    assert words.tolist() == [[0, 3 * (64 + 10)]] * 5


def test_widths():
    assert [index_bits(d) for d in range(1, 18)] == [width_of_an_index(d) for d in range(1, 18)]
    assert index_bits(2**40) == 40
    assert index_bits(2**40 + 1) == 41
    kinds = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)
    assert [float_bits(jnp.zeros(3, kind)) for kind in kinds] == [16, 16, 32, 64]
    assert SEED_BITS == 64


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2**32 - 1, 2**32, 2**40 + 12_345, 2**64 - 1])
def test_bit_words_hold_huge_counts_exactly(count, wide):
    with jax.enable_x64(wide):
        for words in (bit_words(count), jax.jit(lambda: bit_words(count))()):
            assert words.dtype == jnp.uint32
            high, low = words.tolist()
            assert high * 2**32 + low == count


def test_bit_words_of_a_random_length():
    counts = jnp.array([0, 7, 2**32 - 1], jnp.uint32)
    words = jax.jit(jax.vmap(bit_words))(counts)
    assert words.dtype == jnp.uint32
    assert words.tolist() == [[0, 0], [0, 7], [0, 2**32 - 1]]


# ---- the server's entrance ---------------------------------------------------------------------


def batches():
    """Named batches [5, 4] in float32 and which rows are to be rejected."""
    random = np.random.default_rng(0)
    largest = np.finfo(np.float32).max
    good = random.normal(size=(5, 4)).astype(np.float32)
    spoils = {
        "nothing": (None, False),
        "NaN": ([0, np.nan, 0, 0], True),
        "Inf": ([0, 0, 0, np.inf], True),
        "-Inf": ([-np.inf] * 4, True),
        "NaN and Inf": ([np.nan, np.inf, -np.inf, 1], True),
        "the largest number": ([largest, 0, 0, -largest], False),
        "huge": ([0, 1e20, 0, 0], False),
        "zeros": ([0, 0, 0, 0], False),
        "tiny": ([1e-40] * 4, False),
    }
    for name, (row, rejected) in spoils.items():
        for places in ([0], [4], [1, 3]):
            batch, bad = good.copy(), np.zeros(5, bool)
            if row is not None:
                batch[places], bad[places] = row, rejected
            yield name, batch, bad
    yield "all bad", np.full((5, 4), np.nan, np.float32), np.ones(5, bool)
    yield "all Inf but one", np.array([[np.inf] * 4] * 4 + [[1.0] * 4], np.float32), [1, 1, 1, 1, 0]
    yield "all zero", np.zeros((5, 4), np.float32), np.zeros(5, bool)
    yield "all 1e30", good * np.float32(1e30), np.zeros(5, bool)
    yield "all 1e-30", good * np.float32(1e-30), np.zeros(5, bool)


@pytest.mark.parametrize(
    ("batch", "bad"), [pytest.param(*case, id=name) for name, *case in batches()]
)
def test_messages_are_rejected_for_what_is_no_number_and_nothing_else(batch, bad):
    bad = np.asarray(bad, bool)
    kept, rejected = sanitize_messages(Dense(jnp.asarray(batch)))
    assert rejected.tolist() == bad.tolist()
    kept = np.asarray(kept.values)
    assert kept.dtype == np.float32
    assert (kept[bad] == 0).all()
    # What is let in is let in as it is, bit for bit.
    assert np.array_equal(kept[~bad].view(np.uint32), batch[~bad].view(np.uint32))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_what_the_others_say_decides_nothing(dtype):
    """Whoever they are, how many, and whatever the sizes: a row is let in as it would be alone."""
    limits = jnp.finfo(dtype)
    sizes = [0, float(limits.smallest_subnormal), float(limits.tiny), 1e-3, 1, 1e3,
             float(limits.max), np.inf, np.nan]  # fmt: skip
    rows = jnp.asarray([[size, -size / 2] for size in sizes], dtype)
    batch = jnp.concatenate([rows, rows[::-1]])
    kept, rejected = sanitize_messages(Dense(batch))
    assert rejected.tolist() == (~np.isfinite(np.asarray(batch, np.float64)).all(axis=1)).tolist()
    for i, row in enumerate(batch):
        alone, no = sanitize_messages(Dense(row[None]))
        assert no[0] == rejected[i]
        assert np.array_equal(alone.values[0], kept.values[i])


def test_an_honest_worker_that_is_nearly_done_is_heard_whatever_five_liars_say():
    honest = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    honest[0] *= 1e-18
    for lie in (0, 1e-38, 1e17, 3e38, np.inf, np.nan):
        kept, rejected = sanitize_messages(
            Dense(jnp.asarray(np.concatenate([honest, np.full((5, 3), lie)])))
        )
        assert not rejected[:6].any()
        assert np.array_equal(kept.values[:6], honest)


def test_equal_rows_of_ones_in_half_precision_are_heard():
    _, rejected = sanitize_messages(Dense(jnp.ones((11, 1000), jnp.float16)))
    assert not rejected.any()


def test_what_is_read_as_no_number_is_refused_by_itself():
    read = lambda message: 10 * message.values  # noqa: E731
    for dtype in (jnp.float16, jnp.float32, jnp.float64):
        largest = float(jnp.finfo(dtype).max)
        values = jnp.asarray([[1.0, 2.0], [0.0, 0.2 * largest], [0.05 * largest, 1.0]], dtype)
        received, rejected = read_messages(read, Dense(values))
        assert rejected.tolist() == [False, True, False]
        assert np.array_equal(received, 10 * values.at[1].set(0))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_a_sum_beyond_the_largest_number_stays_there(dtype):
    largest = jnp.finfo(dtype).max
    terms = jnp.asarray([largest, -largest, 1, 0], dtype)
    assert saturated(terms + terms).tolist() == [float(largest), -float(largest), 2, 0]


def test_integers_pass_and_every_float_array_counts():
    values = jnp.array([[1.0, 2.0], [jnp.nan, 1.0], [3.0, 1.0]])
    indices = jnp.array([[4, 5], [6, 7], [8, 9]])
    kept, rejected = sanitize_messages(Sparse(values, indices, size=10))
    assert rejected.tolist() == [False, True, False]
    assert jnp.array_equal(kept.indices, indices)
    assert kept.values.tolist() == [[1, 2], [0, 0], [3, 1]]
    assert kept.size == 10
    other = {"a": jnp.ones((3, 2)), "b": jnp.array([1.0, 2.0, jnp.inf]), "c": jnp.arange(3)}
    kept, rejected = sanitize_messages(other)
    assert rejected.tolist() == [False, False, True]
    assert kept["a"].tolist() == [[1, 1], [1, 1], [0, 0]]
    assert kept["b"].tolist() == [1, 2, 0]
    assert kept["c"].tolist() == [0, 1, 2]
    kept, rejected = sanitize_messages({"c": jnp.arange(3)})
    assert not rejected.any()


SIGNS = jnp.array([[True, False], [False, False], [True, True]])
CODES = {
    "scaled signs": lambda scales: ScaledSigns(scales, SIGNS),
    "levels": lambda scales: Levels(scales, jnp.array([[1, -2], [2, 0], [0, 1]]), most=2),
    "exponents": lambda scales: Exponents(scales[:, None] * jnp.float32([1.0, -2.0])),
    "masked": lambda scales: Masked(jnp.where(SIGNS, scales[:, None], 0), SIGNS.at[:, 0].set(True)),
    "blocks": lambda scales: Blocks((Dense(jnp.ones((3, 4))), ScaledSigns(scales, SIGNS))),
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("lie", [jnp.inf, -jnp.inf])
def test_a_rejected_message_of_any_kind_is_a_message_of_zeros(code, lie):
    scales = jnp.array([1.0, lie, 0.5], jnp.float32)
    sent = CODES[code](scales)
    if code == "masked":
        sent = Masked(sent.values.at[1, 0].set(lie), sent.kept)
    kept, rejected = sanitize_messages(sent)
    assert rejected.tolist() == [False, True, False]
    for before, after in zip(jax.tree.leaves(sent), jax.tree.leaves(kept), strict=True):
        assert np.array_equal(before[::2], after[::2])
        floating = jnp.issubdtype(after.dtype, jnp.floating)
        assert np.array_equal(after[1], jnp.zeros_like(after[1]) if floating else before[1])


def test_signs_are_always_admitted():
    kept, rejected = sanitize_messages(Signs(SIGNS, dtype=jnp.dtype("float32")))
    assert rejected.tolist() == [False] * 3
    assert np.array_equal(kept.positive, SIGNS)


def test_eager_jit_and_vmap_agree():
    stack = jnp.asarray(np.stack([batch for _, batch, _ in batches()]))
    mapped, rejected = jax.jit(jax.vmap(lambda values: sanitize_messages(Dense(values))))(stack)
    compiled = jax.jit(lambda values: sanitize_messages(Dense(values)))
    for i, values in enumerate(stack):
        for kept, bad in (sanitize_messages(Dense(values)), compiled(values)):
            assert np.array_equal(kept.values, mapped.values[i])
            assert np.array_equal(bad, rejected[i])


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("d", often([2047, 2048, 5000, 20_000], ["20000"]))
def test_a_bad_number_in_a_long_message_is_not_overlooked(value, d):
    # A maximum of floats forgets NaN on CPU where an axis has thousands of entries, and so this
    # did let it in.
    for dtype in (np.float32, np.float64):
        values = np.random.default_rng(d).normal(size=(3, d)).astype(dtype)
        for j in (0, 1, d // 2, d - 1):
            spoilt = values.copy()
            spoilt[1, j] = value
            for look in (sanitize_messages, jax.jit(sanitize_messages)):
                messages, rejected = look(Dense(jnp.array(spoilt)))
                assert rejected.tolist() == [False, True, False]
                assert not np.asarray(messages.values[1]).any()
