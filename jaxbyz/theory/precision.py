"""Theory runs in 64 bits or not at all."""

import jax
import jax.numpy as jnp


def require_x64() -> None:
    """Raise unless JAX computes in float64.

    At the published step size of RoSDHB (c = 23200) the change of the loss in one round has a
    relative error of about 2 % in float32: the size of what is tested.

    Raises:
        RuntimeError: JAX is in its 32-bit mode.

    >>> with jax.enable_x64(True):
    ...     require_x64()
    """
    if jnp.zeros(()).dtype != jnp.float64 and jax.dtypes.canonicalize_dtype(float) != jnp.float64:
        raise RuntimeError(
            "jaxbyz.theory needs 64-bit numbers: set JAX_ENABLE_X64=1, call "
            'jax.config.update("jax_enable_x64", True), or use `with jax.enable_x64(True)`'
        )
