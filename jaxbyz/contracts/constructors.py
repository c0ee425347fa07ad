"""`@part`, the decorator of all functions that make an aggregator, attack, compressor, ...

It reads the signature of the constructor and does four things:

* An argument annotated as a part must be a part of that kind; one annotated as a function must be
  callable.
* The part that is made holds its recipe for `History.about`: the constructor and its arguments.
* An aggregator holds the number `f` of Byzantine rows that it was made for. If it has aggregators
  inside, this is the least of their f. An algorithm holds its aggregator.
* If `f` is None, here or in a part inside, the number is not known yet. `bind(f)` then calls the
  constructor again with that number.
"""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, ParamSpec, TypeVar

import jax

from jaxbyz.contracts.parts import KINDS, call_of, require, require_all, said
from jaxbyz.contracts.recipes import written
from jaxbyz.core import Aggregator, Algorithm, Key, Recipe, Tree

Given = ParamSpec("Given")
Part = TypeVar("Part")

OR_NONE = " | None"
FUNCTIONS = {"Damage", "Direction", "Through"}  # annotations that are names of kinds of functions


def part(constructor: Callable[Given, Part]) -> Callable[Given, Part]:
    """Decorate a constructor of parts; see the module for what this does.

    >>> from jaxbyz.core import Aggregator
    >>> @part
    ... def twice(inner: Aggregator) -> Aggregator:
    ...     return inner
    >>> twice(3)
    Traceback (most recent call last):
    ValueError: inner must be a jaxbyz aggregator, got the number 3: give for instance jaxbyz.trimmed_mean(f=1)
    """  # noqa: E501
    signature = inspect.signature(constructor)
    parameters = signature.parameters.items()
    texts = {name: _text(parameter.annotation) for name, parameter in parameters}
    asked = {name: _asked(text) for name, text in texts.items()}
    makes = _text(signature.return_annotation)

    @functools.wraps(constructor)
    def make(*args: Given.args, **kwargs: Given.kwargs) -> Part:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:
            return constructor(*args, **kwargs)  # says itself what is missing
        given.apply_defaults()
        arguments = given.arguments
        for name, check in asked.items():
            # What is of the same kind is in its right place.
            kind = texts[name].removesuffix(OR_NONE)
            others = {n: v for n, v in arguments.items() if texts[n].removesuffix(OR_NONE) != kind}
            check(name, arguments[name], others)
        if makes == "Aggregator" and arguments.get("f", 0) is None:
            anyhow: Callable[..., Any] = constructor
            built: Any = anyhow(**{**arguments, "f": 0})  # the other arguments are judged
            refuse, local = _refuse(call_of(constructor)), built.by_coordinate
            built = Aggregator(built.init, refuse, by_coordinate=local)
        else:
            built = constructor(*given.args, **given.kwargs)
        return _told(built, make, constructor, arguments, signature)

    make.makes = makes  # type: ignore[attr-defined]
    return make


def with_f(value: Part, f: int) -> Part:
    """The part for f Byzantine rows: made again if it, or a part inside, was made with f = None.

    >>> from jaxbyz.aggregators import coordinate_median
    >>> with_f(coordinate_median(f=None), 2).f
    2
    """
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)([with_f(entry, f) for entry in value])
    bind: Any = getattr(value, "bind", None)
    if bind is None:
        return value
    if isinstance(bind, _Waiting) and not bind.made(value):
        raise ValueError(
            f"f must be given to the rules of a part that was changed after it was made, got "
            f"{said(value)} with f = None"
        )
    bound = bind(f)
    return bound._replace(name=value.name) if isinstance(value, Algorithm) else bound


@dataclasses.dataclass(frozen=True, eq=False)
class _Waiting:
    """How a part is made again for another f."""

    make: Callable[..., Any]
    arguments: Mapping[str, Any]
    halves: tuple[Any, ...]  # of the part that was made

    def __call__(self, f: int) -> Any:
        filled = {
            name: f if name == "f" and value is None else with_f(value, f)
            for name, value in self.arguments.items()
        }
        return self.make(**filled)

    def made(self, value: Any) -> bool:
        """Whether a part is still what was made: else making it again would undo a change."""
        return all(a is b for a, b in zip(_halves(value), self.halves, strict=True))


