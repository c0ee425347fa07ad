"""Code in texts becomes a link where it is a public name; annotations find what they mean.

`jb.train`, `jaxbyz.train` and, where nothing else can be meant, `train` lead to the same place,
in docstrings, pages and notebooks.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc_signature, pending_xref

from build_steps.names import Public, by_text, is_function, public


def connect(app: Any) -> None:
    """Annotations before references are resolved, code after that."""
    app.connect("doctree-read", _annotations)
    app.connect("missing-reference", _other_name)
    app.connect("doctree-resolved", _code)


def _annotations(app: Any, doctree: nodes.document) -> None:
    """`Report` in a signature is what its file means by it, not what another file does."""
    for node in doctree.findall(pending_xref):
        if node.get("refdomain") == "py" and _is_inside(node, desc_signature):
            one = _meant(node["reftarget"], _described(node))
            if one is not None:
                node["reftarget"] = one.home


def _described(node: nodes.Node) -> Any:
    """The function or class in whose signature a node is."""
    while not isinstance(node, desc_signature):
        node = node.parent
    value: Any = importlib.import_module(node["module"])
    for name in node["fullname"].split("."):
        value = getattr(value, name, None)
    return inspect.unwrap(value) if callable(value) else value


def _meant(name: str, by: Any) -> Public | None:
    file = sys.modules.get(getattr(by, "__module__", ""))
    value = getattr(file, name, None)
    if inspect.isclass(value) or is_function(value):
        return next((one for one in public().values() if one.value is value), None)
    return by_text()(name)


def _other_name(app: Any, env: Any, node: pending_xref, content: nodes.Node) -> Any:
    """References to another name of what is described: `jaxbyz.rosdhb`, `jb.rosdhb`."""
    if node.get("refdomain") != "py":
        return None
    one = by_text()(node["reftarget"])
    return None if one is None else _link(app, node["refdoc"], one, content)


def _code(app: Any, doctree: nodes.document, docname: str) -> None:
    for literal in list(doctree.findall(nodes.literal)):
        if _is_inside(literal, nodes.reference | nodes.title):
            continue
        one = by_text()(literal.astext())
        if one is not None:
            literal.replace_self(_link(app, docname, one, literal.deepcopy()))


def _is_inside(node: nodes.Node, kinds: Any) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def _link(app: Any, docname: str, one: Public, content: nodes.Node) -> nodes.reference:
    page = app.builder.get_relative_uri(docname, f"reference/{one.page}")
    made = nodes.reference("", "", internal=True, refuri=f"{page}#{one.home}", reftitle=one.home)
    made += content
    return made
