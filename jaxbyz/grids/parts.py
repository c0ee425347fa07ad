"""Entries of the file as parts: {name = "top_k", ratio = 0.1} is jaxbyz.compressors.top_k(...).

A table with a `name` is a call of the public function of that name; its other entries are the
arguments. Which package the name belongs to is said by its place, or by the annotation of the
argument that it is given to.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from jaxbyz import aggregators, algorithms, attacks, compressors, problems
from jaxbyz.core import Aggregator, Algorithm
from jaxbyz.grids.tables import GridError, at, known

PACKAGES = {
    "Aggregator": aggregators,
    "Algorithm": algorithms,
    "Attack": attacks,
    "Compressor": compressors,
    "Model": problems.models,
    "Problem": problems,
    "Regulariser": problems,
}
NOUNS = {
    "Aggregator": "rules",
    "Algorithm": "algorithms",
    "Attack": "attacks",
    "Compressor": "compressors",
    "GradientTransformation": "optimisers of optax",
    "Model": "models",
    "Problem": "problems",
    "Regulariser": "regularisers",
}
PROBLEMS = ("Problem", "Quadratics", "Logistic")


def functions_of(kind: str) -> dict[str, Callable[..., Any]]:
    """The public functions that make parts of a kind, by name.

    >>> sorted(functions_of("Regulariser"))
    ['nonconvex', 'ridge']
    """
    if kind == "GradientTransformation":
        public = {name: getattr(optax, name) for name in dir(optax) if not name.startswith("_")}
        return {name: each for name, each in public.items() if _takes_a_rate(each)}
    package = PACKAGES[kind]
    if kind == "Model":
        return {n: each for n, each in vars(package).items() if _is_model(each, package.__name__)}
    public = {name: getattr(package, name) for name in package.__all__}
    made = PROBLEMS if kind == "Problem" else (kind,)
    return {name: each for name, each in public.items() if _makes(each) in made}


def part(kind: str, where: str, table: Any, **given: Any) -> Any:
    """The part that a table means.

    Args:
        kind: of part, a key of `NOUNS`.
        where: the place in the file.
        table: its entries; a text is a table with that name alone.
        given: further arguments, which the file cannot hold.

    Raises:
        GridError: no name, or one that is none of the kind's; an argument that the function does
            not have, or that it refuses.

    >>> part("Compressor", "[methods.a] compressor", {"name": "top_k", "ratio": 0.1}).alpha(10)
    0.1
    >>> part("Compressor", "[methods.a] compressor", "topk")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    jaxbyz.grids.tables.GridError: [methods.a] compressor has no 'topk': did you mean 'top_k'? \
Its compressors are ...
    """
    table = {"name": table} if isinstance(table, str) else table
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise GridError(
            f"{where} must have a name = one of the {NOUNS[kind]}, "
            f"{', '.join(functions_of(kind))}, got {table!r}"
        )
    functions = functions_of(kind)
    known(where, [table["name"]], list(functions), NOUNS[kind])
    function = functions[table["name"]]
    arguments = {name: value for name, value in table.items() if name != "name"}
    parameters = inspect.signature(function).parameters
    known(where, arguments, [name for name in parameters if name not in given], "arguments")
    found = {
        name: _argument(parameters[name], f"{where} {name}", value)
        for name, value in arguments.items()
    }
    if "f" in parameters and "f" not in found:
        found["f"] = None  # the problem's
    for name, parameter in parameters.items():
        single = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if single and parameter.default is parameter.empty and name not in {*found, *given}:
            raise GridError(
                f"{where} must have {name} = ..., an argument of {table['name']}, got none"
            )
    with at(where):
        return function(**found, **given)


def algorithm(where: str, table: Mapping[str, Any], step: jax.Array | float, rule: Any) -> Any:
    """The algorithm that a method's table means, at a step size, with a rule.

    `optimizer` is sgd unless the table names another one; `around` is a list of tables of functions
    of an algorithm, such as {name = "local_steps", steps = 5, step_size = 0.1}.
    """
    own = {name: value for name, value in table.items() if name not in ("optimizer", "around")}
    rate = {"learning_rate": step}
    chosen = table.get("optimizer", "sgd")
    optimizer = part("GradientTransformation", f"{where} optimizer", chosen, **rate)
    found: Algorithm = part("Algorithm", where, own, optimizer=optimizer, aggregator=rule)
    around = table.get("around", [])
    if not isinstance(around, list):
        raise GridError(f"{where} around must be a list of tables, got {around!r}")
    for i, wrapper in enumerate(around):
        found = part("Algorithm", f"{where} around[{i}]", wrapper, algorithm=found)
    return found


def rule(where: str, table: Any) -> Aggregator:
    """The rule that a table means."""
    made: Aggregator = part("Aggregator", where, table)
    return made


def _argument(parameter: inspect.Parameter, where: str, value: Any) -> Any:
    """A value as it stands, or the part that it means where the argument is one."""
    kind = _kind(parameter)
    if kind is not None and isinstance(value, str | Mapping):
        return part(kind, where, value)
    if isinstance(value, Mapping):
        raise GridError(f"{where} must be no table, got {dict(value)!r}")
    return value


def _kind(parameter: inspect.Parameter) -> str | None:
    """The kind of part that an argument is annotated as; models are known by their name."""
    if parameter.name == "model":
        return "Model"
    words = re.findall(r"\w+", str(parameter.annotation))
    return next((word for word in words if word in NOUNS), None)


def _makes(function: Any) -> str | None:
    found: str | None = getattr(function, "makes", None)
    if found is None and inspect.isfunction(function):
        annotation = inspect.signature(function).return_annotation
        found = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", None)
    return found


def _is_model(each: Any, module: str) -> bool:
    return (
        isinstance(each, type) and each.__module__ == module and not each.__name__.startswith("_")
    )


def _takes_a_rate(function: Any) -> bool:
    return (
        inspect.isfunction(function) and "learning_rate" in inspect.signature(function).parameters
    )
