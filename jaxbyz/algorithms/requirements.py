"""What an algorithm asks of its compressor: a constant without which it makes no sense."""

from collections.abc import Callable

from jaxbyz.core import Compressor


def require_unbiased(name: str, compressor: Compressor) -> Callable[[int], float]:
    """The function d -> ω of an unbiased compressor.

    Args:
        name: of the argument, for the error.
        compressor: what was given.

    Raises:
        ValueError: a compressor without ω.

    >>> import jaxbyz as jb
    >>> require_unbiased("compressor", jb.rand_k(k=2))(6)
    2.0
    """
    if compressor.omega is None:
        raise ValueError(f"{name} must be unbiased with a known omega, got one without")
    return compressor.omega


def require_contractive(name: str, compressor: Compressor) -> Callable[[int], float]:
    """The function d -> α of a contractive compressor.

    Args:
        name: of the argument, for the error.
        compressor: what was given.

    Raises:
        ValueError: a compressor without α.

    >>> import jaxbyz as jb
    >>> require_contractive("compressor", jb.top_k(k=2))(8)
    0.25
    """
    if compressor.alpha is None:
        raise ValueError(
            f"{name} must be contractive with a known alpha, got one without "
            "(`scaled` makes an unbiased compressor contractive)"
        )
    return compressor.alpha
