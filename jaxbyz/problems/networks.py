"""Which flax modules can be trained: those whose variables are floating-point parameters alone."""

import inspect
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.contracts import returned


def template_of(model: nn.Module, images: Any, classes: int) -> Any:
    """Shapes of a model's variables, {"params": …}, from images [B, H, W, C].

    Only floating-point parameters are learned, sent and paid for. Other collections (running
    statistics, counters) would be state of a worker that no message carries.

    Raises:
        ValueError: a call that needs more than images, or raises; random numbers; other
            collections than "params"; parameters that are not floats, or none; logits of another
            shape than [B, classes].

    >>> from jaxbyz.problems.models import Linear
    >>> images = jnp.zeros((1, 8, 8, 1))
    >>> template_of(Linear(10), images, 10)["params"]["Dense_0"]["bias"].shape
    (10,)
    >>> template_of(Linear(5), images, 10)
    Traceback (most recent call last):
    ValueError: model must give logits [B, classes] = [2, 10] for 10 classes, got [2, 5]
    """
    _require_call(model)
    two = jax.ShapeDtypeStruct((2, *images.shape[1:]), images.dtype)
    template = _traced(two, model.init, jax.random.key(0), two)
    _require_parameters(template)
    logits = _traced(two, model.apply, template, two)
    found = jax.tree.map(jnp.shape, logits)
    if getattr(logits, "shape", None) != (2, classes):
        said = list(found) if hasattr(logits, "shape") else found
        raise ValueError(
            f"model must give logits [B, classes] = [2, {classes}] for {classes} classes, "
            f"got {said}"
        )
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(f"model must give floating-point logits, got {logits.dtype}")
    return template


def _traced(images: jax.ShapeDtypeStruct, function: Any, *arguments: Any) -> Any:
    """Shapes of what the model makes of images; nothing is computed."""
    with returned.explaining_tracers("model"):
        try:
            return jax.eval_shape(function, *arguments)
        except returned.ASKED:
            raise
        except flax.errors.InvalidRngError as error:
            raise ValueError(
                "model must need no random numbers when called with images alone (make dropout "
                f"deterministic by default), got {str(error).split(' (')[0]}"
            ) from error
        except Exception as error:
            raise ValueError(
                f"model must map images [B, H, W, C] = {list(images.shape)} to logits, got one "
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
            "model must take images alone, with defaults for everything else, got a module with "
            f"the call {signature}"
        ) from None


def _require_parameters(template: Any) -> None:
    others = sorted(set(template) - {"params"})
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
