"""Reading pickled arrays without running what else a pickle may ask for.

A pickle names functions to call, so an unknown file is an unknown program. This reader knows the
few names with which NumPy writes an array of numbers, gives each a small function of its own, and
refuses every other name. What a file says thus never reaches NumPy's constructors unchecked.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def load_dictionary(path: Path) -> dict[object, Any]:
    """Returns the dictionary pickled in `path`: arrays of numbers, plain values and containers.

    Strings of Python 2 come back as bytes.

    Raises:
        ValueError: the file is damaged, holds something else, or asks for anything else.
    """
    with path.open("rb") as file:
        try:
            content = _Unpickler(file, encoding="bytes").load()
            if not isinstance(content, dict):
                raise pickle.UnpicklingError(f"a {type(content).__name__}")
            return {
                key: value.array if isinstance(value, _Array) else value
                for key, value in content.items()
            }
        except Exception as error:  # a damaged pickle may raise anything
            raise ValueError(
                f"{path}: expected a pickled dictionary of arrays and plain values, found: {error}"
            ) from error


class _Dtype:
    """Stands for numpy.dtype: a kind of numbers, then its byte order as the state."""

    def __init__(self, code: str | bytes, align: object = False, copy: object = False) -> None:
        text = code.decode("latin1") if isinstance(code, bytes) else str(code)
        if not re.fullmatch("[biuf][1248]", text):
            raise pickle.UnpicklingError(f"refused the dtype {text!r}")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for numpy.ndarray, whose state is (version, shape, dtype, column-major, bytes)."""

    array: NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, column_major, content = state
        flat = np.frombuffer(content, kind.dtype)
        self.array = flat.reshape(shape, order="F" if column_major else "C")


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    return _Array()  # NumPy starts from an empty array, and sends all that matters as the state


def _scalar(kind: _Dtype, content: bytes) -> Any:
    return np.frombuffer(content, kind.dtype).reshape(())[()]


def _encode(text: str, encoding: str) -> bytes:
    # How protocols below 3 write bytes; other encodings would reach every installed codec.
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"refused the encoding {encoding!r}")
    return text.encode("latin1")


_ADMITTED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # NumPy 1
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,  # NumPy 2
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"refused {module}.{name}")
        return _ADMITTED[module, name]
