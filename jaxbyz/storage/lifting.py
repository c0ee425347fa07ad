"""Numbers that are written in a traced program, as arguments of it instead.

A step size or a momentum that a function closes over is a literal of the program that JAX traces:
x * 0.1. Another one would be another program, to be compiled anew. So literals are looked for by
which numbers are multiplied, and which are added or subtracted, and made arguments. The program is
traced once more for that, by running its equations on tracers.

Not every literal is lifted: small integers and fractions of powers of two (0, 1, -0.5, …) stay, for
the compiler simplifies what it sees of them; so do divisors, since step sizes and momenta are none,
and all numbers in programs that are handed over as a whole to another primitive than a loop, a
branch or a call.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxbyz.storage.remembered import of_programs

ARITHMETIC = {"mul", "add", "sub"}
CALLS = {"jit", "pjit", "closed_call", "core_call"}
# Parameters of equations that hold the programs inside.
HOLDING = {"jaxpr", "call_jaxpr", "cond_jaxpr", "body_jaxpr", "branches"}
SHORT = 256  # numerators of fractions of powers of two that are not lifted


def is_lifted(equation: core.JaxprEqn, atom: Any) -> bool:
    """Whether an operand is a number that is lifted out of the program.

    >>> program = jax.make_jaxpr(lambda x: (0.1 * x + 0.5) / 0.3)(1.0)
    >>> [is_lifted(each, atom) for each in program.eqns for atom in each.invars]
    [True, False, False, False, False, False]
    """
    if equation.primitive.name not in ARITHMETIC or not isinstance(atom, core.Literal):
        return False
    kind: Any = atom.aval
    if kind.shape or not np.issubdtype(kind.dtype, np.floating):
        return False
    value = float(atom.val)
    if not math.isfinite(value):
        return False
    mantissa, _ = math.frexp(value)
    return mantissa * SHORT != int(mantissa * SHORT)


def programs_inside(equation: core.JaxprEqn) -> list[core.ClosedJaxpr]:
    """The programs in an equation out of which numbers are lifted, in order."""
    name, parameters = equation.primitive.name, equation.params
    places = *parameters.get("in_shardings", ()), *parameters.get("out_shardings", ())
    if any(isinstance(place, jax.sharding.Sharding) for place in places):
        return []  # a call that says where its arrays lie stays as it is
    if name == "scan" or name in CALLS:
        return [_closed(parameters["jaxpr" if "jaxpr" in parameters else "call_jaxpr"])]
    if name == "while":
        return [parameters["cond_jaxpr"], parameters["body_jaxpr"]]
    if name == "cond":
        return list(parameters["branches"])
    return []


@of_programs
def lifted_numbers(program: core.Jaxpr) -> tuple[Any, ...]:
    """The numbers of a program that are lifted, in the order of its equations.

    >>> lifted_numbers(jax.make_jaxpr(lambda x: (0.1 * x + 0.5) / 0.3)(1.0).jaxpr)
    (0.1,)
    """
    found: list[Any] = []
    for equation in program.eqns:
        for inside in programs_inside(equation):
            found += lifted_numbers(inside.jaxpr)
        for atom in equation.invars:
            if is_lifted(equation, atom):
                number: Any = atom
                kind = number.aval
                # A number of Python does not decide the dtype of what it is added to.
                weak = kind.weak_type
                found.append(float(number.val) if weak else np.asarray(number.val, kind.dtype))
    return tuple(found)


def with_numbers(program: core.ClosedJaxpr) -> Callable[..., list[Any]]:
    """(lifted numbers, *arguments) -> results: what the program computes with these numbers.

    >>> program = jax.make_jaxpr(lambda x: (0.1 * x + 0.5) / 0.3)(1.0)
    >>> [round(found.item(), 3) for found in with_numbers(program)([0.2], 1.0)]
    [2.333]
    """

    def run(numbers: Sequence[Any], *arguments: Any) -> list[Any]:
        return _run(program.jaxpr, program.consts, numbers, arguments)

    return run


def _run(
    program: core.Jaxpr, constants: Sequence[Any], numbers: Sequence[Any], arguments: Sequence[Any]
) -> list[Any]:
    known: dict[Any, Any] = dict(zip(program.constvars, constants, strict=True))
    known |= zip(program.invars, arguments, strict=True)
    left = iter(numbers)

    def take(count: int) -> list[Any]:
        return [next(left) for _ in range(count)]

    for equation in program.eqns:
        inside = programs_inside(equation)
        theirs = [take(len(lifted_numbers(each.jaxpr))) for each in inside]
        values = [
            next(left)
            if is_lifted(equation, atom)
            else atom.val
            if isinstance(atom, core.Literal)
            else known[atom]
            for atom in equation.invars
        ]
        if any(theirs):
            found = _run_inside(equation, inside, theirs, values)
        elif equation.primitive.name in ARITHMETIC:
            found = [equation.primitive.bind(*values, **equation.params)]
        else:
            found = _run_one(program, equation, values)
        known |= zip(equation.outvars, found, strict=True)
    return [atom.val if isinstance(atom, core.Literal) else known[atom] for atom in program.outvars]


def _run_one(program: core.Jaxpr, equation: core.JaxprEqn, values: list[Any]) -> list[Any]:
    """An equation of a program as it is."""
    operands = {
        atom: value
        for atom, value in zip(equation.invars, values, strict=True)
        if not isinstance(atom, core.Literal)
    }
    alone = program.replace(
        constvars=[], invars=list(operands), outvars=equation.outvars, eqns=[equation]
    )
    return jax.core.eval_jaxpr(alone, (), *operands.values())


def _run_inside(
    equation: core.JaxprEqn,
    inside: list[core.ClosedJaxpr],
    numbers: list[list[Any]],
    values: list[Any],
) -> list[Any]:
    """A call, a loop or branches, with numbers in the programs inside."""

    def part(which: int) -> Callable[..., list[Any]]:
        program, own = inside[which], numbers[which]
        return lambda *given: _run(program.jaxpr, program.consts, own, given)

    name, parameters = equation.primitive.name, equation.params
    if name == "cond":
        branches = [part(which) for which in range(len(inside))]
        found: list[Any] = jax.lax.switch(values[0], branches, *values[1:])
        return found
    if name == "while":
        split = parameters["cond_nconsts"], parameters["body_nconsts"]
        tests, fixed = values[: split[0]], values[split[0] : sum(split)]
        return _while(
            lambda carry: part(0)(*tests, *carry)[0],
            lambda carry: part(1)(*fixed, *carry),
            values[sum(split) :],
        )
    if name == "scan":
        before, carried = _constants_and_carry(equation, inside[0].jaxpr)

        def body(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
            after = part(0)(*values[:before], *carry, *x)
            return after[:carried], after[carried:]

        carry, ys = jax.lax.scan(
            body,
            values[before : before + carried],
            values[before + carried :],
            length=parameters["length"],
            reverse=parameters["reverse"],
            unroll=parameters["unroll"],
        )
        return [*carry, *ys]
    return part(0)(*values)


def _while(
    going: Callable[[list[Any]], jax.Array],
    turn: Callable[[list[Any]], list[Any]],
    start: list[Any],
) -> list[Any]:
    """A loop. One that was mapped over has a condition for each of its lanes: [...].

    All lanes go on until the last one is over; those that are over keep what they have.
    """

    def body(carry: list[Any]) -> list[Any]:
        goes, after = going(carry), turn(carry)
        if not goes.shape:
            return after
        axes = [range(goes.ndim, jnp.ndim(old)) for old in carry]
        chosen = [jnp.expand_dims(goes, tuple(inner)) for inner in axes]
        return list(map(jnp.where, chosen, after, carry))

    found: list[Any] = jax.lax.while_loop(lambda carry: going(carry).any(), body, start)
    return found


def _constants_and_carry(equation: core.JaxprEqn, body: core.Jaxpr) -> tuple[int, int]:
    """How many constants and carried values a scan has; its parameters say so in other ways.

    What is scanned over, and what is collected, has one axis more outside than in the body.
    """

    def axes(atoms: Sequence[Any]) -> list[int]:
        return [len(atom.aval.shape) for atom in atoms]

    carried = sum(map(operator.eq, axes(equation.outvars), axes(body.outvars)))
    whole = sum(map(operator.eq, axes(equation.invars), axes(body.invars)))
    return whole - carried, carried


def _closed(program: Any) -> core.ClosedJaxpr:
    return program if isinstance(program, core.ClosedJaxpr) else core.ClosedJaxpr(program, ())
