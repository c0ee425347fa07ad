"""Compressors: the constants and bits that they declare, beside what is measured.

Unbiased: E C(x) = x and E‖C(x) - x‖² ≤ ω‖x‖². Contractive: E‖C(x) - x‖² ≤ (1-α)‖x‖². Both sides are
taken on vectors on which some compressor attains its constant, and on random ones, over many keys.
Bits of a message, with b = 32 bits a float and I = ⌈log₂ d⌉:

    identity d b · Rand-k k(b+I) · seeded Rand-k k b · Top-k k(b+I) · sign d · scaled sign d + b
    QSGD, s levels b + d(1 + ⌈log₂(s+1)⌉) · ternary b + 2d · natural 9 d

Chosen here: d, k, the vectors and the number of keys. An average over keys is compared with a
margin of 5 of its standard errors; where all keys agree that margin is 0, up to rounding.

Claims. T: no vector exceeds the declared ω or 1-α. T: they are attained, where they are exact (that
of QSGD with more than one level is an upper bound). T: compressors with an ω are unbiased. T: bits
are those of the table.

Source: derived for this library (constants and bits, in the docstrings of `jaxbyz.compressors`).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace

TITLE = "Compressors: declared constants and bits, and measured ones"
SECONDS = {"quick": "10 s (2 cores, shared)", "default": "6 s (2 cores)", "full": "as default"}
FLOAT, ROUNDING = 32, 1e-5  # rounding of norms in 32 bits


class Kind(NamedTuple):
    """A compressor, the length of its message, and whether its constant is exact."""

    make: Callable[[int], Any]  # k -> compressor
    bits: Callable[[int, int], int]  # (d, k) -> bits
    exact: bool = True


def _index(d: int) -> int:
    return math.ceil(math.log2(d))


def _levels(d: int, s: int) -> int:
    return FLOAT + d * (1 + math.ceil(math.log2(s + 1)))


KINDS = {
    "identity": Kind(lambda k: jb.identity(), lambda d, k: d * FLOAT),
    "Rand-k": Kind(jb.rand_k, lambda d, k: k * (FLOAT + _index(d))),
    "Rand-k, seeded": Kind(jb.seeded_rand_k, lambda d, k: k * FLOAT),
    "Top-k": Kind(jb.top_k, lambda d, k: k * (FLOAT + _index(d))),
    "scaled sign": Kind(lambda k: jb.scaled_sign(), lambda d, k: d + FLOAT),
    "QSGD, 1 level": Kind(lambda k: jb.qsgd(levels=1), lambda d, k: _levels(d, 1)),
    "QSGD, 4 levels": Kind(lambda k: jb.qsgd(levels=4), lambda d, k: _levels(d, 4), exact=False),
    "ternary": Kind(lambda k: jb.ternary(), lambda d, k: _levels(d, 1)),
    "natural": Kind(lambda k: jb.natural(), lambda d, k: 9 * d),
    "Rand-k / (1+ω)": Kind(
        lambda k: jb.scaled(jb.rand_k(k)), lambda d, k: k * (FLOAT + _index(d))
    ),
}  # fmt: skip
COLUMNS = ("omega", "1 - alpha", "bits", "table")


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    dimension: int
    kept: int
    keys: int
    kinds: tuple[str, ...] = tuple(KINDS)


DEFAULT = Spec(64, 8, 20_000)
SPECS = {
    "quick": Spec(16, 4, 4000),
    "default": DEFAULT,
    "full": DEFAULT,
}


def vectors(d: int) -> dict[str, np.ndarray]:
    """Vectors on which constants are attained, and a random one."""
    one = np.arange(d) == 0
    return {
        "one entry": 1.0 * one,
        "all equal": np.ones(d),
        "one large entry": np.where(one, 1.0, 1 / (1 + d**0.5)),
        "4/3 of powers of two": 4 / 3 * 2.0 ** (np.arange(d) % 8),
        "Gaussian": np.random.default_rng(0).normal(size=d),
    }


def measured(kind: Kind, spec: Spec) -> dict[str, np.ndarray]:
    """Declared numbers; and for all vectors the error, its standard error, and the bias."""
    d, compressor = spec.dimension, kind.make(spec.kept)
    xs = jnp.asarray(np.stack(list(vectors(d).values())), jnp.float32)

    def through(key: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        message = compressor.compress(key, x)
        return compressor.decompress(message), jnp.asarray(message.bits())

    keys = jax.random.split(jax.random.key(1), spec.keys)
    decoded, bits = jax.jit(jax.vmap(jax.vmap(through, (None, 0)), (0, None)))(keys, xs)
    x, value = np.asarray(xs, float), np.asarray(decoded, float)  # [v, d], [keys, v, d]
    square = (x**2).sum(axis=1)
    error = ((value - x) ** 2).sum(axis=2) / square  # [keys, v]
    bias = np.linalg.norm(value.mean(axis=0) - x, axis=1) / square**0.5
    omega = np.nan if compressor.omega is None else float(compressor.omega(d))
    alpha = np.nan if compressor.alpha is None else float(compressor.alpha(d))
    length = np.unique(np.asarray(bits))
    assert len(length) == 1, length
    return {
        "declared": np.array([omega, 1 - alpha, length[0], kind.bits(d, spec.kept)]),
        "error": error.mean(axis=0), "spread": error.std(axis=0) / spec.keys**0.5, "bias": bias,
    }  # fmt: skip


def run(spec: Spec, workspace: Workspace) -> Results:
    """name/declared [4], ordered as `COLUMNS`; name/error, name/spread, name/bias [vectors]."""
    results: dict[str, Any] = {}
    for name in spec.kinds:
        made = workspace.arrays(
            name, functools.partial(measured, KINDS[name], spec),
            spec.dimension, spec.kept, spec.keys,
        )  # fmt: skip
        results |= {f"{name}/{what}": value for what, value in made.items()}
    return results


def constants(results: Results, name: str) -> np.ndarray:
    """The declared bounds of the relative error: ω, 1-α, or both."""
    both = results[f"{name}/declared"][:2]
    return np.asarray(both[np.isfinite(both)])


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the numbers."""
    above, attained, biased, bits = [], [], [], []
    for name in spec.kinds:
        error, spread = results[f"{name}/error"], 5 * results[f"{name}/spread"] + ROUNDING
        omega, _, length, right = results[f"{name}/declared"]
        for bound in constants(results, name):
            above.append((bound + spread - error).min())
            if KINDS[name].exact:
                attained.append((spread - np.abs(error - bound)).max())
        if np.isfinite(omega):
            # E‖mean of m errors‖² ≤ ω‖x‖²/m; five times its root, with one for its own spread.
            biased.append(6 * (omega / spec.keys) ** 0.5 + ROUNDING - results[f"{name}/bias"].max())
        bits.append(length - right)
    return [
        findings.holds("no vector exceeds the declared ω or 1-α", above),
        findings.holds("declared constants that are exact are attained", attained),
        findings.holds("compressors with an ω are unbiased", biased),
        findings.equal("bits are those of the table", bits, 0),
    ]