def _halves(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Algorithm):
        return value.worker, value.server, value.codec, value.hello
    return value.init, value.apply


def _waits(value: Any) -> bool:
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return any(_waits(entry) for entry in value)
    return getattr(value, "bind", None) is not None


def _told(
    built: Any,
    make: Callable[..., Any],
    constructor: Callable[..., Any],
    arguments: Mapping[str, Any],
    signature: inspect.Signature,
) -> Any:
    """The part with its recipe, its f, and how to make it again for another f."""
    known: dict[str, Any] = {"recipe": _recipe(constructor, arguments)}
    waiting = {name for name, value in arguments.items() if _waits(value)}
    if isinstance(built, Aggregator):
        if "f" in arguments and arguments["f"] is None:
            waiting.add("f")
        known["f"] = _declared(arguments, signature)
    if isinstance(built, Algorithm):
        known["aggregator"] = arguments.get("aggregator", built.aggregator)
    if waiting and isinstance(built, Aggregator | Algorithm):
        known["bind"] = _Waiting(make, arguments, _halves(built))
    if dataclasses.is_dataclass(built):
        return dataclasses.replace(built, **known)  # type: ignore[type-var]
    return built._replace(**known)


def _recipe(constructor: Callable[..., Any], arguments: Mapping[str, Any]) -> Recipe:
    # Written down at once: data among the arguments must not stay alive for its description.
    return Recipe(constructor.__name__, {name: written(v) for name, v in arguments.items()})


def _declared(arguments: Mapping[str, Any], signature: inspect.Signature) -> int | None:
    """The least f that was given to an aggregator or to one inside it; None: no f was given.

    A rule whose f has the default 0 does not use it, so a 0 there is not counted.
    """
    found = []
    for name, value in arguments.items():
        if (
            name == "f"
            and value is not None
            and not (value == 0 and signature.parameters["f"].default == 0)
        ):
            found.append(value)
        inner = value if isinstance(value, list | tuple) else [value]
        found += [rule.f for rule in inner if isinstance(rule, Aggregator) and rule.f is not None]
    return min(found, default=None)


def _refuse(call: str) -> Callable[..., Any]:
    def apply(key: Key | None, state: Tree, rows: jax.Array) -> NoReturn:
        raise ValueError(
            f"f must be given to call this rule, as in {call}: with f = None it takes f from the "
            "problem that it is trained on"
        )

    return apply


def _text(annotation: Any) -> str:
    """An annotation as text without modules, whether or not it was evaluated."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"[\w.]+\.(?=\w)", "", text)


def _asked(annotation: str) -> Callable[[str, Any, Mapping[str, Any]], None]:
    """The kind of part that an argument with this annotation must be."""
    text, optional = annotation.removesuffix(OR_NONE), annotation.endswith(OR_NONE)
    several = re.fullmatch(r"Sequence\[(\w+)\]", text)
    kind = several[1] if several else text

    def one(name: str, value: Any, others: Mapping[str, Any]) -> None:
        require(kind, name, value, others)

    def many(name: str, value: Any, others: Mapping[str, Any]) -> None:
        require_all(kind, name, value)

    def function(name: str, value: Any, others: Mapping[str, Any]) -> None:
        made = getattr(value, "makes", None)
        if made in KINDS and not text.endswith(f", {made}]"):
            raise ValueError(
                f"{name} must be a function, got the function {value.__name__}, which makes "
                f"{KINDS[made].noun}: did you mean {call_of(value)}?"
            )
        if not callable(value):
            raise ValueError(f"{name} must be a function, got {said(value)}")

    def nothing(name: str, value: Any, others: Mapping[str, Any]) -> None:
        pass

    if kind in KINDS:
        check = many if several else one
    elif text.startswith("Callable[") or text in FUNCTIONS:
        check = function
    else:
        return nothing

    def unless_none(name: str, value: Any, others: Mapping[str, Any]) -> None:
        if value is not None:
            check(name, value, others)

    return unless_none if optional else check
