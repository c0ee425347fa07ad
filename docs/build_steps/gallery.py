"""The gallery: pictures of all figures with their verdicts, and a page for each figure.

Everything comes from the committed results in `paper_figs/gallery`.
"""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from build_steps.sources import ROOT
from build_steps.texts import markdown
from paper_figs.frame.pages import MARKS, verdicts

GALLERY = ROOT / "paper_figs" / "gallery"
FIGURES = ROOT / "paper_figs" / "figures"
# The first part of a figure's name -> a heading; the others come last.
PARTS = {
    "rosdhb": "RoSDHB",
    "dm21": "Byz-DM21 and Byz-VR-DM21",
    "dasha": "Other methods",
    "marina": "Other methods",
    "": "Rules, attacks, compressors and bits",
}


def pages(folder: Path = GALLERY) -> dict[str, str | bytes | Path]:
    """File name -> a text, a picture, or a picture to copy."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    made: dict[str, str | bytes | Path] = {"index.md": _index(found)}
    for name, told in found.items():
        made[f"{name}.md"] = _figure(name, told)
        made[f"{name}.png"] = folder / f"{name}.png"
        made[f"{name}_small.webp"] = thumbnail(folder / f"{name}.png")
    return made


def thumbnail(picture: Path, width: int = 560) -> bytes:
    """A small picture, for twice the dots of its place on the page."""
    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail((width, width))
        written = io.BytesIO()
        small.save(written, "WEBP", quality=70, method=6)
    return written.getvalue()


def _index(found: dict[str, Any]) -> str:
    lines = [
        "# Gallery",
        "",
        "Every figure as `python -m paper_figs NAME --gallery` made it, on the data that its title "
        "names. Each holds claims against its curves. *T* claims are theorems and identities, "
        "which must hold; *E* claims are what a paper observed, and may come out differently. "
        "A figure leads to its claims, numbers and settings.",
        "",
    ]
    for heading, names in _by_part(found):
        lines += [f"## {heading}", "", "::::{container} gallery"]
        for name in names:
            told = found[name]
            said = verdicts(told["findings"])
            lines += [
                ":::{container} figure-card",
                f"[![]({name}_small.webp) **{_text(told['title'])}**]({name}.md)",
                "",
                said,
                ":::",
            ]
        lines += ["::::", ""]
    lines += ["```{toctree}", ":hidden:", "", *(n for _, names in _by_part(found) for n in names)]
    return "\n".join([*lines, "```", ""])


def _by_part(found: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Headings, each with its figures."""
    of = {name: PARTS.get(name.split("_")[0], PARTS[""]) for name in sorted(found)}
    for heading in dict.fromkeys(PARTS.values()):
        names = [name for name, its in of.items() if its == heading]
        if names:
            yield heading, names


def _figure(name: str, told: dict[str, Any]) -> str:
    source = ast.parse((FIGURES / f"{name}.py").read_text("utf-8"))
    seconds = told["seconds"]["run"]
    findings = [
        [
            f"{f['kind']} {MARKS[f['verdict']]} {f['verdict']}",
            _text(f["claim"]),
            _text(f["numbers"]),
        ]
        for f in told["findings"]
    ]
    return "\n".join(
        [
            f"# {told['title']}",
            "",
            f"```{{image}} {name}.png",
            f":alt: {told['title']}",
            "```",
            "",
            ast.get_docstring(source) or "",
            "",
            f"Made by `python -m paper_figs {name} --gallery` in {seconds:,.0f} s, at the scale "
            f"*{told['scale']}*, revision {told['revision']}, JAX {told['versions']['jax']}, "
            f"{told['device']}. Specification, step sizes and intervals are in "
            f"`paper_figs/gallery/{name}.json`.",
            "",
            "## Verdicts",
            "",
            f"{verdicts(told['findings'])}.",
            "",
            markdown(["verdict", "claim", "numbers"], findings),
            "",
        ]
    )


def _text(value: Any) -> str:
    """Plain text: nothing in it is markup."""
    text = str(value)
    for sign in "\\`*_<$[":
        text = text.replace(sign, f"\\{sign}")
    return text
