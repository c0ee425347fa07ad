"""The reference: a page for each group of names, made for `autodoc`.

A page has a table of its names, and then their descriptions by the file that defines them, each
file with what its docstring says of all in it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from types import ModuleType

from build_steps import docstrings
from build_steps.names import GROUPS, Public, is_function, of_page, public

# `jaxbyz` lists its names by kind; these come first, and the files that define them tell nothing.
FIRST = (
    "train", "History", "StopTraining", "RunDiverged", "compare", "compare_aggregators",
    "Comparison", "effect", "Effect", "describe", "Description", "describe_table",
    "DescriptionTable", "plot_histories", "plot_rules",
)  # fmt: skip


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
    title, modules = GROUPS[page]
    lines = [f".. _reference-{page}:", "", *_title(title, "=")]
    for module, names in of_page(page):
        lines += [f".. py:module:: {module}", f".. py:currentmodule:: {module}", ""]
        shown = [one for one in names if not _is_module(one)]
        elsewhere = [one for one in shown if one.home != one.full]
        here = [one for one in shown if one.home == one.full]
        if page == "running":
            here.sort(key=lambda one: FIRST.index(one.name) if one.name in FIRST else len(FIRST))
            lines += _top(here, elsewhere)
            continue
        told = inspect.getdoc(importlib.import_module(module)) or ""
        if len(modules) > 1:
            lines += _title(module, "-")
        lines += [*docstrings.plain(told.split("\n\n")[0].split("\n")), ""]
        lines += [*_table(shown), *_described(module, here, "~" if len(modules) > 1 else "-")]
        for one in names:
            if _is_module(one) and not any(one.value.__name__ in m for _, m in GROUPS.values()):
                lines += _module(one.value)
    return "\n".join(lines) + "\n"


def _top(here: list[Public], elsewhere: list[Public]) -> list[str]:
    """The names of `jaxbyz` itself; those of parts are told of, and described elsewhere."""
    said = ["What most users call, as `jb.NAME` after `import jaxbyz as jb`.", ""]
    lines = [*docstrings.plain(said), *_table(here), *_parts(elsewhere)]
    for one in here:
        lines += _entry(one)
    return lines


def _parts(names: list[Public]) -> list[str]:
    """Which names of parts are in `jaxbyz` itself."""
    lines = ["Also here, and described with the others of their kind:", ""]
    for page in dict.fromkeys(one.page for one in names):
        links = ", ".join(_link(one) for one in names if one.page == page)
        lines += [f"- :doc:`{GROUPS[page][0].lower()} <{page}>`: {links}"]
    return [*lines, ""]


def _module(module: ModuleType) -> list[str]:
    """A module that is public as a whole, and what it says of itself first."""
    name = module.__name__
    text = docstrings.plain([f"`{name}`: {_start(module)}"])
    return [f".. py:module:: {name}", "   :no-index-entry:", "", *text, ""]


def _described(module: str, names: list[Public], line: str) -> list[str]:
    """The descriptions, in the order of the list, files together."""
    files: dict[str, list[Public]] = {}
    for one in names:
        files.setdefault(_file(one), []).append(one)
    lines: list[str] = []
    for file, ones in files.items():
        if len(files) > 1 or file != module:
            lines += _about(file, line)
        for one in ones:
            lines += _entry(one)
    return lines


def _about(file: str, line: str) -> list[str]:
    """A heading, and what the file's docstring says of all that is in it."""
    told = inspect.getdoc(importlib.import_module(file)) or file
    first = told.split("\n\n")[0].replace("\n", " ").rstrip(".")
    heading = re.split(r"[:;] ", first)[0].replace("`", "")
    rest = told if first != heading else told.partition("\n\n")[2]
    return [
        "",
        *_title(docstrings.plain([heading])[0], line),
        *docstrings.plain(rest.split("\n")),
        "",
    ]


def _entry(one: Public) -> list[str]:
    value = one.value
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        return [f".. {kind}:: {one.name}", "   :members:", ""]
    if is_function(value):
        return [f".. autofunction:: {one.name}", ""]
    text = docstrings.plain([_told(one)])
    return [f".. py:data:: {one.name}", "", *(f"   {line}" for line in text), ""]


def _told(one: Public) -> str:
    """A constant: what its file says of it in a comment, and its value where that is short."""
    value, source = one.value, inspect.getsource(importlib.import_module(_file(one)))
    found = re.search(
        rf"((?:^#[^\n]*\n)*)^{one.name}\b[^\n=]*= ([^\n]*?)(?:  # ([^\n]*))?$", source, re.MULTILINE
    )
    if found is None:
        return f"A `{type(value).__name__}`."
    above, written, beside = found.groups()
    said = beside or " ".join(line.lstrip("# ") for line in above.splitlines())
    said = f"{said[:1].upper()}{said[1:].rstrip('.')}. " if said else ""
    if isinstance(value, tuple | dict) and not hasattr(value, "_fields"):
        entries = list(value.values()) if isinstance(value, dict) else value
        return f"{said}{len(value)} values of the type `{type(entries[0]).__name__}`."
    return f"{said}`{written}`"


def _file(one: Public) -> str:
    """The module that defines it."""
    if inspect.isclass(one.value) or is_function(one.value):
        return str(inspect.unwrap(one.value).__module__)
    module = one.module
    while True:
        tree = ast.parse(inspect.getsource(importlib.import_module(module)))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        origin = [node for node in imports if any(one.name == name.name for name in node.names)]
        if not origin:
            return module
        module = importlib.util.resolve_name(
            "." * origin[0].level + (origin[0].module or ""), module
        )


def _table(names: list[Public]) -> list[str]:
    """Name, and the first sentence of its docstring."""
    if not names:
        return []
    lines = [".. list-table::", "   :class: names", "   :widths: auto", ""]
    for one in names:
        lines += [f"   * - {_link(one)}", f"     - {_first_sentence(one)}"]
    return [*lines, ""]


def _first_sentence(one: Public) -> str:
    """What its docstring says first, or that of its file, where a name alone says too little."""
    value = one.value
    if not (inspect.isclass(value) or is_function(value)):
        return docstrings.plain([_told(one)])[0]
    told, of_file = _start(value), _start(importlib.import_module(_file(one)))
    if len(told) < 20 and of_file.startswith(told.rstrip(".")):
        told = of_file
    return docstrings.plain([told])[0] if told else one.name


def _start(value: object) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")


def _link(one: Public) -> str:
    return f":py:obj:`{one.name} <{one.home}>`"


def _is_module(one: Public) -> bool:
    return inspect.ismodule(one.value)


def _title(text: str, line: str) -> list[str]:
    return [text, line * max(4, 2 * len(text)), ""]
