"""Checks that an argument is a part of its kind.

The error is one sentence: which argument, what was given, and what to write instead.
"""

import contextlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.contracts import returned
from jaxbyz.contracts.recipes import is_optimizer
from jaxbyz.core import Aggregator, Algorithm, Attack, Compressor


class Kind(NamedTuple):
    """A kind of parts, in the words of an error."""

    noun: str
    is_one: Callable[[Any], bool]
    example: str
    wrap: str = ""  # what makes one of a plain function


def _is_problem(value: Any) -> bool:
    fields = ("honest", "byzantine", "dimension", "data", "oracle", "evaluators")
    return not isinstance(value, type) and all(hasattr(value, name) for name in fields)


KINDS = {
    "Aggregator": Kind(
        "a jaxbyz aggregator", lambda value: isinstance(value, Aggregator),
        "jaxbyz.trimmed_mean(f=1)", "jaxbyz.stateless({}) for a function of rows [n, d] -> [d]",
    ),
    "Attack": Kind(
        "a jaxbyz attack", lambda value: isinstance(value, Attack), "jaxbyz.alie()",
        'jaxbyz.forged("mine", {}) for a function of honest vectors [h, d] -> [d]',
    ),
    "Compressor": Kind(
        "a jaxbyz compressor", lambda value: isinstance(value, Compressor),
        "jaxbyz.top_k(ratio=0.1)",
    ),
    "Algorithm": Kind(
        "a jaxbyz algorithm", lambda value: isinstance(value, Algorithm),
        "jaxbyz.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jaxbyz.trimmed_mean(f=1))",
    ),
    "Problem": Kind(
        "a jaxbyz problem", _is_problem,
        'jaxbyz.problems.classification("digits", honest=10, byzantine=3); data of your own: '
        "jaxbyz.problems.classification(jaxbyz.data.Dataset(...), honest=10)",
    ),
    "Quadratics": Kind(
        "a problem of quadratics",
        lambda value: _is_problem(value) and hasattr(value, "noise_variance"),
        "jaxbyz.problems.quadratics(honest=10, dimension=20)",
    ),
    "GradientTransformation": Kind("an optax optimiser", is_optimizer, "optax.sgd(0.1)"),
}  # fmt: skip
PROBLEMS = ("Quadratics", "Logistic")  # kinds of problems that constructors make


def require(kind: str, name: str, value: Any, others: Mapping[str, Any] | None = None) -> Any:
    """A part of this kind.

    Args:
        kind: a key of `KINDS`.
        name: of the argument.
        value: what came.
        others: what else came in the same call, by name: two may be swapped.

    Raises:
        ValueError: naming the argument, what came, and what to write instead.

    >>> from jaxbyz.aggregators import trimmed_mean
    >>> require("Aggregator", "aggregator", trimmed_mean)
    Traceback (most recent call last):
    ValueError: aggregator must be a jaxbyz aggregator, got the function trimmed_mean: did you mean trimmed_mean(f=...)?
    """  # noqa: E501
    wanted = KINDS[kind]
    if not wanted.is_one(value):
        advice = _advice(kind, name, value, others or {})
        raise ValueError(f"{name} must be {wanted.noun}, got {said(value)}: {advice}")
    if kind == "GradientTransformation":
        _require_self_sufficient(name, value)
    return value


def require_all(kind: str, name: str, values: Any) -> tuple[Any, ...]:
    """A list of parts of this kind, as a tuple.

    Raises:
        ValueError: naming the argument or its entry, what came, and what to write instead.

    >>> require_all("Attack", "attacks", 3)
    Traceback (most recent call last):
    ValueError: attacks must be a list of parts, each a jaxbyz attack, got the number 3
    """
    wanted = KINDS[kind]
    if wanted.is_one(values):
        raise ValueError(
            f"{name} must be a list, got {said(values)} alone: write {name}=[...] around it"
        )
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{name} must be a list of parts, each {wanted.noun}, got {said(values)}")
    return tuple(require(kind, f"{name}[{i}]", value) for i, value in enumerate(values))


