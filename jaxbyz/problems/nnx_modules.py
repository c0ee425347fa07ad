"""Modules of flax.nnx as two functions of their parameters.

A file of its own, which `networks` imports where a model is one of them: to import flax.nnx takes
a third of the time in which the whole library is imported.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from jaxbyz import checks
from jaxbyz.core import Key


def is_made_of(model: Any) -> bool:
    """Whether it is a module of nnx, or a class of them."""
    target, *_ = _call_of(model)
    return isinstance(model, nnx.Module) or (
        isinstance(target, type) and issubclass(target, nnx.Module)
    )


def functions_of(model: Any) -> tuple[Callable[[Key, Any], Any], Callable[[Any, Any], Any]]:
    """(init, apply) of a module, or of what makes one of `rngs`; see `networks.Network`.

    Raises:
        ValueError: variables that are no parameters; a function that makes something else, or
            needs more than `rngs`.

    >>> init, apply = functions_of(functools.partial(nnx.Linear, 3, 2))
    >>> variables = init(jax.random.key(0), None)
    >>> apply(variables, jax.numpy.ones((4, 3))).shape
    (4, 2)
    """
    if isinstance(model, nnx.Module):
        graph, parameters = _split(model)
        fixed = nnx.to_pure_dict(parameters)
        return (lambda key, inputs: fixed), _applied(graph, parameters)
    graph, shapes = _split(nnx.eval_shape(lambda: _made(model, jax.random.key(0))))
    return (
        lambda key, inputs: nnx.to_pure_dict(_split(_made(model, key))[1]),
        _applied(graph, shapes),
    )


def _call_of(model: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """What is called in the end, and the arguments that are given already."""
    if isinstance(model, functools.partial):
        return model.func, model.args, model.keywords
    return model, (), {}


def _made(make: Callable[..., Any], key: Key) -> nnx.Module:
    target, given, named = _call_of(make)
    is_class = isinstance(target, type)  # the call of a class of nnx takes anything
    signature = inspect.signature(target.__init__ if is_class else target)
    try:
        signature.bind(*((None,) if is_class else ()), *given, **{**named, "rngs": None})
    except TypeError as error:
        raise ValueError(
            f"model must be made of rngs alone, got {checks.said(target)} ({error}): give the "
            "other arguments by functools.partial"
        ) from None
    made = make(rngs=nnx.Rngs(key))
    if not isinstance(made, nnx.Module):
        raise ValueError(f"model(rngs) must make a module of flax.nnx, got {checks.said(made)}")
    return made


def _split(module: nnx.Module) -> tuple[Any, Any]:
    """Structure and parameters; refused where there is anything else."""
    graph, parameters, others = nnx.split(module, nnx.Param, ...)  # type: ignore[misc]
    names = {type(leaf).__name__ for leaf in _variables(others)}
    if kinds := sorted("array" if "Array" in n or "Shape" in n else n for n in names):
        raise ValueError(
            f"model must keep all its variables in nnx.Param, got {kinds} too: running statistics, "
            "counters, random numbers and plain arrays are neither learned nor sent"
        )
    return graph, parameters


def _applied(graph: Any, like: Any) -> Callable[[Any, Any], Any]:
    """A module of nnx as a function of its parameters, nested dictionaries, and inputs."""

    def apply(variables: Any, inputs: Any) -> Any:
        state = jax.tree.map(lambda leaf: leaf, like)  # a copy, to be filled
        nnx.replace_by_pure_dict(state, variables)
        return nnx.merge(graph, state)(inputs)

    return apply


def _variables(state: Any) -> list[Any]:
    return jax.tree.leaves(state, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
