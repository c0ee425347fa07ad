"""Squared distances between rows, as sums of squared differences.

The Gram form ‖x‖² + ‖y‖² - 2⟨x, y⟩ cancels late in training, when rows agree to many digits, and
then selects the wrong row; direct differences do not. Every pair is taken once, and columns are
taken in blocks that fit into a core's cache, [n, STRIPS, STEPS, LANES]: sums run over the steps,
side by side in all lanes of all strips, which the cores share. With some tens of rows that takes
no longer than a matrix product of the rows with themselves.

With more rows the product is far cheaper. It is taken of the rows less a central one, and every
distance that it leaves in doubt is computed again, directly: that of rows that are close to each
other beside their distance from the centre, as colluding workers are. Copies of a row, which most
colluding workers send, are found before that, and have the distances of that row.

Where the columns are divided over devices, each takes the sums over its own; these are added.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.aggregators.rows.sorting import select_ranks
from jaxbyz.core import Tree
from jaxbyz.partitioned import in_shards, shards

LANES = 128
STEPS = 16
BLOCK_NUMBERS = 2**19  # of all rows in one block of columns
DIRECT_ROWS = 32
TILE = 16  # rows of a direct computation among many rows
TILE_PAIRS = np.indices((TILE, TILE), np.int32).reshape(2, -1) + np.array([[0], [TILE]], np.int32)
PRODUCT_NUMBERS = 2**20  # of all rows in one block of columns that is multiplied,
PRODUCTS = 4  # in so many products, which the cores share
MANY_ROWS = 512  # from here on one product is enough for all cores, a quarter of it is left out,
MANY_COLUMNS = 2048  # and a block has so many columns
CENTRE_ROWS = 11
# A distance² from products is in doubt below 1/64 of the squared distances from the centre: then
# more than 6 bits would be lost.
DOUBT = 1 / 64

Columns = Callable[[Any, int], jax.Array]  # (start, width) -> finite columns [n, width]


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
    if n <= DIRECT_ROWS and d < STEPS * LANES:
        found = _summed_over_shards(_of_short_rows, columns, d)
        half = jnp.triu(found, 1)  # both halves are computed, and may differ in a rounding
        return half + half.T
    if n <= DIRECT_ROWS:
        first, second = (index.astype(np.int32) for index in np.triu_indices(n, 1))
        half = jnp.zeros((n, n), dtype)
        half = half.at[first, second].set(
            _of_pairs(columns, n, d, first, second), wrap_negative_indices=False
        )
        return half + half.T
    return _by_products(columns, n, d)


def _of_short_rows(columns: Columns, d: int) -> jax.Array:
    """‖x_i - x_j‖² [n, n] of rows that fit into a core's cache, also mapped over many seeds."""
    # Held, or the compiler would compute what the columns are of for every pair.
    rows = jax.lax.optimization_barrier(columns(0, d))
    return jax.lax.map(lambda row: ((rows - row) ** 2).sum(axis=-1), rows)


def _of_pairs(columns: Columns, n: int, d: int, first: np.ndarray, second: np.ndarray) -> jax.Array:
    """‖x_i - x_j‖² of pairs of n rows, whose indices are two constants [m]: [m]."""

    def here(columns: Columns, d: int) -> jax.Array:
        return _of_pairs_here(columns, n, d, first, second)

    return _summed_over_shards(here, columns, d)


def _summed_over_shards(
    here: Callable[[Columns, int], jax.Array], columns: Columns, d: int
) -> jax.Array:
    """A sum over columns, (columns, d) -> [...], of which every device computes its part."""
    if shards() == 1:
        return here(columns, d)
    held = in_shards(columns(0, d))  # [n, devices, width]; zeros that fill it up add nothing

    def part(rows: jax.Array) -> jax.Array:
        def some(start: Any, width: int) -> jax.Array:
            return jax.lax.dynamic_slice_in_dim(rows, start, width, axis=1)

        return here(some, rows.shape[1])

    return jax.vmap(part, in_axes=1)(held).sum(axis=0)


