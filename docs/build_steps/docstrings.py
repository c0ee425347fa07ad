"""Docstrings and signatures as Sphinx reads them.

The docstrings of jaxbyz are plain text with `code`, blocks and sections of Google's style. What
reStructuredText would read as markup, such as |S|, is text here; indented blocks and tables keep
their lines. Signatures stand as the source writes them.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Sequence
from typing import Any

SECTION = re.compile(r"(Args|Raises|Returns|Yields|Warns|Attributes|Note|Example):$")
SHOWN = ("__call__", "__getitem__")  # special methods


def connect(app: Any) -> None:
    """Before napoleon, which is at 500 and reads the sections."""
    app.connect("autodoc-process-docstring", _docstring, priority=400)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)


def plain(lines: Sequence[str]) -> list[str]:
    r"""A docstring as reStructuredText.

    >>> plain(["The mean over |S| of `x*`:", "", "    a  b"])
    ['The mean over \\|S\\| of ``x*``:', '', '.. code-block:: text', '', '    a  b', '']
    """
    made: list[str] = []
    for kind, block in _blocks(lines):
        if kind == "text":
            made += _escaped("\n".join(block)).split("\n")
        elif kind == "code":
            made += block
        else:
            made += ["", ".. code-block:: text", "", *(f"    {line}" for line in block), ""]
    return [line for i, line in enumerate(made) if line or (i and made[i - 1])]


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Texts, doctests ("code") and blocks whose lines are kept ("kept"), in their order."""
    text: list[str] = []
    in_section = False
    i = 0
    while i < len(lines):
        line = lines[i]
        if SECTION.match(line):
            in_section = True
        elif line and not line.startswith(" "):
            in_section = False
        before = lines[i - 1] if i else ""
        doctest = line.lstrip().startswith(">>>")
        table = line.startswith("|") and not before.strip()
        indented = line.startswith("    ") and not in_section and not before.strip()
        if not (doctest or table or indented):
            text.append(line)
            i += 1
            continue
        end = i
        while end < len(lines) and _goes_on(lines, end, doctest, table):
            end += 1
        block = list(lines[i:end])
        while block and not block[-1].strip():
            block.pop()
        yield "text", text
        text = []
        yield ("code", ["", *block, ""]) if doctest else (
            "kept", textwrap.dedent("\n".join(block)).split("\n")
        )  # fmt: skip
        i = end
    yield "text", text


def _goes_on(lines: Sequence[str], i: int, doctest: bool, table: bool) -> bool:
    """Whether line i still belongs to the block."""
    line = lines[i]
    if doctest:
        return bool(line.strip())
    if table:
        return line.startswith("|")
    return line.startswith("    ") or not line.strip()


def _escaped(text: str) -> str:
    r"""Text without markup but bullets; `code` is a literal.

    >>> print(_escaped("x* and |y_| of `a`, `k`-subsets of `b`s"))
    x\* and \|y\_\| of ``a``, ``k``-subsets of ``b``\ s
    """
    pieces = re.split(r"`+([^`]+)`+", text)
    for i, piece in enumerate(pieces):
        if i % 2:
            # A literal ends before a space or punctuation only.
            begins = "\\ " if re.search(r"\w$", pieces[i - 1]) else ""
            ends = "\\ " if re.match(r"\w", pieces[i + 1]) else ""
            pieces[i] = f"{begins}``{' '.join(piece.split())}``{ends}"
            continue
        piece = piece.replace("\\", "\\\\")
        piece = re.sub(r"(?m)(?<!^)(?<!^    )\*|\*(?! )|\|", lambda m: "\\" + m[0], piece)
        pieces[i] = re.sub(r"(?<=\w)_(?!\w)", r"\\_", piece)
    return "".join(pieces)


def _docstring(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = plain(lines)
    if what in ("property", "attribute", "data"):
        lines.insert(0, "")  # else napoleon takes what stands before a colon for a type
    if what in ("class", "exception"):
        lines += fields(value)


def fields(cls: type) -> list[str]:
    """The fields of a NamedTuple or dataclass, with the comments beside them in the source."""
    if not (dataclasses.is_dataclass(cls) or hasattr(cls, "_fields")):
        return []
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return []
    body: Any = ast.parse(source).body[0]
    comments = _comments(source)
    nodes = [
        n for n in body.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    ]
    nodes = [n for n in nodes if n.target.id != "_" and not n.target.id.startswith("_")]
    made = []
    for i, node in enumerate(nodes):
        said = [
            comments[line] for line in range(node.lineno, node.end_lineno + 1) if line in comments
        ]
        above = node.lineno - 1
        own: list[str] = []
        while f"#{above}" in comments:
            own.insert(0, comments[f"#{above}"])
            above -= 1
        if own and not (i and own[0].startswith(f"{nodes[i - 1].target.id}(")):
            said = own + said
        below = node.end_lineno + 1
        if comments.get(f"#{below}", "").startswith(f"{node.target.id}("):
            said.append(comments[f"#{below}"])
        annotation = _short(ast.unparse(node.annotation))
        made += [
            f"``{node.target.id}`` : ``{annotation}``",
            f"    {_escaped(' '.join(said)) or '..'}",
        ]
    return ["", "**Fields**", "", *made, ""] if made else []


def _comments(source: str) -> dict[Any, str]:
    """Line -> the comment behind its code; "#line" -> a comment that has the line for itself."""
    found: dict[Any, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            alone = not token.line[: token.start[1]].strip()
            text = re.sub(r"\s*#?\s*(noqa|type: ignore|fmt:).*$", "", token.string.lstrip("# "))
            if text:
                found[f"#{line}" if alone else line] = text
    return found


def _short(annotation: str) -> str:
    return annotation.replace("'", "").replace("jax.Array", "Array")


def signature(function: Any) -> tuple[str, str | None] | None:
    """Arguments and result as the source writes them.

    >>> from jaxbyz import trimmed_mean
    >>> signature(trimmed_mean)
    ('(f: int | None=None, trim: int | None=None)', 'Aggregator')
    """
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    except (OSError, TypeError):
        return None
    node = ast.parse(source).body[0]
    if not isinstance(node, ast.FunctionDef):
        return None
    args = node.args
    for one in (args.posonlyargs, args.args):
        if one and one[0].arg in ("self", "cls"):
            del one[0]
            break
    return f"({ast.unparse(args)})".replace("jax.Array", "Array"), (
        _short(ast.unparse(node.returns)) if node.returns else None
    )


def _signature(
    app: Any, what: str, name: str, value: Any, options: Any, args: str | None, result: str | None
) -> tuple[str, str | None] | None:
    return signature(value) if what in ("function", "method") else None


def _skip(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Fields are listed already; what Python adds to a class is no method of ours."""
    if what not in ("class", "exception") or skip:
        return None
    if name.startswith("__"):
        return name not in SHOWN or not value.__doc__
    if inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod):
        return None
    return True
