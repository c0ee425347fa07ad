"""Squared distances between rows, as sums of squared differences.

The Gram form ‖x‖² + ‖y‖² - 2⟨x, y⟩ cancels late in training, when rows agree to many digits, and
then selects the wrong row; direct differences do not.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["nearest", "scaled", "squared_distances"]

# Differences of one block of columns: [n, n, block] stays within a few hundred kilobytes.
BLOCK_NUMBERS = 2**17


def scaled(rows: jax.Array, scale: jax.Array) -> jax.Array:
    """Rows / scale, held where squares of differences can still be summed over all entries.

    A row beyond that bound is a huge row beside the median row; what it becomes is as legitimate
    as what it was, and distances to it stay the largest ones.
    """
    n, d = rows.shape
    bound = float(jnp.finfo(rows.dtype).max) ** 0.5 / (4 * (n * d) ** 0.5)
    return jnp.clip(rows / scale, -bound, bound)


def squared_distances(rows: jax.Array) -> jax.Array:
    """‖x_i - x_j‖² for all pairs: [n, d] -> [n, n], symmetric with an exactly zero diagonal.

    Cost O(n²d) in blocks of columns; no array [n, n, d] is made.

    >>> squared_distances(jnp.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """
    n, d = rows.shape
    block = min(d, max(1, BLOCK_NUMBERS // n**2))

    def of_columns(columns: jax.Array) -> jax.Array:  # [n, b] -> [n, n]
        difference = columns[:, None, :] - columns[None, :, :]
        return jnp.sum(difference * difference, axis=-1)

    def add(i: jax.Array, total: jax.Array) -> jax.Array:
        return total + of_columns(jax.lax.dynamic_slice(rows, (0, i * block), (n, block)))

    whole = d // block
    total = jax.lax.fori_loop(0, whole, add, jnp.zeros((n, n), rows.dtype))
    return total + of_columns(rows[:, whole * block :])


def nearest(distances: jax.Array, count: int) -> jax.Array:
    """Indices [n, count] of the rows nearest to each row; ties go to the lower index."""
    return jax.lax.top_k(-distances, count)[1]
