"""Properties of a compressor's single messages: contract, purity, ways of calling, range, bits."""

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.core import Compressor
from jaxbyz.messages import SparseInPlace
from jaxbyz.testing.compressor_laws import through
from jaxbyz.testing.report import Battery, Case

INPUTS = 2**12


def _length(message: Any) -> jax.Array:
    return jnp.asarray(message.bits())


def _holds_no_more_than_it_pays(message: Any) -> bool:
    """What is held in place has at most as many numbers as are charged for."""
    parts = jax.tree.leaves(message, is_leaf=lambda part: isinstance(part, SparseInPlace))
    held = [part for part in parts if isinstance(part, SparseInPlace)]
    return all(np.count_nonzero(part.values) <= part.kept for part in held)


def check_contract(battery: Battery, compressor: Compressor, case: Case) -> None:
    """Shapes, dtypes and bits of one message of `compress` and of `encode`."""
    x, key = case.arrays["x"], jax.random.key(7)
    name = "shape, dtype and bits"
    code = """
for make in (compressor.compress, compressor.encode):
    message = make(jax.random.key(7), jnp.asarray(x))
    value, bits = compressor.decompress(message), np.asarray(message.bits())
    assert value.shape == x.shape and value.dtype == x.dtype, (value.shape, value.dtype)
    assert bits.shape == () and np.isfinite(bits) and bits >= 0, bits
    for part in jax.tree.leaves(message, is_leaf=lambda part: isinstance(part, SparseInPlace)):
        if isinstance(part, SparseInPlace):
            assert np.count_nonzero(part.values) <= part.kept, part
"""
    with battery.attempt(name, case, code), jax.disable_jit():
        messages = [make(key, jnp.asarray(x)) for make in (compressor.compress, compressor.encode)]
        for message in messages:
            jax.tree.map(jnp.asarray, message)  # a message is a pytree of arrays
            value, bits = compressor.decompress(message), np.asarray(message.bits())
            found = f"{value.dtype}{list(value.shape)} of {bits} bits"
            right = (value.shape, value.dtype, bits.shape) == (x.shape, x.dtype, ())
            right = right and bool(np.isfinite(bits) and bits >= 0)
            right = right and _holds_no_more_than_it_pays(message)
            reason = f"decoded {x.dtype}{list(x.shape)}; bits finite and >= 0, and all is paid for"
            battery.demand(name, case, right, found, reason, code)


def check_purity(battery: Battery, compressor: Compressor, case: Case) -> None:
    """The vector is left as it is, and one key gives one message."""
    x, key = case.arrays["x"], jax.random.key(7)
    name = "pure"
    code = """
before = x.copy()
try:
    compressor.compress(jax.random.key(7), x)
except (AttributeError, TypeError):
    pass  # it takes JAX arrays only, which cannot be changed
assert np.array_equal(x, before), x
assert np.array_equal(through(jax.random.key(7), x), through(jax.random.key(7), x))
"""
    with battery.attempt(name, case, code), jax.disable_jit():
        given = x.copy()
        with contextlib.suppress(AttributeError, TypeError):
            compressor.compress(key, given)
        reason = "the vector belongs to the caller"
        battery.demand(name, case, np.array_equal(given, x), "x was changed", reason, code)
        first, second = (
            np.asarray(compressor.decompress(compressor.compress(key, jnp.asarray(x))))
            for _ in range(2)
        )
        measured = f"{first.tolist()}, then {second.tolist()}"
        same = np.array_equal(first, second)
        battery.demand(name, case, same, measured, "one key, one message", code)


