"""Which values of a program depend on the mapped inputs, and so differ between entries.

All other values stay unbatched: loop counters, the offsets of slices that follow from them, and
whatever is computed from shared data alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax.extend import core as jex

__all__ = ["CALLS", "called", "is_mapped", "is_mapped_by_scan", "parts_of_a_scan"]

CALLS = {"jit", "closed_call"}


def is_mapped(steps: jex.Jaxpr, mapped: Sequence[bool]) -> list[bool]:
    """Which results differ between entries, if these inputs do."""
    known = dict(zip(steps.invars, mapped, strict=True))

    def of(variable: Any) -> bool:
        return not isinstance(variable, jex.Literal) and known.get(variable, False)

    for step in steps.eqns:
        inputs = [of(variable) for variable in step.invars]
        if step.primitive.name in CALLS:
            outputs = is_mapped(called(step).jaxpr, inputs)
        elif step.primitive.name == "scan":
            outputs = is_mapped_by_scan(step.params, inputs)[1]
        else:
            outputs = [any(inputs)] * len(step.outvars)
        known.update(zip(step.outvars, outputs, strict=True))
    return [of(variable) for variable in steps.outvars]


def is_mapped_by_scan(
    params: dict[str, Any], inputs: Sequence[bool]
) -> tuple[list[bool], list[bool]]:
    """The same of a scan's body and of the scan: of its inputs (constants, carry, xs), its results.

    What is carried differs between entries as soon as it does after any number of turns.
    """
    first, after = parts_of_a_scan(params)
    inputs = list(inputs)
    while True:
        outputs = is_mapped(params["jaxpr"].jaxpr, inputs)
        carried = [
            before or now
            for before, now in zip(inputs[first:after], outputs[: after - first], strict=True)
        ]
        if carried == inputs[first:after]:
            return inputs, carried + outputs[after - first :]
        inputs[first:after] = carried


def parts_of_a_scan(params: dict[str, Any]) -> tuple[int, int]:
    """Where among its inputs what is carried begins and ends."""
    if "num_carry" in params:
        return params["num_consts"], params["num_consts"] + params["num_carry"]
    constants, carried, _ = (len(list(part)) for part in params["ft_in"].unpack())  # JAX 0.12
    return constants, constants + carried


def called(step: Any) -> jex.ClosedJaxpr:
    """The steps of a function that is called."""
    return step.params["jaxpr" if "jaxpr" in step.params else "call_jaxpr"]
