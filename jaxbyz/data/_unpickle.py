"""Reading pickled arrays without running what else a pickle may ask for.

A pickle names functions to call, so an unknown file is an unknown program. This reader knows the
few names with which NumPy writes an array of numbers, gives each a small function of its own, and
refuses every other name. What a file says thus never reaches NumPy's constructors unchecked.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxbyz.data._pickle_machine import Machine, Stateful, plain_set
from jaxbyz.data._reading import length, take, unpacked

_LARGEST = 2**28  # bytes; the largest known files of this kind have 150 MB


def load_dictionary(path: Path) -> dict[object, Any]:
    """Returns the dictionary pickled in `path`: arrays of numbers, plain values and containers.

    Protocols 0 to 5. Strings of Python 2 come back as bytes. Containers are as the file says, and
    may contain themselves. Time and memory are bounded by the size of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, larger than 256 MiB, holds something else, or asks for
            anything else.
    """
    with unpacked(path) as stream:
        content = take(stream, _LARGEST + 1)
    try:
        if len(content) > _LARGEST:
            found = length(path, len(content), over=True)
            raise ValueError(f"{found} bytes, of which at most {_LARGEST} are read")
        value = Machine(bytes(content), _ALLOWED).run()
        if not isinstance(value, dict):
            raise ValueError(f"a {type(value).__name__}")
        return {
            key: entry.array if isinstance(entry, _Array) else entry for key, entry in value.items()
        }
    except ValueError as error:
        raise ValueError(
            f"{path}: expected a pickled dictionary of arrays and plain values, found: {error}"
        ) from error


class _Dtype(Stateful):
    """Stands for numpy.dtype: a kind of numbers, then its byte order as the state."""

    def __init__(self, code: str | bytes, align: object = False, copy: object = False) -> None:
        text = _name("dtype", code)
        if not re.fullmatch("b1|[iu][1248]|f[248]", text):
            raise ValueError(f"refused the dtype {text!r}")
        self.dtype: np.dtype[Any] = np.dtype(text)

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2:
            raise ValueError("refused the state of a dtype")
        order = _name("byte order", state[1])
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"refused the byte order {order!r}")
        self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]


class _Array(Stateful):
    """Stands for numpy.ndarray, whose state is (version, shape, dtype, column-major, bytes)."""

    array: NDArray[Any] | None = None

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("refused the state of an array")
        _, shape, kind, column_major, content = state
        self.array = _shaped(content, kind, shape, "F" if column_major is True else "C")


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    return _Array()  # NumPy starts from an empty array, and sends all that matters as the state


def _from_buffer(
    buffer: object, kind: object, shape: object, order: object, axes: object = None
) -> _Array:
    """Protocol 5; order "K" gives the shape in memory, then which axes come first."""
    name = _name("order", order)
    if name not in ("C", "F", "K"):
        raise ValueError(f"refused the order {name!r}")
    result = _Array()
    result.array = _shaped(buffer, kind, shape, "F" if name == "F" else "C")
    if name == "K" and axes is not None:
        places = _sizes(axes)
        if sorted(places) != list(range(result.array.ndim)):
            raise ValueError("refused the axes of an array")
        result.array = result.array.transpose(places)
    return result


def _scalar(kind: object, content: object) -> Any:
    return _shaped(content, kind, (), "C")[()]


def _shaped(content: object, kind: object, shape: object, order: str) -> NDArray[Any]:
    if not (isinstance(kind, _Dtype) and isinstance(content, bytes | bytearray)):
        raise ValueError("refused the content of an array, which must be bytes and a dtype")
    sizes = _sizes(shape)
    if len(content) != math.prod(sizes) * kind.dtype.itemsize:
        raise ValueError(
            f"{len(content)} bytes for an array {list(sizes)} of {kind.dtype.itemsize} each"
        )
    flat = np.frombuffer(content, kind.dtype)
    return flat.reshape(sizes, order="F" if order == "F" else "C")


def _sizes(value: object) -> tuple[int, ...]:
    whole = isinstance(value, tuple) and len(value) <= 32
    if not (whole and all(type(size) is int and 0 <= size < 2**40 for size in value)):  # type: ignore[attr-defined]
        raise ValueError("refused the sizes of an array")
    return value  # type: ignore[return-value]


def _encode(text: object, encoding: object) -> bytes:
    # How protocols below 3 write bytes; other encodings would reach every installed codec.
    name = _name("encoding", encoding)
    if not isinstance(text, str) or name != "latin1":
        raise ValueError(f"refused the encoding {name!r} of a {type(text).__name__}")
    return text.encode("latin1")


def _name(what: str, value: object) -> str:
    """A short name as text: what is longer or something else is refused, and never shown."""
    if not isinstance(value, str | bytes) or len(value) > 40:
        raise ValueError(f"refused the {what}, a {type(value).__name__} instead of a short name")
    return value if isinstance(value, str) else value.decode("latin1")


def _bytes(content: object = b"") -> bytes:
    if not isinstance(content, bytes):
        raise ValueError(f"bytes of a {type(content).__name__}")
    return content


_ALLOWED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")  # NumPy 1 and NumPy 2
        for module, name, function in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    **{
        (module, name): function
        for module in ("__builtin__", "builtins")  # as protocols below 4 write them
        for name, function in (
            ("bytes", _bytes),
            ("bytearray", lambda content=b"": bytearray(_bytes(content))),
            ("set", plain_set),
            ("frozenset", lambda values=(): frozenset(plain_set(values))),
        )
    },
}