def plot(spec: Spec, results: Results) -> Any:
    """Relative errors on all vectors beside the constants, and bits."""
    figure, axes = drawing.axes(1, 2, figsize=(11, 4.2), width_ratios=(1.7, 1))
    left, right = axes[0]
    places = np.arange(len(spec.kinds))
    looks = zip("osv^D", (drawing.BLUE, drawing.SKY, drawing.GREEN, drawing.PURPLE, drawing.ORANGE),
                vectors(spec.dimension), strict=True)  # fmt: skip
    for i, (marker, color, vector) in enumerate(looks):
        values = np.array([results[f"{name}/error"][i] for name in spec.kinds])
        left.plot(places + 0.1 * (i - 2), values, marker, color=color, markersize=4,
                  linestyle="none", label=f"measured: {vector}")  # fmt: skip
    labels = ("ω, declared", "1-α, declared")
    for column, (label, line) in enumerate(zip(labels, ("-", "--"), strict=True)):
        bounds = np.array([results[f"{name}/declared"][column] for name in spec.kinds])
        left.hlines(bounds, places - 0.4, places + 0.4, color="k", linestyle=line, label=label)
    left.set_yscale("symlog", linthresh=0.01)
    left.set(ylabel="E‖C(x) - x‖²/‖x‖²", ylim=(-0.005, None))
    drawing.legend(left, loc="upper right", ncols=2)
    low, high = left.get_ylim()
    left.set_ylim(low, 30 * high)
    bits = [results[f"{name}/declared"][2] for name in spec.kinds]
    right.bar(places, bits, color=drawing.BLUE, label="bits() of the message")
    right.plot(places, [results[f"{name}/declared"][3] for name in spec.kinds], "x", color="k",
               label="table")  # fmt: skip
    right.set(ylabel="uplink bits of one message")
    drawing.legend(right)
    for ax in axes[0]:
        ax.set_xticks(places, spec.kinds, rotation=50, ha="right", fontsize=7)
        ax.grid(visible=True, alpha=0.25, axis="y")
    drawing.title(figure, f"{TITLE}; d = {spec.dimension}, k = {spec.kept}, {spec.keys} keys")
    return figure
