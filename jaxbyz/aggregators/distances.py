"""Squared distances between rows, as sums of squared differences.

The Gram form ‖x‖² + ‖y‖² - 2⟨x, y⟩ cancels late in training, when rows agree to many digits, and
then selects the wrong row; direct differences do not. Columns are taken in blocks of LANES · STEPS:
sums run over the steps, side by side in all lanes, and over the lanes at the end. With some tens
of rows that takes no longer than a matrix product of the rows with themselves.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["centred_products", "nearest", "scaled", "squared_distances"]

# The sums of one group of rows with all others, in all lanes, stay within half a megabyte.
GROUP_NUMBERS = 2**17
LANES, STEPS = 128, 16


def scaled(rows: jax.Array, scale: jax.Array) -> jax.Array:
    """Rows / scale, held where squares of differences can still be summed over all entries.

    A row beyond that bound is a huge row beside the median row; what it becomes is as legitimate
    as what it was, and distances to it stay the largest ones.
    """
    bound = square_bound(rows)
    return jnp.clip(rows / scale, -bound, bound)


def square_bound(rows: jax.Array) -> float:
    """√(largest number)/(4 √(nd)): squares of such entries can be summed over [n, d]."""
    n, d = rows.shape
    return float(jnp.finfo(rows.dtype).max) ** 0.5 / (4 * (n * max(d, 1)) ** 0.5)


def squared_distances(rows: jax.Array) -> jax.Array:
    """‖x_i - x_j‖² for all pairs: [n, d] -> [n, n], symmetric with an exactly zero diagonal.

    Cost O(n²d) in blocks of columns and groups of rows; no array [n, n, d] is made.

    >>> squared_distances(jnp.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """
    n, d = rows.shape
    lanes = LANES if n <= 32 else LANES // 4
    group = min(n, max(1, GROUP_NUMBERS // (n * lanes)))
    block = lanes * STEPS
    whole = d // block

    def of_group(start: jax.Array) -> jax.Array:  # -> [group, n]
        def add(i: jax.Array, total: jax.Array) -> jax.Array:  # [group, n, lanes]
            columns = jax.lax.dynamic_slice(rows, (0, i * block), (n, block))
            columns = columns.reshape(n, STEPS, lanes)
            mine = jax.lax.dynamic_slice_in_dim(columns, start, group)
            squares = jnp.zeros_like(total)
            for step in range(STEPS):
                difference = mine[:, None, step] - columns[None, :, step]
                squares = squares + difference * difference
            return total + squares

        rest = rows[:, whole * block :]
        mine = jax.lax.dynamic_slice_in_dim(rest, start, group)
        difference = mine[:, None] - rest[None]
        total = jnp.sum(difference * difference, axis=-1)
        if not whole:
            return total
        sums = jax.lax.fori_loop(0, whole, add, jnp.zeros((group, n, lanes), rows.dtype))
        return total + sums.sum(axis=-1)

    if group == n:
        return of_group(jnp.zeros((), int))

    def fill(i: jax.Array, found: jax.Array) -> jax.Array:
        start = jnp.minimum(i * group, n - group)  # the last group may overlap the one before
        return jax.lax.dynamic_update_slice_in_dim(found, of_group(start), start, 0)

    return jax.lax.fori_loop(0, -(-n // group), fill, jnp.zeros((n, n), rows.dtype))


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
