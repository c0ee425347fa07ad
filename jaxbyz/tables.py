"""Small tables of texts: aligned for a terminal, HTML for a notebook."""

from collections.abc import Sequence
from html import escape

import numpy as np


def text_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns beside each other: the first to the left, the others to the right.

    >>> print(text_table(["rule", "κ"], [["mean", "1.5"], ["median", "12"]]))
    rule      κ
    mean    1.5
    median   12
    """
    table = [list(head), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    )


def html_table(caption: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of HTML without scripts and styles; all texts are escaped.

    >>> html_table("a & b", ["x"], [["<1>"]]).splitlines()[1]
    '<caption>a &amp; b</caption>'
    """

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(cells, "td") for cells in lines)
    return "\n".join(
        [
            "<table>",
            f"<caption>{escape(caption)}</caption>",
            f"<thead>{line(head, 'th')}</thead>",
            f"<tbody>\n{body}\n</tbody>",
            "</table>",
        ]
    )


def spread(values: np.ndarray, digits: int = 6) -> list[str]:
    """Mean, lowest and highest of some numbers as texts; a NaN among them is all three.

    >>> spread(np.array([1.0, 2.0])), spread(np.array([np.inf, -np.inf]))
    (['1.5', '1', '2'], ['nan', '-inf', 'inf'])
    """
    numbers = np.asarray(values, float)
    with np.errstate(all="ignore"):
        return [f"{of(numbers):.{digits}g}" for of in (np.mean, np.min, np.max)]
