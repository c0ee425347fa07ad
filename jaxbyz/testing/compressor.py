"""The battery of a compressor.

Laws are tried with many keys in one compiled program. Where every key gives the same result they
are exact up to rounding; else a limit is `LEVEL` standard deviations away, so that a sound
compressor fails with probability below 1e-8 (of Gaussian averages), and, keys being fixed, always
or never.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.core import Compressor
from jaxbyz.messages import SparseInPlace
from jaxbyz.parts import require
from jaxbyz.testing.report import Battery, Case, Report

__all__ = ["check_compressor"]

ROUNDINGS = 1024  # of one eps each: norms and sums over the coordinates
LEVEL = 6.0
ROUNDS = 2048
INPUTS = 2**12

SETUP = f"""
from jaxbyz.messages import SparseInPlace

# `compressor` is the one that was checked.


def through(key, x):
    return compressor.decompress(compressor.compress(key, jnp.asarray(x)))


def worker_keys(seed):
    # Of two workers in {ROUNDS} rounds, [2 * {ROUNDS}], as the simulation folds them.
    rounds = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(jnp.arange({ROUNDS}))
    of_round = jax.vmap(jax.random.fold_in, (None, 0))
    return jax.vmap(of_round, (0, None))(rounds, jnp.arange(2)).reshape(-1)

"""


def check_compressor(
    compressor: Compressor, *, d: int = 6, zero: bool = True, seed: int = 0
) -> Report:
    """Try all properties that a compressor has, on vectors [d].

    Shapes, dtypes and bits; purity; eager = jit = vmap; very large and very small vectors; the
    claimed constants (E C(x) = x and E‖C(x)-x‖² ≤ ω‖x‖², or ≤ (1-α)‖x‖²) on one-hot, constant,
    tied, geometric and random vectors; independence of two workers' messages; `encode` as near as
    any message of the same key; no more different vectors of one length than its bits can say.

    Args:
        compressor: the compressor; an ω or α that is None is not tried.
        d: length of the vectors; with a small d more of too few bits is seen.
        zero: the zero vector is sent as zero (not so for unscaled signs).
        seed: of the keys and the random vectors.

    Raises:
        PropertyFailed: an AssertionError that shows the first property that does not hold.
        ValueError: d or seed not a count.

    >>> from jaxbyz.compressors import top_k
    >>> "contractive" in check_compressor(top_k(k=1), d=2).checked
    True
    """
    require("Compressor", "compressor", compressor)
    d = checks.count("d", d, minimum=1)
    seed = checks.count("seed", seed)
    dtype = jnp.zeros(()).dtype
    rounding = ROUNDINGS * float(np.finfo(dtype).eps)
    random = np.random.default_rng(seed)
    battery = Battery("compressor", SETUP)
    named = {name: x.astype(dtype) for name, x in _vectors(d, random).items()}
    names, xs = list(named), np.stack(list(named.values()))
    cases = [Case(name, {"x": x}) for name, x in named.items()]
    _one_call(battery, compressor, cases[-1], rounding)
    _ends(battery, compressor, cases, zero)
    _laws(battery, compressor, cases, xs, seed, rounding)
    _encoding(battery, compressor, names, xs, seed, rounding)
    _counting(battery, compressor, d, seed)
    return battery.report()


def _vectors(d: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    one = np.arange(d) == d // 2
    return {
        "a one-hot vector": -3.0 * one,
        "a constant vector": np.full(d, 2.5),
        "a vector of ties": np.resize([1.0, -1.0, 2.0, 1.0, -2.0], d),
        "one large entry": np.where(one, 1.0, 1 / (1 + d**0.5)),
        "a geometric vector": np.resize([1.0, -1.0], d) * 0.5 ** np.arange(d),
        "entries 4/3 of powers of two": 4 / 3 * 2.0 ** np.arange(d),
        "an almost zero entry": np.where(one, 1e-6, 1.0),
        "a Gaussian vector": random.normal(size=d),
    }


def _length(message: Any) -> jax.Array:
    return jnp.asarray(message.bits())


def _says_no_more_than_it_pays(message: Any) -> bool:
    """What is held in place has at most as many numbers as are charged for."""
    parts = jax.tree.leaves(message, is_leaf=lambda part: isinstance(part, SparseInPlace))
    held = [part for part in parts if isinstance(part, SparseInPlace)]
    return all(np.count_nonzero(part.values) <= part.kept for part in held)


def _one_call(battery: Battery, compressor: Compressor, case: Case, rounding: float) -> None:
    """Shapes, dtypes, bits, purity, and the ways of calling, for one vector."""
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
            right = right and _says_no_more_than_it_pays(message)
            reason = f"decoded {x.dtype}{list(x.shape)}; bits finite and >= 0, and all is paid for"
            battery.demand(name, case, right, found, reason, code)
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
        heard = [compressor.decompress(said) for said in (message, legal)]
        return [*heard, _length(message), _length(legal)]

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


def _through(compressor: Compressor) -> Callable[[jax.Array, Any], jax.Array]:
    return lambda key, x: compressor.decompress(compressor.compress(key, x))


def _ends(battery: Battery, compressor: Compressor, cases: list[Case], zero: bool) -> None:
    """Zero, and both ends of the range."""
    x = cases[0].arrays["x"]
    end = 2.0 ** int(0.8 * np.finfo(x.dtype).maxexp)
    scaled = [
        Case(f"{case.name} times {factor:.3g}", {"x": (case.arrays["x"] * factor).astype(x.dtype)})
        for factor in (end, 1 / end, 0.0)
        for case in cases
    ]
    batch = np.stack([case.arrays["x"] for case in scaled])
    program = jax.jit(jax.vmap(_through(compressor), (None, 0)))
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


def _laws(
    battery: Battery,
    compressor: Compressor,
    cases: list[Case],
    xs: np.ndarray,
    seed: int,
    rounding: float,
) -> None:
    """The claimed constants, and the independence of workers."""
    rounds = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(jnp.arange(ROUNDS))
    pairs = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (0, None))(rounds, jnp.arange(2))
    program = jax.jit(jax.vmap(jax.vmap(_through(compressor), (None, 0)), (0, None)))
    value = np.asarray(program(pairs.reshape(-1), xs), np.float64)  # [keys, v, d]
    x = xs.astype(np.float64)
    square = (x**2).sum(axis=1)  # [v]
    fixed = (value == value[0]).all(axis=(0, 2))  # [v] whether the key decides nothing
    count = np.where(fixed, np.inf, len(value))
    errors = ((value - x) ** 2).sum(axis=2)  # [keys, v]
    chance = LEVEL * errors.std(axis=0) / np.sqrt(count) + rounding * square
    constants = {
        "omega": None if compressor.omega is None else float(compressor.omega(xs.shape[1])),
        "alpha": None if compressor.alpha is None else float(compressor.alpha(xs.shape[1])),
    }
    prelude = f"""
