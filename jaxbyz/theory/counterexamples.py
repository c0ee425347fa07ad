"""Counterexamples as files: a claim, its constants, an instance in hexadecimal floats.

`checker` verifies them in rational arithmetic, without this package.
"""

import importlib.metadata
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxbyz.storage.arrays import write_whole
from jaxbyz.storage.paths import expanded
from jaxbyz.theory import checker


def record_of(claim: str, constants: Mapping[str, float], instance: Any) -> dict[str, Any]:
    """A counterexample as plain data; every number as the hexadecimal text of a float.

    Args:
        claim: its key, "paper/name".
        constants: with which it was stated.
        instance: a named tuple of arrays and of further such tuples.

    >>> from typing import NamedTuple
    >>> class Point(NamedTuple):
    ...     x: float
    >>> record_of("rosdhb/L4", {"power": 1.0}, Point(0.5))["instance"]
    {'x': '0x1.0000000000000p-1'}
    """
    return {
        "counterexample": checker.shapes.VERSION,
        "claim": claim,
        "constants": {name: float(value).hex() for name, value in constants.items()},
        "instance": _plain(instance),
        "versions": {name: importlib.metadata.version(name) for name in ("jaxbyz", "jax")},
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    array = np.asarray(value, np.float64)
    if array.ndim == 0:
        return float(array).hex()
    return [_plain(part) for part in array]


def violates(record: Mapping[str, Any]) -> bool:
    """Whether exact arithmetic confirms it."""
    return checker.verify(dict(record)).violated


def rechecked_by(claim: str, constants: Mapping[str, float]) -> Callable[[Any], bool]:
    """`recheck` of a claim that the checker knows.

    An instance that the checker refuses, too large for instance, confirms nothing.
    """

    def confirmed(instance: Any) -> bool:
        record = record_of(claim, constants, instance)
        try:
            return violates(record)
        except ValueError:
            return False

    return confirmed


def save(path: str | os.PathLike[str], record: Mapping[str, Any]) -> Path:
    """Write a record; an interrupted write leaves an old file as it was.

    Raises:
        ValueError: the path is a folder, or lies in something that is none.
    """
    text = json.dumps(record, indent=1) + "\n"
    return write_whole(expanded("path", path), lambda file: file.write(text.encode()))
