"""Every internal link and anchor of a built site: `python -m build_steps.links FOLDER`.

Links of pages, pictures, scripts and style sheets must lead to a file of the site, and what follows
`#` to an element of that page. Nothing is fetched: links to other sites are not followed, but a
script, style sheet or picture from another site is an error, since the site must work without one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINKS = {"a": "href", "area": "href", "iframe": "src"}
PARTS = {"img": "src", "script": "src", "link": "href", "source": "src", "video": "src"}
# What a page may say of another address without loading it.
NOT_LOADED = {"canonical", "author", "copyright", "license", "next", "prev", "search", "index"}


class _Page(HTMLParser):
    """The anchors of a page, its links, and what a browser loads for it."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors = {"", "top"}
        self.links: list[tuple[int, str]] = []
        self.loaded: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.update(value for key in ("id", "name") if (value := given.get(key)))
        line = self.getpos()[0]
        link = given.get(LINKS.get(tag, ""))
        if link is not None:
            self.links.append((line, link))
        part = given.get(PARTS.get(tag, ""))
        if part is not None:
            named = set((given.get("rel") or "").split())
            (self.links if named & NOT_LOADED else self.loaded).append((line, part))


def read(path: Path) -> _Page:
    """Parse a page."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def _html_files(root: Path) -> list[Path]:
    """The pages; in `_static` a theme has templates that end on .html too."""
    files = sorted(root.rglob("*.html"))
    return [path for path in files if "_static" not in path.relative_to(root).parts]


def dead(folder: Path) -> Iterator[str]:
    """What is wrong: one text for each dead link, "page:line: link: reason"."""
    pages = {path: read(path) for path in _html_files(folder.resolve())}
    if not pages:
        yield f"{folder}: no pages"
    root = folder.resolve()
    for path, page in pages.items():
        for line, link in [*page.links, *page.loaded]:
            reason = _reason(link, path, root, pages, (line, link) in page.loaded)
            if reason:
                yield f"{path.relative_to(root)}:{line}: {link}: {reason}"


def _reason(
    link: str, path: Path, root: Path, pages: dict[Path, _Page], loaded: bool
) -> str | None:
    """Why a link leads nowhere; None if it does not."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        outside = loaded and parts.scheme != "data"
        return "is fetched from elsewhere" if outside else None
    target = path
    if parts.path:
        start = root if parts.path.startswith("/") else path.parent
        target = (start / unquote(parts.path).lstrip("/")).resolve()
        if target.is_dir():
            target = target / "index.html"
    if not target.is_relative_to(root):
        return "leads out of the site"
    if not target.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "no such anchor"
    return None


def main(arguments: list[str]) -> int:
    """Print what is wrong."""
    wrong = list(dead(Path(arguments[0])))
    print("\n".join(wrong) if wrong else "every internal link leads somewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
