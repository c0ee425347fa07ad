"""Numbers of rows: their dtypes, and sums of them that neither overflow nor vanish."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.aggregators.rows.twice import unless
from jaxbyz.column_passes import SUMMED_ROWS, largest_of, over_columns, row_sums, sum_of_rows

SHORT = 1024  # rows with fewer entries are looked at with care at once, which is less to compile
MULTIPLIED_NUMBERS = 2**20  # of all rows in one block of columns that are multiplied by weights
Columns = Callable[[Any, int], jax.Array]  # (start, width) -> columns [n, width] of some rows


def widened(rows: jax.Array) -> jax.Array:
    """16-bit rows in 32 bits, where sums and squares are formed; integers as floats.

    Raises:
        ValueError: rows of complex numbers, or of no numbers.

    >>> widened(jnp.zeros((2, 3), jnp.bfloat16)).dtype, widened(jnp.zeros((2, 3), int)).dtype
    (dtype('float32'), dtype('float32'))
    """
    dtype = _dtype_of(rows)
    return rows.astype(jnp.float32 if dtype.itemsize <= 2 else dtype)


def in_dtype_of(rows: jax.Array, value: jax.Array) -> jax.Array:
    """A result in the kind of number of the rows; for integers, in JAX's default floats.

    >>> in_dtype_of(jnp.zeros((2, 1), jnp.bfloat16), jnp.ones(1)).dtype
    dtype(bfloat16)
    """
    return value.astype(_dtype_of(rows))


def _dtype_of(rows: jax.Array) -> Any:
    dtype = rows.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        return dtype
    if jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.bool_):
        return jnp.zeros(()).dtype
    raise ValueError(f"rows must be real numbers, got an array of {dtype}")


def reciprocal(count: int, dtype: Any) -> jax.Array:
    """1/count, [], as a number that the compiler cannot see.

    Where it sees a power of two it makes (x + y)/2 of x/2 + y/2, and the sum may overflow.

    >>> halves = jax.jit(lambda x, y: x * reciprocal(2, x.dtype) + y * reciprocal(2, y.dtype))
    >>> halves(jnp.float32(3e38), jnp.float32(3e38)).item() < jnp.inf
    True
    """
    return jax.lax.optimization_barrier(jnp.asarray(1 / count, dtype))


def power_of_two(sizes: jax.Array) -> jax.Array:
    """2^⌊log₂ size⌋ of every size ≥ 0, and 1 for 0; no reciprocal of it is flushed to 0.

    >>> power_of_two(jnp.array([0.3, 0.0, 5.0])).tolist()
    [0.25, 1.0, 4.0]
    """
    # frexp has no rounding trouble at the ends of the range, unlike exp2(log2(.)).
    _, exponent = jnp.frexp(jnp.where(sizes > 0, sizes, 1))
    limits = jnp.finfo(sizes.dtype)
    # Not 2^127: compiled programs divide by it through its reciprocal, which would be flushed to 0.
    exponent = jnp.clip(exponent - 1, limits.minexp + 1, limits.maxexp - 2)
    return jnp.ldexp(jnp.ones((), sizes.dtype), exponent)


def least_squares(d: int, dtype: Any) -> float:
    """The least Σ x² over d entries beside which squares that vanished are below one rounding."""
    limits = jnp.finfo(dtype)
    return d * float(limits.tiny) / float(limits.eps)


def _root(squares: jax.Array) -> jax.Array:
    """√ of sums of squares, with derivative 0 where they are 0: there a length has none."""
    positive = squares > 0
    zero_or_nan = jax.lax.stop_gradient(squares)
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), zero_or_nan)


@jax.custom_jvp
def lengths(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """m [n], powers of two, and √Σ (x/m)² [n] of any rows; the latter is finite if the row is.

    For long rows m = 1 and one pass is all, unless some squares are too large or too small. The
    derivative is 0 at rows that are 0 or not finite.
    """

    def columns(rows: jax.Array, start: int, width: int) -> jax.Array:
        return jax.lax.slice_in_dim(rows, start, start + width, axis=1)

    def squares() -> jax.Array:
        return row_sums(lambda start, width: columns(rows, start, width) ** 2, d)

    n, d = rows.shape
    least = least_squares(d, rows.dtype)
    return lengths_of(
        rows, columns, squares, n, d, rows.dtype, lambda squares: (squares >= least).all()
    )


@lengths.defjvp
def _derivative_of_lengths(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    (rows,), (along,) = primals, tangents
    size, length = lengths(rows)
    usable = jnp.isfinite(length) & (length > 0)
    unit = size[:, None]
    # Selected before it is a factor: 0 times what is no number is none.
    direction = jnp.where(usable[:, None], rows / unit / jnp.where(usable, length, 1)[:, None], 0)
    change = (direction * (along / unit)).sum(axis=1)
    return (size, length), (jnp.zeros_like(size), change)


def lengths_of(
    given: Any,
    columns: Callable[[Any, int, int], jax.Array],
    squares: Callable[[], jax.Array],
    n: int,
    d: int,
    dtype: Any,
    enough: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """The same of rows that are given by their columns (given, start, width) -> [n, width].

    `squares()` is Σ x², [n]; `enough` of that tells whether none is too small to be used as it is.
    """

    def carefully(given: Any) -> tuple[jax.Array, jax.Array]:
        def some(start: int, width: int) -> jax.Array:
            return columns(given, start, width)

        largest = largest_of(some, n, d, dtype)
        size = power_of_two(jnp.where(jnp.isfinite(largest), largest, 0))
        reciprocal = (1 / size)[:, None]
        squares = row_sums(lambda start, width: (some(start, width) * reciprocal) ** 2, d)
        return size, _root(squares)

    if d < SHORT:
        return carefully(given)
    found = squares()
    plain = jnp.isfinite(found).all() & enough(found)
    return unless(plain, (jnp.ones(n, dtype), jnp.sqrt(found)), given, carefully)


def weighted_sum(
    weights: jax.Array, row: Callable[[int], jax.Array], columns: Columns, n: int, d: int
) -> jax.Array:
    """Σ w_i x_i of n rows given one by one and by columns: weights [n] -> [d], [m, n] -> [m, d].

    Few rows are added in one pass over whole rows; else some columns at a time are multiplied.

    >>> rows = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    >>> part = lambda start, width: rows[:, start : start + width]
    >>> weighted_sum(jnp.array([0.5, 2.0]), lambda i: rows[i], part, 2, 2).tolist()
    [6.5, 9.0]
    """
    if weights.ndim == 1 and n <= SUMMED_ROWS:
        return sum_of_rows(weights, [row(i) for i in range(n)])

    def some(start: jax.Array | int, width: int) -> jax.Array:
        return multiplied(weights, columns(start, width))

    return over_columns(some, d, max(1, MULTIPLIED_NUMBERS // n))


def multiplied(weights: jax.Array, rows: jax.Array) -> jax.Array:
    """A product of matrices in full precision, which accelerators leave out by default."""
    return jnp.matmul(weights, rows, precision=jax.lax.Precision.HIGHEST)
