"""What made a part: arguments of its constructor, as values that JSON can hold."""

import dataclasses
import math
import os
import re
import types
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.core import Recipe
from jaxbyz.seeds import is_key

LONGEST = 64  # entries of a list and letters of a text that are written out
DEEPEST = 8  # functions in functions


def written(value: Any) -> Any:
    """A value as numbers, texts, lists and dictionaries; anything else by its name.

    A part is written as its constructor and arguments, and so are parts inside it. A number that is
    traced in a sweep has no value yet, and is written "traced". An optimiser is written as its
    functions and what they close over.

    >>> from jaxbyz.aggregators import trimmed_mean
    >>> written(trimmed_mean(2)), written(np.float32(0.5)), written(np.zeros((9, 9)))
    ({'made_by': 'trimmed_mean', 'f': 2, 'trim': None}, 0.5, 'an array float64[9, 9]')
    """
    recipe = getattr(value, "recipe", None)
    if isinstance(value, Recipe):
        return {"made_by": value.maker, **value.arguments}
    if isinstance(recipe, Recipe):
        return written(recipe)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str | os.PathLike):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if checks.is_traced(value):
        return "traced"
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        return _array(value)
    if is_optimizer(value):
        return optimizer_text(value)
    if isinstance(value, Mapping):
        return {str(k): written(v) for k, v in list(value.items())[:LONGEST]}
    if isinstance(value, list | tuple | range) and not hasattr(value, "_fields"):
        return [written(entry) for entry in value[:LONGEST]]
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType | type):
        return checks.said(value)
    name = getattr(value, "name", None)  # of a data set, of a part that somebody made by hand
    if isinstance(name, str) and name:
        return f"{type(value).__name__} {name}"
    if dataclasses.is_dataclass(value):  # a flax module
        return _without_addresses(repr(value))
    return checks.said(value)


def _array(value: Any) -> Any:
    if is_key(value) or value.size > LONGEST:
        return checks.said(value)
    return written(np.asarray(value).tolist())


def is_optimizer(value: Any) -> bool:
    """Whether something has what an optax optimiser has.

    >>> import optax
    >>> is_optimizer(optax.sgd(0.1)), is_optimizer(optax.sgd)
    (True, False)
    """
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))


def _without_addresses(text: str) -> str:
    return " ".join(re.sub(r" at 0x[0-9a-f]+", "", text).split())


def optimizer_text(optimizer: Any) -> str:
    """An optax optimiser as text: the functions it is made of, and the values they close over.

    An optimiser does not keep its arguments, but its functions close over all values that they
    compute with. The step γ of sgd appears as a factor -γ. Values that only its initial state is
    made of follow after "from".

    >>> import optax
    >>> optimizer_text(optax.sgd(0.1, momentum=0.9))
    'chain(trace(accumulator_dtype=None, decay=0.9, nesterov=False), scale(step_size=-0.1))'
    """
    return _optimizer(optimizer, 0)


def _optimizer(optimizer: Any, depth: int) -> str:
    text, start = _function(optimizer.update, depth), _function(optimizer.init, depth)
    holds = start != text and re.search(r"=(?!None\b)", start) is not None
    return f"{text} from {start}" if holds else text


def _function(function: Callable[..., Any], depth: int) -> str:
    if isinstance(function, types.MethodType):
        owner, kind = function.__self__, type(function.__self__).__name__
        own = getattr(owner, "__dict__", {}) if depth <= DEEPEST else {}
        inside = ", ".join(f"{k.lstrip('_')}={_held(v, depth + 1)}" for k, v in own.items())
        return f"{kind}({inside})" if inside else kind
    name = getattr(function, "__qualname__", type(function).__name__).split(".<locals>")[0]
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    if code is None or depth > DEEPEST:
        return name
    parts = []
    for variable, cell in zip(code.co_freevars, cells, strict=True):
        try:
            parts.append((variable, cell.cell_contents))
        except ValueError:  # a variable that was never set
            continue
    if len(parts) == 1 and is_optimizer(parts[0][1]):  # a wrapper that adds nothing
        return _function(parts[0][1].update, depth + 1)
    if len(parts) == 1 and isinstance(parts[0][1], tuple) and all(map(callable, parts[0][1])):
        return f"{name}({', '.join(_function(inner, depth + 1) for inner in parts[0][1])})"
    inside = ", ".join(f"{variable}={_held(value, depth + 1)}" for variable, value in parts)
    return f"{name}({inside})"


def _held(value: Any, depth: int) -> str:
    if isinstance(value, types.FunctionType):
        return _function(value, depth)
    if is_optimizer(value):
        return _optimizer(value, depth)
    return str(written(value))