def check_ways_of_calling(
    battery: Battery, compressor: Compressor, case: Case, rounding: float
) -> None:
    """Eagerly, compiled, and mapped."""
    x, key = case.arrays["x"], jax.random.key(7)
    name = "eager = jit = vmap"
    code = """
def everything(x):
    message = compressor.compress(jax.random.key(7), x)
    legal = compressor.encode(jax.random.key(7), x)
    bits = jnp.asarray(message.bits()), jnp.asarray(legal.bits())
    return compressor.decompress(message), compressor.decompress(legal), *bits


eager = everything(jnp.asarray(x))
jitted = jax.jit(everything)(x)
mapped = [leaf[0] for leaf in jax.jit(jax.vmap(everything))(x[None])]
for other in (jitted, mapped):
    for a, b in zip(eager, other):
        assert np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max() <= ALLOWED
"""

    def everything(x: jax.Array) -> list[jax.Array]:
        message, legal = compressor.compress(key, x), compressor.encode(key, x)
        decoded = [compressor.decompress(said) for said in (message, legal)]
        return [*decoded, _length(message), _length(legal)]

    with battery.attempt(name, case, code):
        with jax.disable_jit():
            eager = everything(jnp.asarray(x))
        ways = jax.jit(lambda x: (everything(x), jax.vmap(everything)(x[None])))(x)
    ways = ways[0], [leaf[0] for leaf in ways[1]]
    for way in ways:
        for a, b in zip(eager, way, strict=True):
            error = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max()
            allowed = rounding * float(np.linalg.norm(x))
            battery.judge(name, [case], error, allowed, "norms may be summed otherwise", code)


def check_range(battery: Battery, compressor: Compressor, cases: list[Case], zero: bool) -> None:
    """Vectors at both ends of the range of numbers, and zero."""
    x = cases[0].arrays["x"]
    end = 2.0 ** int(0.8 * np.finfo(x.dtype).maxexp)
    scaled = [
        Case(f"{case.name} times {factor:.3g}", {"x": (case.arrays["x"] * factor).astype(x.dtype)})
        for factor in (end, 1 / end, 0.0)
        for case in cases
    ]
    batch = np.stack([case.arrays["x"] for case in scaled])
    program = jax.jit(jax.vmap(through(compressor), (None, 0)))
    value = np.asarray(program(jax.random.key(7), batch), np.float64)
    infinite = (~np.isfinite(value)).sum(axis=1)
    code = "assert np.isfinite(through(jax.random.key(7), x)).all(), through(jax.random.key(7), x)"
    battery.judge("finite", scaled, infinite, 0, "the vector is finite", code)
    if not zero:
        battery.skip("zero stays zero", "not claimed")
        return
    code = "assert not np.asarray(through(jax.random.key(7), x)).any()"
    zeros = slice(2 * len(cases), None)
    wrong = np.abs(value[zeros]).max(axis=1)
    battery.judge("zero stays zero", scaled[zeros], wrong, 0, "0/0 has no meaning", code)


def check_bits(battery: Battery, compressor: Compressor, d: int, seed: int) -> None:
    """Of one key, no more different vectors are decoded from B bits than 2^B."""
    name = "bits suffice"
    dtype = jnp.zeros(()).dtype
    code = f"""
random = np.random.default_rng({seed + 1})
sizes = random.lognormal(sigma=3, size=({INPUTS}, {d}))
xs = (sizes * random.choice([-1, 1], size=sizes.shape)).astype({dtype.name!r})


def one(x):
    message = compressor.compress(jax.random.key({seed}), x)
    return compressor.decompress(message), jnp.asarray(message.bits())


value, bits = jax.jit(jax.vmap(one))(xs)
same = np.asarray(value)[np.asarray(bits) == length]
assert np.log2(len(np.unique(same, axis=0))) <= length
"""
    random = np.random.default_rng(seed + 1)
    sizes = random.lognormal(sigma=3, size=(INPUTS, d))
    xs = (sizes * random.choice([-1, 1], size=sizes.shape)).astype(dtype)

    def one(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        message = compressor.compress(jax.random.key(seed), x)
        return compressor.decompress(message), _length(message)

    value, bits = (np.asarray(leaf) for leaf in jax.jit(jax.vmap(one))(xs))
    for length in np.unique(bits).tolist():
        count = len(np.unique(value[bits == length], axis=0))
        case = Case(f"{INPUTS} vectors, those sent with {length} bits", {"length": length})
        reason = "B bits tell 2^B vectors apart, both ends knowing the key (in log2)"
        battery.judge(name, [case], np.log2(count), length, reason, code)
