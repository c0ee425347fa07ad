"""The reference: a page for each group of names, made for `autodoc`.

A page has a table of its names, and then their descriptions by the file that defines them, each
file with what its docstring says of all in it.
"""

from __future__ import annotations

import importlib
import inspect
import re

from build_steps import docstrings
from build_steps.names import GROUPS, Public, of_page, public

# Read by users who write parts; the others are internal, though the types mention them.
INTRODUCTIONS = {
    "running": "What most users call, as `jb.NAME` after `import jaxbyz as jb`.",
}


def pages() -> dict[str, str]:
    """File name -> its text."""
    return {"index.rst": _index(), **{f"{page}.rst": _page(page) for page in GROUPS}}


def _index() -> str:
    lines = [*_title("Reference", "="), *docstrings.plain(
        ["Every public name. The parts that are used most are also in `jaxbyz` itself: `jb.rosdhb` "
         "is `jb.algorithms.rosdhb`."]
    ), "", ".. toctree::", "   :maxdepth: 1", ""]  # fmt: skip
    lines += [f"   {page}" for page in GROUPS]
    lines += ["", *_title("All names", "-")]
    for page, (title, _) in GROUPS.items():
        here = [one for one in public().values() if one.page == page and one.home == one.full]
        if here:
            lines += [f":doc:`{title} <{page}>`", f"    {', '.join(map(_link, here))}", ""]
    return "\n".join(lines)


def _page(page: str) -> str:
    title, _ = GROUPS[page]
    lines = [f".. _reference-{page}:", "", *_title(title, "=")]
    if page in INTRODUCTIONS:
        lines += [*docstrings.plain([INTRODUCTIONS[page]]), ""]
    for module, names in of_page(page):
        lines += [f".. py:module:: {module}", f".. py:currentmodule:: {module}", ""]
        told = inspect.getdoc(importlib.import_module(module)) or ""
        if page not in INTRODUCTIONS:
            lines += [*docstrings.plain([told.split("\n\n")[0]]), ""]
        shown = [one for one in names if not _is_module(one)]
        elsewhere = [one for one in shown if one.home != one.full]
        here = [one for one in shown if one.home == one.full]
        lines += _table([one for one in shown if page != "running" or one in here])
        if page == "running":
            lines += _parts(elsewhere)
        lines += _described(module, here)
    return "\n".join(lines) + "\n"


def _parts(names: list[Public]) -> list[str]:
    """Which names of parts are in `jaxbyz` itself."""
    lines = ["Also here, and described with the others of their kind:", ""]
    for page in dict.fromkeys(one.page for one in names):
        links = ", ".join(_link(one) for one in names if one.page == page)
        lines += [f"- :doc:`{GROUPS[page][0].lower()} <{page}>`: {links}"]
    return [*lines, ""]


def _described(module: str, names: list[Public]) -> list[str]:
    """The descriptions, in the order of the list, files together."""
    files: dict[str, list[Public]] = {}
    for one in names:
        files.setdefault(_file(one), []).append(one)
    lines: list[str] = []
    for file, ones in files.items():
        if len(files) > 1 or file != module:
            lines += _about(file)
        for one in ones:
            lines += _entry(one)
    return lines


def _about(file: str) -> list[str]:
    """A heading, and what the file's docstring says of all that is in it."""
    told = inspect.getdoc(importlib.import_module(file)) or file
    first = told.split("\n\n")[0].replace("\n", " ").rstrip(".")
    heading = re.split(r"[:;] ", first)[0].replace("`", "")
    rest = told if first != heading else told.partition("\n\n")[2]
    return [
        "",
        *_title(docstrings.plain([heading])[0], "-"),
        *docstrings.plain(rest.split("\n")),
        "",
    ]


def _entry(one: Public) -> list[str]:
    value = one.value
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        return [f".. {kind}:: {one.name}", "   :members:", ""]
    if inspect.isfunction(value):
        return [f".. autofunction:: {one.name}", ""]
    said = _comment(one) or f"{_kind(value)}."
    return [
        f".. py:data:: {one.name}",
        "",
        *(f"   {line}" for line in docstrings.plain([said])),
        "",
    ]


def _kind(value: object) -> str:
    if isinstance(value, tuple) and value and not isinstance(value[0], int | float):
        return f"{len(value)} values of the type `{type(value[0]).__name__}`"
    return f"`{value!r}`" if isinstance(value, str | int | float | tuple) else type(value).__name__


def _comment(one: Public) -> str | None:
    """The comment beside the assignment, if the name is assigned where it is listed or defined."""
    for module in (one.module, _file(one)):
        source = inspect.getsource(importlib.import_module(module))
        found = re.search(rf"^{one.name}\b[^\n=]*=[^\n#]*#\s*(.+)$", source, re.MULTILINE)
        if found:
            return f"{_kind(one.value)}: {found[1]}"
    return None


def _file(one: Public) -> str:
    """The module that defines it."""
    value = one.value
    return getattr(inspect.unwrap(value) if callable(value) else value, "__module__", one.module)


def _table(names: list[Public]) -> list[str]:
    """Name, and the first sentence of its docstring."""
    if not names:
        return []
    lines = [".. list-table::", "   :class: names", "   :widths: 30 70", ""]
    for one in names:
        lines += [f"   * - {_link(one)}", f"     - {_first_sentence(one)}"]
    return [*lines, ""]


def _first_sentence(one: Public) -> str:
    value = one.value
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return docstrings.plain([_comment(one) or _kind(value)])[0]
    told = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    return docstrings.plain([told])[0] if told else one.name


def _link(one: Public) -> str:
    return f":py:obj:`{one.name} <{one.home}>`"


def _is_module(one: Public) -> bool:
    return inspect.ismodule(one.value)


def _title(text: str, line: str) -> list[str]:
    return [text, line * max(4, 2 * len(text)), ""]