def _of_pairs_here(
    columns: Columns, n: int, d: int, first: np.ndarray, second: np.ndarray
) -> jax.Array:
    strips = min(d, max(BLOCK_NUMBERS // n, STEPS * LANES)) // (STEPS * LANES)
    if not strips:
        rows = columns(0, d)
        difference = _chosen(rows, first) - _chosen(rows, second)
        return (difference * difference).sum(axis=-1)
    turns = -(-d // (strips * STEPS * LANES))
    strips = min(strips, -(-d // (turns * STEPS * LANES)))  # as many turns, of equal width
    width = strips * STEPS * LANES

    def add(i: jax.Array, total: jax.Array) -> jax.Array:  # [strips, m, LANES]
        start = jnp.minimum(i * width, d - width)
        part = columns(start, width)
        if d % width:  # the last block overlaps the one before: what was counted is 0 everywhere
            part = jnp.where(start + jnp.arange(width) < i * width, 0, part)
        part = jnp.swapaxes(part.reshape(-1, strips, STEPS, LANES), 0, 1)
        squares = jnp.zeros_like(total)
        for step in range(STEPS):
            row = part[:, :, step]  # [strips, n, LANES]; the pairs of it are never stored
            difference = _chosen(row, first) - _chosen(row, second)
            squares = squares + difference * difference
        return total + squares

    begin = jnp.zeros((strips, len(first), LANES), columns(0, 1).dtype)
    return jax.lax.fori_loop(0, turns, add, begin).sum(axis=(0, 2))


def _chosen(rows: jax.Array, indices: np.ndarray) -> jax.Array:
    """Rows [..., n, w] by constant indices [m] in range, [..., m, w]."""
    return rows.at[..., indices, :].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _by_products(columns: Columns, n: int, d: int) -> jax.Array:
    gram = _summed_over_shards(lambda columns, d: _products(columns, n, d), columns, d)
    lengths = jnp.diagonal(gram)
    both = lengths[:, None] + lengths
    found = jnp.triu(both - 2 * gram, 1)
    found = found + found.T
    doubt = (found <= DOUBT * both) & ~jnp.eye(n, dtype=bool)
    doubt, source = _without_copies(doubt, columns, d)
    found = _again(found, doubt, columns, d)
    return found[source][:, source]


def _products(columns: Columns, n: int, d: int) -> jax.Array:
    """⟨x_i - c, x_j - c⟩ with a central c, [n, n], for i ≤ j; the others may be 0."""
    many = n >= MANY_ROWS
    block = MANY_COLUMNS if many else max(1, PRODUCT_NUMBERS // n)
    at_once = 1 if many else PRODUCTS
    cuts = (0, n // 2, n) if many else (0, n)  # of rows; each part meets the rows from there on

    def multiplied(start: Any, width: int) -> list[jax.Array]:
        part = columns(start, width)
        # Gathered: of rows that are cut out one by one, the compiler computes all anew for each.
        part = part - median_of_some(n, lambda chosen: part[chosen])
        return [
            jnp.matmul(part[a:b], part[a:].T, precision=jax.lax.Precision.HIGHEST)
            for a, b in itertools.pairwise(cuts)
        ]

    def products(start: Any, width: int) -> list[jax.Array]:
        ends = sorted({width * i // at_once for i in range(at_once + 1)})
        parts = [multiplied(start + a, b - a) for a, b in itertools.pairwise(ends)]
        return functools.reduce(lambda x, y: jax.tree.map(jnp.add, x, y), parts)

    total = _sum_over_blocks(products, d, block)
    return jnp.concatenate(
        [jnp.pad(x, ((0, 0), (a, 0))) for x, a in zip(total, cuts, strict=False)]
    )


def median_of_some(n: int, rows: Callable[[np.ndarray], Any]) -> jax.Array:
    """The coordinate-wise median of eleven of n rows, which are given by their indices.

    >>> median_of_some(21, lambda chosen: jnp.arange(21.0)[chosen, None]).item()
    10.0
    """
    chosen = np.linspace(0, n - 1, CENTRE_ROWS).astype(int)
    middle = CENTRE_ROWS // 2
    (median,) = select_ranks(rows(chosen), middle, middle + 1)
    return median


def _sum_over_blocks(part: Callable[[Any, int], Tree], d: int, block: int) -> Tree:
    """Σ part(start, width) over blocks of columns, the last of which may be narrower."""
    blocks = -(-d // block) - 1  # and the last one

    def add(i: jax.Array, total: Tree) -> Tree:
        return jax.tree.map(jnp.add, total, part(i * block, block))

    total = part(blocks * block, d - blocks * block)
    return jax.lax.fori_loop(0, blocks, add, total) if blocks else total


def _without_copies(doubt: jax.Array, columns: Columns, d: int) -> tuple[jax.Array, jax.Array]:
    """Doubts [n, n] without those of copies of a row, and of which row each row is a copy, [n].

    One pass over the rows for the row with the most doubts, the next one, and so on, until a row
    has no copies.
    """
    n = doubt.shape[0]

    def leave_out(carry: tuple) -> tuple:
        doubt, source, _ = carry
        row = jnp.argmax(doubt.sum(axis=1))
        # It changes in the loop: else the compiler would take the reading of the rows out of it.
        zero, _ = jax.lax.optimization_barrier((jnp.array(0), row))

        def distances(columns: Columns, d: int) -> jax.Array:
            def squares(start: Any, width: int) -> jax.Array:
                part = columns(zero + start, width)
                return ((part - part[row]) ** 2).sum(axis=1)

            return _sum_over_blocks(squares, d, max(1, PRODUCT_NUMBERS // n))

        copies = doubt[row] & (_summed_over_shards(distances, columns, d) == 0)
        left = doubt & ~copies & ~copies[:, None]
        return left, jnp.where(copies, row, source), copies.any()

    begin = doubt, jnp.arange(n), jnp.array(True)
    doubt, source, _ = jax.lax.while_loop(lambda carry: carry[2] & carry[0].any(), leave_out, begin)
    return doubt, source


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

            def both(start: Any, width: int) -> jax.Array:
                return columns(start, width)[jnp.concatenate([mine, theirs])]

            def direct() -> jax.Array:
                exact = _of_pairs(both, 2 * TILE, d, *TILE_PAIRS).reshape(TILE, TILE)
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
