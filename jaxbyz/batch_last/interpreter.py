"""An interpreter of traced programs that does every step for all entries at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex

from jaxbyz.batch_last.batched_values import CALLS, called, is_mapped_by_scan, parts_of_a_scan
from jaxbyz.batch_last.batching_rules import ENTRYWISE, RULES, Value, with_batch_axis

__all__ = ["BatchLast"]


class BatchLast:
    """Evaluates a program for so many entries, the mapped axis last."""

    def __init__(self, entries: int) -> None:
        self.entries = entries

    def evaluate(self, steps: jex.ClosedJaxpr, inputs: Sequence[Value]) -> list[Value]:
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
            with step.ctx.manager:  # in which the step was traced
                outputs = self.apply(step, [of(variable) for variable in step.invars])
            known.update(zip(step.outvars, outputs, strict=True))
        return [of(variable) for variable in steps.jaxpr.outvars]

    def apply(self, step: Any, inputs: Sequence[Value]) -> list[Value]:
        """The results of one step."""
        name, params = step.primitive.name, step.params
        if name in CALLS:
            return self.evaluate(called(step), inputs)
        mapped = [differs for _, differs in inputs]
        if not any(mapped):
            return [(array, False) for array in _alone(step)(*(array for array, _ in inputs))]
        if name == "scan":
            return self.scan(params, inputs)
        if name == "cond" and not mapped[0] and "branches_platforms" not in params:
            return self.cond(params, inputs)
        if name in ENTRYWISE:
            shape = step.outvars[0].aval.shape
            inputs = [(with_batch_axis(value, self.entries, shape), True) for value in inputs]
        elif name in RULES and (array := RULES[name](self.entries, params, inputs)) is not None:
            return [(array, True)]
        axes = [-1 if differs else None for _, differs in inputs]
        # The axis is asked for where it is: the rules of JAX for entrywise steps, for sums along
        # other axes, for slices and for products with it in the second factor leave it there.
        outputs = jax.vmap(_alone(step), in_axes=axes, out_axes=-1)(*(a for a, _ in inputs))
        return [(array, True) for array in outputs]

    def scan(self, params: dict[str, Any], inputs: Sequence[Value]) -> list[Value]:
        """A loop whose turns are evaluated in the same way."""
        first, after = parts_of_a_scan(params)
        body, results = is_mapped_by_scan(params, [differs for _, differs in inputs])

        def arrays(values: Sequence[Value], differ: Sequence[bool]) -> list[Any]:
            pairs = zip(values, differ, strict=True)
            return [
                with_batch_axis(value, self.entries) if wide else value[0] for value, wide in pairs
            ]

        constants, start, rows = inputs[:first], inputs[first:after], inputs[after:]

        def turn(carried: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
            now = zip(carried + row, body[first:], strict=True)
            outputs = self.evaluate(params["jaxpr"], [*constants, *now])
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
                return [
                    with_batch_axis(value, self.entries) for value in self.evaluate(steps, values)
                ]

            return take

        branches = [branch(steps) for steps in params["branches"]]
        found = jax.lax.switch(jnp.int32(index), branches, *(array for array, _ in operands))
        return [(array, True) for array in found]


def _alone(step: Any) -> Callable[..., list[Any]]:
    """One step as a function of arrays."""
    primitive = step.primitive

    def function(*arrays: Any) -> list[Any]:
        found = primitive.bind(*arrays, **primitive.get_bind_params(step.params))
        return list(found) if primitive.multiple_results else [found]

    return function
