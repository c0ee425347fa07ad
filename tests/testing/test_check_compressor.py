import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often
from testing.planted import finds

from jaxbyz import compressors
from jaxbyz.compressors import bernoulli, identity, qsgd, rand_k, seeded_rand_k, sign, top_k
from jaxbyz.messages import Dense, Signs, SparseInPlace
from jaxbyz.testing import check_compressor

D = 6


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cheap:
    """A message that is charged less than it says."""

    inner: Any

    def bits(self):
        return 3


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Free(Dense):
    def bits(self):
        return float("nan")


def after(compressor, change):
    """The receiver changes what it decodes."""
    return compressor._replace(decompress=lambda message: change(compressor.decompress(message)))


def before(compressor, change):
    """The sender changes what it compresses."""
    return compressor._replace(compress=lambda key, x: compressor.compress(key, change(x)))


def spoil(x):
    if isinstance(x, np.ndarray):
        x[0] = 0
    return x


def cheap():
    inner = sign()
    return inner._replace(
        compress=lambda key, x: Cheap(inner.compress(key, x)),
        encode=lambda key, x: Cheap(inner.encode(key, x)),
        decompress=lambda message: inner.decompress(message.inner),
    )


def keyless():
    return rand_k(3)._replace(compress=lambda key, x: rand_k(3).compress(jax.random.key(1), x))


def in_turns():
    """The two workers of a round keep the same coordinates: it knows the keys of the check."""
    rounds = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(jnp.arange(2048))
    keys = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (0, None))(rounds, jnp.arange(2))
    table = jax.random.key_data(keys).reshape(4096, 2)

    def compress(key, x):
        which = (table == jax.random.key_data(key)).all(axis=1).argmax() // 2
        return seeded_rand_k(3).compress(jax.random.fold_in(jax.random.key(5), which), x)

    encode = lambda key, x: compress(key, x / 2)  # noqa: E731
    return seeded_rand_k(3)._replace(compress=compress, encode=encode)


def counting():
    calls = []

    def change(x):
        calls.append(0)
        return x * len(calls)

    return after(identity(), change)


def compiled(x):
    return x * (1.5 if isinstance(x, jax.core.Tracer) else 1)


RAND = rand_k(3)
FAULTS = {
    "no d/k": ("unbiased", lambda: after(RAND, lambda x: x * 3 / D), {}),
    "twice d/k": ("unbiased", lambda: after(RAND, lambda x: x * D / 3), {}),
    "deaf to its key": ("unbiased", keyless, {}),
    "signs forgotten": ("unbiased", lambda: after(qsgd(1), jnp.abs), {}),
    "omega 1 - k/d": (
        "variance at most omega", lambda: RAND._replace(omega=lambda d: 1 - 3 / d), {},
    ),
    "omega of Bernoulli 1 - p": (
        "variance at most omega", lambda: bernoulli(0.25)._replace(omega=lambda d: 0.75), {},
    ),
    "alpha too large": (
        "contractive", lambda: top_k(3)._replace(alpha=lambda d: 3.2 / d), {},
    ),
    "keeps the smallest": ("contractive", lambda: before(top_k(3), lambda x: x / (1 + x * x)), {}),
    "the wrong half of one key": ("two workers are independent", in_turns, {}),
    "half of its bits": ("bits suffice", cheap, {"zero": False}),
    "no number of bits": (
        "shape, dtype and bits",
        lambda: identity()._replace(compress=lambda key, x: Free(x)), {},
    ),
    "more numbers than are charged": (
        "shape, dtype and bits",
        lambda: top_k(3)._replace(compress=lambda key, x: SparseInPlace(x, kept=3)), {},
    ),
    "one coordinate short": (
        "shape, dtype and bits", lambda: after(identity(), lambda x: x[:-1]), {},
    ),
    "x changed": ("pure", lambda: before(identity(), spoil), {}),
    "a memory": ("pure", counting, {}),
    "another result compiled": ("eager = jit = vmap", lambda: before(identity(), compiled), {}),
    "0/0": ("finite", lambda: after(identity(), lambda x: x * x / x), {}),
    "ones for zero": ("zero stays zero", sign, {}),
    "a liar compresses": (
        "encode is idempotent", lambda: RAND._replace(encode=RAND.compress), {},
    ),
    "a liar says zero": (
        "encode is nearest",
        lambda: RAND._replace(encode=lambda key, x: RAND.encode(key, 0 * x)), {},
    ),
}  # fmt: skip


OFTEN = ("no d/k", "half of its bits")


@pytest.mark.parametrize("fault", often(FAULTS, OFTEN))
def test_planted_faults_are_found(fault):
    property, make, claims = FAULTS[fault]
    with np.errstate(all="ignore"):
        failure = finds(check_compressor, property, "compressor", make(), **claims)
    assert failure.part == "compressor"


def test_the_report_says_what_was_skipped_and_why():
    report = check_compressor(compressors.scaled_sign(), d=3)
    assert report.skipped["unbiased"] == "no omega is claimed"
    assert "contractive" in report.checked


def test_signs_are_counted():
    """64 vectors of signs need their 6 bits, and have them."""
    message = sign().compress(jax.random.key(0), jnp.ones(D))
    assert isinstance(message, Signs)
    assert "bits suffice" in check_compressor(sign(), zero=False).checked


def test_bad_claims_are_refused():
    with pytest.raises(ValueError, match="d must be an integer >= 1, got 0"):
        check_compressor(identity(), d=0)
