"""Texts that several tables need: Markdown, links, numbers, calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    r"""A table; a bar in a cell does not end it.

    >>> print(markdown(["a", "b"], [["|x|", "1"]]))
    | a | b |
    |---|---|
    | \|x\| | 1 |
    """

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, lines)])


def link(text: str, package: str, name: str) -> str:
    """Code that leads to its description."""
    return f"{{py:obj}}`{text} <jaxbyz.{package}.{name}>`"


def number(value: float | None, digits: int = 4) -> str:
    """A number as text.

    >>> number(3200.0), number(2 / 3), number(None), number(1 / 8)
    ('3,200', '0.6667', '–', '0.125')
    """
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.{digits}g}"


def call(recipe: Any) -> str:
    """The call that made a part, without arguments that are None.

    >>> import jaxbyz as jb
    >>> call(jb.nnm(f=2, inner=jb.trimmed_mean(f=2)).recipe)
    'nnm(f=2, inner=trimmed_mean(f=2))'
    """
    return _call(recipe.maker, recipe.arguments)


def _call(maker: str, arguments: Any) -> str:
    given = {k: v for k, v in arguments.items() if v is not None and k != "made_by"}
    return f"{maker}({', '.join(f'{k}={_value(v)}' for k, v in given.items())})"


def _value(value: Any) -> str:
    if isinstance(value, dict) and "made_by" in value:
        return _call(value["made_by"], value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)
