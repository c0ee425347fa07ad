"""The checks of a compressor."""

import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts.parts import require
from jaxbyz.core import Compressor
from jaxbyz.testing import compressor_messages as messages
from jaxbyz.testing.compressor_laws import ROUNDS, check_encoding, check_laws
from jaxbyz.testing.report import Battery, Case, Report

ROUNDINGS = 1024  # of one eps each: norms and sums over the coordinates

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
    messages.check_contract(battery, compressor, cases[-1])
    messages.check_purity(battery, compressor, cases[-1])
    messages.check_ways_of_calling(battery, compressor, cases[-1], rounding)
    messages.check_range(battery, compressor, cases, zero)
    check_laws(battery, compressor, cases, xs, seed, rounding)
    check_encoding(battery, compressor, names, xs, seed, rounding)
    messages.check_bits(battery, compressor, d, seed)
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
