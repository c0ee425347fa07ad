"""Laws of a compressor over many keys: bias, variance, contraction, and how near `encode` comes.

Laws are tried with many keys in one compiled program. Where every key gives the same result they
are exact up to rounding. Else a limit is `LEVEL` standard deviations away, so that a sound
compressor fails with probability below 1e-8 (for Gaussian averages). The keys are fixed, so a
compressor fails always or never.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.core import Compressor
from jaxbyz.testing.report import Battery, Case

LEVEL = 6.0
ROUNDS = 2048
MEAN_SQUARE = "assert (error**2).sum(axis=1).mean() <= ALLOWED"
SEVERAL = f"{LEVEL:g} standard deviations of the mean over {2 * ROUNDS} keys (none if all agree)"


def through(compressor: Compressor) -> Callable[[jax.Array, Any], jax.Array]:
    """(key, x) -> what is decoded of x."""
    return lambda key, x: compressor.decompress(compressor.compress(key, x))


class _Sample(NamedTuple):
    """What was decoded of v vectors with many keys, and what its averages are compared with."""

    value: np.ndarray  # [keys, v, d], keys of two workers in turn
    x: np.ndarray  # [v, d]
    square: np.ndarray  # [v] ‖x‖²
    keys: np.ndarray  # [v] how many; inf where the key decides nothing
    mean_square: np.ndarray  # [v] mean of ‖C(x) - x‖²
    chance: np.ndarray  # [v] how far this may be from its expectation
    setup: str  # the same in a reproducer


def check_laws(
    battery: Battery,
    compressor: Compressor,
    cases: list[Case],
    xs: np.ndarray,
    seed: int,
    rounding: float,
) -> None:
    """The claimed constants ω and α, and the independence of two workers."""
    rounds = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(jnp.arange(ROUNDS))
    pairs = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (0, None))(rounds, jnp.arange(2))
    program = jax.jit(jax.vmap(jax.vmap(through(compressor), (None, 0)), (0, None)))
    value = np.asarray(program(pairs.reshape(-1), xs), np.float64)
    x = xs.astype(np.float64)
    square = (x**2).sum(axis=1)
    count = np.where((value == value[0]).all(axis=(0, 2)), np.inf, len(value))
    errors = ((value - x) ** 2).sum(axis=2)  # [keys, v]
    chance = LEVEL * errors.std(axis=0) / np.sqrt(count) + rounding * square
    setup = f"""
