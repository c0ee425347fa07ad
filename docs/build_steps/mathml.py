"""Formulas as MathML, by docutils: browsers draw it themselves, also without a network."""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
# Commands of LaTeX that docutils does not know -> what it knows.
OTHERS = {r"\dots": r"\ldots", r"\dotsc": r"\ldots", r"\dotsb": r"\cdots", r"\coloneqq": ":="}


def connect(app: Any) -> None:
    """Offer `html_math_renderer = "mathml"`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def formula(text: str, block: bool = False) -> str:
    r"""A formula of LaTeX as an element of HTML.

    Raises:
        MathError: of a command that is not known.

    >>> formula(r"x_1, \dots").count("<msub>"), "…" in formula(r"\dots")
    (1, True)
    """
    known = re.sub(r"\\[A-Za-z]+", lambda m: OTHERS.get(m[0], m[0]), text)
    return str(tex2mathml(known, as_block=block))


def _written(node: Any, block: bool) -> str:
    try:
        return formula(node.astext(), block)
    except MathError as error:
        LOGGER.warning("formula %r: %s", node.astext(), error, location=node, type="mathml")
        return f"<code>{html.escape(node.astext())}</code>"


def _inline(writer: Any, node: Any) -> None:
    writer.body.append(_written(node, block=False))
    raise nodes.SkipNode


def _block(writer: Any, node: Any) -> None:
    writer.body.append(f'<div class="formula">{_written(node, block=True)}</div>\n')
    raise nodes.SkipNode