def said(value: Any) -> str:
    """What came, in a few words; parts by their kind.

    >>> from jaxbyz.attacks import alie
    >>> said(alie()), said(alie)
    ("the attack 'ALIE'", 'the function alie')
    """
    for kind in KINDS.values():
        if kind.is_one(value):
            noun = kind.noun.split()[-1]
            name = getattr(value, "name", None)
            recipe = getattr(value, "recipe", None)
            name = repr(name) if isinstance(name, str) else getattr(recipe, "maker", "")
            return f"the {noun} {name}" if name else kind.noun
    return checks.said(value)


def _advice(kind: str, name: str, value: Any, others: Mapping[str, Any]) -> str:
    wanted = KINDS[kind]
    for other, candidate in others.items():
        if other != name and candidate is not value and wanted.is_one(candidate):
            return f"{other} is one; are {name} and {other} swapped?"
    if isinstance(value, str):
        return f"parts are given as values, not as names, for instance {wanted.example}"
    part = any(each.is_one(value) for each in KINDS.values())
    if callable(value) and not isinstance(value, type) and not part:
        made = getattr(value, "makes", None)
        made = "Problem" if made in PROBLEMS else made
        if made == kind or (kind == "GradientTransformation" and _of_optax(value)):
            return f"did you mean {call_of(value)}?"
        if wanted.wrap and made is None:
            name = getattr(value, "__name__", "")
            return f"did you mean {wanted.wrap.format(name if name.isidentifier() else 'it')}?"
    if kind == "GradientTransformation" and isinstance(value, int | float):
        return f"did you mean optax.sgd({value!r})?"
    if isinstance(value, Sequence) and len(value) == 1 and wanted.is_one(value[0]):
        return f"one is wanted here; give {name} without the brackets"
    return f"give for instance {wanted.example}"


def _of_optax(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith("optax")


def call_of(function: Callable[..., Any]) -> str:
    """How a constructor is called: with f and whatever has no default.

    >>> from jaxbyz.attacks import alie
    >>> from jaxbyz.compressors import top_k
    >>> call_of(alie), call_of(top_k)
    ('alie()', 'top_k(ratio=...)')
    """
    parameters: list[inspect.Parameter] = []
    with contextlib.suppress(TypeError, ValueError):  # some built-in functions have none
        parameters = list(inspect.signature(function).parameters.values())
    several = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    names = {parameter.name for parameter in parameters}
    either = {"ratio"} if {"k", "ratio"} <= names else set()  # one of the two is wanted
    wanted = [
        parameter.name
        for parameter in parameters
        if parameter.name in {"f"} | either
        or (parameter.default is parameter.empty and parameter.kind not in several)
    ]
    name = getattr(function, "__name__", "it")
    name = f"optax.{name}" if _of_optax(function) else name
    return f"{name}({', '.join(f'{parameter}=...' for parameter in wanted)})"


def _require_self_sufficient(name: str, optimizer: Any) -> None:
    """Raise unless a step is made from a gradient, the state and the parameters alone."""
    x = jnp.zeros(3)

    def step(x: jax.Array) -> Any:
        outcome = optimizer.update(x, optimizer.init(x), x)
        if not isinstance(outcome, tuple) or len(outcome) != 2:
            raise ValueError(f"it must return (update, state), got {said(outcome)}")
        return outcome[0]

    with returned.explaining_tracers(name):
        try:
            jax.eval_shape(optimizer.init, x)
        except returned.ASKED:
            raise
        except Exception as error:
            raise ValueError(
                f"{name} must start from one vector of parameters [d], got one that raises "
                f"{checks.first_line(error)}"
            ) from error
        try:
            jax.eval_shape(step, x)
        except returned.ASKED:
            raise
        except Exception as error:
            if missing := re.findall(r"argument[s]?: (.*)", str(error)):
                raise ValueError(
                    f"{name} must step by a gradient, its state and the parameters alone, got one "
                    f"that also needs {missing[0]}, which a server never sees: use for instance "
                    "optax.sgd(0.1) or optax.adam(0.001)"
                ) from error
            # Made for one dimension, as by a vector of step sizes: asked when that is known.
            if re.search(r"\b(shapes?|broadcast\w*|dimensions?)\b", str(error)):
                return
            raise ValueError(
                f"{name} must step by a gradient [d], its state and the parameters [d] alone, got "
                f"one that raises {checks.first_line(error)}"
            ) from error
