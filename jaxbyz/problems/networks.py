"""Models as two functions: which can be trained, of flax (linen or nnx) or written plainly.

Only floating-point parameters are learned, sent and paid for. What else a model keeps (running
statistics, counters, the state of random numbers) would be state of a worker that no message
carries, and is refused.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from jaxbyz import checks
from jaxbyz.contracts import returned
from jaxbyz.core import Key


class Network(NamedTuple):
    """A model as two functions of its variables, a pytree.

    >>> plain = network_of((lambda key: jnp.zeros((2, 3)), lambda weights, rows: rows @ weights))
    >>> plain.apply(plain.init(jax.random.key(0), None), jnp.ones((4, 2))).shape
    (4, 3)
    """

    init: Callable[[Key, Any], Any]  # key, inputs [B, ...] -> variables
    apply: Callable[[Any, Any], Any]  # variables, inputs [B, ...] -> outputs [B, ...]
    calibrate: Callable[[Any, Any, int], Any] | None = None  # see `resnets`
    collections: bool = False  # variables are collections of flax.linen


def network_of(model: Any) -> Network:
    """A model as two functions.

    Args:
        model: one of
            a module of flax.linen;
            a module of flax.nnx, which starts at its own parameters for every seed;
            a function of `rngs` that makes one, `functools.partial(MyModule, 10)` for instance:
            every seed then starts at parameters of its own;
            a pair (init, apply): key -> parameters, and (parameters, inputs) -> outputs.

    Raises:
        ValueError: something else, or a module of nnx with variables that are no parameters.
    """
    if isinstance(model, tuple) and len(model) == 2 and all(map(callable, model)):
        make, apply = model
        return Network(lambda key, inputs: make(key), apply)
    if isinstance(model, nnx.Module):
        graph, parameters = _split(model)
        fixed = nnx.to_pure_dict(parameters)
        return Network(lambda key, inputs: fixed, _applied(graph, parameters))
    if _makes_nnx(model):
        graph, shapes = _split(nnx.eval_shape(lambda: _made(model, jax.random.key(0))))
        return Network(
            lambda key, inputs: nnx.to_pure_dict(_split(_made(model, key))[1]),
            _applied(graph, shapes),
        )
    made = not isinstance(model, type)
    if not (made and callable(getattr(model, "init", None)) and hasattr(model, "apply")):
        hint = "" if made else f": did you mean {model.__name__}(...)?"
        raise ValueError(
            f"model must be a flax module or a pair (init, apply), got {checks.said(model)}{hint}"
        )
    _require_call(model)
    return Network(model.init, model.apply, getattr(model, "calibrate", None), True)


def _makes_nnx(model: Any) -> bool:
    """Whether it is a class of nnx, or a function with an argument `rngs`."""
    target, *_ = _call_of(model)
    if isinstance(target, type):
        return issubclass(target, nnx.Module)
    if not callable(target) or hasattr(target, "apply"):
        return False
    try:
        return "rngs" in inspect.signature(target).parameters
    except (TypeError, ValueError):
        return False


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


def template_of(
    network: Network, inputs: Any, classes: int | None = None, what: str = "logits"
) -> Any:
    """Shapes of a network's variables, from inputs [B, ...].

    Raises:
        ValueError: a call that needs more than inputs, or raises; random numbers; other collections
            of flax.linen than "params"; parameters that are not floats, or none; with `classes`,
            logits of another shape than [B, classes].

    >>> from jaxbyz.problems.models import Linear
    >>> images = jnp.zeros((1, 8, 8, 1))
    >>> template_of(network_of(Linear(10)), images, 10)["params"]["Dense_0"]["bias"].shape
    (10,)
    >>> template_of(network_of(Linear(5)), images, 10)
    Traceback (most recent call last):
    ValueError: model must give logits [B, classes] = [2, 10] for 10 classes, got [2, 5]
    """
    two = jax.ShapeDtypeStruct((2, *inputs.shape[1:]), inputs.dtype)
    template = _traced(two, network.init, jax.random.key(0), two)
    _require_parameters(template, network.collections)
    outputs = _traced(two, network.apply, template, two)
    if classes is None:
        return template
    found = jax.tree.map(jnp.shape, outputs)
    wanted = f"logits [B, classes] = [2, {classes}] for {classes} classes"
    if what != "logits":
        wanted = f"{what} [B, p] = [2, {classes}]"
    if getattr(outputs, "shape", None) != (2, classes):
        said = list(found) if hasattr(outputs, "shape") else found
        raise ValueError(f"model must give {wanted}, got {said}")
    if not jnp.issubdtype(outputs.dtype, jnp.floating):
        raise ValueError(f"model must give floating-point {what}, got {outputs.dtype}")
    return template


def _traced(inputs: jax.ShapeDtypeStruct, function: Any, *arguments: Any) -> Any:
    """Shapes of what the model makes of inputs; nothing is computed."""
    with returned.explaining_tracers("model"):
        try:
            return jax.eval_shape(function, *arguments)
        except returned.ASKED:
            raise
        except flax.errors.InvalidRngError as error:
            raise ValueError(
                "model must need no random numbers when called with inputs alone (make dropout "
                f"deterministic by default), got {str(error).split(' (')[0]}"
            ) from error
        except Exception as error:
            raise ValueError(
                f"model must map inputs [B, ...] = {list(inputs.shape)} to outputs, got one "
                f"that raises {checks.first_line(error)}"
            ) from error


def _require_call(model: nn.Module) -> None:
    if not callable(model):
        return
    signature = inspect.signature(model)
    try:
        signature.bind(None)
    except TypeError:
        raise ValueError(
            "model must take inputs alone, with defaults for everything else, got a module with "
            f"the call {signature}"
        ) from None


def _require_parameters(template: Any, collections: bool) -> None:
    others = sorted(set(template) - {"params"}) if collections else []
    if others:
        raise ValueError(
            f"model must keep all its variables in the collection 'params', got {others} too: "
            "running statistics and counters are neither learned nor sent; take "
            "jaxbyz.problems.resnets.BatchNorm or a normalisation without memory"
        )
    leaves = jax.tree.leaves_with_path(template)
    for path, leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise ValueError(
                f"model must have floating-point parameters, got {leaf.dtype} in "
                f"{jax.tree_util.keystr(path)}"
            )
    if not leaves:
        raise ValueError("model must have parameters, got none")
