"""Top-k in each of the ways that the library has, beside `jax.lax.top_k` and counting ranks.

Long vectors: what 16 workers do in a round. Short vectors: many seeds of a small problem.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz.compressors import k_largest
from jaxbyz.compressors.floats import magnitude_keys
from tests.benchmarks.timing import race, table

WORKERS, SEEDS, REPEATS = 16, 128, 7
LONG = tuple((d, d // share) for d in (10**4, 10**5, 10**6) for share in (100, 10))
SHORT = ((20, 2), (50, 5), (100, 10))


def library(x: jax.Array, k: int) -> jax.Array:
    """The indices by JAX's own function, [k]."""
    return jax.lax.top_k(jnp.abs(x), k)[1]


def by_library(x: jax.Array, k: int) -> jax.Array:
    """Marks [d] from the k-th largest number that JAX's function finds; ties: the lowest index."""
    size = jnp.abs(x)
    edge = jax.lax.top_k(size, k)[0][-1]
    at_edge = size == edge
    missing = k - (size > edge).sum()
    return (size > edge) | (at_edge & (jnp.cumsum(at_edge) <= missing))


def by_ranks(x: jax.Array, k: int) -> jax.Array:
    """Marks [d] of the coordinates that fewer than k others come before: d² comparisons."""
    keys, j = magnitude_keys(x), jnp.arange(x.shape[0])
    before = (keys > keys[:, None]) | ((keys == keys[:, None]) & (j < j[:, None]))
    return before.sum(axis=1) < k


def by_bits(x: jax.Array, k: int) -> jax.Array:
    """Marks [d] by the k-th largest key, found bit by bit."""
    return k_largest.largest_keys(magnitude_keys(x), k)


def _call(function: Callable[..., jax.Array], k: int, x: jax.Array) -> Callable[[], object]:
    for _ in range(x.ndim - 1):
        function = _mapped(function)
    program = jax.jit(lambda x: function(x, k))
    return lambda: program(x)


def _mapped(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return lambda x, k: jax.vmap(lambda row: function(row, k))(x)


def main() -> None:
    """Both tables."""
    for d, k in LONG:
        x = jax.random.normal(jax.random.key(1), (WORKERS, d))
        ways = {"lax.top_k": library, "largest_magnitudes": k_largest.largest_magnitudes}
        contestants = {name: _call(way, k, x) for name, way in ways.items()}
        print(table(f"{k} of {d:,}, {WORKERS} vectors", race(contestants, REPEATS)), flush=True)
    for d, k in SHORT:
        x = jax.random.normal(jax.random.key(1), (SEEDS, WORKERS, d))
        ways = {
            "are_largest": k_largest.are_largest,
            "by bits": by_bits,
            "by lax.top_k": by_library,
            "by ranks": by_ranks,
        }
        contestants = {name: _call(way, k, x) for name, way in ways.items()}
        print(
            table(f"{k} of {d}, {SEEDS} × {WORKERS} vectors", race(contestants, REPEATS)),
            flush=True,
        )


if __name__ == "__main__":
    main()