value = jax.jit(jax.vmap(through, (0, None)))(worker_keys({seed}), x)
error = np.asarray(value, np.float64) - x
"""
    mean_square = prelude + "assert (error**2).sum(axis=1).mean() <= ALLOWED"
    several = (
        f"{LEVEL:g} standard deviations of the mean over {len(value)} keys (none if all agree)"
    )
    if constants["omega"] is None:
        for name in ("unbiased", "variance at most omega", "two workers are independent"):
            battery.skip(name, "no omega is claimed")
    else:
        omega = constants["omega"]
        usable = np.isfinite(omega) and omega >= 0
        code = f"assert 0 <= compressor.omega({xs.shape[1]}) < inf"
        reason = "omega is a finite number >= 0"
        case = Case(f"d = {xs.shape[1]}")
        battery.demand("variance at most omega", case, usable, str(omega), reason, code)
        bias = np.linalg.norm(value.mean(axis=0) - x, axis=1)
        allowed = (1 + LEVEL) * np.sqrt(omega * square / count) + rounding * np.sqrt(square)
        code = prelude + "assert np.linalg.norm(error.mean(axis=0)) <= ALLOWED"
        reason = f"with omega = {omega:.4g} the mean has sqrt(omega/keys) |x| error; 7 times that"
        battery.judge("unbiased", cases, bias, allowed, reason, code)
        reason = f"omega |x|^2 with omega = {omega:.4g}, and {several}"
        measured = errors.mean(axis=0)
        name = "variance at most omega"
        battery.judge(name, cases, measured, omega * square + chance, reason, mean_square)
        apart = (value - x).reshape(ROUNDS, 2, *x.shape)
        product = np.abs((apart[:, 0] * apart[:, 1]).sum(axis=2).mean(axis=0))
        allowed = LEVEL * omega * square / ROUNDS**0.5 + rounding * square
        code = prelude + "assert abs((error[::2] * error[1::2]).sum(axis=1).mean()) <= ALLOWED"
        reason = f"errors of independent workers have a mean product 0; {LEVEL:g} deviations"
        battery.judge("two workers are independent", cases, product, allowed, reason, code)
    if constants["alpha"] is None:
        battery.skip("contractive", "no alpha is claimed")
        return
    alpha = constants["alpha"]
    code = f"assert 0 < compressor.alpha({xs.shape[1]}) <= 1"
    case = Case(f"d = {xs.shape[1]}")
    battery.demand("contractive", case, 0 < alpha <= 1, str(alpha), "alpha in (0, 1]", code)
    reason = f"(1 - alpha) |x|^2 with alpha = {alpha:.4g}, and {several}"
    measured = errors.mean(axis=0)
    battery.judge(
        "contractive", cases, measured, (1 - alpha) * square + chance, reason, mean_square
    )


def _encoding(
    battery: Battery,
    compressor: Compressor,
    names: list[str],
    xs: np.ndarray,
    seed: int,
    rounding: float,
) -> None:
    """`encode` says a legal vector that none of the same key is nearer to."""
    keys = jax.random.split(jax.random.key(seed), 4)
    said = np.concatenate([xs * np.asarray(c, xs.dtype) for c in (0.25, 0.5, 1.0, 2.0)])
    through = _through(compressor)

    def meant(key: jax.Array, x: Any) -> jax.Array:
        return compressor.decompress(compressor.encode(key, x))

    def each(key: jax.Array) -> tuple[jax.Array, ...]:
        once = jax.vmap(meant, (None, 0))(key, xs)
        again = jax.vmap(meant, (None, 0))(key, once)
        return once, again, jax.vmap(through, (None, 0))(key, said)

    results = jax.jit(jax.vmap(each))(keys)
    once, again, legal = (np.asarray(result, np.float64) for result in results)
    size = np.linalg.norm(xs.astype(np.float64), axis=1)
    prelude = f"""