value = jax.jit(jax.vmap(through, (0, None)))(worker_keys({seed}), x)
error = np.asarray(value, np.float64) - x
"""
    sample = _Sample(value, x, square, count, errors.mean(axis=0), chance, setup)
    if compressor.omega is None:
        for name in ("unbiased", "variance at most omega", "two workers are independent"):
            battery.skip(name, "no omega is claimed")
    else:
        omega = float(compressor.omega(xs.shape[1]))
        _check_unbiased(battery, omega, cases, sample, rounding)
    if compressor.alpha is None:
        battery.skip("contractive", "no alpha is claimed")
    else:
        _check_contractive(battery, float(compressor.alpha(xs.shape[1])), cases, sample)


def _check_unbiased(
    battery: Battery, omega: float, cases: list[Case], sample: _Sample, rounding: float
) -> None:
    """E C(x) = x, E‖C(x) - x‖² ≤ ω‖x‖², and errors of two workers with mean product 0."""
    square, d = sample.square, sample.x.shape[1]
    name = "variance at most omega"
    usable = np.isfinite(omega) and omega >= 0
    code = f"assert 0 <= compressor.omega({d}) < inf"
    reason = "omega is a finite number >= 0"
    battery.demand(name, Case(f"d = {d}"), usable, str(omega), reason, code)
    bias = np.linalg.norm(sample.value.mean(axis=0) - sample.x, axis=1)
    allowed = (1 + LEVEL) * np.sqrt(omega * square / sample.keys) + rounding * np.sqrt(square)
    code = sample.setup + "assert np.linalg.norm(error.mean(axis=0)) <= ALLOWED"
    reason = f"with omega = {omega:.4g} the mean has sqrt(omega/keys) |x| error; 7 times that"
    battery.judge("unbiased", cases, bias, allowed, reason, code)
    code = sample.setup + MEAN_SQUARE
    reason = f"omega |x|^2 with omega = {omega:.4g}, and {SEVERAL}"
    allowed = omega * square + sample.chance
    battery.judge(name, cases, sample.mean_square, allowed, reason, code)
    apart = (sample.value - sample.x).reshape(ROUNDS, 2, *sample.x.shape)
    product = np.abs((apart[:, 0] * apart[:, 1]).sum(axis=2).mean(axis=0))
    allowed = LEVEL * omega * square / ROUNDS**0.5 + rounding * square
    code = sample.setup + "assert abs((error[::2] * error[1::2]).sum(axis=1).mean()) <= ALLOWED"
    reason = f"errors of independent workers have a mean product 0; {LEVEL:g} deviations"
    battery.judge("two workers are independent", cases, product, allowed, reason, code)


def _check_contractive(battery: Battery, alpha: float, cases: list[Case], sample: _Sample) -> None:
    """E‖C(x) - x‖² ≤ (1-α)‖x‖²."""
    name, d = "contractive", sample.x.shape[1]
    code = f"assert 0 < compressor.alpha({d}) <= 1"
    holds = 0 < alpha <= 1
    battery.demand(name, Case(f"d = {d}"), holds, str(alpha), "alpha in (0, 1]", code)
    code = sample.setup + MEAN_SQUARE
    reason = f"(1 - alpha) |x|^2 with alpha = {alpha:.4g}, and {SEVERAL}"
    allowed = (1 - alpha) * sample.square + sample.chance
    battery.judge(name, cases, sample.mean_square, allowed, reason, code)


def check_encoding(
    battery: Battery,
    compressor: Compressor,
    names: list[str],
    xs: np.ndarray,
    seed: int,
    rounding: float,
) -> None:
    """`encode` says a legal vector that none of the same key is nearer to."""
    keys = jax.random.split(jax.random.key(seed), 4)
    tried = np.concatenate([xs * np.asarray(c, xs.dtype) for c in (0.25, 0.5, 1.0, 2.0)])
    decoded = through(compressor)

    def meant(key: jax.Array, x: Any) -> jax.Array:
        return compressor.decompress(compressor.encode(key, x))

    def each(key: jax.Array) -> tuple[jax.Array, ...]:
        once = jax.vmap(meant, (None, 0))(key, xs)
        again = jax.vmap(meant, (None, 0))(key, once)
        return once, again, jax.vmap(decoded, (None, 0))(key, tried)

    results = jax.jit(jax.vmap(each))(keys)
    once, again, legal = (np.asarray(result, np.float64) for result in results)
    size = np.linalg.norm(xs.astype(np.float64), axis=1)
    prelude = f"""
key = jax.random.split(jax.random.key({seed}), 4)[which]
once = compressor.decompress(compressor.encode(key, jnp.asarray(x)))
"""
    distances = np.linalg.norm(legal[:, None] - xs[:, None], axis=3)  # [keys, v, tried]
    for i in range(len(keys)):
        best = distances[i].argmin(axis=1)
        cases = [
            Case(f"wanted: {name}", {"x": x, "which": i, "other": tried[j]})
            for name, x, j in zip(names, xs, best, strict=True)
        ]
        code = f"""{prelude}
again = compressor.decompress(compressor.encode(key, once))
assert np.linalg.norm(np.asarray(again - once)) <= ALLOWED
"""
        error = np.linalg.norm(again[i] - once[i], axis=1)
        reason = "a vector that was decoded can be said again"
        battery.judge("encode is idempotent", cases, error, rounding * size, reason, code)
        code = f"""{prelude}
# What compress makes of another vector is a message with the same key, and nearer to x.
nearer = np.linalg.norm(np.asarray(through(key, other), np.float64) - x)
assert np.linalg.norm(np.asarray(once, np.float64) - x) <= nearer + ALLOWED_ROUNDING
"""
        code = code.replace("ALLOWED_ROUNDING", repr(float(rounding * size.max())))
        error = np.linalg.norm(once[i] - xs, axis=1)
        allowed = distances[i].min(axis=1) + rounding * size.max()
        reason = "the distance of another legal message of the same key"
        battery.judge("encode is nearest", cases, error, allowed, reason, code)
