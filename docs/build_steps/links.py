"""Every internal link and anchor of a built site, and what its pages load.

Links of pages, pictures, scripts and style sheets must lead to a file of the site, and what follows
`#` to an element of that page. Nothing is fetched: links to other sites are not followed, but a
script, style sheet or picture from another site is an error, since the site must work without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINKS = {"a": "href", "area": "href", "iframe": "src"}
PARTS = {"img": "src", "script": "src", "link": "href", "source": "src", "video": "src"}
# What a page may say of another address without loading it.
NOT_LOADED = {"canonical", "author", "copyright", "license", "next", "prev", "search", "index"}


class Page(HTMLParser):
    """The anchors of a page, its links, and what a browser loads for it."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors = {"", "top"}
        self.links: list[tuple[int, str]] = []
        self.loaded: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element says."""
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


def read(path: Path) -> Page:
    """Parse a page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def read_site(folder: Path) -> dict[Path, Page]:
    """All pages by their paths; in `_static` a theme has templates that end on .html too."""
    root = folder.resolve()
    files = sorted(root.rglob("*.html"))
    return {path: read(path) for path in files if "_static" not in path.relative_to(root).parts}


def dead(root: Path, pages: Mapping[Path, Page]) -> Iterator[str]:
    """What is wrong: one text for each dead link, "page:line: link: reason"."""
    for path, page in pages.items():
        for links, loaded in ((page.links, False), (page.loaded, True)):
            for line, link in links:
                reason = _reason(link, path, root.resolve(), pages, loaded)
                if reason:
                    yield f"{path.relative_to(root.resolve())}:{line}: {link}: {reason}"


def _reason(
    link: str, path: Path, root: Path, pages: Mapping[Path, Page], loaded: bool
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
    if target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "no such anchor"
    return None
