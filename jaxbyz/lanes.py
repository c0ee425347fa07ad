"""`jax.vmap` with the mapped axis last: the entries lie side by side, in the lanes of a processor.

`jax.vmap` puts the mapped axis first at most steps. For many runs of a small problem that is the
wrong end: a core does the same to sixteen neighbouring numbers as fast as to one, and the fifty
coordinates of one vector fill three registers and a piece of a fourth, while whatever is done
along the coordinates (choosing the largest, adding up) is done number after number. With the runs
side by side every step of every algorithm fills whole registers.

The function is traced to JAX's list of primitive steps, and each is done for all entries at once:
where `jax.vmap` would move the axis, here are rules that leave it; every other step is done by
`jax.vmap` itself, told that the axis is last. A value that is the same for all entries stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex

__all__ = ["side_by_side"]

CALLS = {"jit", "closed_call", "custom_jvp_call", "custom_vjp_call"}
# One number of the result from one number of every operand.
ENTRYWISE = {
    *("abs", "acos", "acosh", "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh"),
    *("bitcast_convert_type", "cbrt", "ceil", "clamp", "convert_element_type", "copy", "cos"),
    *("cosh", "digamma", "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor"),
    *("ge", "gt", "integer_pow", "is_finite", "le", "lgamma", "log", "log1p", "logistic", "lt"),
    *("max", "min", "mul", "ne", "neg", "nextafter", "not", "or", "population_count", "pow"),
    *("rem", "round", "rsqrt", "select_n", "shift_left", "shift_right_arithmetic"),
    *("shift_right_logical", "sign", "sin", "sinh", "sqrt", "square", "sub", "tan", "tanh", "xor"),
}

Value = tuple[Any, bool]  # an array, and whether its last axis is the mapped one


def side_by_side(function: Callable[..., Any]) -> Callable[..., Any]:
    """Map a function over leading axes, as `jax.vmap(function)` does; within, that axis is last.

    For many entries, each of small arrays: seeds of a run. What the function closes over is the
    same for all entries. Derivatives of the result do not know of custom rules within.

    Raises:
        ValueError: no arguments, or leading axes of different lengths.

    >>> side_by_side(lambda a, b: (a * b.sum(), 1))(jnp.arange(3), jnp.ones((3, 2)))
    (Array([0., 2., 4.], dtype=float32), Array([1, 1, 1], dtype=int32))
    """

    def mapped(*arguments: Any) -> Any:
        leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, arguments))
        lengths = {leaf.shape[:1] for leaf in leaves}
        if len(lengths) != 1 or lengths == {()}:
            shapes = [leaf.shape for leaf in leaves]
            raise ValueError(f"all arguments must have one leading axis, got shapes {shapes}")
        ((entries,),) = lengths
        one = [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in leaves]
        steps, result = jax.make_jaxpr(function, return_shape=True)(
            *jax.tree.unflatten(structure, one)
        )
        lanes = _Lanes(entries)
        inputs = [(jnp.moveaxis(leaf, 0, -1), True) for leaf in leaves]
        found = [lanes.widened(value) for value in lanes.play(steps, inputs)]
        outputs = [jnp.moveaxis(value, -1, 0) for value in found]
        return jax.tree.unflatten(jax.tree.structure(result), outputs)

    return mapped


def _is_mapped(steps: jex.Jaxpr, mapped: Sequence[bool]) -> list[bool]:
    """Which results differ between entries, if these inputs do."""
    known = dict(zip(steps.invars, mapped, strict=True))

    def of(variable: Any) -> bool:
        return not isinstance(variable, jex.Literal) and known.get(variable, False)

    for step in steps.eqns:
        inputs = [of(variable) for variable in step.invars]
        if step.primitive.name in CALLS:
            outputs = _is_mapped(_called(step).jaxpr, inputs)
        elif step.primitive.name == "scan":
            outputs = _is_mapped_by_scan(step.params, inputs)[1]
        else:
            outputs = [any(inputs)] * len(step.outvars)
        known.update(zip(step.outvars, outputs, strict=True))
    return [of(variable) for variable in steps.outvars]


def _is_mapped_by_scan(
    params: dict[str, Any], inputs: Sequence[bool]
) -> tuple[list[bool], list[bool]]:
    """The same of a scan's body and of the scan: of its inputs (constants, carry, xs), its results.

    What is carried differs between entries as soon as it does after any number of turns.
    """
    first, after = _parts_of_a_scan(params)
    inputs = list(inputs)
    while True:
        outputs = _is_mapped(params["jaxpr"].jaxpr, inputs)
        carried = [
            before or now
            for before, now in zip(inputs[first:after], outputs[: after - first], strict=True)
        ]
        if carried == inputs[first:after]:
            return inputs, carried + outputs[after - first :]
        inputs[first:after] = carried


def _parts_of_a_scan(params: dict[str, Any]) -> tuple[int, int]:
    """Where among its inputs what is carried begins and ends."""
    if "num_carry" in params:
        return params["num_consts"], params["num_consts"] + params["num_carry"]
    constants, carried, _ = (len(list(part)) for part in params["ft_in"].unpack())  # JAX 0.12
    return constants, constants + carried


def _called(step: Any) -> jex.ClosedJaxpr:
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if name in step.params:
            return step.params[name]
    raise NotImplementedError(f"the steps of {step.primitive.name!r} are not known")


class _Lanes:
    """So many entries side by side."""

    def __init__(self, entries: int) -> None:
        self.entries = entries

    def widened(self, value: Value, shape: Sequence[int] | None = None) -> jax.Array:
        """The array for all entries, each of this shape (its own if not given)."""
        array, mapped = value
        array = array if mapped else jnp.asarray(array)[..., None]
        shape = array.shape[:-1] if shape is None else shape
        if array.shape == (*shape, self.entries):
            return array
        # Leading axes that are missing, as of a number among vectors, come first.
        missing = len(shape) - (array.ndim - 1)
        return jnp.broadcast_to(jnp.expand_dims(array, range(missing)), (*shape, self.entries))

    def play(self, steps: jex.ClosedJaxpr, inputs: Sequence[Value]) -> list[Value]:
        """The results of a list of steps."""
        known: dict[Any, Value] = {
            variable: (constant, False)
            for variable, constant in zip(steps.jaxpr.constvars, steps.consts, strict=True)
        }
        known.update(zip(steps.jaxpr.invars, inputs, strict=True))

        def of(variable: Any) -> Value:
            if not isinstance(variable, jex.Literal):
                return known[variable]
            form: Any = variable.aval
            return jnp.asarray(variable.val, form.dtype), False

        for step in steps.jaxpr.eqns:
            outputs = self.step(step, [of(variable) for variable in step.invars])
            known.update(zip(step.outvars, outputs, strict=True))
        return [of(variable) for variable in steps.jaxpr.outvars]

    def step(self, step: Any, inputs: Sequence[Value]) -> list[Value]:
        """The results of one step."""
        name, params = step.primitive.name, step.params
        if name in CALLS:
            return self.play(_called(step), inputs)
        mapped = [differs for _, differs in inputs]
        if not any(mapped):
            return [(array, False) for array in _alone(step)(*(array for array, _ in inputs))]
        if name == "scan":
            return self.scan(params, inputs)
        if name == "cond" and not mapped[0]:
            return self.cond(params, inputs)
        rule = getattr(self, f"rule_{name}", None)
        if name in ENTRYWISE:
            shape = step.outvars[0].aval.shape
            inputs = [(self.widened(value, shape), True) for value in inputs]
        elif rule is not None and (result := rule(params, inputs)) is not None:
            return [(result, True)]
        axes = [-1 if differs else None for _, differs in inputs]
        # The axis is asked for where it is: the rules of JAX for entrywise steps, for sums along
        # other axes, for slices and for products with it in the second factor leave it there.
        outputs = jax.vmap(_alone(step), in_axes=axes, out_axes=-1)(*(a for a, _ in inputs))
        return [(array, True) for array in outputs]

    def scan(self, params: dict[str, Any], inputs: Sequence[Value]) -> list[Value]:
        """A loop whose turns are played."""
        first, after = _parts_of_a_scan(params)
        body, results = _is_mapped_by_scan(params, [differs for _, differs in inputs])

        def arrays(values: Sequence[Value], differ: Sequence[bool]) -> list[Any]:
            pairs = zip(values, differ, strict=True)
            return [self.widened(value) if wide else value[0] for value, wide in pairs]

        constants, start, rows = inputs[:first], inputs[first:after], inputs[after:]

        def turn(carried: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
            now = zip(carried + row, body[first:], strict=True)
            outputs = self.play(params["jaxpr"], [*constants, *now])
            found = arrays(outputs, results)
            return found[: after - first], found[after - first :]

        last, columns = jax.lax.scan(
            turn,
            arrays(start, body[first:after]),
            [array for array, _ in rows],
            length=params["length"],
            reverse=params["reverse"],
            unroll=params["unroll"],
        )
        return list(zip(last + columns, results, strict=True))

    def cond(self, params: dict[str, Any], inputs: Sequence[Value]) -> list[Value]:
        """A branch that all entries take together."""
        (index, _), *operands = inputs

        def branch(steps: jex.ClosedJaxpr) -> Callable[..., list[jax.Array]]:
            def take(*arrays: Any) -> list[jax.Array]:
                values = [(a, differs) for a, (_, differs) in zip(arrays, operands, strict=True)]
                return [self.widened(value) for value in self.play(steps, values)]

            return take

        branches = [branch(steps) for steps in params["branches"]]
        found = jax.lax.switch(jnp.int32(index), branches, *(array for array, _ in operands))
        return [(array, True) for array in found]

    # Rules for one step each: the mapped axis stays last. None where there is no rule for these
    # inputs. Where JAX has a rule that moves it to the front, what follows would move it back.

    def rule_broadcast_in_dim(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        (array, _), *dynamic = inputs
        shape, places = params["shape"], params["broadcast_dimensions"]
        if dynamic:
            return None
        return jax.lax.broadcast_in_dim(array, (*shape, self.entries), (*places, len(shape)))

    def rule_reshape(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        if len(inputs) > 1 or params["dimensions"] is not None:
            return None
        return jax.lax.reshape(inputs[0][0], (*params["new_sizes"], self.entries))

    def rule_squeeze(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        return jax.lax.squeeze(inputs[0][0], params["dimensions"])

    def rule_transpose(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        order = params["permutation"]
        return jax.lax.transpose(inputs[0][0], (*order, len(order)))

    def rule_concatenate(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        return jax.lax.concatenate([self.widened(v) for v in inputs], params["dimension"])

    def rule_stack(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        return jnp.stack([self.widened(v) for v in inputs], params["axis"])

    def rule_dynamic_slice(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        (array, _), *starts = inputs
        if any(differs for _, differs in starts):
            return None
        places = [start for start, _ in starts]
        sizes = (*params["slice_sizes"], self.entries)
        return jax.lax.dynamic_slice(array, (*places, jnp.zeros_like(places[0])), sizes)

    def rule_dynamic_update_slice(self, params: dict[str, Any], inputs: Sequence[Value]) -> Any:
        del params
        whole, part, *starts = inputs
        if any(differs for _, differs in starts):
            return None
        places = [start for start, _ in starts]
        return jax.lax.dynamic_update_slice(
            self.widened(whole), self.widened(part), (*places, jnp.zeros_like(places[0]))
        )


def _alone(step: Any) -> Callable[..., list[Any]]:
    """One step as a function of arrays."""
    primitive = step.primitive

    def function(*arrays: Any) -> list[Any]:
        found = primitive.bind(*arrays, **primitive.get_bind_params(step.params))
        return found if primitive.multiple_results else [found]

    return function
