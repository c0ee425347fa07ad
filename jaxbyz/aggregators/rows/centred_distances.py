"""Distances between rows: of the rows as they are, and where that is not safe of `Centred` ones.

The median and the distances from it cost two more passes over all rows. These are left out where
no squared distance D_ij of the rows as given overflows or vanishes. Then

    c     the row i with the least q_i, the (n-f)-th smallest of √D_ij, j among the finite rows
    q     its q_i
    r_j   √D_ij

take the places of those in `rows.centring`, and what is derived there holds for them: in every
set S of h = n-f rows, each row has another at distance q or more. So Σ_{j∈S} D_ij ≥ q² for all i in
S, and Var_S = Σ_{i,j∈S} D_ij/(2h²) ≥ q²/(2h). Here no row is beyond B q, and none is shortened.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.centring import (
    FAR,
    Centred,
    as_they_are,
    centred_at_median,
    squared_distances_of,
)
from jaxbyz.aggregators.rows.distances import distances_of
from jaxbyz.aggregators.rows.finite import FiniteRows
from jaxbyz.aggregators.rows.numbers import SHORT
from jaxbyz.aggregators.rows.twice import unless
from jaxbyz.column_passes import smallest_of_lines


@functools.partial(jax.jit, static_argnums=(1, 2, 3))  # traced once a shape, not once a rule
def centred_distances(
    finite: FiniteRows,
    f: int,
    far: float = FAR,
    treated: Callable[[Centred, float], Centred] = Centred.shortened_beyond,
) -> tuple[Centred, jax.Array]:
    """Rows y_i around a centre in the unit of their spread, and ‖y_i - y_j‖², [n, n].

    `treated` is what becomes of rows beyond `far` q.

    >>> from jaxbyz.aggregators.rows.finite import finite_rows
    >>> rows = finite_rows(jnp.array([[0.0], [8.0], [24.0], [3e38]]))
    >>> seen, squares = centred_distances(rows, f=1)
    >>> seen.far.tolist(), (squares * (seen.unit / seen.shrink) ** 2)[0, :3].tolist()
    ([False, False, False, True], [0.0, 64.0, 576.0])
    """

    def carefully(finite: FiniteRows) -> tuple[Centred, jax.Array]:
        seen = treated(centred_at_median(finite, f), far)
        return seen, squared_distances_of(seen)

    n, d = finite.raw.shape
    if d < SHORT:  # one way is less to compile than two
        return carefully(finite)
    squares = distances_of(finite.columns, n, d, finite.raw.dtype)
    seen, safe = _centred_at_row(finite, squares, f, far)

    def again(finite: FiniteRows) -> tuple[Centred, jax.Array]:
        seen, squares = carefully(finite)
        return _without_rows(seen), squares

    found = _without_rows(seen), squares / seen.unit / seen.unit
    seen, squares = unless(safe, found, finite, again)
    return seen._replace(finite=seen.finite._replace(raw=finite.raw)), squares


def _without_rows(seen: Centred) -> Centred:
    """The same without the rows, which do not change and need not be carried through a loop."""
    return seen._replace(finite=seen.finite._replace(raw=seen.finite.raw[:0]))


def _centred_at_row(
    finite: FiniteRows, squares: jax.Array, f: int, far: float
) -> tuple[Centred, jax.Array]:
    """The rows around the best one, from their D_ij [n, n], and whether that is safe, []."""
    n = finite.raw.shape[0]
    unusable = finite.rejected[:, None] | finite.rejected
    nearest = smallest_of_lines(jnp.where(unusable, jnp.inf, squares), n - f)[1]
    best = jnp.argmin(nearest)
    seen, safe = as_they_are(finite, finite.row(best), squares[best], nearest[best], f, far)
    return seen, safe & jnp.isfinite(squares).all()