key = jax.random.split(jax.random.key({seed}), 4)[which]
once = compressor.decompress(compressor.encode(key, jnp.asarray(x)))
"""
    distances = np.linalg.norm(legal[:, None] - xs[:, None], axis=3)  # [keys, v, said]
    for i in range(len(keys)):
        best = distances[i].argmin(axis=1)
        cases = [
            Case(f"wanted: {name}", {"x": x, "which": i, "other": said[j]})
            for name, x, j in zip(names, xs, best, strict=True)
        ]
        code = (
            prelude
            + """
again = compressor.decompress(compressor.encode(key, once))
assert np.linalg.norm(np.asarray(again - once)) <= ALLOWED
"""
        )
        error = np.linalg.norm(again[i] - once[i], axis=1)
        reason = "a vector that was decoded can be said again"
        battery.judge("encode is idempotent", cases, error, rounding * size, reason, code)
        code = (
            prelude
            + """
# What compress makes of another vector is a message with the same key, and nearer to x.
nearer = np.linalg.norm(np.asarray(through(key, other), np.float64) - x)
assert np.linalg.norm(np.asarray(once, np.float64) - x) <= nearer + ALLOWED_ROUNDING
"""
        )
        code = code.replace("ALLOWED_ROUNDING", repr(float(rounding * size.max())))
        error = np.linalg.norm(once[i] - xs, axis=1)
        allowed = distances[i].min(axis=1) + rounding * size.max()
        reason = "the distance of another legal message of the same key"
        battery.judge("encode is nearest", cases, error, allowed, reason, code)


def _counting(battery: Battery, compressor: Compressor, d: int, seed: int) -> None:
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
