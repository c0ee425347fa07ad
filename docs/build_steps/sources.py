"""What stands elsewhere and belongs to the site, written below `docs/` before Sphinx reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ("quickstart", "theory", "proofs", "reproduce_rosdhb", "reproduce_dm21")  # to be read


def bring(app: Any) -> None:
    """Write all pages that are made, each only if it changed, and delete those of before."""
    from build_steps import gallery, reference, tables

    docs = Path(app.srcdir)
    place(docs / "reference", reference.pages())
    place(docs / "tables", tables.pages())
    place(docs / "gallery", gallery.pages())
    place(docs / "notebooks", notebooks())


def notebooks(folder: Path = ROOT / "notebooks") -> dict[str, str | Path]:
    """The notebooks, and a page that lists them."""
    found = {path.stem: path for path in folder.glob("*.ipynb")}
    ordered = sorted(found, key=lambda name: (name not in NOTEBOOKS, name))
    ordered.sort(key=lambda name: NOTEBOOKS.index(name) if name in NOTEBOOKS else len(NOTEBOOKS))
    listed = "\n".join(ordered)
    index = (
        "# Notebooks\n\nThey are in the folder `notebooks` of the repository, and the tests run "
        f"them.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return {"index.md": index, **{f"{name}.ipynb": path for name, path in found.items()}}


def place(folder: Path, pages: Mapping[str, str | bytes | Path]) -> None:
    """Make a folder hold these files: a path is copied, a text or bytes written.

    A file that is as it shall be stays as it is, since Sphinx reads what is newer anew.
    """
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, page in pages.items():
        target = folder / name
        if isinstance(page, Path):
            page = page.read_bytes()
        wanted = page.encode() if isinstance(page, str) else page
        if not target.exists() or target.read_bytes() != wanted:
            target.write_bytes(wanted)
