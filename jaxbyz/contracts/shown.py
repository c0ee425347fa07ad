"""A part as text: the call that made it."""

from collections.abc import Mapping
from typing import Any


def shown(part: Any) -> str:
    """The constructor of a part and all its arguments, as notebooks print them.

    Of a part that was made by hand, without a constructor, it is what it holds besides functions
    and arrays.

    >>> from jaxbyz import alie, nnm, trimmed_mean
    >>> nnm(f=2, inner=trimmed_mean(f=2))
    nnm(f=2, inner=trimmed_mean(f=2, trim=None))
    >>> alie()._replace(recipe=None)
    Attack(name='ALIE')
    """
    if part.recipe is not None:
        return _call(part.recipe.maker, part.recipe.arguments)
    plain = {name: value for name, value in _fields(part) if _is_plain(value)}
    return _call(type(part).__name__, plain)


def _call(maker: str, arguments: Mapping[str, Any]) -> str:
    return f"{maker}({', '.join(f'{name}={_text(value)}' for name, value in arguments.items())})"


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and "made_by" in value:
        arguments = dict(value)
        return _call(arguments.pop("made_by"), arguments)
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return repr(value)


def _fields(part: Any) -> list[tuple[str, Any]]:
    names = getattr(part, "_fields", None) or part.__dataclass_fields__
    return [(name, getattr(part, name)) for name in names]


def _is_plain(value: Any) -> bool:
    """Whether it is a number, a text, or another part."""
    return isinstance(value, bool | int | float | str) or getattr(value, "recipe", None) is not None
