"""Copying host arrays of float64 to devices, whose floats may be narrower."""

import jax
import jax.numpy as jnp
import numpy as np


def on_device(name: str, array: np.ndarray) -> jax.Array:
    """Returns finite floats in the width of the run (float32 unless JAX runs with 64 bits).

    Raises:
        ValueError: an entry is beyond the largest number of that width.

    >>> on_device("features", np.array([0.5, 2.0])).tolist()
    [0.5, 2.0]
    """
    width = jax.dtypes.canonicalize_dtype(array.dtype)
    largest = float(jnp.finfo(width).max)
    if width != array.dtype and max(array.max(), -array.min()) > largest:
        worst = max(array.max(), array.min(), key=abs)
        raise ValueError(f"{name} must lie in ±{largest:g}, what {width} holds, got {worst:g}")
    return jnp.asarray(array)
