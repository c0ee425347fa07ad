"""Whether two computations are the same: digests of traced programs and of their arrays."""

import functools
import hashlib
import importlib.metadata
import re
from typing import Any

import jax
import numpy as np
from jax.extend import core

from jaxbyz.seeds import is_key
from jaxbyz.storage.lifting import HOLDING, is_lifted, programs_inside
from jaxbyz.storage.remembered import of_programs

PLAIN = {bool, int}  # types of most parameters, whose text is all that they are


def fingerprint(program: core.ClosedJaxpr, *trees: Any, lifted: bool = False) -> str:
    """A digest of a traced program, the library, and the arrays it is run on.

    With `lifted`, numbers that `jaxbyz.storage.lifting` makes arguments do not count.

    Programs have the same digest if they have the same equations on the same constants. Constants
    that a program does not use do not count, and neither does which of the programs inside it are
    one Python object: both depend on what else the process has traced before.

    >>> import jax.numpy as jnp
    >>> double, triple = (jax.make_jaxpr(lambda x, c=c: c * x)(1.0) for c in (2, 3))
    >>> fingerprint(double) == fingerprint(double), fingerprint(double) == fingerprint(triple)
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(_versions())
    digest.update(_program(program.jaxpr, program.consts, lifted))
    for leaf in jax.tree.leaves(trees):
        digest.update(_array(leaf))
    return digest.hexdigest()


@functools.cache
def _versions() -> bytes:
    names = "jaxbyz", "jax", "jaxlib"
    return "".join(f"{name} {importlib.metadata.version(name)} " for name in names).encode()


@functools.lru_cache(maxsize=4096)
def _kind(aval: Any) -> bytes:
    """Shape, type and place of a value; a program has thousands of values of a few kinds."""
    return str(aval).encode()


def _array(value: Any) -> bytes:
    if is_key(value):
        value = jax.random.key_data(value)
    array = np.asarray(value)
    return hashlib.blake2b(f"{array.shape}{array.dtype} ".encode() + array.tobytes()).digest()


def _value(value: Any) -> bytes:
    """A parameter of an equation: programs and arrays by what they hold, all else by its text."""
    if value is None or type(value) in PLAIN:
        return str(value).encode()
    if isinstance(value, core.ClosedJaxpr):
        return _program(value.jaxpr, value.consts)
    if isinstance(value, core.Jaxpr):
        return _program(value, ())
    if isinstance(value, tuple | list):
        return b"(" + b",".join(_value(part) for part in value) + b")"
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _array(value)
    text = str(value)
    # Addresses of Python objects in the text differ from process to process.
    return (re.sub(r"0x[0-9a-f]+", "", text) if "0x" in text else text).encode()


def _program(program: core.Jaxpr, constants: Any, lifted: bool = False) -> bytes:
    """Its equations, and the constants that they use."""
    found, used = _equations(program, lifted)
    if not (used and constants):
        return found
    parts = [found]
    for place, name in used:
        parts += [name, _array(constants[place])]
    return hashlib.blake2b(b" ".join(parts)).digest()


@of_programs
def _equations(program: core.Jaxpr, lifted: bool) -> tuple[bytes, list[tuple[int, bytes]]]:
    """With variables by the order in which they appear; and where used constants are, by name."""
    names: dict[Any, bytes] = {}

    def name(atom: Any) -> bytes:
        if isinstance(atom, core.Literal):
            return _kind(atom.aval) + b" " + _array(atom.val)
        if atom not in names:
            names[atom] = b"%d:%b" % (len(names), _kind(atom.aval))
        return names[atom]

    parts = [name(variable) for variable in program.invars]
    for equation in program.eqns:
        parts.append(equation.primitive.name.encode())
        # How random bits are drawn is decided around a call, and not written in the equation.
        parts.append(str(equation.ctx.threefry_partitionable).encode())
        for atom in equation.invars:
            argument = lifted and is_lifted(equation, atom)
            parts.append(_kind(atom.aval) if argument else name(atom))
        parts += [b"->", *map(name, equation.outvars)]
        inside = programs_inside(equation) if lifted else []
        parts += [_program(each.jaxpr, each.consts, lifted) for each in inside]
        for key, value in sorted(equation.params.items()):
            if key not in HOLDING or not inside:
                parts += [key.encode(), _value(value)]
    parts += [b"returns", *map(name, program.outvars)]
    used = [(i, names[each]) for i, each in enumerate(program.constvars) if each in names]
    return hashlib.blake2b(b" ".join(parts)).digest(), used
