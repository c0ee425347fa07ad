"""Checks of arguments when a part is made: each is one line, and all errors have one wording.

In a sweep, a `vmap` over hyper-parameters, values are traced and have no number yet: they pass.
Concrete values are checked.
"""

import contextlib
import inspect
import operator
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def is_traced(value: Any) -> bool:
    """Whether a value is known only inside a transformation.

    >>> is_traced(0.5)
    False
    """
    return isinstance(value, jax.core.Tracer)


def count(name: str, value: Any, minimum: int = 0, maximum: int | None = None) -> int:
    """An integer of any integer type (a bool is not one), from `minimum` to `maximum`.

    Raises:
        ValueError: naming the argument, its value and what is allowed.

    >>> count("f", 3)
    3
    >>> count("f", -1)
    Traceback (most recent call last):
    ValueError: f must be an integer >= 0, got -1
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum or (maximum is not None and number > maximum):
        allowed = f">= {minimum}" if maximum is None else f"in {minimum}..{maximum}"
        raise ValueError(f"{name} must be an integer {allowed}, got {_shown(value)}")
    return number


def interval(name: str, value: Any, low: float, high: float, *, closed: str = "both") -> Any:
    """A real number (no bool, no text) in an interval.

    `closed` is "both", "left", "right" or "neither".

    Raises:
        ValueError: naming the argument, its value and the interval.

    >>> interval("momentum", 1.0, 0, 1, closed="left")
    Traceback (most recent call last):
    ValueError: momentum must lie in [0, 1), got 1.0
    """
    if is_traced(value):
        return value
    left, right = closed in ("both", "left"), closed in ("both", "right")
    allowed = f"{'[' if left else '('}{low}, {high}{']' if right else ')'}"
    try:
        if isinstance(value, bool | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number in {allowed}, got {_shown(value)}") from None
    above = number >= low if left else number > low
    below = number <= high if right else number < high
    if not (above and below):
        raise ValueError(f"{name} must lie in {allowed}, got {value!r}")
    return value


def function(name: str, value: Any, arguments: str | None = None) -> Any:
    """Something that can be called, with these arguments where they are given.

    Raises:
        ValueError: naming the argument and what came.

    >>> function("vector", 3)
    Traceback (most recent call last):
    ValueError: vector must be a function, got the number 3
    >>> function("watch", lambda state: {}, "before, after")
    Traceback (most recent call last):
    ValueError: watch must be a function of (before, after), got the function <lambda> of (state)
    """
    if not callable(value):
        raise ValueError(f"{name} must be a function, got {said(value)}")
    if arguments is None:
        return value
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # some functions have none
        return value
    try:
        signature.bind(*arguments.split(", "))
    except TypeError as error:
        raise ValueError(
            f"{name} must be a function of ({arguments}), got {said(value)} of {signature}"
        ) from error
    return value


def mapping(name: str, value: Any, entries: int = 2) -> Any:
    """Something that maps functions over leading axes, as `jax.vmap` does; nothing is computed.

    Raises:
        ValueError: naming the argument, its value and what may be written instead.

    >>> mapping("map_seeds", jax.vmap) is jax.vmap
    True
    """
    function(name, value)
    seen: list[tuple[int, ...]] = []

    def pair(a: Any, b: Any) -> Any:
        seen.append(jnp.shape(a))
        return {"pair": jnp.stack([a, b])}

    arrays = [jax.ShapeDtypeStruct((entries,), jnp.float32)] * 2
    shape, cause = None, None
    try:
        shape = jax.eval_shape(lambda a, b: value(pair)(a, b), *arrays)["pair"].shape
    except Exception as error:
        cause = error
    if shape != (entries, 2) or set(seen) != {()}:
        raise ValueError(
            f"{name} must map functions over leading axes: jax.vmap, jaxbyz.one_by_one or "
            f"jaxbyz.in_batches(size), got {said(value)}"
        ) from cause
    return value


def flag(name: str, value: Any) -> bool:
    """A truth value.

    Raises:
        ValueError: something else, naming the argument and its value.

    >>> flag("by_coordinate", "yes")
    Traceback (most recent call last):
    ValueError: by_coordinate must be True or False, got the text 'yes'
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {said(value)}")
    return bool(value)


def among(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Whether a value is one of a few; an array is none.

    >>> among(1, (-1, 1)), among(jnp.zeros(2), (-1, 1))
    (True, False)
    """
    try:
        return bool(value in allowed)
    except (TypeError, ValueError):
        return False


def real(dtype: Any) -> bool:
    """Whether numbers of this dtype are real: floats, integers, or truth values.

    >>> real(jnp.bfloat16), real(complex), real(object)
    (True, False, False)
    """
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


def rows(value: Any) -> jax.Array:
    """Rows [n, d] of real numbers, at least one and not empty.

    Raises:
        ValueError: saying what came.

    >>> rows([[1.0, 2.0]]).shape
    (1, 2)
    >>> rows([[1.0], [1.0, 2.0]])
    Traceback (most recent call last):
    ValueError: rows must be an array [n, d] of real numbers, got a list of 2
    """
    array, kind = None, getattr(value, "dtype", None)
    if value is not None and (kind is None or real(kind)):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            array = jnp.asarray(value)
    if array is None or not real(array.dtype):
        raise ValueError(f"rows must be an array [n, d] of real numbers, got {said(value)}")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"rows must have shape [n >= 1, d >= 1], got {array.shape}")
    return array


def said(value: Any) -> str:
    """What came, in a few words.

    >>> said("alie"), said(len), said(int)
    ("the text 'alie'", 'the function len', 'the class int')
    >>> said((1, 2)), said(jax.numpy.zeros((2, 3)))
    ('a tuple of 2', 'an array float32[2, 3]')
    """
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, int | float | complex):
        return f"the number {value!r}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, types.ModuleType):
        return f"the module {value.__name__}"
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        return f"the function {value.__name__}"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"an array {value.dtype}{list(value.shape)}"
    if isinstance(value, tuple | list | dict | set) and type(value).__module__ == "builtins":
        return f"a {type(value).__name__} of {len(value)}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def first_line(error: BaseException) -> str:
    r"""What an error is and says, in one line that is not too long.

    >>> first_line(ValueError("one\ntwo")), first_line(KeyError())
    ('ValueError: one', 'KeyError')
    """
    lines = str(error).splitlines()
    kind = type(error).__name__
    return f"{kind}: {lines[0][:160]}" if lines and lines[0] else kind


def _shown(value: Any) -> str:
    """A value where a number is expected: as it is written, unless that is long."""
    written = repr(value)
    plain = len(written) <= 60 and " at 0x" not in written and "\n" not in written
    return written if plain else said(value)
