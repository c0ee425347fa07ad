"""What must hold of the site when it is built: `python -m build_steps.check FOLDER`.

Every internal link leads somewhere; every public name has its place in the reference; no page shows
the address of an object, as `<function f at 0x7f…>` would.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from build_steps.links import Page, dead, read_site
from build_steps.names import public

ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")


def undescribed(root: Path, pages: Mapping[Path, Page]) -> Iterator[str]:
    """Public names that have no anchor on the page that shall describe them."""
    for one in public().values():
        page = pages.get(root.resolve() / "reference" / f"{one.page}.html")
        if page is None or one.home not in page.anchors:
            yield f"{one.full}: not described on reference/{one.page}.html"


def addresses(root: Path, pages: Mapping[Path, Page]) -> Iterator[str]:
    """Pages that show where an object lies in memory."""
    for path in pages:
        for found in ADDRESS.finditer(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(root.resolve())}: {found[0]}"


def main(arguments: list[str]) -> int:
    """Print what is wrong."""
    root = Path(arguments[0])
    pages = read_site(root)
    checks = (dead, undescribed, addresses)
    wrong = [line for check in checks for line in check(root, pages)]
    links = sum(len(page.links) + len(page.loaded) for page in pages.values())
    print(
        "\n".join(wrong) or f"{len(pages)} pages, {links} links, {len(public())} names: all there"
    )
    return 1 if wrong or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
