"""Models as two functions: which can be trained, of flax (linen or nnx) or written plainly.

Only floating-point parameters are learned, sent and paid for. What else a model keeps (running
statistics, counters, the state of random numbers) would be state of a worker that no message
carries, and is refused.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp

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
    asks = _asks_for_rngs(model)
    # flax.nnx takes long to import. Whoever has made a module of it has imported it.
    if asks or "flax.nnx" in sys.modules:
        from jaxbyz.problems import nnx_modules

        if asks or nnx_modules.is_made_of(model):
            return Network(*nnx_modules.functions_of(model))
    made = not isinstance(model, type)
    if not (made and callable(getattr(model, "init", None)) and hasattr(model, "apply")):
        hint = "" if made else f": did you mean {model.__name__}(...)?"
        raise ValueError(
            f"model must be a flax module or a pair (init, apply), got {checks.said(model)}{hint}"
        )
    _require_call(model)
    return Network(model.init, model.apply, getattr(model, "calibrate", None), True)


def _asks_for_rngs(model: Any) -> bool:
    """Whether it is a function with an argument `rngs`, which makes a module of flax.nnx."""
    target = model.func if isinstance(model, functools.partial) else model
    if isinstance(target, type) or not callable(target) or hasattr(target, "apply"):
        return False
    try:
        return "rngs" in inspect.signature(target).parameters
    except (TypeError, ValueError):
        return False


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
