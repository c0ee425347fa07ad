"""Primitive steps for all entries at once that leave the mapped axis last.

They stand in for rules of JAX that move the axis to the front, after which the next step would move
it back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["ENTRYWISE", "RULES", "Value", "with_batch_axis"]

Value = tuple[Any, bool]  # an array, and whether its last axis is the mapped one

# One number of the result from one number of every operand.
ENTRYWISE = {
    *("abs", "acos", "acosh", "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh"),
    *("cbrt", "ceil", "clamp", "convert_element_type", "copy", "cos", "cosh"),
    *("digamma", "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor"),
    *("ge", "gt", "integer_pow", "is_finite", "le", "lgamma", "log", "log1p", "logistic", "lt"),
    *("max", "min", "mul", "ne", "neg", "nextafter", "not", "or", "population_count", "pow"),
    *("rem", "round", "rsqrt", "select_n", "shift_left", "shift_right_arithmetic"),
    *("shift_right_logical", "sign", "sin", "sinh", "sqrt", "square", "sub", "tan", "tanh", "xor"),
}


def with_batch_axis(value: Value, entries: int, shape: Sequence[int] | None = None) -> jax.Array:
    """The array for all entries, each of this shape (its own if not given)."""
    array, mapped = value
    array = array if mapped else jnp.asarray(array)[..., None]
    shape = array.shape[:-1] if shape is None else shape
    if array.shape == (*shape, entries):
        return array
    # Leading axes that are missing, as of a number among vectors, come first.
    missing = len(shape) - (array.ndim - 1)
    return jnp.broadcast_to(jnp.expand_dims(array, range(missing)), (*shape, entries))


def _broadcast_in_dim(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    (array, _), *dynamic = inputs
    shape, places = params["shape"], params["broadcast_dimensions"]
    if dynamic:
        return None
    return jax.lax.broadcast_in_dim(array, (*shape, entries), (*places, len(shape)))


def _bitcast_convert_type(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    del entries
    ((array, _),), wanted = inputs, params["new_dtype"]
    if jnp.dtype(wanted).itemsize == array.dtype.itemsize:
        return jax.lax.bitcast_convert_type(array, wanted)
    first = jnp.moveaxis(array, -1, 0)  # the last axis is that of the bytes
    return jnp.moveaxis(jax.lax.bitcast_convert_type(first, wanted), 0, -1)


def _reshape(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    if len(inputs) > 1 or params["dimensions"] is not None:
        return None
    return jax.lax.reshape(inputs[0][0], (*params["new_sizes"], entries))


def _squeeze(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    del entries
    return jax.lax.squeeze(inputs[0][0], params["dimensions"])


def _transpose(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    del entries
    order = params["permutation"]
    return jax.lax.transpose(inputs[0][0], (*order, len(order)))


def _concatenate(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    return jax.lax.concatenate([with_batch_axis(v, entries) for v in inputs], params["dimension"])


def _stack(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    return jnp.stack([with_batch_axis(v, entries) for v in inputs], params["axis"])


def _dynamic_slice(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    (array, _), *starts = inputs
    if not starts or any(differs for _, differs in starts):
        return None
    places = [start for start, _ in starts]
    # Not by the public function, to which a place below zero is one from the end.
    return jax.lax.dynamic_slice_p.bind(
        array,
        *places,
        jnp.zeros_like(places[0]),
        slice_sizes=(*params["slice_sizes"], entries),
    )


def _dynamic_update_slice(entries: int, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
    whole, part, *starts = inputs
    if not starts or any(differs for _, differs in starts):
        return None
    places = [start for start, _ in starts]
    return jax.lax.dynamic_update_slice_p.bind(
        with_batch_axis(whole, entries),
        with_batch_axis(part, entries),
        *places,
        jnp.zeros_like(places[0]),
        **params,
    )


# (entries, params, inputs) -> the result; None where there is no rule for these inputs.
RULES: dict[str, Callable[[int, dict[str, Any], Sequence[Value]], Any]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "bitcast_convert_type": _bitcast_convert_type,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "stack": _stack,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
}
