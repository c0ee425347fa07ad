"""Squared distances between rows, as sums of squared differences.

The Gram form ‖x‖² + ‖y‖² - 2⟨x, y⟩ cancels late in training, when rows agree to many digits, and
then selects the wrong row; direct differences do not. Columns are taken in blocks of LANES · STEPS:
sums run over the steps, side by side in all lanes, and over the lanes at the end. With some tens
of rows that takes no longer than a matrix product of the rows with themselves.

With more rows the product is far cheaper. It is taken of the rows less a central one, and every
distance that it leaves in doubt is computed again, directly: that of rows that are close to each
other beside their distance from the centre, as colluding workers are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.sorting import select_ranks
from jaxbyz.blocks import LANES, STEPS

__all__ = ["centred_products", "distances_of", "nearest", "square_bound", "squared_distances"]

DIRECT_ROWS = 32
TILE = 16  # rows of a direct computation among many rows
PRODUCT_BLOCK = 4096  # columns of one matrix product
CENTRE_ROWS = 11
# A distance² from products is in doubt below 1/64 of the squared distances from the centre: then
# more than 6 bits would be lost.
DOUBT = 1 / 64

Columns = Callable[[Any, int], jax.Array]  # (start, width) -> finite columns [n, width]


def square_bound(rows: jax.Array) -> float:
    """√(largest number)/(4 √(nd)): squares of such entries can be summed over [n, d]."""
    n, d = rows.shape
    return float(jnp.finfo(rows.dtype).max) ** 0.5 / (4 * (n * max(d, 1)) ** 0.5)


def squared_distances(rows: jax.Array) -> jax.Array:
    """‖x_i - x_j‖² for all pairs: [n, d] -> [n, n], symmetric with an exactly zero diagonal.

    Cost O(n²d) in blocks; no array [n, n, d] is made. Relative error: some roundings.

    >>> squared_distances(jnp.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """

    def columns(start: Any, width: int) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(rows, start, width, axis=1)

    n, d = rows.shape
    return distances_of(columns, n, d, rows.dtype)


def distances_of(columns: Columns, n: int, d: int, dtype: Any) -> jax.Array:
    """The same of rows that are given by their columns."""
    if n <= DIRECT_ROWS:
        return _direct(lambda start, width: (columns(start, width),) * 2, d, dtype)
    return _by_products(columns, n, d, dtype)


def _direct(columns: Callable[[Any, int], tuple[jax.Array, jax.Array]], d: int, dtype: Any) -> Any:
    """Distances between two groups of rows [a, d] and [b, d], given by their columns: [a, b]."""
    block = LANES * STEPS
    whole = d // block
    mine, theirs = columns(whole * block, d - whole * block)
    difference = mine[:, None] - theirs[None]
    rest = jnp.sum(difference * difference, axis=-1)
    if not whole:
        return rest

    def add(i: jax.Array, total: jax.Array) -> jax.Array:  # [a, b, LANES]
        mine, theirs = (x.reshape(-1, STEPS, LANES) for x in columns(i * block, block))
        squares = jnp.zeros_like(total)
        for step in range(STEPS):
            difference = mine[:, None, step] - theirs[None, :, step]
            squares = squares + difference * difference
        return total + squares

    begin = jnp.zeros((*rest.shape, LANES), dtype)
    return rest + jax.lax.fori_loop(0, whole, add, begin).sum(axis=-1)


def _by_products(columns: Columns, n: int, d: int, dtype: Any) -> jax.Array:
    some = jnp.linspace(0, n - 1, CENTRE_ROWS).astype(int)

    def products(start: Any, width: int) -> jax.Array:
        part = columns(start, width)
        (centre,) = select_ranks(part[some], CENTRE_ROWS // 2, CENTRE_ROWS // 2 + 1)
        part = part - centre
        return jnp.matmul(part, part.T, precision=jax.lax.Precision.HIGHEST)

    whole = d // PRODUCT_BLOCK
    gram = products(whole * PRODUCT_BLOCK, d - whole * PRODUCT_BLOCK)
    if whole:
        gram = jax.lax.fori_loop(
            0, whole, lambda i, total: total + products(i * PRODUCT_BLOCK, PRODUCT_BLOCK), gram
        )
    lengths = jnp.diagonal(gram)
    both = lengths[:, None] + lengths
    found = jnp.triu(both - 2 * gram, 1)
    found = found + found.T
    doubt = (found <= DOUBT * both) & ~jnp.eye(n, dtype=bool)
    return _again(found, doubt, columns, d)


def _again(found: jax.Array, doubt: jax.Array, columns: Columns, d: int) -> jax.Array:
    """Distances [n, n] with every tile that has one in doubt computed directly."""
    n = found.shape[0]
    order = jnp.argsort(~doubt.any(axis=1), stable=True)  # rows in doubt first
    found, doubt = found[order][:, order], doubt[order][:, order]
    tiles = -(-doubt.any(axis=1).sum() // TILE)

    def start_of(tile: jax.Array) -> jax.Array:
        return jnp.minimum(tile * TILE, n - TILE)  # the last tile may overlap the one before

    def row_of_tiles(a: jax.Array, found: jax.Array) -> jax.Array:
        def tile(b: jax.Array, found: jax.Array) -> jax.Array:
            first, second = start_of(a), start_of(b)
            mine = jax.lax.dynamic_slice_in_dim(order, first, TILE)
            theirs = jax.lax.dynamic_slice_in_dim(order, second, TILE)

            def pair(start: Any, width: int) -> tuple[jax.Array, jax.Array]:
                part = columns(start, width)
                return part[mine], part[theirs]

            def direct() -> jax.Array:
                exact = _direct(pair, d, found.dtype)
                there = jax.lax.dynamic_update_slice(found, exact, (first, second))
                return jax.lax.dynamic_update_slice(there, exact.T, (second, first))

            here = jax.lax.dynamic_slice(doubt, (first, second), (TILE, TILE))
            return jax.lax.cond(here.any(), direct, lambda: found)

        return jax.lax.fori_loop(a, tiles, tile, found)

    found = jax.lax.fori_loop(0, tiles, row_of_tiles, found)
    back = jnp.argsort(order)
    return found[back][:, back]


def centred_products(distances: jax.Array, weights: jax.Array) -> jax.Array:
    """⟨x_i - μ, x_j - μ⟩ for all pairs [n, n], with μ = Σ w_i x_i, Σ w_i = 1, from the distances.

    = ½ (a_i + a_j - b - D_ij) with a = D w, b = wᵀ D w. Rows of weight 0 do not enter μ, and so
    no rounding error of theirs reaches the products of the others.
    """
    to_centre = jnp.matmul(distances, weights, precision=jax.lax.Precision.HIGHEST)
    spread = jnp.matmul(weights, to_centre, precision=jax.lax.Precision.HIGHEST)
    return 0.5 * ((to_centre[:, None] - distances) + (to_centre[None, :] - spread))


def nearest(distances: jax.Array, count: int) -> jax.Array:
    """Indices [n, count] of the rows nearest to each row; ties go to the lower index."""
    return jax.lax.top_k(-distances, count)[1]
