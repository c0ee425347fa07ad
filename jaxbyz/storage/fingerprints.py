"""Whether two computations are the same: digests of traced programs and of their arrays."""

import hashlib
import importlib.metadata
import re
from typing import Any

import jax
import numpy as np
from jax.extend import core


def fingerprint(program: Any, *trees: Any) -> str:
    """A digest of a traced program (a closed jaxpr), the library, and the arrays it is run on.

    >>> import jax.numpy as jnp
    >>> double, triple = (jax.make_jaxpr(lambda x, c=c: c * x)(1.0) for c in (2, 3))
    >>> fingerprint(double) == fingerprint(double), fingerprint(double) == fingerprint(triple)
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in ("jaxbyz", "jax", "jaxlib"):
        digest.update(f"{name} {importlib.metadata.version(name)} ".encode())
    # Addresses of Python objects in the text differ from process to process.
    digest.update(re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr)).encode())
    digest.update(_inside(program, {}))
    for leaf in jax.tree.leaves(trees):
        digest.update(_array(leaf))
    return digest.hexdigest()


def _array(value: Any) -> bytes:
    if hasattr(value, "dtype") and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    array = np.asarray(value)
    return hashlib.blake2b(f"{array.shape}{array.dtype} ".encode() + array.tobytes()).digest()


def _inside(value: Any, known: dict[int, bytes]) -> bytes:
    """All arrays in a program. The program's text leaves them out, or rounds and shortens them."""
    if id(value) in known:  # programs within programs are often the same
        return known[id(value)]
    if isinstance(value, core.ClosedJaxpr):
        parts = [_inside(value.jaxpr, known), *map(_array, value.consts)]
    elif isinstance(value, core.Jaxpr):
        literals = [
            _array(atom.val)
            for atom in (*value.outvars, *(v for eqn in value.eqns for v in eqn.invars))
            if isinstance(atom, core.Literal)
        ]
        inner = [_inside(part, known) for eqn in value.eqns for part in eqn.params.values()]
        parts = [*literals, *inner]
    elif isinstance(value, tuple | list):
        return b"".join(_inside(part, known) for part in value)
    elif isinstance(value, np.ndarray | np.generic | jax.Array):
        return _array(value)
    else:
        return b""
    found = hashlib.blake2b(b" ".join(parts)).digest()
    known[id(value)] = found
    return found
